//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mailprofiled/internal/dnstest"
)

// A fault is a way for DNS to fail a server that honest answers would defer.
type fault struct {
	name string
	mode dnstest.Mode
	want []int // replies that are right
}

// goesOn is for what tells nothing, deferred for what tells the truth in the end.
var (
	goesOn   = []int{250}
	deferred = []int{450}
)

var faults = []fault{
	{"timeout", dnstest.Timeout, goesOn},
	{"SERVFAIL", dnstest.ServFail, goesOn},
	{"REFUSED", dnstest.Refused, goesOn},
	{"another id", dnstest.WrongID, goesOn},
	{"another name", dnstest.WrongName, goesOn},
	{"another type", dnstest.WrongType, goesOn},
	{"garbage", dnstest.Garbage, goesOn},
	{"a loop", dnstest.Loop, goesOn},
	{"an endless chain", dnstest.Chain, goesOn},
	{"truncated, whole over TCP", dnstest.Truncate, deferred},
	{"lies in front of the truth", dnstest.Spoof, deferred},
	{"64 kB", dnstest.Huge, []int{250, 450, 550}}, // a calm answer, whatever is made of it
	{"honest", dnstest.OK, deferred},
}

// Law 1: unknown is never evidence. A server without PTR is deferred only where
// DNS really says so.
func TestDNSFaults(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		w := new(world)
		for i := range faults {
			w.domain(domainOf(i))
			w.host("mail."+domainOf(i), faulty(i))
		}
		// The budget of the patient one is for answers that come: a slow machine must
		// not look like a silent DNS.
		hasty := openHouse(t, kind, w.String(), "dns.budget = \"1s\"\n")
		patient := openHouse(t, kind, w.String(), "")
		for i, f := range faults {
			h := patient
			if slices.Equal(f.want, goesOn) {
				h = hasty
			}
			t.Run(f.name, func(t *testing.T) {
				a := faulty(i)
				h.dns.Misbehave(reverse(a), f.mode)
				h.dns.Misbehave(domainOf(i), f.mode)
				mark := h.daemon.log.Len()
				c := h.hello(t, a, "mail."+domainOf(i))
				d := send(t, c, "a@"+domainOf(i), "jo@example.net")
				quit(t, c)
				if code := d.Rcpts[0].Code; !slices.Contains(f.want, code) {
					t.Errorf("got %v; want one of %v", d.Rcpts[0], f.want)
				}
				l := h.daemon.verdict(t, mark, a)
				checkWait(t, l)
				if slices.Equal(f.want, goesOn) {
					checkLine(t, l, map[string]string{"action": "continue", "score": "0"})
					if _, ok := l.findings()["rdns-error"]; !ok {
						t.Errorf("the failure is not said: %v", l.values)
					}
				}
			})
		}
	})
}

// faulty is the address of the i-th server of the DNS tests.
func faulty(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 100+i)) }

// checkWait holds the longest wait of a reply to far less than what those have
// to bear whose filter waits for a dead DNS. The exact budget is tested where
// the clock is not the machine's.
func checkWait(t *testing.T, l line) {
	t.Helper()
	took, err := time.ParseDuration(l.values["took"])
	if err != nil || took > 10*time.Second {
		t.Errorf("took=%s with a budget of 1s (%v)", l.values["took"], err)
	}
}

// With no DNS at all mail goes on, of the good and the bad, and our own rules
// that need no DNS still hold.
func TestDNSDead(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		h := openHouse(t, kind, sessionZone(), "dns.budget = \"1s\"\n")
		h.dns.Close()
		for _, tc := range []struct {
			helo string
			code int
		}{{"mail.bad.example", 250}, {"mx.test", 550}, {"[192.0.2.99]", 550}, {"ylmf-pc", 550}} {
			mark := h.daemon.log.Len()
			c := h.hello(t, bad4, tc.helo)
			d := send(t, c, "a@bad.example", "jo@example.net")
			quit(t, c)
			// Law 2 allows these rejects: no answer that is out could lift them.
			if d.Rcpts[0].Code != tc.code {
				t.Errorf("HELO %s: got %v; want %d", tc.helo, d.Rcpts[0], tc.code)
			}
			checkWait(t, h.daemon.verdict(t, mark, bad4))
		}
	})
}

// Sendmail's own delay_checks moves its refusals to RCPT; ours stay what they are.
func TestSendmailWithDelayChecks(t *testing.T) {
	h := openHouse(t, postfix, sessionZone(), "") // for its daemon and DNS
	s, err := startMTA(sendmail, "unix:"+h.daemon.socket, []string{"FEATURE(`delay_checks')dnl"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	h = &house{kind: sendmail, dns: h.dns, daemon: h.daemon, mta: s}
	mark := h.daemon.log.Len()
	c := h.hello(t, bad4, "mail.bad.example")
	d := send(t, c, "a@bad.example", "nemo@example.net", "jo@example.net", "postmaster")
	quit(t, c)
	for i, code := range []int{550, 450, 250} {
		if d.Rcpts[i].Code != code {
			t.Errorf("recipient %d: got %v; want %d", i+1, d.Rcpts[i], code)
		}
	}
	got := h.daemon.verdicts(t, mark, bad4, 2)
	checkLine(t, got[0], map[string]string{"rcpts": "1", "rcpt": "<jo@example.net>", "action": "tempfail"})
	checkLine(t, got[1], map[string]string{"rcpts": "1", "rcpt": "<postmaster>", "action": "continue"})
}
