package miltertest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A Client sends and receives packets. It holds no more than its buffers, which
// serve again after Reset. It is not for use by several goroutines at once.
type Client struct {
	Timeout        time.Duration // longest wait for an answer, and for an answer to be taken; 0 waits for ever
	Sent, Received int           // packets, over all connections

	conn net.Conn
	out  []byte // packets not yet sent
	in   []byte // in[r:w] is received and not yet looked at
	r, w int

	armed bool // the connection has a deadline
}

// maxAnswer is the longest packet that a milter may send us.
const maxAnswer = 64 << 10

// NewClient makes a client of a connection to a milter.
func NewClient(conn net.Conn) *Client {
	return &Client{Timeout: 30 * time.Second, conn: conn, in: make([]byte, 4<<10)}
}

// Reset goes on with another connection. The one before is not closed.
func (c *Client) Reset(conn net.Conn) {
	c.conn, c.out, c.r, c.w, c.armed = conn, c.out[:0], 0, 0, false
}

// arm sets the deadline for what comes next, or takes one away.
func (c *Client) arm() {
	switch {
	case c.Timeout > 0:
		c.conn.SetDeadline(time.Now().Add(c.Timeout))
	case c.armed:
		c.conn.SetDeadline(time.Time{})
	}
	c.armed = c.Timeout > 0
}

// Close closes the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Add puts a packet into the buffer: a code and strings, each ended by a NUL.
// Flush sends it, together with others: MTAs send macros and command in one write.
func (c *Client) Add(code byte, args ...string) {
	n := 1
	for _, a := range args {
		n += len(a) + 1
	}
	c.begin(code, n)
	for _, a := range args {
		c.out = append(append(c.out, a...), 0)
	}
}

// AddRaw puts a packet into the buffer whose payload stands as it is.
func (c *Client) AddRaw(code byte, payload []byte) {
	c.begin(code, 1+len(payload))
	c.out = append(c.out, payload...)
}

func (c *Client) begin(code byte, length int) {
	c.Sent++
	c.out = binary.BigEndian.AppendUint32(c.out, uint32(length))
	c.out = append(c.out, code)
}

// Flush sends what is in the buffer, in one write.
func (c *Client) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	c.arm()
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Send sends one packet: Add and Flush.
func (c *Client) Send(code byte, args ...string) error {
	c.Add(code, args...)
	return c.Flush()
}

// Raw sends bytes that may be no packet at all.
func (c *Client) Raw(b []byte) error {
	c.out = append(c.out, b...)
	return c.Flush()
}

// Receive waits for one packet. The payload stands until the next call. io.EOF
// is the milter's close between packets.
func (c *Client) Receive() (code byte, payload []byte, err error) {
	c.arm()
	if err := c.fill(4); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(c.in[c.r:]))
	if n == 0 || n > maxAnswer {
		return 0, nil, fmt.Errorf("answer of %d bytes", n)
	}
	if err := c.fill(4 + n); err != nil {
		return 0, nil, noEOF(err)
	}
	p := c.in[c.r+4 : c.r+4+n]
	c.r += 4 + n
	c.Received++
	return p[0], p[1:], nil
}

// fill reads until n bytes are there.
func (c *Client) fill(n int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.r+n > len(c.in) {
		old := c.in[c.r:c.w]
		if n > len(c.in) {
			c.in = make([]byte, n)
		}
		c.r, c.w = 0, copy(c.in, old)
	}
	for c.w-c.r < n {
		m, err := c.conn.Read(c.in[c.w:])
		c.w += m
		if err != nil && m == 0 {
			if c.w > c.r {
				err = noEOF(err)
			}
			return err
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
