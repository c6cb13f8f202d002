package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/dnstest"
)

const listZones = badZone + `example. 300 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 300
2.0.0.127.bl.example. 300 IN A 127.0.0.2
66.2.0.192.bl.example. 300 IN A 127.0.0.2
2.0.0.127.more.example. 300 IN A 127.0.0.2
2.0.0.127.others.example. 300 IN A 127.0.0.2
`

// listing makes a configuration by which the client of a house is deferred for being
// on one list; another list is of the zone named.
func listing(dns *dnstest.Server, zone string) string {
	text := fmt.Sprintf(stateless+"mode = \"enforce\"\nus.domains = [\"here.example\"]\ndns.servers = [%q]\nretry.after = \"1h\"\n[points]\n\"rdns-missing\" = 0.0\n", dns.Addr())
	for _, id := range []string{"bl.example", zone} {
		if id != "" {
			text += fmt.Sprintf("[[lists.own]]\nid = %q\nzone = %q\nask = [\"ip4\"]\nat = [\"connect\"]\n"+
				"codes = [ { answer = \"127.0.0.2\", points = 6.0 } ]\ntest = { listed = \"127.0.0.2\" }\n", id, id)
		}
	}
	return text
}

// up reports whether a list counts.
func (h *house) up(id string) bool {
	return slices.ContainsFunc(h.health.Snapshot(), func(s dnsbl.Standing) bool { return s.List == id && s.Counts })
}

// nobody is the last address that closed has asked about.
var nobody atomic.Uint32

// closed reports whether a Set asks nothing any more. Each time it asks about an address of
// its own: one that is not closed yet remembers the answer, and would give it afterwards too.
func closed(s *dnsbl.Set) bool {
	n := nobody.Add(1)
	addr := netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}) // RFC 2544: asked about, and nobody's
	answers := s.Ask(context.Background(), dnsbl.Subject{Addr: addr}, nil)
	return len(answers) > 0 && answers[0].Reason == dnsbl.Budget
}

// TestReloadUnderListLoad: while lists come and go, the one that stays keeps its
// health and what it said; who it lists is answered alike by every session; and the
// lists of configurations that nobody has any more are closed.
func TestReloadUnderListLoad(t *testing.T) {
	idle := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, idle) })
	dns := startDNS(t, listZones, "")
	h := newHouse(t, listing(dns, "more.example"))
	eventually(t, "the list is tested", func() bool { return h.up("bl.example") })
	v := h.begin(t)
	ask(t, v)
	v.Close()
	dns.ResetQuestions()
	cache := h.listed

	var sessions atomic.Int64
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !over(done) {
				v := h.begin(t)
				for range 3 {
					if a := ask(t, v); a.Action != "tempfail" || !strings.Contains(a.Text, "bl.example") {
						t.Errorf("answer %v", a)
					}
				}
				if err := v.Quit(); err != nil {
					t.Error(err)
				}
				v.Close()
				sessions.Add(1)
			}
		})
	}
	old := []*generation{}
	zones := []string{"more.example", "others.example", ""}
	for i := 0; (i < 60 || sessions.Load() < 20) && !t.Failed(); i++ {
		old = append(old, h.current.Load())
		h.write(t, listing(dns, zones[i%len(zones)]))
		if r := h.reload(t.Context()); len(r.Errors) > 0 {
			t.Fatal(r.Errors)
		}
		if !h.up("bl.example") {
			t.Error("the list that stays lost its health")
		}
	}
	close(done)
	all.Wait()
	now := h.current.Load()
	for _, g := range old {
		if g != now {
			eventually(t, "old lists are closed", func() bool { return g.users.Load() == 0 && closed(g.lists) })
		}
	}
	if n := dns.Questions()["66.2.0.192.bl.example A"]; n > 0 || h.listed != cache {
		t.Errorf("what the list said was asked %d times again", n)
	}
	for _, s := range h.health.Snapshot() {
		if s.List == "bl.example" && (s.Visits < uint64(sessions.Load()) || s.Harsher < uint64(sessions.Load())) {
			t.Errorf("%d sessions, and figures %+v", sessions.Load(), s)
		}
	}
}

// TestTheFirstVisitIsJudgedByLists: the doors open when these are tested.
func TestTheFirstVisitIsJudgedByLists(t *testing.T) {
	dns := startDNS(t, listZones, "")
	h := newHouse(t, listing(dns, ""))
	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Action != "tempfail" {
		t.Errorf("listed, and %s", a.Action)
	}
}

// TestADeadResolverHoldsUpNoStart for longer than a while, and the log says so.
func TestADeadResolverHoldsUpNoStart(t *testing.T) {
	dns := startDNS(t, listZones, "")
	dns.Misbehave(".", dnstest.Timeout)
	var log lockedBuffer
	h := newHouseLogging(t, listing(dns, "more.example"), &log) // returns when it serves
	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Action == "reject" {
		t.Errorf("%v", a)
	}
	if !strings.Contains(log.String(), `msg="serving before all DNS lists are tested" lists=bl.example,more.example after=3s`) {
		t.Errorf("the log has\n%s", log.String())
	}
	eventually(t, "lists says whose fault it is, of either list and of all", func() bool {
		var out bytes.Buffer
		s := h.status()
		printLists(s.Lists, s.Now, &out)
		printOutage(s, &out)
		return strings.Count(out.String(), "see the resolver and the line") == 3
	})
}

// TestAListThatChangesIsTestedAnew: with another zone it is another list, and does
// not count before its tests; nothing that the old one said is used.
func TestAListThatChangesIsTestedAnew(t *testing.T) {
	dns := startDNS(t, listZones, "")
	text := listing(dns, "")
	h := newHouse(t, text)
	eventually(t, "the list is tested", func() bool { return h.up("bl.example") })
	answer := func() string {
		v := h.begin(t)
		defer v.Close()
		return ask(t, v).Action
	}
	if a := answer(); a != "tempfail" {
		t.Errorf("listed, and %s", a)
	}
	h.write(t, strings.Replace(text, `zone = "bl.example"`, `zone = "more.example"`, 1))
	if r := h.reload(t.Context()); len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	if a := answer(); a != "continue" {
		t.Errorf("not listed there, and %s", a)
	}
	eventually(t, "the list is tested anew", func() bool { return h.up("bl.example") })
	if a := answer(); a != "continue" {
		t.Errorf("not listed there, and %s", a)
	}
	if n := dns.Questions()["66.2.0.192.more.example A"]; n != 1 {
		t.Errorf("the new zone was asked %d times", n)
	}
}
