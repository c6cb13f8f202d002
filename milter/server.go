package milter

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-milter"

	"mailprofiled/profile"
)

// A Config says how a [Server] serves. Zero durations and sizes stand for the
// defaults named here, but for Drain.
type Config struct {
	IdleTimeout   time.Duration  // longest silence between commands; 2h. Must exceed the MTA's own patience with its client
	DataTimeout   time.Duration  // the same between an accepted recipient and the end of the message; 24h
	PacketTimeout time.Duration  // longest time for one packet, once begun; 30s
	WriteTimeout  time.Duration  // longest time for the MTA to take an answer; 30s
	MaxSessions   int            // sessions judged at once, of all listeners; 4000. As many again are answered by OnFailure, more are closed at once
	OnFailure     profile.Action // Continue or TempFail: the answer for a panic of ours, and where no session is free
	Drain         time.Duration  // how long transactions may go on once Serve's context has ended; 0 is not at all
	Handler       Handler        // of the sessions that Serve takes; required for it
	Logger        *slog.Logger   // nil: nothing is logged
}

// Defaults of a Config.
const (
	DefaultIdleTimeout   = 2 * time.Hour
	DefaultDataTimeout   = 24 * time.Hour
	DefaultPacketTimeout = 30 * time.Second
	DefaultWriteTimeout  = 30 * time.Second
	DefaultMaxSessions   = 4000
)

// withDefaults fills in what was left zero.
func (c Config) withDefaults() Config {
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&c.IdleTimeout, DefaultIdleTimeout},
		{&c.DataTimeout, DefaultDataTimeout},
		{&c.PacketTimeout, DefaultPacketTimeout},
		{&c.WriteTimeout, DefaultWriteTimeout},
	} {
		if *d.value <= 0 {
			*d.value = d.fallback
		}
	}
	if c.MaxSessions <= 0 {
		c.MaxSessions = DefaultMaxSessions
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// A Server serves the milter protocol on any number of listeners. Its methods
// may be called from any goroutine.
type Server struct {
	cfg      Config // but for what Apply changes
	settings atomic.Pointer[settings]
	sessions sessions

	accepted, acceptErrors, refused, panics, clients atomic.Uint64

	lastCommand atomic.Int64 // of a client's session, in Unix nanoseconds; 0 is never
	lastMTA     atomic.Pointer[Negotiation]
	seen        seen
}

// NewServer makes a server; Serve starts it.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults()}
	s.sessions.init()
	s.Apply(cfg)
	return s
}

// Serve takes connections from l and serves them until ctx ends. Then it closes
// l, ends its sessions that are outside a transaction at once and the others with
// their transaction or after Config.Drain, and returns nil when the last is
// closed. It returns an error only when somebody else closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return s.ServeWith(ctx, l, s.cfg.Handler)
}

// ServeWith is Serve with a handler of the listener's own.
func (s *Server) ServeWith(ctx context.Context, l net.Listener, h Handler) error {
	closeOnce := sync.OnceFunc(func() { l.Close() })
	stop := context.AfterFunc(ctx, closeOnce)
	defer stop()
	port := port{handler: h}
	err := s.accept(ctx, l, &port)
	closeOnce()
	s.drain(&port)
	return err
}

// Bounds of the wait after a connection could not be accepted.
const (
	minBackOff = 5 * time.Millisecond
	maxBackOff = time.Second
)

// accept takes connections until ctx ends or l is closed. Any other error is
// waited out: without file descriptors the mail waits in the kernel's queue.
func (s *Server) accept(ctx context.Context, l net.Listener, p *port) error {
	backOff := time.Duration(0)
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.acceptErrors.Add(1)
			if backOff == 0 && s.sessions.timeToLog(time.Now()) {
				s.log(slog.LevelWarn, "milter connection not accepted, trying again", nil, slog.Any("error", err))
			}
			backOff = min(max(2*backOff, minBackOff), maxBackOff)
			s.sessions.makeRoom(time.Now())
			pause(ctx, backOff)
		default:
			if backOff > 0 {
				s.log(slog.LevelInfo, "milter connections accepted again", nil)
			}
			backOff = 0
			s.start(nc, p)
		}
	}
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// start gives a connection its session and its library server.
func (s *Server) start(nc net.Conn, p *port) {
	s.accepted.Add(1)
	c := &conn{Conn: nc, srv: s, port: p}
	c.sess = &session{srv: s, conn: c, set: s.settings.Load()}
	now := time.Now()
	place := s.sessions.enter(c, now)
	if place != judgedPlace {
		s.logFull(now, place)
	}
	switch place {
	case noPlace:
		nc.Close()
		return
	case limitedPlace:
		c.sess.limited = true
	}
	ms := milter.Server{
		NewMilter: func() milter.Milter { return c.sess },
		Actions:   askActions,
		Protocol:  askProtocol,
		SymList:   askMacros,
	}
	ms.Serve(&oneShot{conn: c, addr: nc.LocalAddr()}) // comes back at once, with the error of the listener's end
}

// drain ends the sessions of a listener that is closed.
func (s *Server) drain(p *port) {
	s.sessions.each(p, (*conn).end)
	done := make(chan struct{})
	go func() { p.open.Wait(); close(done) }()
	t := time.NewTimer(s.settings.Load().drain)
	defer t.Stop()
	select {
	case <-done:
		return
	case <-t.C:
	}
	s.sessions.each(p, (*conn).kill)
	<-done
}

// logEvery is how often the log says that there is no room.
const logEvery = time.Minute

// logFull says that a session found no place, now and then.
func (s *Server) logFull(now time.Time, p place) {
	if !s.sessions.timeToLog(now) {
		return
	}
	msg := "milter.max_sessions reached, new sessions are answered by on_failure"
	if p == noPlace {
		msg = "far more sessions than milter.max_sessions, new connections are closed"
	}
	s.log(slog.LevelWarn, msg, nil, slog.Int("max_sessions", s.settings.Load().max))
}

// log writes one line, on a connection where there is one.
func (s *Server) log(level slog.Level, msg string, c *conn, attrs ...slog.Attr) {
	ctx := context.Background()
	if !s.cfg.Logger.Enabled(ctx, level) {
		return
	}
	if c != nil {
		attrs = append(c.where(), attrs...)
	}
	s.cfg.Logger.LogAttrs(ctx, level, msg, attrs...)
}

// A oneShot is a listener of one connection, which is there already.
type oneShot struct {
	conn net.Conn
	addr net.Addr
}

// Accept gives the connection once.
func (l *oneShot) Accept() (net.Conn, error) {
	c := l.conn
	if c == nil {
		return nil, net.ErrClosed
	}
	l.conn = nil
	return c, nil
}

// Close does nothing: the connection is closed by its session.
func (l *oneShot) Close() error { return nil }

// Addr is that of the connection.
func (l *oneShot) Addr() net.Addr { return l.addr }
