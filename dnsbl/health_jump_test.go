package dnsbl

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// The hits of trusted clients suspend a list only where these are enough to be a sign.
func TestASecondSignNeedsEnough(t *testing.T) {
	cases := []struct {
		name      string
		usual     bool // what is usual among trusted clients is known
		unhit     int  // trusted networks that the list does not hit
		harmless  int  // of those that it hits, how many are no sign yet
		suspended bool // the next one is
	}{
		{"too few hits", true, 4, trustedHits - 1, true},
		{"too few networks", true, 0, trustedSeen - 1, true},
		{"too small a share", true, 8, 3, true},
		{"nobody knows what is usual", false, 4, 40, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				w.allUp()
				next := distinctClients(w.Health)
				for i := range 3 * sketchFull {
					w.Judged(VisitSeen{Client: client(i), Clean: true})
					if c.usual {
						w.Judged(VisitSeen{Client: client(i), Trusted: true})
					}
				}
				roster := w.roster.Load()
				if a := roster.all[roster.byID["a"]]; !a.clean.known || a.trusted.known != c.usual {
					t.Fatalf("known: clean %t, trusted %t", a.clean.known, a.trusted.known)
				}
				roster.clean.reset() // a window begins
				roster.trusted.reset()
				for range 2 * cleanSeen {
					w.Judged(VisitSeen{Client: next(), Hit: []string{"a"}, Clean: true})
				}
				for range c.unhit {
					w.Judged(VisitSeen{Client: next(), Trusted: true})
				}
				for range c.harmless {
					w.Judged(VisitSeen{Client: next(), Hit: []string{"a"}, Trusted: true})
				}
				w.want("a", Up)
				w.Judged(VisitSeen{Client: next(), Hit: []string{"a"}, Trusted: true})
				if c.suspended {
					w.want("a", Suspended)
				} else {
					w.want("a", Up)
				}
				w.pass(time.Second)
			})
		})
	}
}

// distinctClients gives clients whose networks fall on a bit each.
func distinctClients(h *Health) func() netip.Addr {
	taken, n := map[uint]bool{}, 0
	return func() netip.Addr {
		for {
			n++
			if bit := networkBit(client(n), h.seed); !taken[bit] {
				taken[bit] = true
				return client(n)
			}
		}
	}
}

// A list that stays mad must not soon be taken for one that always hit so many.
func TestAJumpIsNotSoonUsual(t *testing.T) {
	share := share{}
	window := func(hits uint, leapt bool) {
		for bit := range hits {
			share.hits.add(bit)
		}
		share.close(100, true, leapt)
	}
	window(5, false)
	for i := range 3 {
		window(100, true)
		for bit := range uint(100) {
			share.hits.add(bit)
		}
		if !share.jumped(100, cleanLeast, cleanMore) {
			t.Errorf("%s are usual after %d windows of a jump", percent(share.before()), i+1)
		}
		share.hits.reset()
	}
}
