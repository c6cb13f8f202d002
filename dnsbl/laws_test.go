package dnsbl

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A liar answers anything, and remembers what.
type liar struct {
	mu   sync.Mutex
	rng  *rand.Rand
	told map[string][]netip.Addr // all that a name was ever answered
}

func (z *liar) A(_ context.Context, name string) Reply {
	z.mu.Lock()
	defer z.mu.Unlock()
	switch z.rng.IntN(5) {
	case 0:
		return Reply{Reason: "timeout"}
	case 1:
		return Reply{Outcome: None, Expires: time.Now().Add(time.Hour)}
	}
	r := Reply{Outcome: Found, Expires: time.Now().Add(time.Duration(z.rng.IntN(1000)) * time.Minute), Stale: z.rng.IntN(9) == 0}
	for range 1 + z.rng.IntN(3) {
		r.Addrs = append(r.Addrs, z.address())
	}
	z.told[name] = append(z.told[name], r.Addrs...)
	return r
}

func (z *liar) TXT(context.Context, string) Reply { return Reply{} }

// address is most often near to what lists answer.
func (z *liar) address() netip.Addr {
	a := [4]byte{127, 0, byte(z.rng.IntN(12)), byte(z.rng.IntN(256))}
	switch z.rng.IntN(9) {
	case 0:
		a[0] = byte(z.rng.IntN(256))
	case 1:
		a[1], a[2] = 255, 255
	case 2, 3, 4:
		a[2], a[3] = 0, byte(z.rng.IntN(12))
	}
	return netip.AddrFrom4(a)
}

// TestOnlyDeclaredListingsWeigh asks all lists of the catalogue, over days, of an
// Asker that lies. Whatever comes, by cache or by DNS, old or new: points above 0
// stand on a declared listing that this list answered about this subject, and an
// answer that counts stands beside no refusal.
func TestOnlyDeclaredListingsWeigh(t *testing.T) {
	var lists []List
	for _, l := range Catalogue() {
		if l.NeedsKey() {
			l, _ = l.WithKey("k3y")
		}
		lists = append(lists, l)
	}
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(5, 5))
		z := &liar{rng: rng, told: map[string][]netip.Addr{}}
		s := NewSet(lists, z, nil, Options{Cache: NewCache(1 << 20)})
		defer s.Close()
		positive, old := 0, 0
		for i := range 600 {
			var all [][]Answer
			for stage := range stages {
				sub := Subject{Stage: stage, Addr: numbered(i % 5), Name: "host." + string(rune('a'+i%5)) + ".example.com"}
				answers := s.Ask(t.Context(), sub, nil)
				for k := range answers {
					p, o := mustStand(t, s, z, sub, &answers[k])
					positive, old = positive+p, old+o
				}
				if known, ok := s.Known(sub, nil); ok {
					for k := range known {
						mustStand(t, s, z, sub, &known[k])
					}
				}
				all = append(all, answers)
			}
			for _, m := range Merge(all...) {
				if p := m.Points(); p > 0 && (m.State != Hit || p > heaviestOf(m.Matches)+2) {
					t.Fatalf("merged %s weighs %g", said(m), p)
				}
			}
			time.Sleep(time.Duration(rng.IntN(40)) * time.Minute)
		}
		if positive < 100 || old < 10 {
			t.Errorf("%d answers weighed, %d were old: the test tests little", positive, old)
		}
	})
}

func mustStand(t *testing.T, s *Set, z *liar, sub Subject, a *Answer) (positive, old int) {
	t.Helper()
	if a.Stale {
		old = 1
	}
	if a.Points() <= 0 {
		return 0, old
	}
	target, _ := s.target(sub)
	zone, _ := a.List.zone()
	m := member{list: a.List, zone: zone}
	told := z.told[m.question(&target)]
	heaviest := 0.0
	for _, match := range a.Matches {
		if match.Code == nil {
			continue
		}
		if match.Code.Kind == Error || match.Code.Suspect {
			t.Fatalf("%s weighs %g beside a refusal", said(*a), a.Points())
		}
		for _, addr := range told {
			if addr == match.Addr && match.Code.Kind == Listed {
				heaviest = max(heaviest, match.Code.Points)
			}
		}
	}
	if a.State != Hit || heaviest == 0 || a.Points() > heaviest+2 {
		t.Fatalf("%s weighs %g, of what was answered the heaviest listing is %g: %v", said(*a), a.Points(), heaviest, told)
	}
	if strings.Contains(a.List.ID, "authbl") != (sub.Stage == Auth) && a.List.Stages == StagesOf(Auth) {
		t.Fatalf("%s is asked at %s", a.List, sub.Stage)
	}
	return 1, old
}

func heaviestOf(matches []Match) (heaviest float64) {
	for _, m := range matches {
		if m.Code != nil && m.Code.Kind == Listed {
			heaviest = max(heaviest, m.Code.Points)
		}
	}
	return heaviest
}

// TestNoAnswerLiftsMoreThanLiftSays holds what law 2 goes by where an answer is lost.
func TestNoAnswerLiftsMoreThanLiftSays(t *testing.T) {
	for _, l := range Catalogue() {
		for n := range answersOf {
			for _, addrs := range [][]netip.Addr{{addrOf(n)}, {addrOf(n), addrOf(n ^ 1), addrOf(n ^ 2)}} {
				a := Answer{List: &l}
				a.State, a.Reason, a.Matches = l.read(nil, addrs)
				if p := a.Points(); p < l.Lift() {
					t.Fatalf("%s can lift %g, but %v lifts %g", l.ID, l.Lift(), addrs, p)
				}
			}
		}
	}
}
