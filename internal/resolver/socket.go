package resolver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// errUnreachable is an answer of the network, not of the server: nothing
// listens there, or there is no way to it.
var errUnreachable = errors.New("dns server unreachable")

// readBytes is what a UDP message is read into. Some servers send more than we
// ask for; what is longer still is cut, and then does not parse.
const readBytes = 4096

var readBuffers = sync.Pool{New: func() any { return new([readBytes]byte) }}

// send sends q to t's server and sets t.stop. The owner of t takes it when it has
// ended, or perhaps never after t.stop or the deadline. If attended, the sender
// can wait at a socket: it must read t.direct, if that is set then. An error means
// that nothing was sent: errUnreachable for the server's fault, any other for ours.
func (r *Resolver) send(t *try, q *question, deadline time.Time, attended bool) error {
	t.server.queries.Add(1)
	t.sent = time.Now()
	switch {
	case t.tcp:
		r.sendTCP(t, q, deadline)
		return nil
	case t.server.shared == nil:
		return r.sendAlone(t, q, attended)
	case attended:
		if conn, err := t.server.shared.borrow(); conn != nil || err != nil {
			return sendDirect(t, q, conn, err)
		}
	}
	return t.server.shared.send(r, t, q)
}

// sendAlone asks over a new socket. The kernel gives it a random free port
// (RFC 5452 section 4.5, RFC 6056) and, as it is connected, lets in only what
// comes from the server's address and port.
func (r *Resolver) sendAlone(t *try, q *question, attended bool) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(t.server.addr))
	if err := sendDirect(t, q, conn, err); err != nil || attended {
		return err
	}
	r.work.Go(func() { readOn(t) })
	return nil
}

// readUDP reads until the answer comes. What is no answer to q is somebody
// else's, or a lie, and waiting goes on.
func readUDP(conn net.Conn, q *question, id uint16) ([]byte, error) {
	buf := readBuffers.Get().(*[readBytes]byte)
	defer readBuffers.Put(buf)
	for {
		n, err := conn.Read(buf[:])
		if err != nil {
			return nil, netError(err)
		}
		if q.answeredBy(buf[:n], id) {
			return append([]byte(nil), buf[:n]...), nil
		}
	}
}

// netError tells a refusal by the network from every other end.
func netError(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH) {
		return errUnreachable
	}
	return err
}

// sendTCP asks over a connection of its own (RFC 7766).
func (r *Resolver) sendTCP(t *try, q *question, deadline time.Time) {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	t.stop = cancel
	r.work.Go(func() {
		defer cancel()
		t.msg, t.err = overTCP(ctx, t, q)
		_ = t.owner.take(t)
	})
}

func overTCP(ctx context.Context, t *try, q *question) ([]byte, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", t.server.addr.String())
	if err != nil {
		return nil, netError(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	id := newID()
	packet := q.packet(id, t.edns)
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	if _, err := conn.Write(framed); err != nil {
		return nil, err
	}
	return readTCP(conn, q, id)
}

// readTCP reads one message. A stream has one speaker, so another message than
// the answer is not waited past.
func readTCP(conn io.Reader, q *question, id uint16) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return nil, err
	}
	if !q.answeredBy(msg, id) {
		return nil, fmt.Errorf("%w: another message over TCP", errNonsense)
	}
	return msg, nil
}
