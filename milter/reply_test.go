package milter

import (
	"regexp"
	"strings"
	"testing"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

func TestReplyText(t *testing.T) {
	reject := func(code int, status, text, id string) engine.Answer {
		return engine.Answer{Action: profile.Reject, Code: code, Status: status, Text: text, ID: id}
	}
	tempfail := func(code int, status, text, id string) engine.Answer {
		a := reject(code, status, text, id)
		a.Action = profile.TempFail
		return a
	}
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name string
		in   engine.Answer
		want string
	}{
		{"a good one stays as it is", reject(550, "5.7.25", "192.0.2.7 has no reverse DNS", "abc123def456"), "550 5.7.25 192.0.2.7 has no reverse DNS [abc123def456]"},
		{"no id, no brackets", tempfail(450, "4.7.1", "Please wait", ""), "450 4.7.1 Please wait"},
		{"each percent sign is doubled", reject(550, "5.7.1", "100% of %s%%", ""), "550 5.7.1 100%% of %%s%%%%"},
		{"a bare LF cannot forge a line", reject(550, "5.7.1", "first\n250 second", ""), "550 5.7.1 first 250 second"},
		{"neither can CR LF", reject(550, "5.7.1", "first\r\n250 second\r\n", ""), "550 5.7.1 first 250 second"},
		{"NUL, tab, DEL and other controls are one space", reject(550, "5.7.1", "a\x00\t\x7f\x01b", ""), "550 5.7.1 a b"},
		{"letters that are not ASCII are question marks", reject(550, "5.7.1", "café \xff\xc3", ""), "550 5.7.1 caf? ??"},
		{"the line separator of Unicode too", reject(550, "5.7.1", "a\u2028b\u0085c", ""), "550 5.7.1 a?b?c"},
		{"class of the status follows the code", tempfail(451, "5.7.25", "x", ""), "451 4.7.25 x"},
		{"and for a reject", reject(554, "4.7.1", "x", ""), "554 5.7.1 x"},
		{"a tempfail cannot have a code of 5yz", tempfail(550, "5.7.25", "x", ""), "451 4.7.25 x"},
		{"nor a reject one of 4yz", reject(450, "4.7.25", "x", ""), "550 5.7.25 x"},
		{"nor be good news", reject(250, "2.0.0", "x", ""), "550 5.7.0 x"},
		{"354 would start the data", tempfail(354, "", "x", ""), "451 4.7.0 x"},
		{"421 would cost the connection", tempfail(421, "4.7.0", "x", ""), "451 4.7.0 x"},
		{"codes beyond the second digit of RFC 5321 are none", reject(599, "5.1.1", "x", ""), "550 5.1.1 x"},
		{"no code at all", reject(0, "", "x", ""), "550 5.7.0 x"},
		{"negative and huge ones", reject(-550, "5.1.1", "x", ""), "550 5.1.1 x"},
		{"status with leading zeros", reject(550, "5.07.1", "x", ""), "550 5.7.0 x"},
		{"status of four parts", reject(550, "5.7.1.1", "x", ""), "550 5.7.0 x"},
		{"status with text in it", reject(550, "5.7.1 x\r\n250", "x", ""), "550 5.7.0 x"},
		{"status of signs", reject(550, "5.+7.1", "x", ""), "550 5.7.0 x"},
		{"status of nothing", reject(550, "5..", "x", ""), "550 5.7.0 x"},
		{"a tempfail without text", tempfail(450, "4.7.1", " \n ", ""), "450 4.7.1 Please try again later"},
		{"a reject without text", reject(550, "5.7.1", "", "abc"), "550 5.7.1 Refused by local policy [abc]"},
		{"what is cut is the text, not the id", reject(550, "5.7.1", long, "abc123def456"), "550 5.7.1 " + long[:240-10-15] + " [abc123def456]"},
		{"no percent sign is cut in two", reject(550, "5.7.1", "x"+strings.Repeat("%", 300), ""), "550 5.7.1 x" + strings.Repeat("%%", 114)},
		{"an id is letters and digits", reject(550, "5.7.1", "x", "a]\r\n%b"), "550 5.7.1 x [ab]"},
		{"an id has an end", reject(550, "5.7.1", "x", long), "550 5.7.1 x [" + long[:maxID] + "]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := replyText(c.in); got != c.want {
				t.Errorf("replyText(%+v)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

var goodReply = regexp.MustCompile(`^(4[0-5][0-9] 4|5[0-5][0-9] 5)\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2}) [!-~]([ -~]*[!-~])?$`)

// FuzzReply holds replyText to its laws, whatever comes in.
func FuzzReply(f *testing.F) {
	f.Add(uint8(2), 550, "5.7.1", "text", "abc123def456")
	f.Add(uint8(1), 550, "5.7.1", "100% s\r\n250 ok", "%s]")
	f.Add(uint8(1), 421, "4", strings.Repeat("%", 250), strings.Repeat("z", 99))
	f.Add(uint8(2), -1, "5.1.1\n", "caf\xc3\xa9\x00\x7f\u2028", "")
	f.Fuzz(func(t *testing.T, action uint8, code int, status, text, id string) {
		a := engine.Answer{Action: profile.Action(1 + action%2), Code: code, Status: status, Text: text, ID: id}
		got := replyText(a)
		if !goodReply.MatchString(got) || len(got) > maxReply || strings.Contains(strings.ReplaceAll(got, "%%", ""), "%") {
			t.Fatalf("replyText(%+v) = %q", a, got)
		}
		if want := "45"[action%2]; got[0] != want {
			t.Fatalf("replyText(%+v) = %q, of another class", a, got)
		}
		if clean := cleanID(id); clean != "" && !strings.HasSuffix(got, " ["+clean+"]") {
			t.Fatalf("replyText(%+v) = %q, without its id", a, got)
		}
		if once := cleanText(text); cleanText(once) != once {
			t.Fatalf("cleanText(%q) = %q, and again %q", text, once, cleanText(once))
		}
		if replyText(a) != got {
			t.Fatalf("replyText(%+v) differs from call to call", a)
		}
	})
}

func TestHelpLinkIsWholeOrAbsent(t *testing.T) {
	sentence := strings.Repeat("A long sentence that is to be cut. ", 10)
	tests := []struct {
		name, url string
		want      bool
	}{
		{"a usual one", "https://postmaster.example.net/why/0123456789ab", true},
		{"one with a percent sign, doubled for the MTA", "https://example.net/%7Ewhy/0123456789ab", true},
		{"one that leaves no room for a sentence", "https://example.net/" + strings.Repeat("x", 150), false},
		{"one that is no plain text", "https://example.net/\r\nx", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := replyText(engine.Answer{Action: profile.Reject, Code: 550, Status: "5.7.25", Text: sentence, Help: tt.url, ID: "0123456789ab"})
			link := "; see " + strings.ReplaceAll(tt.url, "%", "%%") + " [0123456789ab]"
			if strings.HasSuffix(got, link) != tt.want || len(got) > maxReply || !strings.HasSuffix(got, " [0123456789ab]") {
				t.Errorf("got %q (%d octets), link wanted: %v", got, len(got), tt.want)
			}
		})
	}
}
