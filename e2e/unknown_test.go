//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/directory/callahead"
	"mailprofiled/internal/mtatest"
)

// askedBackend starts a backend, and gives the keys by which the daemon asks it.
func askedBackend(t *testing.T, kind, more string) (*backendtest.Server, string) {
	t.Helper()
	var server *backendtest.Server
	keys := ""
	switch kind {
	case "PostgreSQL", "MariaDB":
		start := backendtest.StartPostgreSQL
		if kind == "MariaDB" {
			start = backendtest.StartMariaDB
		}
		db := must[*backendtest.Database](t)(start(deps(), more))
		server, keys = db.Server, fmt.Sprintf("directory.source = \"sql\"\ndirectory.sql = %q\ndirectory.query = %q\n", db.URL, backendtest.Query)
	case "slapd":
		d := must[*backendtest.Slapd](t)(backendtest.StartSlapd(deps(), more))
		server, keys = d.Server, fmt.Sprintf("directory.source = \"ldap\"\ndirectory.ldap = %q\ndirectory.filter = \"(mail=%%s)\"\ndirectory.bind_dn = %q\ndirectory.password = %q\n", d.URL, backendtest.BindDN, backendtest.Password)
	case "Dovecot":
		d := must[*backendtest.Dovecot](t)(backendtest.StartDovecot(deps()))
		server, keys = d.Server, fmt.Sprintf("directory.source = \"callahead\"\ndirectory.callahead = \"lmtp:%s\"\n", d.Addr())
	case "Cyrus":
		c := must[*backendtest.Cyrus](t)(backendtest.StartCyrus(deps()))
		server, keys = c.Server, fmt.Sprintf("directory.source = \"socketmap\"\ndirectory.socketmap = %q\n", c.Map)
	}
	t.Cleanup(func() { check(t, server.Stop()) })
	return server, keys
}

// TestUnknownUsersByBackends has the daemon ask each backend for a Postfix that takes all
// itself, while the backend is killed, stands still and talks rubbish in the midst of
// mail: whoever was known is taken throughout, by what was last known of him; nobody is
// refused or taken by mistake; and who is unknown is refused again once it is back.
func TestUnknownUsersByBackends(t *testing.T) {
	for _, kind := range []string{"PostgreSQL", "MariaDB", "slapd", "Dovecot", "Cyrus"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel() // each waits more than it works
			server, keys := askedBackend(t, kind, "")
			h, _ := openGateway(t, postfix, nil, quietPoints+keys+"directory.keep_yes = \"0\"\ndirectory.keep_no = \"0\"\ndirectory.keep_down = \"1h\"\n"+
				"directory.harvest_names = 100000\ndns.budget = \"2s\"\n")
			joe, amy, nobody := backendtest.Joe+"@example.net", backendtest.Amy+"@example.net", "nobody@example.net"
			rcpt := func(to string) string {
				t.Helper()
				c := h.hello(t, good4, "mx.good.example")
				defer quit(t, c)
				return told(t, c, "a@good.example", to)[0]
			}
			is := func(when string, want map[string]string) {
				t.Helper()
				for to, answer := range want {
					if got := rcpt(to); got != answer {
						t.Errorf("%s: %s: %s, want %s", when, to, got, answer)
					}
				}
			}
			back := func(when string) {
				t.Helper()
				ctx := waiting(t)
				for rcpt(nobody) != "550 5.1.1" && ctx.Err() == nil {
				}
				is(when, map[string]string{joe: "250", nobody: "550 5.1.1"})
			}
			is("at first", map[string]string{joe: "250"}) // a no counts beside a yes
			is("at first", map[string]string{joe: "250", nobody: "550 5.1.1", "no+where@example.net": "550 5.1.1"})
			stop := h.mailOnAndOn(t, map[string]string{joe: "250", nobody: "550 5.1.1 or 451 4.3.0", "x" + amy: "550 5.1.1 or 451 4.3.0"})
			defer stop()

			check(t, server.Kill())
			is("killed", map[string]string{joe: "250", amy: "451 4.3.0", nobody: "451 4.3.0", "postmaster@example.net": "250"})
			check(t, server.Start())
			back("begun anew")
			is("begun anew", map[string]string{amy: "250"})

			check(t, server.Pause())
			is("standing still", map[string]string{joe: "250", nobody: "451 4.3.0", "abuse@example.net": "250"})
			check(t, server.Resume())
			back("going on")

			check(t, server.Kill())
			for _, rubbish := range []string{"HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("\x00\xff\x7f\r\n", 1000)} {
				hush := talkRubbish(t, server.Addr(), rubbish)
				is("talking rubbish", map[string]string{joe: "250", nobody: "451 4.3.0"})
				hush()
			}
			check(t, server.Start())
			back("sober again")
			for text := range strings.Lines(h.daemon.log.String()) {
				if strings.Contains(text, backendtest.Password) || strings.Contains(text, "rcpt-unknown") && strings.Contains(text, nobody) {
					t.Errorf("a password, or who does not exist, stands in %s", text)
				}
			}
		})
	}
}

// mailOnAndOn writes to recipients in sessions of its own until stop, and holds their
// answers: "250", or one of several, "550 5.1.1 or 451 4.3.0".
func (h *house) mailOnAndOn(t *testing.T, want map[string]string) (stop func()) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	for to, allowed := range want {
		wg.Go(func() {
			for {
				if got, err := h.answerTo(to); err != nil || !strings.Contains(" or "+allowed+" or ", " or "+got+" or ") {
					t.Errorf("meanwhile: %s: %s (%v), want %s", to, got, err, allowed)
				}
				select {
				case <-over:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		})
	}
	return func() { close(over); wg.Wait() }
}

// answerTo gives the answer to one recipient, in a session for it alone.
func (h *house) answerTo(to string) (string, error) {
	c, err := mtatest.Dial(good4.String(), h.mta.Addrs()[0])
	if err != nil {
		return "", err
	}
	defer c.Close()
	var r mtatest.Reply
	for _, line := range []string{"EHLO mx.good.example", "MAIL FROM:<a@good.example>", "RCPT TO:<" + to + ">"} {
		if r, err = c.Do(line); err != nil {
			return "", err
		}
	}
	return status(r), c.Quit()
}

// TestTheNextHopIsAsked has the source ask a real Postfix and a real Sendmail as next
// hops, under the limits that they have for errors: two hundred unknown names get their
// no, a domain in which all names are taken is seen, and one that is gone is a failure.
func TestTheNextHopIsAsked(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		var hop mta
		var err error
		if kind == postfix {
			hop, err = mtatest.StartPostfix(mtatest.PostfixOptions{
				Domains: []string{"example.net", "example.org"}, Users: []string{"joe@example.net", "@example.org"},
				ExtraMain: map[string]string{"smtpd_error_sleep_time": "1s", "smtpd_soft_error_limit": "10", "smtpd_hard_error_limit": "20", "smtpd_junk_command_limit": "100", "recipient_delimiter": "+"},
			})
		} else {
			hop, err = mtatest.StartSendmail(mtatest.SendmailOptions{
				Root: os.Getenv("E2E_SENDMAIL"), Syslog: syslog, Domains: []string{"example.net"}, Users: []string{"joe"},
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		stopped := false
		t.Cleanup(func() {
			if !stopped {
				check(t, hop.Stop())
			}
		})
		src := must[*callahead.Source](t)(callahead.New(callahead.Options{NextHop: "smtp:" + hop.Addrs()[0], Hello: "gw.example.net"}))
		t.Cleanup(func() { check(t, src.Close()) })
		ask := func(local, domain string) directory.Entry {
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			return src.Lookup(ctx, directory.Address{Local: local, Domain: domain})
		}
		for i := range 100 {
			if e := ask("joe", "example.net"); e.Result != directory.Yes {
				t.Fatalf("joe, question %d: %v (%v); its log:\n%s", i, e.Result, e.Err, hop.Log())
			}
			for _, local := range []string{fmt.Sprint("nobody", i), fmt.Sprintf("no body%d", i)} {
				if e := ask(local, "example.net"); e.Result != directory.No {
					t.Fatalf("%s: %v (%v); its log:\n%s", local, e.Result, e.Err, hop.Log())
				}
			}
		}
		if e := ask("joe", "elsewhere.example"); e.Result != directory.Unknown {
			t.Errorf("a domain of others, to which it does not relay: %v (%v)", e.Result, e.Err)
		}
		if kind == postfix {
			for range 2 {
				if e := ask("anybody", "example.org"); e.Result != directory.Unknown || !strings.Contains(e.Err.Error(), "takes every name") {
					t.Errorf("a domain in which all exist: %v (%v)", e.Result, e.Err)
				}
			}
		}
		stopped = true
		check(t, hop.Stop())
		for _, local := range []string{"joe", "nobody"} {
			if e := ask(local, "example.net"); e.Result != directory.Failed {
				t.Errorf("gone: %s is %v", local, e.Result)
			}
		}
	})
}

// TestTraps: who writes to an address that never was is marked, from its next mail on,
// whoever refuses that address; a bounce marks nobody.
func TestTraps(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h, _ := openGateway(t, kind, map[string]string{"recipients": "jo@example.net OK\n", "traps": "# hidden on the page of contacts\nHidden@example.net\n"},
			quietPoints+"directory.source = \"file\"\ndirectory.files = [\"DIR/recipients\"]\ndirectory.traps = \"DIR/traps\"\n")
		c := h.hello(t, good6, "mx.good.example")
		told(t, c, "", "hidden@example.net")
		told(t, c, "a@good.example", "jo@example.net")
		quit(t, c)
		for _, text := range verdictsOf(t, h, good6, 2) {
			if strings.Contains(text, "rcpt-trap") {
				t.Errorf("a bounce has marked its server: %s", text)
			}
		}
		c = h.hello(t, bad4, "mail.bad.example")
		if got := told(t, c, "a@bad.example", "hIDDEN@example.net"); got[0] != "550 5.1.1" {
			t.Errorf("the trap itself: %v", got)
		}
		if got := told(t, c, "a@bad.example", "jo@example.net"); got[0] != "250" {
			t.Errorf("it refuses by itself: %v", got)
		}
		quit(t, c)
		if lines := verdictsOf(t, h, bad4, 2); strings.Contains(lines[0], "rcpt-trap") || !strings.Contains(lines[1], "rcpt-trap:") {
			t.Errorf("the mail to the trap has\n%s\nthe next\n%s", lines[0], lines[1])
		}
		if out, _ := h.ask(t, "status"); !strings.Contains(out, "1 wrote to traps") {
			t.Errorf("status says\n%s", out)
		}
	})
}

// verdictsOf are the lines of a client's mails, as they stand in the log.
func verdictsOf(t *testing.T, h *house, client netip.Addr, n int) []string {
	t.Helper()
	lines, err := h.daemon.log.WaitN(waiting(t), 0, n, mtatest.Containing(" msg=verdict ", " client="+client.String()+" "))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestAgeAndPlanFromADatabase: the directory that knows recipients tells limits since
// when who has logged in is here, and on which plan.
func TestAgeAndPlanFromADatabase(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		for _, tc := range []struct{ name, more, finding string }{
			{"made a day ago", "UPDATE users SET created = now() - interval '1 day' WHERE address = 'joe@example.net';\n", "limit:new accounts:0"},
			{"on a plan", "", "limit:of the plan:0"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				_, keys := askedBackend(t, "PostgreSQL", "INSERT INTO users VALUES ('jo@example.net', NULL, NULL);\n"+tc.more)
				h := openLimited(t, kind, keys+"limit = [{ name = \"new accounts\", max = 1 }, { name = \"of the plan\", per = \"account\", max = 2, window = \"1h\", when = { plan = [\"pro\"] } }]\naccounts.strip_domains = [\"mx.test\"]\n")
				c := h.login(t, bad4)
				var got []string
				for range 3 {
					got = append(got, status(send(t, c, "joe@example.net", "jo@example.net").Rcpts[0]))
				}
				quit(t, c)
				want := map[bool]string{true: "250,450 4.7.28,450 4.7.28", false: "250,250,450 4.7.28"}[tc.more != ""]
				if strings.Join(got, ",") != want {
					t.Errorf("got %v, want %s", got, want)
				}
				checkLine(t, h.daemon.verdicts(t, 0, bad4, 3)[2], map[string]string{"findings": tc.finding})
			})
		}
	})
}
