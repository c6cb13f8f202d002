package resolver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// ways are the sockets that questions can go over: one lent by the few to a
// loopback server, one of those with readers, or a new one each.
var ways = []struct {
	name string
	set  func(*Resolver) *Resolver
}{
	{"lent", func(r *Resolver) *Resolver { return r }},
	{"shared", sharedOnly},
	{"own", ownSockets},
}

// sharedOnly makes r lend no sockets.
func sharedOnly(r *Resolver) *Resolver {
	for _, s := range r.servers.all {
		s.shared.most = 0
	}
	return r
}

// lentOut counts the sockets that somebody has.
func lentOut(r *Resolver) (out int) {
	for _, s := range r.servers.all {
		s.shared.mu.Lock()
		out += s.shared.lent - len(s.shared.free)
		s.shared.mu.Unlock()
	}
	return out
}

// A puppet is a server that does what its test says.
type puppet struct {
	t    *testing.T
	conn net.PacketConn
}

func newPuppet(t *testing.T) (puppet, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return puppet{t, conn}, conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// asked waits for a question.
func (p puppet) asked() (*dns.Msg, net.Addr) {
	p.t.Helper()
	var buf [512]byte
	n, from, err := p.conn.ReadFrom(buf[:])
	if err != nil {
		p.t.Fatal(err)
	}
	q := new(dns.Msg)
	if err := q.Unpack(buf[:n]); err != nil {
		p.t.Fatal(err)
	}
	return q, from
}

// answer says that q's name has an address.
func (p puppet) answer(q *dns.Msg, to net.Addr) {
	p.t.Helper()
	m := new(dns.Msg).SetReply(q)
	rr, err := dns.NewRR(q.Question[0].Name + " 300 IN A 192.0.2.7")
	if err != nil {
		p.t.Fatal(err)
	}
	m.Answer = []dns.RR{rr}
	out, err := m.Pack()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteTo(out, to); err != nil {
		p.t.Fatal(err)
	}
}

// lookups asks for a name in the background.
func lookups(ctx context.Context, r *Resolver, name string) <-chan Answer {
	c := make(chan Answer, 1)
	go func() { c <- r.Lookup(ctx, name, dns.TypeA) }()
	return c
}

func TestSocketIsLentAgain(t *testing.T) {
	p, at := newPuppet(t)
	r := newTest(t, Config{Servers: []netip.AddrPort{at}})
	ask := func(i int) (net.Addr, uint16) {
		got := lookups(t.Context(), r, fmt.Sprintf("n%d.test", i))
		q, from := p.asked()
		p.answer(q, from)
		if a := <-got; a.Outcome != Found {
			t.Fatalf("question %d: %+v", i, a)
		}
		return from, q.Id
	}
	first, _ := ask(0)
	ids := map[uint16]bool{}
	const n = 50
	for i := range n {
		from, id := ask(1 + i)
		if from.String() != first.String() {
			t.Errorf("question %d came from %v, not from %v", 1+i, from, first)
		}
		ids[id] = true
	}
	if len(ids) < n-5 {
		t.Errorf("%d ids of %d questions over one socket", len(ids), n)
	}
}

// Answers to a question that nobody waits for any more must not meet the next one.
func TestSocketWithAnAnswerDueIsNotLentAgain(t *testing.T) {
	p, at := newPuppet(t)
	r := newTest(t, Config{Servers: []netip.AddrPort{at}})
	ctx, cancel := context.WithCancel(t.Context())
	left := lookups(ctx, r, "left.test")
	q, abandoned := p.asked()
	cancel()
	if a := <-left; a.Reason != Budget {
		t.Errorf("got %+v", a)
	}
	p.answer(q, abandoned)
	got := lookups(t.Context(), r, "next.test")
	q, from := p.asked()
	if from.String() == abandoned.String() {
		t.Error("asked over a socket with an answer due")
	}
	p.answer(q, from)
	if a := <-got; a.Outcome != Found {
		t.Errorf("got %+v", a)
	}
}

func TestAnswerIsReadThoughItsReaderLeaves(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			p, at := newPuppet(t)
			r := way.set(newTest(t, Config{Servers: []netip.AddrPort{at}}))
			ctx, cancel := context.WithCancel(t.Context())
			one := lookups(ctx, r, "a.test")
			q, from := p.asked()
			two := lookups(t.Context(), r, "a.test")
			joined(r, inFlight(t, r, "a.test", dns.TypeA), 2)
			cancel()
			if a := <-one; a.Reason != Budget {
				t.Errorf("the one who left: %+v", a)
			}
			p.answer(q, from)
			if a := <-two; a.Outcome != Found {
				t.Errorf("the one who stayed: %+v", a)
			}
		})
	}
}

func TestSocketsLentAreBoundedAndComeBack(t *testing.T) {
	s := startDNS(t)
	r := newTest(t, Config{}, s)
	const most, questions = 3, 40
	lender := r.servers.all[0].shared
	lender.most = most
	var wg sync.WaitGroup
	for i := range questions {
		wg.Go(func() {
			if a := r.Lookup(t.Context(), fmt.Sprintf("n%d.test", i), dns.TypeA); a.Outcome != NoName {
				t.Errorf("question %d: %+v", i, a)
			}
		})
	}
	wg.Wait()
	if lender.lent > most || lentOut(r) != 0 {
		t.Errorf("%d sockets, %d of them out; the bound is %d", lender.lent, lentOut(r), most)
	}
}

func TestSocketsComeBackFromQuestionsWithoutAnswer(t *testing.T) {
	p, at := newPuppet(t)
	r := newTest(t, Config{Servers: []netip.AddrPort{at}})
	ctx, cancel := context.WithCancel(t.Context())
	var answers []<-chan Answer
	for i := range 20 {
		c := t.Context() // ended by Close
		if i%2 == 0 {
			c = ctx
		}
		answers = append(answers, lookups(c, r, fmt.Sprintf("n%d.test", i)))
		p.asked()
	}
	cancel()
	r.Close()
	for i, c := range answers {
		if a := <-c; a.Outcome != Failed {
			t.Errorf("question %d: %+v", i, a)
		}
	}
	if n := lentOut(r); n != 0 {
		t.Errorf("%d sockets did not come back", n)
	}
}
