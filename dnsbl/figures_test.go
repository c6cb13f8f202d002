package dnsbl

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestLatencySteps(t *testing.T) {
	cases := []struct {
		took, end time.Duration
	}{
		{-time.Second, 64 * time.Microsecond},
		{0, 64 * time.Microsecond},
		{63 * time.Microsecond, 64 * time.Microsecond},
		{64 * time.Microsecond, 80 * time.Microsecond},
		{100 * time.Microsecond, 112 * time.Microsecond},
		{time.Millisecond, 1024 * time.Microsecond},
		{1025 * time.Microsecond, 1280 * time.Microsecond},
		{time.Hour, 16777216 * time.Microsecond},
	}
	for _, c := range cases {
		if got := latencyEnd(latencyStep(c.took)); got != c.end {
			t.Errorf("%v is counted as up to %v, want %v", c.took, got, c.end)
		}
	}
	for range 10_000 {
		took := time.Duration(rand.Int64N(int64(16*time.Second))) >> rand.IntN(20)
		if end := latencyEnd(latencyStep(took)); end < took.Truncate(time.Microsecond) || end > 64*time.Microsecond && end > took+took/4+time.Microsecond {
			t.Fatalf("%v is counted as up to %v", took, end)
		}
	}
}

func TestPercentiles(t *testing.T) {
	var l latency
	if p50, p99 := l.percentiles(); p50 != 0 || p99 != 0 {
		t.Errorf("before the first question: %v, %v", p50, p99)
	}
	for range 98 {
		l.add(10 * time.Millisecond)
	}
	l.add(time.Second)
	l.add(time.Second)
	p50, p99 := l.percentiles()
	if p50 < 10*time.Millisecond || p50 > 13*time.Millisecond || p99 < time.Second || p99 > 1300*time.Millisecond {
		t.Errorf("98 of 10ms and 2 of 1s: %v, %v", p50, p99)
	}
}

// TestFiguresAreTrue counts visits beside what the package counts.
func TestFiguresAreTrue(t *testing.T) {
	h := NewHealth(HealthOptions{})
	lists := healthLists(t)
	h.Use(lists, &fakeAsker{answer: sound}, testEvery)
	visits, alone, both := map[string]uint64{}, map[string]uint64{}, map[[2]string]uint64{}
	for i := range 2000 {
		var hit []string
		for j := range lists {
			if rand.IntN(3) == 0 {
				hit = append(hit, lists[j].ID)
			}
		}
		h.Judged(VisitSeen{Client: client(i), Hit: append(hit, "of nobody"), Clean: i%2 == 0})
		for _, a := range hit {
			visits[a]++
			for _, b := range hit {
				both[[2]string{a, b}]++
			}
		}
		if len(hit) == 1 {
			alone[hit[0]]++
		}
	}
	for i, s := range h.Snapshot() {
		if s.List != lists[i].ID || s.Visits != visits[s.List] || s.Alone != alone[s.List] {
			t.Errorf("%+v, want %d visits, %d alone", s, visits[s.List], alone[s.List])
		}
		if len(s.Overlap) != len(lists)-1 {
			t.Errorf("%s overlaps with %v", s.List, s.Overlap)
		}
		for _, o := range s.Overlap {
			if o.List == s.List || o.Visits != both[[2]string{s.List, o.List}] {
				t.Errorf("%s and %s: %d, want %d", s.List, o.List, o.Visits, both[[2]string{s.List, o.List}])
			}
		}
	}
}

func TestQuestionsAreCounted(t *testing.T) {
	h := NewHealth(HealthOptions{})
	lists := healthLists(t)
	h.Use(lists, &fakeAsker{answer: sound}, testEvery)
	a := &lists[0]
	hit, remark := []Match{{Code: &Code{Kind: Listed}}}, []Match{{Code: &Code{Kind: Info}}}
	for _, answer := range []Answer{{State: Clear}, {State: Hit, Matches: remark}, {State: Hit, Matches: hit}, {State: Unknown, Reason: "timeout"}} {
		answer.List, answer.Took = a, 5*time.Millisecond
		h.Saw(&answer)
	}
	h.Swayed("a", true)
	h.Swayed("a", true)
	h.Swayed("a", false)
	h.Swayed("of nobody", true)
	s := h.Snapshot()[0]
	if s.Asked != 4 || s.Hits != 1 || s.Unknown != 1 || s.Share() != 1.0/3 || s.Harsher != 2 || s.Softer != 1 || s.P50 < 5*time.Millisecond {
		t.Errorf("%+v, share %g", s, s.Share())
	}
	if share := new(Standing).Share(); share != 0 {
		t.Errorf("share %g of no questions", share)
	}
}

func TestNetworksFallOnBitsEvenly(t *testing.T) {
	seed := rand.Uint64()
	for _, c := range []struct {
		name string
		addr func(i int) netip.Addr
	}{
		{"IPv4", func(i int) netip.Addr { return netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 9}) }},
		{"IPv6", func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 3: byte(i >> 16), 4: byte(i >> 8), 5: byte(i), 15: 9})
		}},
	} {
		var n [sketchBits]int
		for i := range 100 * sketchBits {
			n[networkBit(c.addr(i), seed)]++
		}
		if least, most := slices.Min(n[:]), slices.Max(n[:]); least < 40 || most > 180 {
			t.Errorf("%s: of 100 networks a bit, %d to %d fall on one", c.name, least, most)
		}
	}
	for _, same := range [][2]string{{"192.0.2.1", "192.0.2.200"}, {"192.0.2.1", "::ffff:192.0.2.7"}, {"2001:db8:1::1", "2001:db8:1:ffff::2"}} {
		if networkBit(netip.MustParseAddr(same[0]), seed) != networkBit(netip.MustParseAddr(same[1]), seed) {
			t.Errorf("%v are of one network", same)
		}
	}
}
