package dnsbl

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// twenty are lists as a large site may use them: fourteen for addresses, six for
// domains.
var twenty = []string{
	"spamhaus-zen-dqs", "spamrats-all", "spamcop", "barracuda", "mailspike-bl", "psbl", "uceprotect-1", "abusix-combined",
	"dronebl", "s5h", "nordspam-bl", "sem-black", "blocklist-de", "dnswl",
	"spamhaus-dbl-dqs", "spamhaus-zrd-dqs", "surbl", "uribl", "nordspam-dbl", "sem-fresh15",
}

// none answers that nothing is listed.
type none struct{}

func (none) A(context.Context, string) Reply {
	return Reply{Outcome: None, Expires: time.Now().Add(time.Hour)}
}
func (none) TXT(context.Context, string) Reply { return Reply{Outcome: None} }

// visit are the subjects of one client: its address, a PTR name, a HELO name and
// a sender's domain, all of different domains.
func visit(i int) [4]Subject {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x2d000000+uint32(i))
	return [4]Subject{
		{Addr: netip.AddrFrom4(a), Stage: Connect},
		{Name: fmt.Sprintf("host%d.provider-%d.example.net", i%250, i), Stage: PTR},
		{Name: fmt.Sprintf("mail.company-%d.example", i), Stage: Helo},
		{Name: fmt.Sprintf("sender-%d.example", i), Stage: Mail},
	}
}

// BenchmarkClients tells what all twenty lists' answers on a client, its PTR name,
// its HELO name and its sender's domain take of the heap, as B/client. The goal is 390.
func BenchmarkClients(b *testing.B) {
	const clients = 200_000
	for b.Loop() {
		cache := NewCache(1 << 30)
		s := NewSet(find(b, twenty...), none{}, nil, Options{Cache: cache})
		before := heap()
		for i := range clients {
			for _, sub := range visit(i) {
				fill(b, s, sub)
			}
		}
		after := heap()
		subjects, bytes := cache.Size()
		b.ReportMetric(float64(after-before)/clients, "B/client")
		b.ReportMetric(float64(bytes)/clients, "accounted-B/client")
		b.ReportMetric(float64(subjects)/clients, "subjects/client")
		runtime.KeepAlive(s)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fill does what Ask does, without its goroutines.
func fill(b *testing.B, s *Set, sub Subject) {
	b.Helper()
	t, record, ok := s.glance(sub, nil)
	if !ok {
		b.Fatalf("%v is not asked", sub)
	}
	answers, _ := s.known(&t, record, sub.Stage, nil, false)
	q := quest{set: s, target: &t, sub: sub, answers: answers}
	for _, a := range answers {
		reply := s.asker.A(context.Background(), "")
		f := &flight{list: a.List, began: s.now(), answer: a.List.hear(reply)}
		zone, _ := a.List.zone()
		f.kept, f.keep = s.pack(&f.answer, reply, s.cache.slots.of(a.List.ID, zone).n)
		q.landed = append(q.landed, f)
	}
	q.keep()
}

// BenchmarkKnown is what a known client costs: all four subjects, twenty lists.
func BenchmarkKnown(b *testing.B) {
	for _, stage := range []Stage{Connect, PTR, Helo, Mail} {
		b.Run(stage.String(), func(b *testing.B) {
			s := NewSet(find(b, twenty...), none{}, nil, Options{})
			const clients = 1000
			var all [clients]Subject
			for i := range all {
				all[i] = visit(i)[stage]
				fill(b, s, all[i])
			}
			buf := make([]Answer, 0, 32)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				answers, known := s.Known(all[n%clients], buf)
				if !known || len(answers) == 0 {
					b.Fatal("not known")
				}
				n++
			}
		})
	}
}

// BenchmarkAsk is what a new client costs where DNS answers at once.
func BenchmarkAsk(b *testing.B) {
	s := NewSet(find(b, twenty...), none{}, nil, Options{})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		s.Ask(context.Background(), visit(n)[0], nil)
		n++
	}
	s.Close()
}

func BenchmarkMatch(b *testing.B) {
	l := find(b, "blocklist-de")[0]
	var buf [4]Match
	b.ReportAllocs()
	for b.Loop() {
		l.match(buf[:0], 127<<24|22)
	}
}

// BenchmarkKnownWatched is a known client with a Health that says which lists count.
func BenchmarkKnownWatched(b *testing.B) {
	lists := find(b, twenty...)
	h := NewHealth(HealthOptions{})
	h.Use(lists, none{}, time.Hour)
	for _, w := range h.roster.Load().all {
		w.counts.Store(true)
	}
	s := NewSet(lists, none{}, h, Options{})
	const clients = 1000
	var all [clients][4]Subject
	for i := range all {
		all[i] = visit(i)
		for _, sub := range all[i] {
			fill(b, s, sub)
		}
	}
	buf := make([]Answer, 0, 32)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		for _, sub := range all[n%clients] {
			if answers, known := s.Known(sub, buf); !known || len(answers) == 0 {
				b.Fatal("not known")
			}
		}
		n++
	}
}
