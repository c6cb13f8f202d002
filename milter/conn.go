package milter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"mailprofiled/internal/engine"
)

// A conn stands between the library and the MTA's connection: see the package
// comment. The library reads, writes and closes it from one goroutine, the
// session's; end and kill may be called from any.
type conn struct {
	net.Conn // the MTA's
	srv      *Server
	port     *port // the listener's
	sess     *session

	negotiated bool
	offer      Offer         // what the MTA can do
	answered   []byte        // our answer to it, until the first client is shown
	shown      bool          // the MTA has shown a client: it is no probe
	macros     macros        // what it has defined
	client     engine.Client // whom it named at connect
	arg        []byte        // argument of the command in hand, as the MTA sent it; part of buf

	buf     []byte // buf[r:w] is read and not yet handed on
	r, w    int
	pending []byte // what the library has not taken yet of its packet; part of buf
	hurried bool   // the packet being read has its deadline
	broken  bool   // a write has failed

	gate gate
}

// A gate is what other goroutines may know and change of a session: the server
// ends sessions only between packets and outside a transaction.
type gate struct {
	mu     sync.Mutex
	since  time.Time // when the session began to wait for a packet; zero while it works on one
	inMail bool      // a transaction is open
	ending bool      // to end as soon as none is
}

// Sizes of a packet: its length field, and the most of what may follow. The
// largest that is of use to us are macros; 64 KiB is the largest body chunk.
const (
	lengthSize = 4
	maxPacket  = 128 << 10
	firstBuf   = 2 << 10
)

// How a connection ends other than by QUIT or a plain close.
var (
	errEnded  = errors.New("ended by the server")
	errBroken = errors.New("answer could not be written")
	errLate   = errors.New("packet not complete in time")
	errIdle   = errors.New("idle for too long")
)

// A refusal is why bytes were refused that are not the milter protocol.
type refusal string

func (r refusal) Error() string { return string(r) }

// Read gives the library the packets that are for it, one at a time. Every way
// for a connection to end is io.EOF to the library, which is silent then; what
// is worth a line in the log is logged here.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		if err := c.next(); err != nil {
			c.pending = nil
			c.logEnd(err)
			return 0, io.EOF
		}
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// next reads packets until one is for the library.
func (c *conn) next() error {
	for {
		code, payload, err := c.packet()
		if err != nil {
			return err
		}
		handOn, err := c.take(code, payload)
		if err != nil {
			return err
		}
		if handOn {
			return nil
		}
	}
}

// packet reads one whole packet. The payload stands until the next call, and is
// nil where nobody would look at it.
func (c *conn) packet() (code byte, payload []byte, err error) {
	if c.broken {
		return 0, nil, errBroken
	}
	c.hurried = false
	if c.r == c.w {
		if err := c.await(); err != nil {
			return 0, nil, err
		}
	}
	if err := c.need(lengthSize); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(c.buf[c.r:]))
	switch {
	case n == 0:
		return 0, nil, refusal("packet of length zero")
	case n > maxPacket:
		return 0, nil, refusal(fmt.Sprintf("packet of %d bytes, more than %d", n, maxPacket))
	}
	if err := c.need(lengthSize + 1); err != nil {
		return 0, nil, err
	}
	code = c.buf[c.r+lengthSize]
	if ignoresPayload(code) {
		return code, nil, c.discard(lengthSize + int(n))
	}
	if err := c.need(lengthSize + int(n)); err != nil {
		return 0, nil, err
	}
	c.pending = c.buf[c.r : c.r+lengthSize+int(n)]
	c.r += lengthSize + int(n)
	return code, c.pending[lengthSize+1:], nil
}

// await blocks until a packet begins, as long as the session's patience lasts.
func (c *conn) await() error {
	c.r, c.w = 0, 0
	if len(c.buf) != firstBuf {
		c.buf = make([]byte, firstBuf)
	}
	now := time.Now()
	if c.shown {
		c.srv.lastCommand.Store(now.UnixNano()) // the one before was done just now
	}
	if err := c.arm(now, now.Add(c.sess.patience())); err != nil {
		return err
	}
	var n int
	var err error
	for n == 0 && err == nil { // a pipe may give nothing
		n, err = c.Conn.Read(c.buf)
	}
	if c.arrived() {
		return errEnded
	}
	c.w = n
	switch {
	case n > 0: // an error that came with it comes again
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errIdle
	}
	return err
}

// need blocks until n bytes are in the buffer. A packet that has begun has one
// deadline for all of it, or a byte now and then would hold the session for ever.
func (c *conn) need(n int) error {
	for c.w-c.r < n {
		if !c.hurried {
			c.hurried = true
			if err := c.arm(time.Time{}, time.Now().Add(c.srv.cfg.PacketTimeout)); err != nil {
				return err
			}
		}
		c.makeRoom(n)
		m, err := c.Conn.Read(c.buf[c.w:])
		c.w += m
		switch {
		case m > 0, err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return c.orEnded(errLate)
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return nil
}

// makeRoom makes space to read more of a packet of n bytes behind what is there
// of it. The buffer grows with what has come, not with what a length promises.
func (c *conn) makeRoom(n int) {
	old := c.buf[c.r:c.w]
	switch {
	case len(old) == len(c.buf):
		c.buf = make([]byte, min(n, 2*len(c.buf)))
	case c.r == 0:
		return
	}
	c.r, c.w = 0, copy(c.buf, old)
}

// discard skips a packet of n bytes, length field included, without keeping it.
func (c *conn) discard(n int) error {
	for n > c.w-c.r {
		n -= c.w - c.r
		c.r, c.w = 0, 0
		if err := c.need(1); err != nil {
			return err
		}
	}
	c.r += n
	return nil
}

// Write sends the library's answer, which is one packet. Its own offer of
// protocol is cut to that of the MTA. A failure is logged here and ends the
// session at its next read; the library would write to the standard logger.
func (c *conn) Write(p []byte) (int, error) {
	out := p
	if len(p) > lengthSize && p[lengthSize] == 'O' {
		out = c.offer.cut(p)
		c.answered = out
	}
	c.write(out)
	return len(p), nil
}

// write sends one packet within the time for it.
func (c *conn) write(packet []byte) {
	if c.broken {
		return
	}
	err := c.Conn.SetWriteDeadline(time.Now().Add(c.srv.cfg.WriteTimeout))
	if err == nil {
		_, err = c.Conn.Write(packet)
	}
	if err != nil {
		c.broken = true
		c.logEnd(fmt.Errorf("%w: %w", errBroken, err))
	}
}

// Close ends the session and closes its connection, in this order: whoever sees
// the end of the connection can rely on all that the session had to say and to
// give back. The library calls it once, when its goroutine is done.
func (c *conn) Close() error {
	c.sess.leave()
	err := c.Conn.Close()
	c.srv.sessions.forget(c)
	return err
}

// arm sets the read deadline, unless the session is to end now. A waiting
// session says since when.
func (c *conn) arm(waiting, deadline time.Time) error {
	g := &c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ending && !g.inMail {
		return errEnded
	}
	g.since = waiting
	return c.Conn.SetReadDeadline(deadline)
}

// arrived notes that the wait is over, and reports whether the session is to end.
func (c *conn) arrived() bool {
	g := &c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = time.Time{}
	return g.ending && !g.inMail
}

// orEnded gives err, or errEnded when the deadline that expired was end's.
func (c *conn) orEnded(err error) error {
	if c.arrived() {
		return errEnded
	}
	return err
}

// openMail notes that a transaction begins, unless the session is to end.
func (c *conn) openMail() error {
	g := &c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ending && !g.inMail {
		return errEnded
	}
	g.inMail = true
	return nil
}

// mailOpen reports whether a transaction is open; only the session's own
// goroutine, which opens and closes it, may ask.
func (c *conn) mailOpen() bool { return c.gate.inMail }

// closeMail notes that no transaction is open any more.
func (c *conn) closeMail() {
	g := &c.gate
	g.mu.Lock()
	g.inMail = false
	g.mu.Unlock()
}

// end ends the session: at once when it is outside a transaction, else with it.
func (c *conn) end() {
	g := &c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ending = true
	if !g.inMail {
		c.Conn.SetReadDeadline(time.Unix(1, 0)) // wakes the reader; an answer being written still goes out
	}
}

// endIfIdle ends the session if it waits outside a transaction since before a
// moment. If not, it gives the earliest moment since which it could be idle.
func (c *conn) endIfIdle(before, now time.Time) (ended bool, since time.Time) {
	g := &c.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.since.IsZero() || g.inMail || g.ending {
		return false, now
	}
	if g.since.After(before) {
		return false, g.since
	}
	g.ending = true
	c.Conn.SetReadDeadline(time.Unix(1, 0))
	return true, now
}

// kill breaks the connection, whatever it is at; its goroutine then ends.
func (c *conn) kill() { c.Conn.Close() }
