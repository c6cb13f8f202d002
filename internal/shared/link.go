package shared

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"mailprofiled/ratelimit"
)

// The names in the store. They share a hash tag, so that a cluster keeps them together.
const (
	prefix     = "mailprofiled:{limits}:"
	keyEpochs  = prefix + "machines"
	keyClaims  = prefix + "claims" // a channel has this name too
	keySeen    = prefix + "seen"
	keyKey     = prefix + "key"
	keyLife    = prefix + "life"
	keyEpoch   = prefix + "epoch"
	keyCounter = prefix + "c:"
)

// How long things may take that no mail waits for.
const (
	connectTime = 2 * time.Second
	callTime    = time.Second
	putTime     = 5 * time.Second
)

// A link is a connection to the server in one epoch, and one for what it tells
// unasked.
type link struct {
	client rueidis.Client
	ears   rueidis.Client
	epoch  string
	life   string
	quit   context.CancelFunc
	heard  chan struct{} // closed when all that the server has told has been heard
	broken atomic.Bool   // it must not be asked any more

	mu     sync.Mutex
	conns  []net.Conn
	closed bool

	silentMu sync.RWMutex
	silent   string // machines that are not heard of, with spaces between
}

// dial opens a connection that cut ends at once, whatever is under way on it.
func (l *link) dial(ctx context.Context, o *Options) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTime}
	conn, err := d.DialContext(ctx, o.Network, o.Address)
	if err != nil {
		return nil, err
	}
	if err := l.hold(conn); err != nil || o.TLS == nil {
		return conn, err
	}
	// The client library gives a ctx without an end.
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	secure := tls.Client(conn, o.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) {
			return nil, errNoTLS
		}
		return nil, err
	}
	return secure, nil
}

// hold has cut close a connection; one that comes after a cut it closes itself.
func (l *link) hold(conn net.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return net.ErrClosed
	}
	l.conns = append(l.conns, conn)
	return nil
}

// connect opens a link, which has no epoch yet.
func connect(ctx context.Context, o *Options) (*link, error) {
	l := &link{}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	stop := context.AfterFunc(ctx, l.cut)
	var err error
	if l.client, err = l.open(o); err == nil {
		l.ears, err = l.open(o)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) open(o *Options) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{o.Address}, ForceSingleClient: true,
		Username: o.User, Password: o.Password, SelectDB: o.DB, ClientName: "mailprofiled",
		DialCtxFn: func(ctx context.Context, _ string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return l.dial(ctx, o)
		},
		// One connection, so that calls of a session arrive in their order, and always
		// pipelined: a call that was given up then leaves the others alone.
		PipelineMultiplex: -1, AlwaysPipelining: true,
		DisableRetry: true, DisableCache: true, ConnWriteTimeout: callTime,
		ReadBufferEachConn: 1 << 16, WriteBufferEachConn: 1 << 16,
	})
}

// cut ends what is under way.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		c.Close()
	}
}

// close ends the link, and waits for what works on it.
func (l *link) close() {
	if l.quit != nil {
		l.quit()
	}
	l.cut()
	for _, c := range []rueidis.Client{l.client, l.ears} {
		if c != nil {
			c.Close()
		}
	}
	if l.heard != nil {
		<-l.heard
	}
}

// listen takes in what others claim, until the link ends.
func (l *link) listen(ctx context.Context, claimed func(string)) error {
	ctx, l.quit = context.WithCancel(context.WithoutCancel(ctx))
	l.heard = make(chan struct{})
	began := make(chan error, 1)
	ctx = rueidis.WithOnSubscriptionHook(ctx, func(rueidis.PubSubSubscription) {
		select {
		case began <- nil:
		default:
		}
	})
	go func() {
		defer close(l.heard)
		err := l.ears.Receive(ctx, l.ears.B().Subscribe().Channel(keyClaims).Build(), func(m rueidis.PubSubMessage) { claimed(m.Message) })
		if err == nil {
			err = ErrAway
		}
		select {
		case began <- err:
		default:
		}
	}()
	timer := time.NewTimer(connectTime)
	defer timer.Stop()
	select {
	case err := <-began:
		return err
	case <-timer.C:
		return context.DeadlineExceeded
	}
}

// hear waits until all that the server has told before it went has been heard, at
// most as long as ctx: what others claimed must be known before anything is counted
// without it.
func (l *link) hear(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ratelimit.SharedTimeout)
	defer cancel()
	select {
	case <-l.heard:
	case <-ctx.Done():
	}
}

// readClaim reads "ID:ms:others:name".
func readClaim(text string, now time.Time) (id uint64, c ratelimit.Claim, ok bool) {
	part := strings.SplitN(text, ":", 4)
	if len(part) != 4 {
		return 0, c, false
	}
	id, err := strconv.ParseUint(part[0], 16, 64)
	ms, err1 := strconv.ParseInt(part[1], 10, 64)
	others, err2 := strconv.ParseUint(part[2], 10, 64)
	if errors.Join(err, err1, err2) != nil || ms < 0 || ms > maxClaim.Milliseconds() {
		return 0, c, false
	}
	return id, ratelimit.Claim{By: part[3], Others: uint32(min(others, 1<<32-1)), Until: now.Add(time.Duration(ms) * time.Millisecond)}, true
}

// maxClaim is longer than any claim holds.
const maxClaim = 2 * ratelimit.MaxWindow
