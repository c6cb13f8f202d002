package main

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/mtatest"
)

// documentation are the addresses that nobody has (RFC 5737, RFC 3849).
var documentation = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
}

func TestSendersAreSane(t *testing.T) {
	all := senders()
	if len(all) < 10 {
		t.Errorf("%d senders, want at least 10", len(all))
	}
	seen := map[string]bool{}
	for i, s := range all {
		if seen[s.who] {
			t.Errorf("%q comes twice", s.who)
		}
		seen[s.who] = true
		if len(s.who) > 25 {
			t.Errorf("%q does not fit its column", s.who)
		}
		if !slices.ContainsFunc(documentation, func(p netip.Prefix) bool { return p.Contains(s.client()) }) {
			t.Errorf("%s: %s may be somebody's address", s.who, s.addr)
		}
		if !strings.HasSuffix(s.from, ".example") && !strings.HasSuffix(s.from, "@"+ourDomain) {
			t.Errorf("%s: %s may be somebody's domain", s.who, s.from)
		}
		if s.again && (i == 0 || all[i-1].addr != s.addr || all[i-1].from != s.from || all[i-1].to != s.to) {
			t.Errorf("%s: it does not repeat the visit before it", s.who)
		}
		if s.want.code >= 400 && s.want.status[0] != byte('0'+s.want.code/100) {
			t.Errorf("%s: status %s does not fit code %d (RFC 3463 section 2)", s.who, s.want.status, s.want.code)
		}
	}
	if !seen[explained] {
		t.Errorf("no sender %q to explain", explained)
	}
}

// TestSendersShowWhatIsPromised holds the table to the list in the README.
func TestSendersShowWhatIsPromised(t *testing.T) {
	has := func(test func(sender) bool) bool { return slices.ContainsFunc(senders(), test) }
	finding := func(id string, code int) func(sender) bool {
		return func(s sender) bool {
			return s.want.code == code && slices.Contains(strings.Fields(s.want.findings), id)
		}
	}
	tests := []struct {
		name string
		test func(sender) bool
	}{
		{"a good server", finding("relation", 250)},
		{"an IPv6 server", func(s sender) bool { return s.client().Is6() }},
		{"no PTR: deferred", finding("rdns-missing", 450)},
		{"a PTR not confirmed", finding("rdns-unconfirmed", 450)},
		{"a dynamic PTR", func(s sender) bool { return strings.Contains(s.want.findings, "rdns-dynamic") && s.want.code >= 400 }},
		{"HELO with our name", finding("helo-is-us", 550)},
		{"HELO with a bare address", finding("helo-address", 550)},
		{"HELO with a wrong literal", finding("helo-literal-mismatch", 550)},
		{"a sender domain with a null MX", finding("from-null-mx", 550)},
		{"a sender domain that does not exist", finding("from-no-domain", 550)},
		{"a sender whom SPF forbids", finding("spf-never", 550)},
		{"a server that SPF allows", finding("spf-pass", 250)},
		{"dead DNS: the mail goes on", finding("rdns-error", 250)},
		{"a deferred one that comes back", func(s sender) bool { return s.again && finding("retry-passed", 250)(s) }},
		{"a user from a home line", func(s sender) bool { return s.login != "" && s.want.code == 250 && s.want.findings == "" }},
		{"the worst, to postmaster", func(s sender) bool {
			return strings.HasPrefix(s.to, "postmaster@") && finding("helo-is-us", 250)(s)
		}},
	}
	for _, tt := range tests {
		if !has(tt.test) {
			t.Errorf("no sender shows %s", tt.name)
		}
	}
}

func TestParseFields(t *testing.T) {
	line := `time=2026-11-24T12:00:00.000Z level=INFO msg=verdict client=192.0.2.7 helo="a b=\"c\" \n" from=<a@b.example> findings=rdns-missing:6,x:0 took=0.1ms`
	want := fields{
		"time": "2026-11-24T12:00:00.000Z", "level": "INFO", "msg": "verdict", "client": "192.0.2.7",
		"helo": "a b=\"c\" \n", "from": "<a@b.example>", "findings": "rdns-missing:6,x:0", "took": "0.1ms",
	}
	got := parseFields(line)
	if len(got) != len(want) {
		t.Errorf("got %d fields, want %d: %q", len(got), len(want), got)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s = %q, want %q", key, got[key], value)
		}
	}
	for _, odd := range []string{"", "x", "=", "a=", `a="`, "a=b c", " "} {
		parseFields(odd) // no panic, no endless loop
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text, sep string
		n               int
		want            []string
	}{
		{"nothing is one line", "", " ", 10, []string{""}},
		{"what fits stays", "a b", " ", 3, []string{"a b"}},
		{"blanks at the cut go", "aaa bbb ccc", " ", 7, []string{"aaa bbb", "ccc"}},
		{"commas at the cut stay", "aa:1,bb:2,cc:3", ",", 9, []string{"aa:1,", "bb:2,cc:3"}},
		{"a long word has its own line", "a bbbbbbbb c", " ", 4, []string{"a", "bbbbbbbb", "c"}},
	}
	for _, tt := range tests {
		if got := wrap(tt.text, tt.sep, tt.n); !slices.Equal(got, tt.want) {
			t.Errorf("%s: wrap(%q, %q, %d) = %q, want %q", tt.name, tt.text, tt.sep, tt.n, got, tt.want)
		}
	}
}

func TestMistakesAreSeen(t *testing.T) {
	good := func() visit {
		return visit{
			sender:  sender{who: "x", addr: "192.0.2.7", want: want{450, "4.7.25", "b a"}},
			reply:   mtatest.Reply{Code: 450, Text: "4.7.25 A sentence [abcdef012345]"},
			wait:    time.Millisecond,
			verdict: fields{"id": "abcdef012345", "action": "tempfail", "code": "450", "status": "4.7.25", "findings": "a:1,b:2"},
		}
	}
	tests := []struct {
		name  string
		spoil func(*visit)
		want  string // of the first mistake; "" is none
	}{
		{"as expected", func(*visit) {}, ""},
		{"another code", func(v *visit) { v.reply.Code = 550 }, "expected reply 450 4.7.25, got 550 4.7.25"},
		{"another finding", func(v *visit) { v.verdict["findings"] = "a:1" }, "expected findings a b, got a"},
		{"a log that says otherwise", func(v *visit) { v.verdict["action"] = "continue" }, "expected action in the log tempfail, got continue"},
		{"a reply without the id", func(v *visit) { v.reply.Text = "4.7.25 A sentence" }, "expected id in the reply abcdef012345, got none"},
	}
	for _, tt := range tests {
		v := good()
		tt.spoil(&v)
		wrong := v.mistakes()
		if first := append(wrong, "")[0]; first != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, first, tt.want)
		}
		var out bytes.Buffer
		if ok := (&printer{w: &out}).row(v); ok != (tt.want == "") {
			t.Errorf("%s: row says %v", tt.name, ok)
		}
		for l := range strings.Lines(out.String()) {
			if len(l) > width+1 {
				t.Errorf("%s: a line of %d octets: %q", tt.name, len(l), l)
			}
		}
	}
}
