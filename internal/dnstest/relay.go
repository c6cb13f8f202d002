package dnstest

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// relayWait bounds how long a relayed question waits for its answer.
const relayWait = 10 * time.Second

// Relay passes the questions at and below zone on to another server, over UDP, and
// its answers back as they are: none is kept, and where none comes none is given.
// The longest zone wins. The zero to answers them from the records again. Delays
// and modes hold for them too.
func (s *Server) Relay(zone string, to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to.IsValid() {
		s.relays[dns.CanonicalName(zone)] = to
	} else {
		delete(s.relays, dns.CanonicalName(zone))
	}
}

// DelayBelow is Delay for name and every name below it; 0 takes it back.
func (s *Server) DelayBelow(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delays[dns.CanonicalName(name)] = d
}

// above finds what is set for a name, or for the nearest one above it.
func above[T any](set map[string]T, name string) (found T) {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		if v, ok := set[name[off:]]; ok {
			return v
		}
	}
	return found
}

// reply is the honest reply to q: of another server or of our records. It is nil
// when the other server gives none.
func (s *Server) reply(q *dns.Msg) *dns.Msg {
	s.mu.Lock()
	to := above(s.relays, dns.CanonicalName(q.Question[0].Name))
	s.mu.Unlock()
	if !to.IsValid() {
		return s.answer(q)
	}
	conn, err := dns.DialTimeout("udp", to.String(), relayWait)
	if err != nil {
		return nil
	}
	defer conn.Close()
	// Close ends the wait.
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-s.done:
			_ = conn.SetReadDeadline(time.Now())
		case <-answered:
		}
	}()
	m, _, err := (&dns.Client{Timeout: relayWait}).ExchangeWithConn(q.Copy(), conn)
	if err != nil {
		return nil
	}
	return m
}

// rewritten has an address in the place of "no such name", as some providers'
// resolvers do, so that browsers find their advertisements.
func rewritten(q, m *dns.Msg) *dns.Msg {
	if m == nil || m.Rcode != dns.RcodeNameError || q.Question[0].Qtype != dns.TypeA {
		return m
	}
	m = new(dns.Msg).SetReply(q)
	m.RecursionAvailable = true
	m.Answer = []dns.RR{rr("%s 60 IN A %s", q.Question[0].Name, RewrittenTo)}
	return m
}

// RewrittenTo is the address that the mode Rewrite gives names that do not exist.
const RewrittenTo = "203.0.113.99"
