// Package connpool keeps connections to one server, so that a question need not wait
// for a new one. It is for protocols where one connection carries one question at a
// time. It starts no goroutine.
package connpool

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// ErrClosed is what is given once the pool is closed.
var ErrClosed = errors.New("connections are closed")

// A Pool keeps connections to one server. It is for concurrent use. Whoever Gets a
// connection gives it back, by Put or Drop, once.
type Pool[C io.Closer] struct {
	dial  func(context.Context) (C, error)
	keep  time.Duration
	slots chan struct{}

	mu     sync.Mutex
	idle   []rested[C] // those longest unused first
	reaper *time.Timer // nil while none is idle
	closed bool
}

// A rested connection has been out of use since then.
type rested[C io.Closer] struct {
	conn  C
	since time.Time
}

// New makes a pool of at most size connections. dial makes a new one, within its
// context; nothing is dialled before it is needed. A connection out of use for keep
// is closed.
func New[C io.Closer](size int, keep time.Duration, dial func(context.Context) (C, error)) *Pool[C] {
	return &Pool[C]{dial: dial, keep: keep, slots: make(chan struct{}, size)}
}

// Get gives a connection, one that was used before if there is one. It waits while
// all are in use.
func (p *Pool[C]) Get(ctx context.Context) (conn C, reused bool, err error) {
	select {
	case p.slots <- struct{}{}:
	default:
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return conn, false, busyError{ctx.Err()}
		}
	}
	p.mu.Lock()
	closed := p.closed
	if n := len(p.idle); n > 0 {
		conn, reused = p.idle[n-1].conn, true
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	switch {
	case closed:
		<-p.slots
		return conn, false, ErrClosed
	case reused:
		return conn, true, nil
	}
	conn, err = p.open(ctx)
	return conn, false, err
}

// open dials in the slot of the caller, and lets go of it if that fails.
func (p *Pool[C]) open(ctx context.Context) (C, error) {
	conn, err := p.dial(ctx)
	if err != nil {
		<-p.slots
	}
	return conn, err
}

// Renew gives a new connection for one that turned out dead. Those out of use, which
// died of the same, are closed. If it fails, there is nothing to give back.
func (p *Pool[C]) Renew(ctx context.Context, dead C) (C, error) {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	dead.Close()
	for _, r := range idle {
		r.conn.Close()
	}
	return p.open(ctx)
}

// Put gives back a connection that can be used again.
func (p *Pool[C]) Put(conn C) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.idle = append(p.idle, rested[C]{conn, time.Now()})
		if p.reaper == nil {
			p.reaper = time.AfterFunc(p.keep, p.reap)
		}
	}
	p.mu.Unlock()
	if closed {
		conn.Close()
	}
	<-p.slots
}

// Drop gives back a connection that cannot.
func (p *Pool[C]) Drop(conn C) {
	conn.Close()
	<-p.slots
}

// reap closes what has been out of use for too long.
func (p *Pool[C]) reap() {
	p.mu.Lock()
	now := time.Now()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.keep {
		n++
	}
	old := p.idle[:n:n]
	p.idle = append([]rested[C](nil), p.idle[n:]...)
	p.reaper = nil
	if len(p.idle) > 0 {
		p.reaper = time.AfterFunc(p.keep-now.Sub(p.idle[0].since), p.reap)
	}
	p.mu.Unlock()
	for _, r := range old {
		r.conn.Close()
	}
}

// Close closes all connections, and waits for those in use: as long as the contexts
// of their users. Get then gives ErrClosed.
func (p *Pool[C]) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	idle := p.idle
	p.idle = nil
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.mu.Unlock()
	for _, r := range idle {
		r.conn.Close()
	}
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	for range cap(p.slots) {
		<-p.slots
	}
	return nil
}

// A busyError says that no connection came free in time.
type busyError struct{ cause error }

func (e busyError) Error() string {
	if errors.Is(e.cause, context.DeadlineExceeded) {
		return "all connections were busy"
	}
	return e.cause.Error()
}

func (e busyError) Unwrap() error { return e.cause }

var past = time.Unix(1, 0)

// Limit makes reading and writing of conn end with ctx, until done is called. If ctx
// has ended before, done reports false: the connection is of no use any more.
func Limit(ctx context.Context, conn net.Conn) (done func() bool) {
	deadline, _ := ctx.Deadline() // zero, none, where there is none
	conn.SetDeadline(deadline)
	return context.AfterFunc(ctx, func() { conn.SetDeadline(past) })
}
