// Package socketmap asks a server of Postfix's socketmap protocol (socketmap_table(5))
// who exists: a netstring "name key" there, a netstring with a status and a value back.
//
// Only NOTFOUND is a no. TEMP, TIMEOUT and PERM, silence and anything else are a
// failure.
package socketmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"mailprofiled/internal/connpool"
	"mailprofiled/internal/directory"
)

// Options say which map to ask.
type Options struct {
	Map         string // "unix:/path:name" or "inet:host:port:name", as in Postfix
	Connections int    // at once; 0 is 8
}

const (
	defaultConnections = 8
	keepIdle           = 30 * time.Second
)

// A Source asks one map.
type Source struct {
	place place
	pool  *connpool.Pool[*conn]
}

// A conn is one connection, with what was read ahead.
type conn struct {
	net.Conn
	in  *bufio.Reader
	out []byte
}

// New makes a source. It connects to nobody: the server may be down as yet. Errors
// are mistakes in the options, worded "what; remedy".
func New(o Options) (*Source, error) {
	p, err := parsePlace(o.Map)
	if err != nil {
		return nil, err
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	s := &Source{place: p}
	s.pool = connpool.New(o.Connections, keepIdle, s.dial)
	return s, nil
}

func (s *Source) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, s.place.network, s.place.address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, in: bufio.NewReader(c)}, nil
}

// IgnoresCase implements [directory.CaseBlind].
func (s *Source) IgnoresCase() {}

// Lookup asks for an address, in lower case: Postfix asks socketmaps as it was written,
// its other tables so, and a server that minds the case would know nobody's "Joe". What the value says of
// "created=" and "plan=" is taken along.
func (s *Source) Lookup(ctx context.Context, a directory.Address) directory.Entry {
	if !a.Askable() {
		return directory.Entry{}
	}
	e, err := s.lookup(ctx, a)
	if err != nil {
		return directory.Fail(directory.Complain("map "+s.place.name, err, a))
	}
	return e
}

func (s *Source) lookup(ctx context.Context, a directory.Address) (directory.Entry, error) {
	c, reused, err := s.pool.Get(ctx)
	if err != nil {
		return directory.Entry{}, err
	}
	key := a.Folded().String()
	reply, err := s.ask(ctx, c, key)
	if reused && gone(err) {
		if c, err = s.pool.Renew(ctx, c); err != nil {
			return directory.Entry{}, err
		}
		reply, err = s.ask(ctx, c, key)
	}
	if err != nil {
		s.pool.Drop(c)
		return directory.Entry{}, err
	}
	e, err := judge(reply)
	// More than the one answer, or no answer at all: whose would the next be?
	if errors.Is(err, errRubbish) || c.in.Buffered() > 0 {
		s.pool.Drop(c)
	} else {
		s.pool.Put(c)
	}
	return e, err
}

// ask puts one question.
func (s *Source) ask(ctx context.Context, c *conn, key string) (string, error) {
	done := connpool.Limit(ctx, c)
	reply, err := c.exchange(s.place.name, key)
	if !done() && err == nil {
		err = context.Cause(ctx)
	}
	return reply, err
}

func (c *conn) exchange(name, key string) (string, error) {
	c.out = appendString(c.out[:0], name, " ", key)
	if _, err := c.Write(c.out); err != nil {
		return "", err
	}
	reply, err := readString(c.in)
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the server hung up: %w", err)
	}
	return reply, err
}

// gone reports the end of a connection that was idle: the server's right, and no
// answer to anything.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}

// Close ends all connections, when the last question is answered.
func (s *Source) Close() error { return s.pool.Close() }
