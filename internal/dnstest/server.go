// Package dnstest is a small authoritative DNS server on a loopback port, after
// the manner of net/http/httptest: it gives tests and the demo a DNS world of
// their own, which can also be slow, dead, or a liar.
//
// It answers UDP and TCP on one port, follows CNAMEs inside its data (so a
// question gets what a resolver would give it), knows wildcards (RFC 4592), and
// answers unknown names with NXDOMAIN and an SOA (RFC 2308). Everything is safe
// for concurrent use and may be changed while it serves.
package dnstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A Server answers DNS questions from the records it was given.
type Server struct {
	addr     netip.AddrPort
	udp, tcp *dns.Server
	done     chan struct{} // closed by Close: ends delayed answers
	served   sync.WaitGroup

	mu        sync.Mutex
	records   map[string][]dns.RR // by owner, lower case, with last dot
	nodes     map[string]int      // how many owners are at or below a name: tells NODATA from NXDOMAIN
	modes     map[modeKey]Mode
	delay     time.Duration
	delays    map[string]time.Duration
	relays    map[string]netip.AddrPort
	questions map[string]int
	asked     chan struct{} // closed, and made anew, when a question comes
	closed    bool
}

type modeKey struct {
	name  string
	qtype uint16 // dns.TypeNone: every type
}

// Start serves the records of zone on a free UDP and TCP port of 127.0.0.1.
// zone holds lines in master-file form (RFC 1035 section 5), as in
// "mx.good.test. 300 IN A 192.0.2.7"; comments start with ';'. Names without a
// last dot are absolute too, and a missing TTL is 300 s.
func Start(zone string) (*Server, error) {
	return StartAt(netip.MustParseAddrPort("127.0.0.1:0"), zone)
}

// StartAt is Start on a given address; port 0 takes a free one. A server that
// was closed can so come back where it was.
func StartAt(addr netip.AddrPort, zone string) (*Server, error) {
	s := &Server{
		done:      make(chan struct{}),
		records:   map[string][]dns.RR{},
		nodes:     map[string]int{},
		modes:     map[modeKey]Mode{},
		delays:    map[string]time.Duration{},
		relays:    map[string]netip.AddrPort{},
		questions: map[string]int{},
		asked:     make(chan struct{}),
	}
	if err := s.Add(zone); err != nil {
		return nil, err
	}
	pc, l, err := listen(addr)
	if err != nil {
		return nil, fmt.Errorf("dnstest: %w", err)
	}
	s.addr = pc.LocalAddr().(*net.UDPAddr).AddrPort()
	s.udp = &dns.Server{PacketConn: pc, Handler: dns.HandlerFunc(s.serve)}
	s.tcp = &dns.Server{Listener: l, Handler: dns.HandlerFunc(s.serve)}
	for _, srv := range []*dns.Server{s.udp, s.tcp} {
		s.run(srv)
	}
	return s, nil
}

// listen opens UDP and TCP on the same port. A port that is free for one may be
// taken for the other, so with port 0 it tries several.
func listen(addr netip.AddrPort) (net.PacketConn, net.Listener, error) {
	var err error
	for range 20 {
		var pc net.PacketConn
		if pc, err = net.ListenPacket("udp", addr.String()); err != nil {
			break
		}
		var l net.Listener
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l, nil
		}
		pc.Close()
		if addr.Port() != 0 {
			break
		}
	}
	return nil, nil, err
}

// run starts srv and returns once it answers.
func (s *Server) run(srv *dns.Server) {
	started := make(chan struct{})
	srv.NotifyStartedFunc = func() { close(started) }
	s.served.Go(func() { _ = srv.ActivateAndServe() }) // it ends by Close, or Addr does not answer and the test says so
	<-started
}

// Addr is where the server answers, on UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Close stops the server and waits for its goroutines. A second call does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		return
	}
	close(s.done)
	_ = s.udp.Shutdown()
	_ = s.tcp.Shutdown()
	s.served.Wait()
}

// Add adds the records of zone to what is served.
func (s *Server) Add(zone string) error {
	rrs, err := parse(zone)
	if err != nil {
		return fmt.Errorf("dnstest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, rr := range rrs {
		owner := rr.Header().Name
		if len(s.records[owner]) == 0 {
			s.count(owner, 1)
		}
		s.records[owner] = append(s.records[owner], rr)
	}
	return nil
}

func parse(zone string) ([]dns.RR, error) {
	p := dns.NewZoneParser(strings.NewReader(zone), ".", "")
	p.SetDefaultTTL(300)
	var rrs []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rr.Header().Name = dns.CanonicalName(rr.Header().Name)
		rrs = append(rrs, rr)
	}
	return rrs, p.Err()
}

// Remove takes away all records of name. Names below it stay.
func (s *Server) Remove(name string) {
	name = dns.CanonicalName(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records[name]) > 0 {
		delete(s.records, name)
		s.count(name, -1)
	}
}

// count notes that an owner came or went, at it and at each name above it.
func (s *Server) count(owner string, by int) {
	for off, end := 0, false; !end; off, end = dns.NextLabel(owner, off) {
		s.nodes[owner[off:]] += by
	}
}

// Delay makes every later answer come d after its question. Answers wait side
// by side, not one behind the other.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// Questions says how often each question was asked, by UDP and TCP together.
// Keys are "name TYPE", lower case and without last dot: "mx.good.test A".
func (s *Server) Questions() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := make(map[string]int, len(s.questions))
	for q, n := range s.questions {
		asked[q] = n
	}
	return asked
}

// Await returns once the question, in the form of a key of Questions, was asked
// n times or more; or when ctx ends, with its error.
func (s *Server) Await(ctx context.Context, question string, n int) error {
	for {
		s.mu.Lock()
		asked, changed := s.questions[question], s.asked
		s.mu.Unlock()
		if asked >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("dnstest: %q asked %d times: %w", question, asked, ctx.Err())
		}
	}
}

// ResetQuestions forgets what was asked so far.
func (s *Server) ResetQuestions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.questions)
}

// serve answers one question.
func (s *Server) serve(w dns.ResponseWriter, q *dns.Msg) {
	if len(q.Question) != 1 || q.Response {
		return
	}
	name, qtype := dns.CanonicalName(q.Question[0].Name), q.Question[0].Qtype

	s.mu.Lock()
	s.questions[strings.TrimSuffix(name, ".")+" "+dns.TypeToString[qtype]]++
	close(s.asked)
	s.asked = make(chan struct{})
	mode, delay := s.mode(name, qtype), s.delay
	if own := above(s.delays, name); own > 0 {
		delay = own
	}
	s.mu.Unlock()

	if delay > 0 && !s.wait(delay) {
		return
	}
	s.misbehave(w, q, mode)
}

// wait returns false when the server closes meanwhile.
func (s *Server) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.done:
		return false
	}
}

// write sends m, cut to what the transport and the asker's EDNS0 size allow
// (RFC 6891 section 6.2.5). A nil m is none to send.
func write(w dns.ResponseWriter, q, m *dns.Msg) {
	if m == nil {
		return
	}
	size := dns.MaxMsgSize
	if overUDP(w) {
		size = dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
	}
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(dns.DefaultMsgSize, false)
	}
	m.Truncate(size)
	if err := w.WriteMsg(m); err != nil && !errors.Is(err, net.ErrClosed) {
		m.Answer, m.Truncated = nil, true // too big even so: say that there is more
		_ = w.WriteMsg(m)
	}
}

func overUDP(w dns.ResponseWriter) bool {
	_, ok := w.RemoteAddr().(*net.UDPAddr)
	return ok
}
