package backendtest

import (
	"net"
	"sync"
)

// A Stub is a server that is played: it accepts connections, and its function speaks on
// each. It is safe for concurrent use.
type Stub struct {
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

// StartStub listens, and has speak called on each connection, which is closed when it
// returns. The caller stops it.
func StartStub(network, address string, speak func(net.Conn)) (*Stub, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	s := &Stub{listener: l}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.wg.Go(func() {
				defer c.Close()
				speak(c)
			})
		}
	})
	return s, nil
}

// Addr is where it listens.
func (s *Stub) Addr() net.Addr { return s.listener.Addr() }

// HangUp ends all connections. New ones are accepted.
func (s *Stub) HangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

// Connections is how many there were.
func (s *Stub) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop ends all, and waits for it.
func (s *Stub) Stop() {
	s.listener.Close()
	s.HangUp()
	s.wg.Wait()
}
