package resolver

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	socketsShared = 4       // to one loopback server; each has its own reader
	mostLent      = 256     // sockets to it that are lent to one question at a time
	mostWaiting   = 1 << 14 // of the 2^16 ids of a socket, so that drawing a free one stays quick
)

// sharedSockets are the few sockets over which all questions to one loopback
// server go: opening a socket and a goroutine for each question costs more than
// the question. A socket is lent to who waits for one answer and reads it there;
// other questions share sockets that have readers, and their answers are told
// apart by their id.
type sharedSockets struct {
	addr  netip.AddrPort
	turn  atomic.Uint32
	mu    sync.Mutex
	socks [socketsShared]*sharedSocket // nil until first used, and after an error
	ended bool

	free []*net.UDPConn // of those that are lent; none has an answer due
	lent int            // these, and those that are out
	most int            // of them
}

// A sharedSocket is one of them, and who waits for which id there.
type sharedSocket struct {
	conn    *net.UDPConn
	mu      sync.Mutex
	waiting map[uint16]waiter
}

type waiter struct {
	q   *question
	try *try
}

var errBusy = errors.New("too many questions to the dns server")

func newSharedSockets(addr netip.AddrPort) *sharedSockets {
	return &sharedSockets{addr: addr, most: mostLent}
}

// close ends the sockets and with them their readers.
func (ss *sharedSockets) close() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.ended = true
	for _, s := range ss.socks {
		if s != nil {
			s.conn.Close()
		}
	}
	for _, conn := range ss.free {
		conn.Close()
	}
}

// borrow gives a socket for one question; nil when too many are out.
func (ss *sharedSockets) borrow() (*net.UDPConn, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.ended {
		return nil, net.ErrClosed
	}
	if n := len(ss.free) - 1; n >= 0 {
		conn := ss.free[n]
		ss.free = ss.free[:n]
		return conn, nil
	}
	if ss.lent >= ss.most {
		return nil, nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(ss.addr))
	if err == nil {
		ss.lent++
	}
	return conn, err
}

// giveBack takes a socket back; a good one is lent again.
func (ss *sharedSockets) giveBack(conn *net.UDPConn, good bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if good && !ss.ended {
		ss.free = append(ss.free, conn)
		return
	}
	ss.lent--
	conn.Close()
}

// send is Resolver.send over one of the sockets. Its deadline is the asker's.
func (ss *sharedSockets) send(r *Resolver, t *try, q *question) error {
	s, err := ss.socket(r, int(ss.turn.Add(1)%socketsShared))
	if err != nil {
		return err
	}
	id, ok := s.wait(waiter{q, t})
	if !ok {
		return errBusy
	}
	t.stop = func() { s.forget(id) }
	packet := q.packet(id, t.edns)
	if _, err = s.conn.Write(packet); err != nil {
		// The kernel tells here of an earlier packet that nobody took; this one
		// was not sent, and a server may have come up since.
		_, err = s.conn.Write(packet)
	}
	if err != nil && s.forget(id) {
		return netError(err)
	}
	return nil // also when failAll was quicker: its reply is on the way
}

// socket gives the i-th socket, opening it if need be.
func (ss *sharedSockets) socket(r *Resolver, i int) (*sharedSocket, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.socks[i]; s != nil {
		return s, nil
	}
	if ss.ended {
		return nil, net.ErrClosed
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(ss.addr))
	if err != nil {
		return nil, netError(err)
	}
	_ = conn.SetReadBuffer(1 << 20) // a burst of answers must wait for the reader; less is granted in silence
	s := &sharedSocket{conn: conn, waiting: map[uint16]waiter{}}
	ss.socks[i] = s
	// We are in a flight or a probe, which Close waits for.
	r.work.Go(func() { ss.read(i, s) })
	return s, nil
}

// read hands out what comes to s, until the socket ends.
func (ss *sharedSockets) read(i int, s *sharedSocket) {
	defer s.conn.Close()
	var buf [readBytes]byte
	for {
		n, err := s.conn.Read(buf[:])
		if err == nil {
			s.deliver(buf[:n])
			continue
		}
		err = netError(err)
		if !errors.Is(err, errUnreachable) {
			ss.drop(i, s)
			s.failAll(err)
			return
		}
		s.failAll(err)
	}
}

// drop makes place for a new socket in s's stead.
func (ss *sharedSockets) drop(i int, s *sharedSocket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.socks[i] == s {
		ss.socks[i] = nil
	}
}

// wait gives w a free random id.
func (s *sharedSocket) wait(w waiter) (uint16, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= mostWaiting {
		return 0, false
	}
	for {
		id := newID()
		if _, taken := s.waiting[id]; !taken {
			s.waiting[id] = w
			return id, true
		}
	}
}

// forget takes id back. It is false when a reply was given out already.
func (s *sharedSocket) forget(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, waits := s.waiting[id]
	delete(s.waiting, id)
	return waits
}

// deliver gives msg to whom it answers. What answers nobody is dropped: a lie,
// or too late.
func (s *sharedSocket) deliver(msg []byte) {
	if len(msg) < headerBytes {
		return
	}
	id := uint16(msg[0])<<8 | uint16(msg[1])
	s.mu.Lock()
	w, ok := s.waiting[id]
	if ok = ok && w.q.answeredBy(msg, id); ok {
		delete(s.waiting, id)
	}
	s.mu.Unlock()
	if ok {
		w.try.msg = append([]byte(nil), msg...)
		_ = w.try.owner.take(w.try)
	}
}

// failAll tells everyone who waits that no answer comes.
func (s *sharedSocket) failAll(err error) {
	s.mu.Lock()
	failed := s.waiting
	s.waiting = map[uint16]waiter{}
	s.mu.Unlock()
	for _, w := range failed {
		w.try.err = err
		_ = w.try.owner.take(w.try)
	}
}
