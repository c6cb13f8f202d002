package resolver

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// missesToProbe unanswered questions in a row, or refusals, make a server
	// suspect. They prove nothing yet, as any stranger's dead zone gives them;
	// so it is asked what every resolver knows, and only if it does not answer
	// that either is it down. SERVFAIL is an answer.
	missesToProbe = 3

	// A server that is down is probed: after probeFirst, then with twice the
	// pause each time up to probeMost.
	probeFirst = time.Second
	probeMost  = 15 * time.Second
)

// servers are whom to ask, in the operator's order.
type servers struct {
	all   []*server
	downs atomic.Int32 // how many of them are down
}

// A server is one recursive resolver and what we think of it.
type server struct {
	addr   netip.AddrPort
	shared *sharedSockets // to a loopback address; else nil, and each question has its own socket

	mu      sync.Mutex
	down    bool
	probing bool          // a goroutine probes it
	misses  int           // since the last answer
	rtt     time.Duration // smoothed
	plain   bool          // it cannot read EDNS0

	queries, failures atomic.Uint64
}

func newServers(addrs []netip.AddrPort) *servers {
	ss := &servers{}
	for _, a := range addrs {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if slices.ContainsFunc(ss.all, func(s *server) bool { return s.addr == a }) {
			continue
		}
		s := &server{addr: a}
		if a.Addr().IsLoopback() {
			// Nobody off this host can send to these sockets, so a question is
			// known well enough by its id (RFC 5452 section 9.2 is about the others).
			s.shared = newSharedSockets(a)
		}
		ss.all = append(ss.all, s)
	}
	return ss
}

// close ends the shared sockets.
func (ss *servers) close() {
	for _, s := range ss.all {
		if s.shared != nil {
			s.shared.close()
		}
	}
}

// allDown reports whether there is no server that answered lately.
func (ss *servers) allDown() bool { return int(ss.downs.Load()) == len(ss.all) }

// order gives whom to ask, first choice first: those that are up, or all if none is.
func (ss *servers) order() []*server {
	if ss.downs.Load() == 0 || ss.allDown() {
		return ss.all
	}
	up := make([]*server, 0, len(ss.all))
	for _, s := range ss.all {
		if !s.isDown() {
			up = append(up, s)
		}
	}
	if len(up) == 0 { // the last one went meanwhile
		return ss.all
	}
	return up
}

func (s *server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// edns reports whether to ask s with EDNS0.
func (s *server) edns() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.plain
}

// giveBack ends the use of a direct socket to s. A good one may be used again.
func (s *server) giveBack(conn *net.UDPConn, good bool) {
	if s.shared == nil {
		conn.Close()
		return
	}
	s.shared.giveBack(conn, good)
}

// setPlain notes that s answered without EDNS0 what it refused with it.
func (s *server) setPlain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plain = true
}

// answered notes an answer of s, whatever it says.
func (r *Resolver) answered(s *server, rtt time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.misses = 0
	if s.rtt == 0 {
		s.rtt = rtt
	}
	s.rtt += (rtt - s.rtt) / 8
	if s.down {
		s.down = false
		s.plain = false // it may be another program now
		r.servers.downs.Add(-1)
		r.cfg.Logger.Info("dns server up", "server", s.addr.String())
	}
}

// missed notes that s gave no answer in time, or refused.
func (r *Resolver) missed(s *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.misses++
	if s.misses >= missesToProbe {
		r.startProbing(s)
	}
}

// gone notes that nothing listens at s, which needs no further proof.
func (r *Resolver) gone(s *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.setDown(s, NoServer)
	r.startProbing(s)
}

// setDown puts s aside. s.mu is held.
func (r *Resolver) setDown(s *server, reason string) {
	if !s.down {
		s.down = true
		r.servers.downs.Add(1)
		r.cfg.Logger.Warn("dns server down", "server", s.addr.String(), "reason", reason)
	}
}

// startProbing has s watched until it answers. s.mu is held, and we are in a
// flight or a probe, which Close waits for.
func (r *Resolver) startProbing(s *server) {
	if !s.probing {
		s.probing = true
		r.work.Go(func() { r.probe(s) })
	}
}

// probe asks s now, unless it is down already, and then now and then, until it
// has answered this or anything else.
func (r *Resolver) probe(s *server) {
	q, err := newQuestion("", typeNS) // every resolver knows the root's servers
	if err != nil {
		return
	}
	if !s.isDown() && !r.probeOnce(s, q) {
		r.convict(s)
	}
	timer := time.NewTimer(r.probeFirst)
	defer timer.Stop()
	for pause := r.probeFirst; s.watched(); pause = min(2*pause, probeMost) {
		timer.Reset(pause)
		select {
		case <-r.closing:
			return
		case <-timer.C:
		}
		r.probeOnce(s, q)
	}
}

// convict puts s aside after a probe without an answer, unless a question was
// answered meanwhile, or we are closing and did not wait.
func (r *Resolver) convict(s *server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-r.closing:
	default:
		if s.misses >= missesToProbe {
			r.setDown(s, Timeout)
		}
	}
}

// watched reports whether the probe of s goes on; if not, it is over.
func (s *server) watched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probing = s.down
	return s.down
}

// probeOnce asks q of s and notes an answer. A refusal is none.
func (r *Resolver) probeOnce(s *server, q *question) bool {
	ended := make(probing, 1)
	t := &try{server: s, owner: ended}
	if err := r.send(t, q, time.Now().Add(r.probeWait), false); err != nil {
		return false
	}
	defer t.stop()
	timer := time.NewTimer(r.probeWait)
	defer timer.Stop()
	select {
	case <-r.closing:
	case <-timer.C:
	case <-ended:
		if t.err == nil && rcode(t.msg) != rcodeRefused {
			r.answered(s, time.Since(t.sent))
			return true
		}
	}
	return false
}

// probing is the owner of a probe.
type probing chan struct{}

func (p probing) take(*try) *try {
	p <- struct{}{}
	return nil
}
