package memory

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestRecent(t *testing.T) {
	var r Recent
	s := newServers(start)
	of := func(i int) Subject { return s.Subject(netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)}), "") }
	if _, ok := r.Find(""); ok {
		t.Error("a zero Recent knows somebody")
	}
	for i := range recentSize + 1000 {
		sub := of(i)
		r.Note(fmt.Sprint("id", i), &sub)
	}
	for _, tt := range []struct {
		i    int
		want bool
	}{{0, false}, {999, false}, {1000, true}, {recentSize + 999, true}, {recentSize + 1000, false}} {
		if sub, ok := r.Find(fmt.Sprint("id", tt.i)); ok != tt.want || ok && sub != of(tt.i) {
			t.Errorf("%d: %v %+v", tt.i, ok, sub)
		}
	}
	if len(r.at) != recentSize || len(r.ring) != recentSize {
		t.Errorf("%d ids in %d places", len(r.at), len(r.ring))
	}
}

func BenchmarkRecent(b *testing.B) {
	var r Recent
	s := newServers(start)
	sub := s.Subject(netip.MustParseAddr("192.0.2.7"), "good.example")
	ids := make([]string, 2*recentSize)
	for i := range ids {
		ids[i] = fmt.Sprint("id", i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Note(ids[i%len(ids)], &sub)
	}
}
