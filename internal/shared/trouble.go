package shared

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// errReplica says that the server copies another one, and takes no counts.
var errReplica = errors.New("the server is a replica: it takes no counts")

// errNoTLS says that a TLS greeting was met with silence, or with the end of the connection.
var errNoTLS = errors.New("the server does not answer a TLS greeting")

// back notes that the store is asked from now on.
func (s *Store) back(l *link) {
	s.mu.Lock()
	s.memory.Life = l.life
	was, since := s.status.Err, s.status.Since
	s.status.Up, s.status.Since, s.status.Err, s.status.Remedy = true, time.Now(), nil, ""
	machines, warning := len(s.status.Machines), s.status.Warning
	s.mu.Unlock()
	s.onceAsked.Do(func() { close(s.first) })
	args := []any{"at", s.o.Address, "machines", machines}
	if was != nil {
		args = append(args, "away", time.Since(since).Round(time.Millisecond).String())
	}
	s.o.Logger.Info("limits are shared: counts of all machines are together", args...)
	if warning != "" {
		s.o.Logger.Warn("the shared store is not set up well", "at", s.o.Address, "problem", warning)
	}
}

// away notes why the store is not asked, and tells of it unless it is the same as
// before.
func (s *Store) away(err error) {
	if err == nil {
		err = ErrAway
	}
	remedy := remedyFor(err)
	s.mu.Lock()
	told := !s.status.Up && s.status.Err != nil && s.status.Remedy == remedy
	if s.status.Up {
		s.status.Up, s.status.Since = false, time.Now()
	}
	s.status.Err, s.status.Remedy = err, remedy
	s.mu.Unlock()
	s.onceAsked.Do(func() { close(s.first) })
	if !told {
		machines, _ := s.peers.Count()
		s.o.Logger.Error("the shared store is away: each machine counts its part of each limit by itself",
			"at", s.o.Address, "error", err.Error(), "machines", machines, "remedy", remedy)
	}
}

// refusal gives the first word of a server's error, "" for another error.
func refusal(err error) string {
	var said *rueidis.RedisError
	if !errors.As(err, &said) {
		return ""
	}
	word, _, _ := strings.Cut(said.Error(), " ")
	return word
}

// remedyFor says what the operator can do about an error.
func remedyFor(err error) string {
	switch refusal(err) {
	case "WRONGPASS", "NOAUTH":
		return "correct user and password in state.redis"
	case "NOPERM":
		return "let the user of state.redis run all that docs/state.md names, on the keys mailprofiled:*"
	case "OOM":
		return "the server is full: raise its maxmemory"
	case "READONLY", "MASTERDOWN":
		return "the server is a replica: name the one that takes counts in state.redis"
	case "LOADING", "BUSY":
		return "the server is busy: wait, it is asked again by itself"
	case "MISCONF":
		return "the server cannot write its own snapshot: look at its log and disk"
	case "MOVED", "CLUSTERDOWN", "CROSSSLOT":
		return "the server is part of a cluster: name one that is not"
	case "":
	default:
		return "look at the server: it must be Redis 6 or later, or Valkey, with scripts and the database of state.redis"
	}
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errReplica):
		return "name the server that takes counts in state.redis"
	case errors.Is(err, errStale):
		return "give each machine a state.path of its own: another one may go by the name of this one"
	case errors.As(err, &invalid), errors.As(err, &unknown), errors.As(err, &host):
		return "have the machine trust the server's certificate, and name the server in state.redis as it is in there"
	case errors.As(err, &record):
		return "the server speaks no TLS there: write redis://, or its TLS port"
	case errors.Is(err, errNoTLS):
		return "write redis:// where the server speaks no TLS, or its TLS port; else look whether it is stopped or overloaded"
	case errors.Is(err, fs.ErrPermission):
		return "let the daemon's user connect to the server's socket"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "the server does not answer in time: look whether it is stopped, overloaded or behind a firewall"
	}
	if dns := new(net.DNSError); errors.As(err, &dns) {
		return "the name of the server in state.redis cannot be looked up: correct it, or write the address"
	}
	return "start the server, or correct state.redis"
}
