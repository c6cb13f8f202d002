//go:build e2e

package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/mtatest"
)

// The servers of the session tests.
var (
	good4 = netip.MustParseAddr("192.0.2.7")
	good6 = netip.MustParseAddr("2001:db8:7::7")
	bad4  = netip.MustParseAddr("203.0.113.66") // no PTR
	bad6  = netip.MustParseAddr("2001:db8:66::66")
)

// sessionZone knows good.example, bad.example and dead.example, which takes no mail.
func sessionZone() string {
	w := new(world)
	w.host("mx.good.example", good4, good6)
	w.ptr(good4, "mx.good.example")
	w.ptr(good6, "mx.good.example")
	w.mx("good.example", "mx.good.example")
	w.domain("bad.example")
	w.host("mail.bad.example", bad4, bad6)
	w.mx("dead.example", "")
	return w.String()
}

// queued finds the queue id in the reply to the end of a message.
var queued = map[string]*regexp.Regexp{
	postfix:  regexp.MustCompile(`queued as (\S+)$`),
	sendmail: regexp.MustCompile(`^2\.0\.0 (\S+) Message accepted`),
}

func (h *house) queueID(t *testing.T, r mtatest.Reply) string {
	t.Helper()
	m := queued[h.kind].FindStringSubmatch(r.Text)
	if m == nil {
		t.Fatalf("no queue id in %v", r)
	}
	return m[1]
}

func TestSeveralMessagesInOneSession(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		for _, a := range []netip.Addr{good4, good6} {
			mark := h.daemon.log.Len()
			c := h.hello(t, a, "mx.good.example")
			first := send(t, c, "a@good.example", "jo@example.net", "al@example.net")
			second := send(t, c, "a@dead.example", "jo@example.net")
			do(t, c, "MAIL FROM:<b@good.example>", 250)
			do(t, c, "RCPT TO:<jo@example.net>", 250)
			do(t, c, "RSET", 250)
			do(t, c, "RSET", 250)
			do(t, c, "MAIL FROM:<c@good.example>", 250)
			do(t, c, "RSET", 250)
			last := send(t, c, "", "jo@example.net")
			quit(t, c)
			if !first.Accepted() || !last.Accepted() || second.Rcpts[0].Code != 550 {
				t.Fatalf("wrong replies:\n%s", c.Transcript())
			}
			want := []map[string]string{
				{"from": "<a@good.example>", "rcpts": "2", "action": "continue"},
				{"from": "<a@dead.example>", "rcpts": "1", "action": "reject", "status": "5.7.27", "id": replyID(second.Rcpts[0])},
				{"from": "<b@good.example>", "rcpts": "1", "action": "continue"},
				{"from": "<c@good.example>", "rcpts": "0", "action": "continue", "stage": "mail"},
				{"from": "<>", "rcpts": "1", "action": "continue"},
			}
			got := h.daemon.verdicts(t, mark, a, len(want))
			ids := map[string]bool{}
			for i, l := range got {
				checkLine(t, l, want[i])
				checkLine(t, l, map[string]string{"helo": "mx.good.example", "ptr": "mx.good.example"})
				ids[l.values["id"]] = true
			}
			if len(ids) != len(want) {
				t.Errorf("%d ids for %d transactions", len(ids), len(want))
			}
			messages := h.daemon.messages(t, mark, a, 2)
			checkLine(t, messages[0], map[string]string{"id": got[0].values["id"], "rcpts": "2", "queue": h.queueID(t, first.End)})
			checkLine(t, messages[1], map[string]string{"id": got[4].values["id"], "rcpts": "1", "queue": h.queueID(t, last.End)})
		}
	})
}

// Law 3, and go-milter's trap: after a refused recipient the session must still
// know who the client is.
func TestPostmasterIsReachedByTheWorstClient(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		for _, a := range []netip.Addr{bad4, bad6} {
			mark := h.daemon.log.Len()
			c := h.hello(t, a, "mx.test")
			d := send(t, c, "a@dead.example", "jo@example.net", "PostMaster", "al@example.net", "postmaster@EXAMPLE.net", "jo@example.net")
			for i, code := range []int{550, 250, 550, 250, 550} {
				if d.Rcpts[i].Code != code {
					t.Errorf("recipient %d: got %v; want %d", i+1, d.Rcpts[i], code)
				}
			}
			if !d.Accepted() {
				t.Errorf("postmaster's message was not taken: %v", d.Last())
			}
			quit(t, c)
			if t.Failed() {
				t.Fatal(c.Transcript())
			}
			got := h.daemon.verdicts(t, mark, a, 2)
			id := replyID(d.Rcpts[0])
			checkLine(t, got[0], map[string]string{"id": id, "rcpts": "3", "rcpt": "<jo@example.net>", "action": "reject", "helo": "mx.test"})
			checkLine(t, got[1], map[string]string{"id": id, "rcpts": "2", "rcpt": "<PostMaster>", "action": "continue"})
			checkLine(t, h.daemon.messages(t, mark, a, 1)[0], map[string]string{"id": id, "rcpts": "2", "queue": h.queueID(t, d.End)})
		}
	})
}

func TestABounceHasOneRecipient(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		// The lift must not pay for it: a good server's bounce has one recipient too.
		h := openHouse(t, kind, sessionZone(), "")
		mark := h.daemon.log.Len()
		c := h.hello(t, good4, "mx.good.example")
		d := send(t, c, "", "jo@example.net", "al@example.net")
		quit(t, c)
		if d.Rcpts[0].Code != 250 || d.Rcpts[1].Code != 450 || !d.Accepted() {
			t.Fatalf("got %v; want the second refused", d)
		}
		got := h.daemon.verdicts(t, mark, good4, 2)
		checkLine(t, got[0], map[string]string{"action": "continue", "rcpts": "1", "rcpt": "<jo@example.net>"})
		checkLine(t, got[1], map[string]string{"action": "tempfail", "rcpts": "1", "rcpt": "<al@example.net>", "status": "4.7.1"})
	})
}

// What a client says before STARTTLS does not count (RFC 3207 section 4.2).
func TestTheLastEHLOCounts(t *testing.T) {
	for _, tc := range []struct {
		name          string
		first, second string
		code          int
	}{
		{"a lie taken back", "mx.test", "mx.good.example", 250},
		{"a lie under TLS", "mx.good.example", "mx.test", 550},
	} {
		t.Run(tc.name, func(t *testing.T) {
			withBoth(t, func(t *testing.T, kind string) {
				h := openHouse(t, kind, sessionZone(), "")
				c := h.hello(t, good4, tc.first)
				if r, err := c.StartTLS(); err != nil || r.Code != 220 {
					t.Fatalf("STARTTLS: %v, %v", r, err)
				}
				do(t, c, "EHLO "+tc.second, 250)
				do(t, c, "MAIL FROM:<a@good.example>", 250)
				do(t, c, "RCPT TO:<jo@example.net>", tc.code)
				quit(t, c)
				checkLine(t, h.daemon.verdict(t, 0, good4), map[string]string{"helo": tc.second})

				// Within a message too: Postfix sends HELO, then abort, Sendmail the other way round.
				mark := h.daemon.log.Len()
				c = h.hello(t, good4, tc.first)
				do(t, c, "MAIL FROM:<a@good.example>", 250)
				do(t, c, "EHLO "+tc.second, 250)
				do(t, c, "MAIL FROM:<b@good.example>", 250)
				do(t, c, "RCPT TO:<jo@example.net>", tc.code)
				quit(t, c)
				got := h.daemon.verdicts(t, mark, good4, 2)
				checkLine(t, got[1], map[string]string{"helo": tc.second, "from": "<b@good.example>"})
			})
		})
	}
}

// A Postfix that is told by XCLIENT who the client is opens a second milter
// connection; of the first nothing may be seen.
func TestXClientLeavesNoTraceOfTheProxy(t *testing.T) {
	h := openHouse(t, postfix, sessionZone(), "")
	for _, tc := range []struct {
		client netip.Addr
		helo   string
		want   string
	}{
		{good4, "mx.good.example", "250 "},
		{good6, "mx.good.example", "250 "},
		{bad4, "mail.bad.example", "450 4.7.25 "},
		{bad6, "mail.bad.example", "450 4.7.25 "},
	} {
		mark := h.daemon.log.Len()
		c := h.hello(t, netip.MustParseAddr("127.0.0.1"), "proxy.example")
		r, err := c.XClient(mtatest.XClient{Addr: tc.client})
		if err != nil || r.Code != 220 {
			t.Fatalf("XCLIENT: %v, %v", r, err)
		}
		do(t, c, "EHLO "+tc.helo, 250)
		d := send(t, c, "a@bad.example", "jo@example.net")
		if got := d.Rcpts[0].String(); !strings.HasPrefix(got, tc.want) {
			t.Errorf("%v: got %s; want %s", tc.client, got, tc.want)
		}
		quit(t, c)
		checkLine(t, h.daemon.verdict(t, mark, tc.client), map[string]string{"helo": tc.helo})
		for _, text := range h.daemon.log.Since(mark) {
			if strings.Contains(text, "127.0.0.1") || strings.Contains(text, "proxy.example") {
				t.Errorf("a trace of the proxy: %s", text)
			}
		}
	}
}

// The MTA's own refusal stands, and the daemon counts that recipient nowhere.
func TestRecipientsTheMTARefusesAreNotOurs(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		for _, a := range []netip.Addr{good4, good6} {
			mark := h.daemon.log.Len()
			c := h.hello(t, a, "mx.good.example")
			d := send(t, c, "a@good.example", "nemo@example.net", "x@elsewhere.example", "jo@example.net", "nix@example.net")
			only := send(t, c, "b@good.example", "nemo@example.net")
			quit(t, c)
			for i, want := range []string{"550 5.1.1 ", "5", "250 ", "550 5.1.1 "} {
				if !strings.HasPrefix(d.Rcpts[i].String(), want) || replyID(d.Rcpts[i]) != "" {
					t.Errorf("recipient %d: got %v; want the MTA's own %s", i+1, d.Rcpts[i], want)
				}
			}
			if !d.Accepted() || only.Rcpts[0].Code != 550 {
				t.Errorf("wrong end:\n%s", c.Transcript())
			}
			got := h.daemon.verdicts(t, mark, a, 2)
			checkLine(t, got[0], map[string]string{"rcpts": "1", "rcpt": "<jo@example.net>", "action": "continue"})
			checkLine(t, got[1], map[string]string{"rcpts": "0", "rcpt": "", "action": "continue", "from": "<b@good.example>"})
			checkLine(t, h.daemon.messages(t, mark, a, 1)[0], map[string]string{"rcpts": "1"})
		}
	})
}

// Law 4: server checks are for strangers.
func TestAuthenticatedClientsSkipServerChecks(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		for _, a := range []netip.Addr{bad4, bad6} {
			mark := h.daemon.log.Len()
			c := h.hello(t, a, "mx.test")
			do(t, c, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00joe\x00secret")), 235)
			d := send(t, c, "a@dead.example", "jo@example.net")
			quit(t, c)
			if !d.Accepted() {
				t.Errorf("not taken:\n%s", c.Transcript())
			}
			l := h.daemon.verdict(t, mark, a)
			checkLine(t, l, map[string]string{"action": "continue", "score": "0", "findings": ""})
			// Sendmail names the realm too.
			if account := l.values["account"]; account != "joe" && account != "joe@mx.test" {
				t.Errorf("account=%q in %v", account, l.values)
			}
			checkLine(t, h.daemon.messages(t, mark, a, 1)[0], map[string]string{"account": l.values["account"]})
		}
	})
}

// TestMacrosAreAskedFor: what the MTA is told to send to milters by itself is of no
// account. The name of the MTA, logins and refused recipients arrive all the same.
func TestMacrosAreAskedFor(t *testing.T) {
	stingy := map[string][][]string{
		postfix: {
			{"milter_connect_macros = v", "milter_mail_macros = i", "milter_rcpt_macros = i"},
			{"milter_connect_macros = v", "milter_mail_macros = i", "milter_rcpt_macros = i", "milter_protocol = 2"},
		},
		sendmail: {{"define(`confMILTER_MACROS_CONNECT', `v')dnl", "define(`confMILTER_MACROS_ENVFROM', `i')dnl", "define(`confMILTER_MACROS_ENVRCPT', `i')dnl"}},
	}
	withBoth(t, func(t *testing.T, kind string) {
		for _, lines := range stingy[kind] {
			dir, err := os.MkdirTemp("", "control-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			h := openHouseOf(t, kind, sessionZone(), fmt.Sprintf("admin.control = %q\nadmin.listen = \"\"\n", filepath.Join(dir, "control.sock")), lines)
			mark := h.daemon.log.Len()
			c := h.hello(t, bad4, "mx.test")
			do(t, c, "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00joe\x00secret")), 235)
			send(t, c, "a@dead.example", "jo@example.net")
			quit(t, c)
			if account := h.daemon.verdict(t, mark, bad4).values["account"]; account != "joe" && account != "joe@mx.test" {
				t.Errorf("%v: account=%q", lines, account)
			}
			var s admin.Status
			if out, ok := h.ask(t, "status", "--json"); !ok || json.Unmarshal([]byte(out), &s) != nil || s.MTA == nil || s.MTA.Name != "mx.test" || s.Sessions.Sent.Unnamed+s.Sessions.Sent.Unmarked > 0 {
				t.Errorf("%v: status %s", lines, out)
			}
		}
	})
}

func TestXClientLoginIsAuthenticated(t *testing.T) {
	h := openHouse(t, postfix, sessionZone(), "")
	mark := h.daemon.log.Len()
	c := h.hello(t, netip.MustParseAddr("127.0.0.1"), "proxy.example")
	if r, err := c.XClient(mtatest.XClient{Addr: bad4, Login: "joe"}); err != nil || r.Code != 220 {
		t.Fatalf("XCLIENT: %v, %v", r, err)
	}
	do(t, c, "EHLO [127.0.0.1]", 250)
	d := send(t, c, "a@dead.example", "jo@example.net")
	quit(t, c)
	if !d.Accepted() {
		t.Errorf("not taken:\n%s", c.Transcript())
	}
	checkLine(t, h.daemon.verdict(t, mark, bad4), map[string]string{"account": "joe", "action": "continue"})
}

func TestOurOwnMachineIsNotJudged(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		for _, a := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")} {
			mark := h.daemon.log.Len()
			c := h.hello(t, a, "localhost")
			d := send(t, c, "a@dead.example", "jo@example.net")
			quit(t, c)
			if !d.Accepted() {
				t.Errorf("not taken:\n%s", c.Transcript())
			}
			checkLine(t, h.daemon.verdict(t, mark, a), map[string]string{"action": "continue", "score": "0"})
		}
	})
}

// MAIL without HELO is possible with Postfix.
func TestMailWithoutHelo(t *testing.T) {
	h := openHouse(t, postfix, sessionZone(), "")
	c := h.dial(t, good4)
	d := send(t, c, "a@good.example", "jo@example.net")
	quit(t, c)
	if !strings.HasPrefix(d.Rcpts[0].String(), "503 5.5.1 ") {
		t.Errorf("got %v; want 503 5.5.1", d.Rcpts[0])
	}
	checkFindings(t, h.daemon.verdict(t, 0, good4), []string{"helo-missing"})
}

// A thousand recipients in one transaction are judged, each.
func TestAThousandRecipients(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "")
		c := h.hello(t, bad4, "mx.test")
		do(t, c, "MAIL FROM:<a@good.example>", 250)
		for range 1000 {
			do(t, c, "RCPT TO:<jo@example.net>", 550)
		}
		do(t, c, "RCPT TO:<postmaster@example.net>", 250)
		do(t, c, "RSET", 250)
		quit(t, c)
		got := h.daemon.verdicts(t, 0, bad4, 2)
		checkLine(t, got[0], map[string]string{"rcpts": "1000", "action": "reject"})
		checkLine(t, got[1], map[string]string{"rcpts": "1", "action": "continue"})
	})
}
