package spf

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// worldFor makes a world whose answers hold for ttl from now.
func worldFor(t testing.TB, ttl time.Duration, lines string) *world {
	w := zone(t, lines)
	w.expires = time.Now().Add(ttl)
	return w
}

func TestResultsAreRemembered(t *testing.T) {
	const minute = time.Minute
	joe := Query{c7, "mx.test", "joe@a.test"}
	for _, tt := range []struct {
		name string
		zone string
		ttl  time.Duration
		then Query         // after joe was checked
		wait time.Duration // and this has passed
		want bool          // then is known without asking
	}{
		{"the same again", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, joe, 0, true},
		{"in other letters", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{c7, "mx.test", "joe@A.test."}, 0, true},
		{"as a mapped address", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{ip("::ffff:192.0.2.7"), "mx.test", "joe@a.test"}, 0, true},
		{"another local part", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{c7, "mx.test", "eve@a.test"}, 0, true},
		{"another HELO", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{c7, "mx2.test", "joe@a.test"}, 0, true},
		{"the domain as HELO", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{c7, "a.test", ""}, 0, true},
		{"another client", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{ip("192.0.2.8"), "mx.test", "joe@a.test"}, 0, false},
		{"another domain", "a.test TXT v=spf1 ip4:192.0.2.0/24", minute, Query{c7, "mx.test", "joe@b.test"}, 0, false},
		{"just before it expires", "a.test TXT v=spf1 -all", minute, joe, minute - 1, true},
		{"when it has expired", "a.test TXT v=spf1 -all", minute, joe, minute, false},
		{"answers that hold no time", "a.test TXT v=spf1 -all", 0, joe, 0, false},
		{"no record", "", minute, joe, 0, true},
		{"an error of the record", "a.test TXT v=spf1 moo", minute, joe, 0, true},
		{"trouble, for seconds", "a.test TIMEOUT", minute, joe, keepTrouble - 1, true},
		{"trouble, no longer", "a.test TIMEOUT", minute, joe, keepTrouble, false},
		{"the same, with a macro of the local part", "a.test TXT v=spf1 exists:%{l}.x.test", minute, joe, 0, true},
		{"another local part, with its macro", "a.test TXT v=spf1 exists:%{l}.x.test", minute, Query{c7, "mx.test", "eve@a.test"}, 0, false},
		{"another local part, with the sender's macro in an include", "a.test TXT v=spf1 include:b.test\nb.test TXT v=spf1 exists:%{S}.x.test", minute, Query{c7, "mx.test", "eve@a.test"}, 0, false},
		{"another HELO, with the macro of the local part", "a.test TXT v=spf1 exists:%{l}.x.test", minute, Query{c7, "mx2.test", "joe@a.test"}, 0, true},
		{"another HELO, with its macro", "a.test TXT v=spf1 exists:%{h}.x.test", minute, Query{c7, "mx2.test", "joe@a.test"}, 0, false},
		{"another local part, with the macro of HELO", "a.test TXT v=spf1 exists:%{h}.x.test", minute, Query{c7, "mx.test", "eve@a.test"}, 0, true},
		{"a domain that is none", "", minute, Query{c7, "localhost", ""}, 0, true},
		{"a sender that is none", "", minute, Query{c7, "mx.test", "joe"}, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := NewChecker(worldFor(t, tt.ttl, tt.zone), 100)
				first := c.Check(t.Context(), joe)
				now := time.Now().Add(tt.wait)
				got, ok := c.Cached(tt.then, now)
				if ok != tt.want {
					t.Fatalf("got %v (%v), want %v", ok, got.Outcome, tt.want)
				}
				if ok && tt.then == joe && (got.Outcome != first.Outcome || got.Mechanism != first.Mechanism || got.Reason != first.Reason || got.Never != first.Never) {
					t.Errorf("got %+v, was %+v", got, first)
				}
			})
		})
	}
}

// TestTheEarliestExpiryCounts: a result holds no longer than any answer it rests on.
func TestTheEarliestExpiryCounts(t *testing.T) {
	w := zone(t, "a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 -all")
	now := time.Now()
	c := NewChecker(brief{w, now}, 100)
	c.Check(t.Context(), Query{c7, "mx.test", "joe@a.test"})
	if _, ok := c.Cached(Query{c7, "mx.test", "joe@a.test"}, now.Add(50*time.Second)); !ok {
		t.Error("forgotten too early")
	}
	if _, ok := c.Cached(Query{c7, "mx.test", "joe@a.test"}, now.Add(70*time.Second)); ok {
		t.Error("the include has expired")
	}
}

// TestHasteIsNotRemembered: the trouble of one caller with a short budget is not
// the next one's.
func TestHasteIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := worldFor(t, time.Hour, "a.test TXT v=spf1 -all")
		w.delay = time.Second
		c := NewChecker(w, 100)
		q := Query{c7, "mx.test", "joe@a.test"}
		if got := c.Check(expired(t, time.Millisecond), q); got.Outcome != TempError {
			t.Errorf("got %v", got.Outcome)
		}
		if got := c.Check(t.Context(), q); got.Outcome != Fail || !got.Never {
			t.Errorf("got %v", got.Outcome)
		}
	})
}

func TestTheMemoryIsBounded(t *testing.T) {
	c := NewChecker(worldFor(t, time.Hour, "a.test TXT v=spf1 exists:%{l}.x.test -all"), 50)
	for i := range 500 {
		c.Check(t.Context(), Query{c7, "mx.test", fmt.Sprintf("%s%d@a.test", strings.Repeat("x", 100), i)})
	}
	if c.Len() > 50 {
		t.Errorf("%d results", c.Len())
	}
}

func TestManyAtOnce(t *testing.T) {
	c := NewChecker(worldFor(t, time.Hour, "a.test TXT v=spf1 a mx include:b.test -all\na.test A 192.0.2.1\na.test MX m1.test m2.test\nm1.test A 192.0.2.2\nm2.test A 192.0.2.7"), 50)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for range 20 {
				if got := c.Check(t.Context(), Query{c7, "mx.test", fmt.Sprintf("joe%d@a.test", i)}); got.Outcome != Pass {
					t.Errorf("got %v (%s)", got.Outcome, got.Reason)
				}
			}
		})
	}
	wg.Wait()
}
