package milter

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// stdLog catches the standard logger, to which the library writes: nothing of
// ours may make it.
var stdLog lockedBuffer

func TestMain(m *testing.M) {
	log.SetOutput(&stdLog)
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if s := stdLog.String(); s != "" {
			fmt.Fprintf(os.Stderr, "go-milter wrote to the standard logger:\n%s", s)
			code = 1
		}
		os.Exit(code)
	}))
}

// A lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A pipeListener hands out the far ends of pipes, whose deadlines keep virtual
// time. fail, if set, is asked before each accept.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	fail  func() error
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	if l.fail != nil {
		if err := l.fail(); err != nil {
			return nil, err
		}
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// Dial gives the near end, or nil when the listener is closed.
func (l *pipeListener) Dial() net.Conn {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near
	case <-l.done:
		near.Close()
		far.Close()
		return nil
	}
}

// A running is a server at work in a test.
type running struct {
	*Server
	*pipeListener
	cancel context.CancelFunc
	ended  chan struct{} // closed when Serve has come back
	err    error         // of Serve, then
	log    *lockedBuffer
}

// serve starts a server on a pipe; the test's end stops it.
func serve(t testing.TB, cfg Config) *running {
	t.Helper()
	return serveOn(t, cfg, newPipeListener())
}

func serveOn(t testing.TB, cfg Config, l *pipeListener) *running {
	t.Helper()
	r := &running{pipeListener: l, ended: make(chan struct{}), log: new(lockedBuffer)}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	r.Server = NewServer(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		r.err = r.Serve(ctx, l)
	}()
	t.Cleanup(r.stop)
	return r
}

// stop ends the server and waits for it.
func (r *running) stop() {
	r.cancel()
	<-r.ended
}

// A scripted handler answers by what it is asked, and writes down each call:
//
//	rcpt nobody@...   reject 550 5.1.1
//	rcpt later@...    tempfail 450 4.7.1
//	rcpt whoami@...   reject 550 5.7.1, with all it knows of client and transaction
//	mail badmail@...  reject 550 5.1.8
//	*panic*           panics, at any stage; close only when the HELO says closepanic
type scripted struct {
	mu    sync.Mutex
	count int
	calls []string
	mtas  []engine.MTA

	onRcpt func(engine.Rcpt) // called first
	onHelo func(string)
}

func (h *scripted) Connect(c engine.Client) Session {
	h.mu.Lock()
	h.count++
	s := &scriptedSession{h: h, n: h.count, client: c}
	h.mtas = append(h.mtas, c.MTA)
	h.mu.Unlock()
	who := c.Addr.String()
	if c.Local {
		who = "local"
	}
	s.note("connect", who)
	if who == "192.0.2.66" {
		panic("connect panic")
	}
	if who == "192.0.2.67" {
		return nil
	}
	return s
}

// log gives the calls so far, one a line.
func (h *scripted) trace() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.calls, "\n")
}

// seen counts the calls that begin so.
func (h *scripted) seen(prefix string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, c := range h.calls {
		if _, call, _ := strings.Cut(c, " "); strings.HasPrefix(call, prefix) {
			n++
		}
	}
	return n
}

type scriptedSession struct {
	h      *scripted
	n      int
	client engine.Client
	helo   string
	mail   engine.Mail
}

// note writes down "session call words", and panics where a word asks for it.
func (s *scriptedSession) note(call string, words ...string) {
	s.h.mu.Lock()
	s.h.calls = append(s.h.calls, strings.TrimSpace(fmt.Sprintf("%d %s %s", s.n, call, strings.Join(words, " "))))
	s.h.mu.Unlock()
	for _, w := range words {
		if strings.Contains(w, "panic") && !strings.Contains(w, "closepanic") {
			panic(call + " panic")
		}
	}
}

func (s *scriptedSession) Helo(name string) {
	s.helo = name
	if s.h.onHelo != nil {
		s.h.onHelo(name)
	}
	s.note("helo", name)
}

func (s *scriptedSession) Mail(m engine.Mail) engine.Answer {
	s.mail = m
	s.note("mail", m.From, m.Account, m.QueueID)
	if strings.HasPrefix(m.From, "<badmail@") {
		return engine.Answer{Action: profile.Reject, Code: 550, Status: "5.1.8", Text: "no such domain", ID: "abc"}
	}
	return engine.Answer{}
}

func (s *scriptedSession) Rcpt(r engine.Rcpt) engine.Answer {
	if s.h.onRcpt != nil {
		s.h.onRcpt(r)
	}
	words := []string{r.To, r.QueueID}
	if r.Refused {
		words = append(words, "refused", r.Status)
	}
	s.note("rcpt", words...)
	a := engine.Answer{Action: profile.Reject, Code: 550, ID: "abc123def456"}
	switch local, _, _ := strings.Cut(strings.Trim(r.To, "<>"), "@"); strings.TrimRight(local, "0123456789") {
	case "nobody":
		a.Status, a.Text = "5.1.1", "no such user"
	case "later":
		a.Action, a.Code, a.Status, a.Text = profile.TempFail, 450, "4.7.1", "come back"
	case "whoami":
		a.Status, a.Text = "5.7.1", fmt.Sprintf("%s|%s|%s|%s", s.client.Addr, s.helo, s.mail.From, s.mail.Account)
	default:
		return engine.Answer{}
	}
	return a
}

func (s *scriptedSession) EndOfMessage(queueID string) engine.Answer {
	s.note("eom", queueID)
	if strings.Contains(s.mail.From, "blocked-meanwhile") {
		return engine.Answer{Action: profile.TempFail, Code: 450, Status: "4.7.1", Text: "blocked", ID: "abc123def456"}
	}
	return engine.Answer{}
}

func (s *scriptedSession) Abort() { s.note("abort") }

func (s *scriptedSession) Close() {
	s.note("close")
	if strings.Contains(s.helo, "closepanic") {
		panic("close panic")
	}
}
