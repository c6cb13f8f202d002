//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// What lists are for: who is listed is refused by the list's name, whichever of
// its names is listed, unless another list speaks for it; and nobody else is.
func TestListsRefuseWhomTheyList(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		f := h.flows(t)
		for _, id := range listsInUse {
			if id == "dnswl" {
				continue
			}
			h.refuses(t, id, 1)
			if l, _ := dnsbl.Find(id); l.Asks.Has(dnsbl.IP6) {
				h.expect(t, listedSix(id, 1), 554, id)
			}
		}
		h.expect(t, listedGuest("spamcop", forgiven), 250)
		l := h.daemon.verdict(t, 0, listedGuest("spamcop", forgiven).addr)
		if got := l.findings(); got["dnsbl:spamcop"] != "12" || got["dnswl:dnswl"] != "-10" {
			t.Errorf("findings %v", got)
		}
		// A list of domains is asked about each name: here about one at a time.
		bad, good := listedGuest("spamhaus-dbl-dqs", 2), cleanGuest(1999)
		h.expect(t, guest{good.addr, bad.name, good.from}, 554, "spamhaus-dbl-dqs")
		h.expect(t, guest{good.addr, good.name, bad.from}, 554, "spamhaus-dbl-dqs")
		h.expect(t, guest{bad.addr, good.name, good.from}, 554, "spamhaus-dbl-dqs")
		f.goesOn(t, 20)
		for _, args := range [][]string{{"lists"}, {"lists", "--overlap"}, {"status"}, {"status", "--json"}, {"check", "--dns"}, {"check", "--print"},
			{"explain", "--client", listedGuest("spamhaus-zen-dqs", 3).addr.String()},
			{"explain", "--json", "--client", listedGuest("spamrats-all", 3).addr.String(), "--from", bad.from}} {
			if out, ok := h.tell(t, args...); !ok || out == "" {
				t.Errorf("%v says\n%s", args, out)
			}
		}
	})
}

// A madness is one way of a list to turn against its user.
type madness struct {
	name, list    string
	state, reason string // what is seen of it
	begin, end    func(t *testing.T, h *listHouse, r *rbldnsd)
}

// answersAll has a list answer to every address.
func answersAll(answer string) func(*testing.T, *listHouse, *rbldnsd) {
	return func(t *testing.T, _ *listHouse, r *rbldnsd) { r.reload(t, "all "+answer, rblTTL) }
}

// mended gives a list its own data again.
func mended(id string) func(*testing.T, *listHouse, *rbldnsd) {
	return func(t *testing.T, _ *listHouse, r *rbldnsd) { r.reload(t, soundEntries(id), rblTTL) }
}

var madnesses = []madness{
	{"it lists everybody", "spamcop", "lists-all", "which cannot be listed",
		answersAll("127.0.0.2"), mended("spamcop")},
	{"its server says nothing any more", "psbl", "silent", "without an answer: ",
		func(t *testing.T, _ *listHouse, r *rbldnsd) { r.signal(t, syscall.SIGSTOP) },
		func(t *testing.T, _ *listHouse, r *rbldnsd) { r.signal(t, syscall.SIGCONT) }},
	{"its server is gone", "blocklist-de", "silent", "without an answer: ",
		func(_ *testing.T, _ *listHouse, r *rbldnsd) { r.kill() },
		func(_ *testing.T, _ *listHouse, r *rbldnsd) { r.start() }},
	{"it answers too late", "dronebl", "silent", "without an answer: ",
		func(_ *testing.T, h *listHouse, r *rbldnsd) { h.far.DelayBelow(r.zone, 8*time.Second) },
		func(_ *testing.T, h *listHouse, r *rbldnsd) { h.far.DelayBelow(r.zone, 0) }},
	{"it answers 10.0.0.1", "mailspike-bl", "suspended", "answered 10.0.0.1, which is not in 127.0.0.0/8",
		answersAll("10.0.0.1"), mended("mailspike-bl")},
	{"it is emptied", "uceprotect-1", "empty", "does not list its test entry 127.0.0.2",
		func(t *testing.T, _ *listHouse, r *rbldnsd) { r.reload(t, "", rblTTL) }, mended("uceprotect-1")},
	{"it refuses us", "spamhaus-zen-dqs", "refused", "127.255.255.250: ",
		answersAll("127.255.255.250"), mended("spamhaus-zen-dqs")},
	{"it answers what it never said that it would", "spamrats-all", "lists-all", "which cannot be listed",
		answersAll("127.0.0.99"), mended("spamrats-all")},
	{"its domain has a new owner", "nordspam-dbl", "lists-all", "which cannot be listed",
		func(t *testing.T, h *listHouse, r *rbldnsd) {
			h.far.Relay(r.zone, netip.AddrPort{})
			if err := h.far.Add(fmt.Sprintf("*.%s. %d IN A 127.0.0.2\n", r.zone, rblTTL)); err != nil {
				t.Fatal(err)
			}
		},
		func(_ *testing.T, h *listHouse, r *rbldnsd) { h.far.Relay(r.zone, r.addr) }},
	{"it speaks for everybody, as it does to whom asks too much", "dnswl", "suspended", "answered 127.0.10.3",
		answersAll("127.0.10.3"), mended("dnswl")},
}

// Whatever becomes of a list, no clean guest is refused, it is out of use within
// seconds, all can see that, the other lists go on, and it comes back.
func TestListsThatGoMad(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		f := h.flows(t)
		marks := make([]int, len(madnesses))
		for i, m := range madnesses {
			t.Run(m.name, func(t *testing.T) {
				mark, began := h.daemon.log.Len(), time.Now()
				m.begin(t, h, h.lists[m.list])
				f.goesOn(t, 2)
				l := h.becomes(t, mark, m.list, m.state)
				t.Logf("found out after %v", time.Since(began).Round(10*time.Millisecond))
				if !strings.Contains(l.values["reason"], m.reason) || l.values["remedy"] == "" {
					t.Errorf("want reason %q, and a remedy: %v", m.reason, l.values)
				}
				h.is(t, m.list, m.state)
				if m.list != "dnswl" {
					h.expect(t, listedGuest(m.list, 10+i), 250)
				} else {
					h.refuses(t, "s5h", 10+i) // nobody is spoken for by a list that is away
				}
				f.goesOn(t, 5)
				marks[i] = h.daemon.log.Len()
				m.end(t, h, h.lists[m.list])
				f.goesOn(t, 5)
			})
		}
		for i, m := range madnesses {
			h.becomes(t, marks[i], m.list, "up")
			h.is(t, m.list, "up")
			if m.list != "dnswl" {
				h.refuses(t, m.list, 30+i)
			}
		}
		h.expect(t, listedGuest("spamcop", forgiven), 250)
		f.stop()
		for _, l := range h.changes(0) {
			if strings.Contains(l, "list=s5h ") && !strings.Contains(l, "from=untested") {
				t.Errorf("a list that was well all the time: %s", l)
			}
		}
	})
}

// Between tests, visits find out what matters to them, and at once.
func TestVisitsFindOut(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		h.change(t, `test_every = "1s"`, `test_every = "10m"`)
		if out, ok := h.tell(t, "reload"); !ok {
			t.Fatal(out)
		}
		f := h.flows(t)
		f.goesOn(t, 10)
		for _, m := range madnesses {
			if m.state == "empty" {
				continue // nobody is harmed
			}
			t.Run(m.name, func(t *testing.T) {
				mark, began := h.daemon.log.Len(), time.Now()
				m.begin(t, h, h.lists[m.list])
				l := h.becomes(t, mark, m.list, "")
				t.Logf("found out after %v: %s", time.Since(began).Round(10*time.Millisecond), l.values["reason"])
				h.expect(t, listedGuest(m.list, 10), 250)
				f.goesOn(t, 5)
			})
		}
	})
}

// What a resolver keeps of a mad list, for whoever else asked it, is no listing
// either when the list is back.
func TestResolverThatRemembersAMadList(t *testing.T) {
	h := openSoundHouse(t, behindUnbound)
	f := h.flows(t)
	mark := h.daemon.log.Len()
	h.lists["spamcop"].reload(t, "all 127.0.0.2", 12)
	f.goesOn(t, 5)
	h.becomes(t, mark, "spamcop", "lists-all")
	victims := []int{cleanGuests - 2, cleanGuests - 3, cleanGuests - 4} // the flow does not get that far
	for _, n := range victims {
		a := cleanGuest(n).addr.As4()
		name := fmt.Sprintf("%d.%d.%d.%d.bl.spamcop.net.", a[3], a[2], a[1], a[0])
		r, err := dns.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), h.asked.String())
		if err != nil || len(r.Answer) != 1 {
			t.Fatalf("%v, %v", r, err)
		}
	}
	h.lists["spamcop"].reload(t, soundEntries("spamcop"), rblTTL)
	h.becomes(t, mark, "spamcop", "up")
	for _, n := range victims {
		h.expect(t, cleanGuest(n), 250)
	}
	h.refuses(t, "spamcop", 10)
}

// A resolver that gives an address to what does not exist makes every list a liar:
// all are out of use until it is honest again, and one line says so.
func TestResolverThatRewrites(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		f := h.flows(t)
		mark := h.daemon.log.Len()
		for _, s := range []*dnstest.Server{h.dns, h.far} {
			s.Misbehave(".", dnstest.Rewrite)
		}
		f.goesOn(t, 2)
		l := h.becomes(t, mark, "all", "suspended")
		if !strings.Contains(l.values["reason"], dnstest.RewrittenTo) || l.values["remedy"] == "" {
			t.Errorf("%v", l.values)
		}
		for _, id := range listsInUse {
			h.is(t, id, "suspended")
		}
		h.expect(t, listedGuest("spamcop", 10), 250)
		f.goesOn(t, 10)
		for _, s := range []*dnstest.Server{h.dns, h.far} {
			s.Misbehave(".", dnstest.OK)
		}
		h.becomes(t, mark, "all", "up")
		if got := h.changes(mark); len(got) != 2 {
			t.Errorf("more than two changes:\n%s", strings.Join(got, "\n"))
		}
		h.is(t, "spamcop", "up")
		h.refuses(t, "spamcop", 11)
	})
}

// When our own DNS is away for some seconds, no list is taken to be silent, and nobody is
// refused whom an allow list speaks for, neither then nor afterwards.
func TestOurOwnDNSIsAway(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		mark, last := h.daemon.log.Len(), byte(100)
		spokenFor := func() {
			g := listedGuest("spamcop", forgiven)
			a := g.addr.As4()
			a[3], last = last, last+1
			g.addr = netip.AddrFrom4(a)
			if r, err := h.visit(g); err != nil || r.Code >= 500 {
				t.Errorf("%s: %v, %v; the log of it:\n%s", g.addr, r, err, h.linesOf(g))
			}
		}
		spokenFor()
		for _, s := range []*dnstest.Server{h.dns, h.far} {
			s.Misbehave(".", dnstest.Timeout)
		}
		for _, r := range h.lists {
			r.signal(t, syscall.SIGSTOP)
		}
		for range 5 { // each waits for its budget
			spokenFor()
		}
		if _, err := h.daemon.log.Wait(waiting(t), mark, mtatest.Containing(`msg="lists unanswered"`, "remedy=")); err != nil {
			t.Error(err)
		}
		for _, r := range h.lists {
			r.signal(t, syscall.SIGCONT)
		}
		for _, s := range []*dnstest.Server{h.dns, h.far} {
			s.Misbehave(".", dnstest.OK)
		}
		for range 30 {
			spokenFor()
		}
		if _, err := h.daemon.log.Wait(waiting(t), mark, mtatest.Containing(`msg="lists answered again"`)); err != nil {
			t.Error(err)
		}
		if got := h.changes(0); len(got) != len(listsInUse) { // each was tested first
			t.Errorf("an outage of ours changes lists:\n%s", strings.Join(got, "\n"))
		}
		h.refuses(t, "psbl", 10)
		h.expect(t, cleanGuest(1998), 250)
	})
}

// flood is how many come in one: more than make a window of the shares.
const flood = 150

// A flood of clients that truly are listed, from as many networks, suspends nothing.
func TestFloodOfListed(t *testing.T) {
	bothWays(t, func(t *testing.T, h *listHouse) {
		f := h.flows(t)
		f.goesOn(t, 20)
		mark := h.daemon.log.Len()
		for n := range flood {
			if n != forgiven {
				h.refuses(t, []string{"spamcop", "psbl"}[n%2], n)
			}
		}
		f.goesOn(t, 5)
		if got := h.changes(mark); len(got) > 0 {
			t.Errorf("a flood of listed clients changes lists:\n%s", strings.Join(got, "\n"))
		}
	})
}

// Every code by which a list of the catalogue refuses, or says that it was asked
// wrongly, is no evidence, of whatever the list was asked.
func TestEveryRefusalOfTheCatalogue(t *testing.T) {
	refusals, rounds, total := refusalsOfTheCatalogue()
	if len(refusals) < 15 || total < 40 {
		t.Fatalf("%d lists refuse, by %d codes", len(refusals), total)
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round+1), func(t *testing.T) {
			g := cleanGuest(round)
			var use []string
			entries := map[string]string{}
			for _, l := range dnsbl.Catalogue() {
				if all := refusals[l.ID]; round < len(all) {
					use = append(use, l.ID)
					entries[l.ID] = fmt.Sprintf("%s %s\n%s %s\n", g.addr, all[round], strings.TrimPrefix(g.name, "mx."), all[round])
					for _, test := range l.Listed {
						entries[l.ID] += test + " 127.0.0.2\n"
					}
				}
			}
			h := openListHouse(t, straight, use, entries)
			mark := h.daemon.log.Len()
			h.expect(t, g, 250)
			l := h.daemon.verdict(t, mark, g.addr)
			if got := l.values["findings"]; strings.Contains(got, "dnsbl:") || strings.Contains(got, "rhsbl:") || strings.Contains(got, "dnswl:") {
				t.Errorf("a refusal weighs: %v", l.values)
			}
			for _, id := range use {
				asked, _ := dnsbl.Find(id)
				if refusals[id][round] == "127.0.1.255" && asked.Asks.Has(dnsbl.Domain) {
					h.is(t, id, "up") // it was asked wrongly, and by the client's doing
					continue
				}
				if got := h.becomes(t, mark, id, "refused"); !strings.HasPrefix(got.values["reason"], refusals[id][round]+": ") || got.values["remedy"] == "" {
					t.Errorf("%v", got.values)
				}
			}
			h.expect(t, g, 250)
		})
	}
}

// refusalsOfTheCatalogue gives an answer for each error code of each list that
// may be used on port 25, the greatest number for one list, and that of all.
func refusalsOfTheCatalogue() (all map[string][]string, most, total int) {
	all = map[string][]string{}
	for _, l := range dnsbl.Catalogue() {
		if l.Default == dnsbl.Never || l.Stages == dnsbl.StagesOf(dnsbl.Auth) {
			continue
		}
		for _, c := range l.Codes {
			if c.Kind != dnsbl.Error {
				continue
			}
			answer := c.Answer
			if c.Match == "other" {
				answer = "127.77.77.77"
			} else if p, err := netip.ParsePrefix(c.Answer); err == nil {
				answer = p.Addr().Next().String()
			}
			all[l.ID] = append(all[l.ID], answer)
			most, total = max(most, len(all[l.ID])), total+1
		}
	}
	return all, most, total
}
