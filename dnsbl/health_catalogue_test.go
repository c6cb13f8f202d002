package dnsbl

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// catalogued are the lists of the catalogue that are alive, with a key where they want one.
func catalogued(t *testing.T) []List {
	t.Helper()
	var all []List
	for _, l := range Catalogue() {
		if strings.Contains(l.Zone, "{key}") {
			key := "sesam"
			l.key = &key
		}
		if l.Status != Dead && l.Askable() {
			all = append(all, l)
		}
	}
	if len(all) < 40 {
		t.Fatalf("%d lists are alive and askable", len(all))
	}
	return all
}

// TestTheCatalogueCanBeTested has each list answer by the book.
func TestTheCatalogueCanBeTested(t *testing.T) {
	lists := catalogued(t)
	for i := range lists {
		l := &lists[i]
		probes := l.probes()
		if len(probes) == 0 || probes[0].listed {
			t.Errorf("%s: %d probes, the first one is no random one", l.ID, len(probes))
		}
		for _, p := range probes {
			if !strings.HasSuffix(p.name, strings.TrimPrefix(l.Zone, "{key}")) || strings.Contains(p.entry, "sesam") {
				t.Errorf("%s: asks %s about %s", l.ID, p.name, p.entry)
			}
			if zone, _ := l.zone(); !strings.HasSuffix(p.name, "."+zone) {
				t.Errorf("%s: asks %s, which is not below its zone", l.ID, p.name)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWard(t)
		w.lists = lists
		w.asker.set(func(name string) Reply {
			switch {
			case strings.HasSuffix(name, "bl.suomispam.net") && strings.HasPrefix(name, "2.0.0.127."):
				return found("127.0.0.99")
			case strings.HasSuffix(name, "list.dnswl.org") && strings.HasPrefix(name, "2.0.0.127."):
				return found("127.0.10.0")
			case strings.HasSuffix(name, "hostkarma.junkemailfilter.com") && strings.HasPrefix(name, "1.0.0.127."):
				return found("127.0.0.1")
			case strings.HasSuffix(name, "authbl.mail.abusix.zone") && strings.HasPrefix(name, "4.0.0.127."):
				return found("127.0.0.4")
			case strings.HasPrefix(name, "2.0.0.f.7.f.f.f.f."):
				return found("127.0.0.2")
			case strings.HasPrefix(name, "2.0.0.0.0.0.f.7.f.f.f.f."):
				return found("127.0.0.2")
			}
			return sound(name)
		})
		w.Use(lists, w.asker, testEvery)
		w.run()
		w.pass(time.Minute)
		for _, l := range lists {
			w.want(l.ID, Up)
		}
	})
}

// TestEachRefusalOfTheCatalogueIsKnown answers each error code of each list: to a
// visit, and then to all tests.
func TestEachRefusalOfTheCatalogueIsKnown(t *testing.T) {
	lists := catalogued(t)
	refusals := 0
	for i := range lists {
		l := &lists[i]
		for j := range l.Codes {
			c := &l.Codes[j]
			if c.Kind != Error {
				continue
			}
			refusals++
			addr := addrOf(c.reach.first)
			if c.reach.form == other {
				addr = netip.MustParseAddr("127.77.77.77")
			}
			a := Answer{List: l}
			a.State, a.Reason, a.Matches = l.read(nil, []netip.Addr{addr})
			e := evidenceOf(&a)
			if a.State != Unknown {
				t.Errorf("%s %s: state %v", l.ID, c.Answer, a.State)
			}
			if misread(l, c) {
				if e.shows != Untested {
					t.Errorf("%s %s: a question that was wrong makes the list %v", l.ID, c.Answer, e.shows)
				}
				continue
			}
			if e.shows != Refused || !strings.Contains(e.reason, addr.String()) || e.remedy == "" || strings.Contains(e.reason+e.remedy, "sesam") {
				t.Errorf("%s %s: %+v", l.ID, c.Answer, e)
			}
			want := Refused
			if c.reach.form == other { // to random names, this is no refusal but madness
				want = ListsAll
			}
			p := probe{entry: "127.64.0.1"}
			if e := p.judge(l, []netip.Addr{addr}); e.shows != want {
				t.Errorf("%s %s, answered to a test: %v, want %v", l.ID, c.Answer, e.shows, want)
			}
		}
	}
	if refusals < 30 {
		t.Errorf("%d refusals in the catalogue", refusals)
	}
}

func TestRemedies(t *testing.T) {
	cases := []struct {
		list, answer, remedy string
	}{
		{"spamhaus-zen", "127.255.255.254", remedyOwnDNS + "; or use spamhaus-zen-dqs"},
		{"spamhaus-zen", "127.255.255.255", remedyVolume + "; or use spamhaus-zen-dqs"},
		{"spamhaus-zen", "127.255.255.252", remedyZone + "; or use spamhaus-zen-dqs"},
		{"spamhaus-zen-dqs", "127.255.255.250", remedyKey},
		{"spamhaus-zen-dqs", "127.255.255.251", remedyKey},
		{"uribl", "127.0.0.1", remedyOwnDNS},
		{"surbl", "127.0.0.1", remedyOwnDNS},
		{"dnswl", "127.0.0.255", remedyVolume},
		{"validity-safe", "127.255.255.255", remedyAsk + "; or use dnswl"},
		{"spamrats-all", "127.0.0.99", remedyAsk},
	}
	lists := catalogued(t)
	for _, c := range cases {
		for i := range lists {
			l := &lists[i]
			if l.ID != c.list {
				continue
			}
			a := Answer{List: l}
			a.State, a.Reason, a.Matches = l.read(nil, []netip.Addr{netip.MustParseAddr(c.answer)})
			if e := evidenceOf(&a); e.remedy != c.remedy {
				t.Errorf("%s %s (%s): %q, want %q", c.list, c.answer, e.reason, e.remedy, c.remedy)
			}
		}
	}
}

func TestToken(t *testing.T) {
	for reason, want := range map[string]string{
		"timeout": "timeout", "bad-answer": "bad-answer", "": "failed", "lookup sesam.example.org": "failed",
		"averyveryverylongwordindeed": "failed", "Timeout": "failed", "a1": "failed",
	} {
		if got := token(reason); got != want {
			t.Errorf("token(%q) = %q, want %q", reason, got, want)
		}
	}
}
