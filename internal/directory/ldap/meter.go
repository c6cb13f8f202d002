package ldap

import (
	"errors"
	"net"
	"sync/atomic"
)

// A meter is a connection that gives only so much to read: the library believes what
// a packet says of its length, up to 2 GiB.
type meter struct {
	net.Conn
	left atomic.Int64 // octets
}

var errTooMuch = errors.New("answers with more than anybody wants to know")

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if m.left.Add(-int64(n)) < 0 {
		return 0, errTooMuch
	}
	return n, err
}
