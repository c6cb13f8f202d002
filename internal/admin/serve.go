package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Bounds of what strangers on this machine can make us hold.
const (
	maxConns   = 64       // connections at once, of one listener; more are told so and closed
	maxHeader  = 8 << 10  // bytes
	maxBody    = 64 << 10 // bytes
	headerTime = 5 * time.Second
	readTime   = 10 * time.Second
	writeTime  = 10 * time.Second // for an answer that is made at once
	idleTime   = 10 * time.Second // between two requests
	endTime    = 2 * time.Second  // for the requests that are open at the end
)

// serve answers HTTP requests at l until ctx ends, and closes l. It returns nil
// then.
func serve(ctx context.Context, l net.Listener, h http.Handler, logger *slog.Logger) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, peerKey{}, c) },
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(newCrowd(l, maxConns)) }()
	select {
	case err := <-ended:
		srv.Close()
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := srv.Shutdown(end); errors.Is(err, context.DeadlineExceeded) {
		srv.Close()
	}
	<-ended
	return nil
}

// peerKey is where the context of a request has its connection.
type peerKey struct{}

// Asker names who sent a request; "" for not known.
func Asker(ctx context.Context) string {
	if c, ok := ctx.Value(peerKey{}).(net.Conn); ok {
		return peer(c)
	}
	return ""
}

// A crowd is a listener that lets so many in at once and tells the others.
type crowd struct {
	net.Listener
	places chan struct{}
}

func newCrowd(l net.Listener, most int) *crowd {
	return &crowd{Listener: l, places: make(chan struct{}, most)}
}

// Accept gives the next connection for which there is a place.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		nc, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case c.places <- struct{}{}:
			return &placed{Conn: nc, leave: sync.OnceFunc(func() { <-c.places })}, nil
		default:
			sendAway(nc)
		}
	}
}

// A placed is a connection that gives its place back.
type placed struct {
	net.Conn
	leave func()
}

// Close closes the connection; its place is free then.
func (p *placed) Close() error {
	defer p.leave()
	return p.Conn.Close()
}

// CloseWrite says that there is nothing more to come: net/http does that before it
// closes a connection on which it has not read all, or the answer would be lost.
func (p *placed) CloseWrite() error {
	if c, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

const busyBody = `{"error":"too many connections at once; try again"}` + "\n"

var busy = fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s",
	len(busyBody), busyBody)

// sendAway answers a connection for which there is no place. The answer fits into
// the kernel's buffer: nobody waits for the client to read it, and the deadline
// only bounds what cannot be. A short one would pass unserved on a busy machine.
func sendAway(c net.Conn) {
	c.SetWriteDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, busy)
	c.Close()
}
