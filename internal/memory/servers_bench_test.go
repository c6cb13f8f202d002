package memory

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// crowd is the i-th of many servers: four in a /24, five of one operator.
func crowd(s *Servers, i int) Subject {
	n := uint32(i)*64 + 7
	return s.Subject(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), fmt.Sprintf("operator%d.example", i/5))
}

func crowded(b *testing.B, servers int) *Servers {
	b.Helper()
	s := newServers(start)
	for i := range servers {
		sub := crowd(s, i)
		s.Note(&sub, &Event{Visit: true, Taken: 2, Helo: "x.example", From: "y.example"}, start)
	}
	s.ExportChanged(nil)
	return s
}

// BenchmarkVisit is all that the memory of servers costs one visit: its keys, its
// standing, and what is noted at the end.
func BenchmarkVisit(b *testing.B) {
	for _, servers := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(servers), func(b *testing.B) {
			s := crowded(b, servers)
			names := make([]string, servers) // each comes once a round: none is at hand for having come lately
			addrs := make([]netip.Addr, servers)
			for i := range names {
				sub := crowd(s, i)
				names[i], addrs[i] = sub.Name, sub.Home.Prefix().Addr()
			}
			e := Event{Visit: true, Taken: 1, Helo: "h.example", From: "f.example"}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				sub := s.Subject(addrs[i%len(addrs)], names[i%len(addrs)])
				st := s.Standing(&sub, start.Add(40*day))
				if st.Bad != "" {
					b.Fatal(st)
				}
				s.Note(&sub, &e, start.Add(40*day))
				if i%1000 == 999 { // the store comes by
					b.StopTimer()
					s.ExportChanged(nil)
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkStranger is the same of one that is new, when there is no room.
func BenchmarkStranger(b *testing.B) {
	s := NewServers(Options{Settings: DefaultSettings(), Bytes: 20 << 20, Secret: secret}, start)
	e := Event{Visit: true, Deferred: true}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		sub := s.Subject(netip.AddrFrom4([4]byte{byte(i >> 20), byte(i >> 12), byte(i >> 4), byte(i << 4)}), "")
		s.Standing(&sub, start)
		s.Note(&sub, &e, start)
	}
}

// BenchmarkMillion tells what a million servers take in memory and on disk, and how
// long a start takes them in.
func BenchmarkMillion(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := crowded(b, 1_000_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	var records [][]byte
	size := 0
	for r := range s.ExportAll() {
		records = append(records, append([]byte(nil), r...))
		size += len(r)
	}
	st := s.Stats(start)
	b.ResetTimer()
	for b.Loop() {
		next := newServers(start)
		for _, r := range records {
			if err := next.Import(r, start.Add(time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-heap")
	b.ReportMetric(float64(size)/(1<<20), "MiB-disk")
	b.ReportMetric(float64(st.Keys), "keys")
	b.ReportMetric(float64(st.Evicted), "evicted")
}

// BenchmarkTop tells what ranking a million servers costs.
func BenchmarkTop(b *testing.B) {
	s := crowded(b, 1_000_000)
	by, _ := Ranking("visits")
	b.ReportAllocs()
	for b.Loop() {
		if top := s.Top(Address, by, 20, start); len(top) != 20 {
			b.Fatal(len(top))
		}
	}
}
