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
// ended, or perhaps never after t.stop or the deadline. An error means that
// nothing was sent: errUnreachable for the server's fault, any other for ours.
func (r *Resolver) send(t *try, q *question, deadline time.Time) error {
	t.server.queries.Add(1)
	t.sent = time.Now()
	switch {
	case t.tcp:
		r.sendTCP(t, q, deadline)
		return nil
	case t.server.shared != nil:
		return t.server.shared.send(r, t, q)
	default:
		return r.sendUDP(t, q, deadline)
	}
}

// sendUDP asks over a socket of its own. The kernel gives it a random free port
// (RFC 5452 section 4.5, RFC 6056) and, as it is connected, lets in only what
// comes from the server's address and port.
func (r *Resolver) sendUDP(t *try, q *question, deadline time.Time) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(t.server.addr))
	if err != nil {
		return netError(err)
	}
	id := newID()
	// Of reading only: the one packet is written at once, and a question whose time
	// is over when it is sent ends as one that nobody answered.
	_ = conn.SetReadDeadline(deadline) // on a socket just opened; reading says if not
	if _, err := conn.Write(q.packet(id, t.edns)); err != nil {
		conn.Close()
		return netError(err)
	}
	t.stop = func() { conn.Close() }
	r.work.Go(func() {
		defer conn.Close()
		t.msg, t.err = readUDP(conn, q, id)
		t.owner.take(t)
	})
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
		t.owner.take(t)
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
