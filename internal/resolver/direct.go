package resolver

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A direct is one query that has a socket to itself while it is out. Whoever
// waits for the answer reads it there, and needs no other goroutine to be woken
// by: that costs more than all else about a question.
type direct struct {
	conn  *net.UDPConn
	q     *question
	id    uint16
	ended atomic.Bool // it has an answer, or nobody wants one any more
}

// sendDirect sends t over conn, which belongs to it from now on.
func sendDirect(t *try, q *question, conn *net.UDPConn, err error) error {
	if err != nil {
		return netError(err)
	}
	d := &direct{conn: conn, q: q, id: newID()}
	packet := q.packet(d.id, t.edns)
	if _, err = conn.Write(packet); err != nil {
		t.server.giveBack(conn, false)
		return netError(err)
	}
	t.direct, t.stop = d, d.stop
	return nil
}

// stop lets go of d. Its reader gives the socket back.
func (d *direct) stop() {
	if !d.ended.Swap(true) {
		d.wake()
	}
}

var longPast = time.Unix(1, 0)

// wake ends a read. On a socket that is closed it fails, and nobody reads there.
func (d *direct) wake() { _ = d.conn.SetReadDeadline(longPast) }

// read waits for the answer to t and has t's owner take it. next is what the
// reader is to read then. It is false when ctx ended first: t is still out.
func (d *direct) read(ctx context.Context, t *try) (next *try, ok bool) {
	unwatch := context.AfterFunc(ctx, d.wake)
	t.msg, t.err = readUDP(d.conn, d.q, d.id)
	quiet := unwatch() // else the socket may be woken later than now
	if !d.ended.Load() && errors.Is(t.err, os.ErrDeadlineExceeded) {
		return nil, false
	}
	stopped := d.ended.Swap(true)
	t.server.giveBack(d.conn, t.err == nil && quiet && !stopped)
	if stopped {
		return nil, true
	}
	return t.owner.take(t), true
}

// readOn reads t, and what follows from it, to the end.
func readOn(t *try) {
	for t != nil {
		t, _ = t.direct.read(context.Background(), t)
	}
}
