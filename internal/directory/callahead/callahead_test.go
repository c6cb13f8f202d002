package callahead

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/directory"
)

const greeting = "220 stub ESMTP\r\n"

func TestAnswersToRCPT(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         directory.Result
	}{
		{"taken", "250 2.1.5 ok\r\n", directory.Yes},
		{"taken, to be forwarded", "251 will forward\r\n", directory.Yes},
		{"taken, in several lines", "250-2.1.5 well\r\n250 2.1.5 ok\r\n", directory.Yes},
		{"bad mailbox", "550 5.1.1 <joe@example.net>: Recipient address rejected: User unknown in virtual mailbox table\r\n", directory.No},
		{"bad mailbox, as Exchange says it", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\r\n", directory.No},
		{"bad mailbox, by another code", "553 5.1.1 who?\r\n", directory.No},
		{"bad mailbox, in several lines that agree", "550-5.1.1 The email account does not exist.\r\n550 5.1.1 Try again: https://help.test\r\n", directory.No},
		{"a policy, however it is worded", "550 5.7.1 User unknown\r\n", directory.Unknown},
		{"relaying refused", "554 5.7.1 <joe@example.net>: Relay access denied\r\n", directory.Unknown},
		{"blocked", "550 5.7.606 Access denied, banned sending IP\r\n", directory.Unknown},
		{"the mailbox is full", "552 5.2.2 over quota\r\n", directory.Unknown},
		{"the mailbox is disabled", "550 5.2.1 disabled\r\n", directory.Unknown},
		{"the mailbox has moved", "551 5.1.6 moved\r\n", directory.Unknown},
		{"other address trouble", "550 5.1.0 address rejected\r\n", directory.Unknown},
		{"bad domain", "550 5.1.2 bad destination\r\n", directory.Unknown},
		{"lines that contradict each other", "550-5.1.1 nobody\r\n550 5.7.1 blocked\r\n", directory.Unknown},
		{"a status that contradicts its code", "550 4.1.1 User unknown\r\n", directory.Unknown},
		{"no status, but clear words", "550 No such user here\r\n", directory.No},
		{"no status, but clear words, with the address", "550 <joe@example.net>: user unknown\r\n", directory.No},
		{"no status, and words of a policy beside", "550 No such user here, or blocked by policy\r\n", directory.Unknown},
		{"no status, no clear words", "550 Requested action not taken: mailbox unavailable\r\n", directory.Unknown},
		{"no status, another code", "553 no such user\r\n", directory.Unknown},
		{"no status at all", "550\r\n", directory.Unknown},
		{"put off", "450 4.2.0 greylisted\r\n", directory.Failed},
		{"put off, though the status is of nobody", "450 5.1.1 User unknown\r\n", directory.Failed},
		{"put off: local trouble", "451 4.3.0 lookup failure\r\n", directory.Failed},
		{"too many", "452 4.5.3 too many recipients\r\n", directory.Failed},
		{"going away", "421 4.3.2 shutting down\r\n", directory.Failed},
		{"out of order", "503 5.5.1 no\r\n", directory.Failed},
		{"asks for more", "354 go ahead\r\n", directory.Failed},
		{"rubbish", "\x00\x01\x02\x03\r\n", directory.Failed},
		{"a code of three digits that is none", "600 5.1.1 no\r\n", directory.Failed},
		{"codes that differ", "550-5.1.1 no\r\n250 5.1.1 yes\r\n", directory.Failed},
		{"an endless line", strings.Repeat("550 5.1.1 ", 2000), directory.Failed},
		{"endless lines", strings.Repeat("550-5.1.1 no\r\n", 1000), directory.Failed},
		{"hangs up", "", directory.Failed},
		{"hangs up in mid-line", "550 5.1.1 nobo", directory.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := rcpt(c.answer)
			if c.answer != "" && !strings.HasSuffix(c.answer, "\n") {
				s = but(s, "RSET", "") // and ends there
			}
			e := source(t, start(t, greeting, s)).Lookup(soon(t), joe)
			if e.Result != c.want {
				t.Errorf("%.60q: %v (%v), want %v", c.answer, e.Result, e.Err, c.want)
			}
			one := strings.HasPrefix(c.answer, "45") // a server that puts one off is there for others
			if e.Result == directory.Failed && errors.Is(e.Err, directory.ErrThisAddress) != one {
				t.Errorf("%.60q: about this address only: %v", c.answer, !one)
			}
			if e.Err != nil && strings.Contains(strings.ToLower(e.Err.Error()), "joe@example.net") {
				t.Errorf("tells the address: %v", e.Err)
			}
		})
	}
}

func TestWordsInTheAddressAreNoAnswer(t *testing.T) {
	liar := directory.Address{Local: "no such user", Domain: "example.net"}
	for _, answer := range []string{"550 <\"no such user\"@example.net> is refused\r\n", "550 \"No Such User\"@example.net\r\n"} {
		if e := source(t, start(t, greeting, rcpt(answer))).Lookup(soon(t), liar); e.Result != directory.Unknown {
			t.Errorf("%q: %v, want unknown", answer, e.Result)
		}
	}
}

func TestSessionsThatDoNotComeToRCPT(t *testing.T) {
	good := rcpt("250 ok\r\n")
	nobody := rcpt("550 5.1.1 nobody\r\n")
	for _, c := range []struct {
		name, greeting string
		script         script
		want           directory.Result
	}{
		{"refused at the greeting", "554 5.1.1 not you\r\n", good, directory.Failed},
		{"busy at the greeting", "421 later\r\n", good, directory.Failed},
		{"rubbish for a greeting", "SSH-2.0-OpenSSH_9.2\r\n", good, directory.Failed},
		{"nothing for a greeting", "", but(good, "", ""), directory.Failed},
		{"EHLO refused by a server of before: HELO", greeting, but(but(good, "EHLO", "500 what?\r\n"), "RCPT TO:<Joe", "250 ok\r\n"), directory.Yes},
		{"both refused", greeting, but(but(good, "EHLO", "550 5.1.1 no\r\n"), "HELO", "550 5.1.1 no\r\n"), directory.Failed},
		{"MAIL refused", greeting, but(nobody, "MAIL", "550 5.1.1 no bounces\r\n"), directory.Failed},
		{"MAIL put off", greeting, but(nobody, "MAIL", "451 4.3.0 later\r\n"), directory.Failed},
		{"hung up at MAIL", greeting, but(nobody, "MAIL", ""), directory.Failed},
		{"hung up after the answer: it was given", greeting, but(nobody, "RSET", ""), directory.No},
		{"RSET refused after the answer: it was given", greeting, but(nobody, "RSET", "500 what?\r\n"), directory.No},
	} {
		t.Run(c.name, func(t *testing.T) {
			if e := source(t, start(t, c.greeting, c.script)).Lookup(soon(t), joe); e.Result != c.want {
				t.Errorf("%v (%v), want %v", e.Result, e.Err, c.want)
			}
		})
	}
}

func TestTheDialogue(t *testing.T) {
	for _, c := range []struct{ name, hello string }{
		{"with pipelining", hello},
		{"without", "250 stub\r\n"},
	} {
		hop := start(t, greeting, but(rcpt("250 ok\r\n"), "EHLO", c.hello))
		src := source(t, hop)
		for range 2 {
			if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
				t.Fatalf("%s: %+v", c.name, e)
			}
		}
		probe := hop.said("RCPT TO:<mailprofiled-probe-")
		if len(probe) != 1 {
			t.Fatalf("%s: %d made-up names, want one for the domain", c.name, len(probe))
		}
		one := []string{"MAIL FROM:<>", "RCPT TO:<Joe@example.net>", "RSET"}
		want := slices.Concat([]string{"EHLO mx.example.net"}, one, []string{"MAIL FROM:<>", probe[0], "RSET"}, one)
		if got := hop.said(""); !slices.Equal(got, want) {
			t.Errorf("%s: said\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestLMTP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtp")
	hop := startAt(t, "unix", path, greeting, but(rcpt("550 5.1.1 nobody\r\n"), "EHLO", "500 this is LMTP\r\n"))
	src, err := New(Options{NextHop: "lmtp:unix:" + path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	if e := src.Lookup(soon(t), joe); e.Result != directory.No || len(hop.said("LHLO localhost")) != 1 {
		t.Errorf("%+v after %q", e, hop.said(""))
	}
}

func TestACatchAllIsNotBelieved(t *testing.T) {
	all := but(rcpt("250 ok\r\n"), "RCPT", "250 ok\r\n")
	hop := start(t, greeting, all)
	src := source(t, hop)
	now := time.Now()
	src.wilds.now = func() time.Time { return now }
	for range 3 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.Unknown || e.Err == nil {
			t.Fatalf("%+v", e)
		}
	}
	if n := len(hop.said("RCPT TO:<mailprofiled-probe-")); n != 1 {
		t.Errorf("%d made-up names, want 1", n)
	}
	if e := src.Lookup(soon(t), directory.Address{Local: "a", Domain: "other.test"}); e.Result != directory.Unknown {
		t.Errorf("another domain: %+v", e)
	}
	if n := len(hop.said("RCPT TO:<mailprofiled-probe-")); n != 2 {
		t.Errorf("%d made-up names for two domains, want 2", n)
	}
	hop.now(rcpt("250 ok\r\n"))
	now = now.Add(keepWild + time.Second)
	if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
		t.Errorf("an hour after it has learnt to tell names apart: %+v", e)
	}
}

func TestAMadeUpNameThatIsPutOffSaysNothing(t *testing.T) {
	hop := start(t, greeting, but(rcpt("250 ok\r\n"), "RCPT TO:<mailprofiled-probe-", "450 4.2.0 later\r\n"))
	src := source(t, hop)
	for range 2 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
			t.Fatalf("%+v", e)
		}
	}
	if n := len(hop.said("RCPT TO:<mailprofiled-probe-")); n != 1 {
		t.Errorf("%d made-up names within the minute, want 1", n)
	}
}

func TestAnIdleSessionThatEndedIsBegunAnew(t *testing.T) {
	hop := start(t, greeting, rcpt("550 5.1.1 nobody\r\n"))
	src := source(t, hop)
	for range 3 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.No {
			t.Fatalf("%+v", e)
		}
		hop.HangUp()
	}
	// Others say so before they hang up.
	fresh := true
	hop.now(func(line string) string {
		if strings.HasPrefix(line, "EHLO") {
			fresh = true
		}
		if strings.HasPrefix(line, "MAIL") && !fresh {
			return "421 4.4.2 timeout exceeded\r\n"
		}
		if line == "RSET" {
			fresh = false
		}
		return rcpt("550 5.1.1 nobody\r\n")(line)
	})
	for range 3 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.No {
			t.Fatalf("after 421 to MAIL: %+v", e)
		}
	}
}

func TestSessionsEndBeforeTheServerMindsThem(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		each         int
	}{
		{"after refusals", "550 5.1.1 nobody\r\n", maxRefusals},
		{"after questions", "250 ok\r\n", maxQuestions},
	} {
		hop := start(t, greeting, rcpt(c.answer))
		src := source(t, hop)
		src.wilds.remember("example.net", false)
		for i := range 2*c.each + 1 {
			src.Lookup(soon(t), directory.Address{Local: fmt.Sprint("u", i), Domain: "example.net"})
		}
		if n := hop.Connections(); n != 3 {
			t.Errorf("%s: %d sessions for %d questions, want 3", c.name, n, 2*c.each+1)
		}
	}
}

func TestUTF8(t *testing.T) {
	jorg := directory.Address{Local: "jörg", Domain: "example.net"}
	hop := start(t, greeting, rcpt("550 5.1.1 nobody\r\n"))
	if e := source(t, hop).Lookup(soon(t), jorg); e.Result != directory.No || len(hop.said("MAIL FROM:<> SMTPUTF8")) != 1 || len(hop.said("RCPT TO:<jörg@example.net>")) != 1 {
		t.Errorf("%+v after %q", e, hop.said(""))
	}
	hop = start(t, greeting, but(rcpt("550 5.1.1 nobody\r\n"), "EHLO", "250 stub\r\n"))
	if e := source(t, hop).Lookup(soon(t), jorg); e.Result != directory.Unknown || len(hop.said("RCPT")) != 0 {
		t.Errorf("where it is not offered: %+v after %q", e, hop.said(""))
	}
}

func TestSilenceEndsWithTheDeadline(t *testing.T) {
	for _, verb := range []string{"EHLO", "MAIL", "RCPT"} {
		asked, release := make(chan bool, 1), make(chan bool)
		hop := start(t, greeting, func(line string) string {
			if strings.HasPrefix(line, verb) {
				asked <- true
				<-release
			}
			return rcpt("550 5.1.1 nobody\r\n")(line)
		})
		src := source(t, hop)
		ctx, cancel := context.WithCancel(soon(t))
		go func() { <-asked; cancel() }()
		if e := src.Lookup(ctx, joe); e.Result != directory.Failed {
			t.Errorf("silent at %s: %+v", verb, e)
		}
		close(release)
		hop.now(rcpt("550 5.1.1 nobody\r\n"))
		if e := src.Lookup(soon(t), joe); e.Result != directory.No {
			t.Errorf("silent at %s, then not: %+v", verb, e)
		}
	}
}

func TestWhoIsNotAsked(t *testing.T) {
	hop := start(t, greeting, rcpt("250 ok\r\n"))
	src := source(t, hop)
	for _, c := range []struct {
		name, local string
		want        directory.Result
	}{
		{"the catch-all", "", directory.No},
		{"a second command", "joe>\r\nDATA", directory.Unknown},
	} {
		if e := src.Lookup(soon(t), directory.Address{Local: c.local, Domain: "example.net"}); e.Result != c.want {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
	if n := hop.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestPaths(t *testing.T) {
	for local, want := range map[string]string{
		"joe": "joe@d", "joe.doe+x": "joe.doe+x@d", "jörg": "jörg@d", "joe doe": `"joe doe"@d`, `a"b\c`: `"a\"b\\c"@d`,
		".joe": `".joe"@d`, "a..b": `"a..b"@d`, "a@b": `"a@b"@d`, "a>b": `"a>b"@d`,
	} {
		if got := quotePath(local, "d"); got != want {
			t.Errorf("%q: %s, want %s", local, got, want)
		}
	}
}

func TestNextHops(t *testing.T) {
	for _, c := range []struct{ text, want, wrong string }{
		{"smtp:mx.test:2525", "smtp tcp mx.test:2525", ""},
		{"smtp:mx.test", "smtp tcp mx.test:25", ""},
		{"lmtp:mx.test", "lmtp tcp mx.test:24", ""},
		{"lmtp:inet:mx.test:24", "lmtp tcp mx.test:24", ""},
		{"lmtp:[::1]:24", "lmtp tcp [::1]:24", ""},
		{"lmtp:[::1]", "lmtp tcp [::1]:24", ""},
		{"lmtp:unix:/run/dovecot/lmtp", "lmtp unix /run/dovecot/lmtp", ""},
		{"lmtp:unix:private/lmtp", "", "relative"},
		{"smtps:mx.test", "", "neither"},
		{"mx.test:25", "", "neither"},
		{"smtp:", "", "no host"},
		{"smtp::25", "", "no host"},
		{"smtp:mx.test:mail", "", "port"},
		{"smtp:a:b:c", "", "no host and port"},
		{"smtp:my host", "", "no host"},
	} {
		h, err := parseHop(c.text)
		kind := map[bool]string{true: "lmtp ", false: "smtp "}[h.lmtp]
		switch {
		case c.wrong == "" && (err != nil || kind+h.network+" "+h.address != c.want):
			t.Errorf("%q: %+v, %v; want %s", c.text, h, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "; ")):
			t.Errorf("%q: %v, want a word of %q, and a remedy", c.text, err, c.wrong)
		}
	}
}

func TestWildsAreBounded(t *testing.T) {
	w := newWilds(time.Now)
	for i := range maxWilds + 100 {
		w.remember(fmt.Sprint("d", i), true)
	}
	if len(w.known) != maxWilds {
		t.Errorf("%d domains", len(w.known))
	}
}

func BenchmarkLookup(b *testing.B) {
	src := source(b, start(b, greeting, rcpt("250 ok\r\n")))
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if e := src.Lookup(ctx, joe); e.Result != directory.Yes {
			b.Fatal(e)
		}
	}
}
