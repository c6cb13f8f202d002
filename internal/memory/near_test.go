package memory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

func use(limit string, used int) Use {
	return Use{Limit: limit, Count: "messages", Window: time.Hour, Max: 100, Used: used}
}

func TestNearestNamesTheFullestFirst(t *testing.T) {
	var b Busiest
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	b.Near("jo", use("a", 80), at(0))
	b.Near("al", use("a", 95), at(1))
	b.Near("al", use("b", 85), at(2)) // it is less full
	b.Near("jo", use("a", 90), at(3))
	b.Near("ed", use("a", 90), at(4))
	names := func(n, minutes int) (all []string) {
		near, known := b.Nearest(n, at(minutes))
		if !known {
			t.Error("somebody had to go")
		}
		for _, who := range near {
			all = append(all, fmt.Sprint(who.Account, " ", who.Used, who.Limit))
		}
		return all
	}
	for _, tt := range []struct {
		n, minutes int
		want       []string
	}{
		{10, 5, []string{"al 95a", "ed 90a", "jo 90a"}},
		{2, 5, []string{"al 95a", "ed 90a"}},
		{10, 61, []string{"ed 90a", "jo 90a"}}, // what al has used has come back
		{0, 5, nil}, {-1, 5, nil}, {10, 100, nil},
	} {
		if got := names(tt.n, tt.minutes); !slices.Equal(got, tt.want) {
			t.Errorf("the first %d after %d minutes: %q, want %q", tt.n, tt.minutes, got, tt.want)
		}
	}
	b.Near("al", use("b", 85), at(62)) // its other limit is free again
	if got := names(1, 62); !slices.Equal(got, []string{"ed 90a"}) || len(names(10, 62)) != 3 {
		t.Errorf("got %q", names(10, 62))
	}
}

// TestNearestIsBoundedAndHonest: of ten times as many as it holds the fullest are
// known, and it says when somebody may be missing, and for how long.
func TestNearestIsBoundedAndHonest(t *testing.T) {
	var b Busiest
	r := rand.New(rand.NewPCG(1, 2))
	used := r.Perm(10 * maxBusiest)
	for i, n := range used {
		u := use("a", n)
		u.Max = len(used)
		b.Near(fmt.Sprint("u", i), u, noon)
	}
	near, all := b.Nearest(1<<20, noon)
	if all || len(near) != maxBusiest {
		t.Fatalf("%d are near, all %v", len(near), all)
	}
	for i, who := range near {
		if want := len(used) - 1 - i; who.Used != want {
			t.Fatalf("place %d has used %d, want %d", i, who.Used, want)
		}
	}
	if near, all := b.Nearest(5, noon.Add(time.Hour)); !all || len(near) != 0 {
		t.Errorf("an hour later: %+v, all %v", near, all)
	}
	b.Near("new", use("a", 1), noon.Add(time.Hour))
	if near, all := b.Nearest(5, noon.Add(time.Hour)); !all || len(near) != 1 || len(b.near) != 1 {
		t.Errorf("a new one: %+v, all %v; %d are kept", near, all, len(b.near))
	}
}

func TestNearIsSafeForManyGoroutines(t *testing.T) {
	var b Busiest
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			for i := range 1000 {
				b.Near(fmt.Sprint(n*1000+i), use("a", 80+i%20), noon)
				if i%100 == 0 {
					b.Nearest(10, noon)
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkNear notes accounts while the table is full: the worst.
func BenchmarkNear(b *testing.B) {
	var busy Busiest
	names := make([]string, 4096)
	for i := range names {
		names[i] = fmt.Sprint("u", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		busy.Near(names[i%len(names)], use("a", 80+i%21), noon)
	}
}
