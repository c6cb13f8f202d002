package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestBusiestNamesWhoMeetsLimitsMost(t *testing.T) {
	var b Busiest
	for i, who := range []string{"jo", "al", "jo", "joe", "jo", "al"} {
		b.Limited(who, []string{"new accounts", "outgoing"}[i%2], i%3 != 0, noon.Add(time.Duration(i)*time.Second))
	}
	top, all := b.Top(2)
	if !all || len(top) != 2 || top[0].Account != "jo" || top[1].Account != "al" {
		t.Fatalf("got %+v, all %v", top, all)
	}
	jo := top[0]
	if jo.Refused != 2 || jo.Reported != 1 || jo.Less != 0 || !jo.Last.Equal(noon.Add(4*time.Second)) || !slices.Equal(jo.Limits, []string{"new accounts"}) {
		t.Errorf("got %+v", jo)
	}
}

// TestBusiestIsBoundedAndHonest: among ten times as many names as it holds, each
// count is right within what it says, and nobody who met limits more often than the
// least of the list is missing.
func TestBusiestIsBoundedAndHonest(t *testing.T) {
	var b Busiest
	real := map[string]uint64{}
	r := rand.New(rand.NewPCG(1, 2))
	for range 40_000 {
		who := fmt.Sprint("u", r.IntN(40*maxBusiest))
		if r.IntN(2) == 0 {
			who = fmt.Sprint("often", r.IntN(20))
		}
		real[who]++
		b.Limited(who, fmt.Sprint("limit", r.IntN(50)), r.IntN(3) == 0, noon)
	}
	top, all := b.Top(1 << 20)
	if all || len(top) != maxBusiest {
		t.Fatalf("%d names, all %v", len(top), all)
	}
	known := map[string]bool{}
	for _, who := range top {
		known[who.Account] = true
		if n := real[who.Account]; n > who.count() || n < who.count()-who.Less {
			t.Fatalf("%s met limits %d times, told %+v", who.Account, n, who)
		}
		if len(who.Limits) > maxLimitsOf {
			t.Fatalf("%d limits", len(who.Limits))
		}
	}
	least := top[len(top)-1].count()
	for who, n := range real {
		if n > least && !known[who] {
			t.Errorf("%s is missing: %d times, and the least of the list is %d", who, n, least)
		}
	}
	for i := range 20 {
		if top[i].Account[0] != 'o' {
			t.Errorf("place %d is %+v", i, top[i])
		}
	}
}

func TestBusiestRaces(t *testing.T) {
	var b Busiest
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 500 {
				b.Limited(fmt.Sprint(n%7), "x", i%2 == 0, noon)
				b.Top(3)
			}
		})
	}
	all.Wait()
	sum := uint64(0)
	top, _ := b.Top(9)
	for _, who := range top {
		sum += who.count()
	}
	if sum != 2000 {
		t.Errorf("%d counted, want 2000", sum)
	}
}

func BenchmarkBusiest(b *testing.B) {
	var busy Busiest
	names := make([]string, 10*maxBusiest)
	for i := range names {
		names[i] = fmt.Sprint("user", i, "@here.example")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		busy.Limited(names[i%len(names)], "new accounts", true, noon) // each is new: the worst
	}
}
