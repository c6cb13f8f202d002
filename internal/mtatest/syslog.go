package mtatest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
)

// A Syslog is the other end of /dev/log, for servers that know no other log. It
// gives each tag a Log of its own. Only for a namespace with its own /dev.
type Syslog struct {
	path string
	conn *net.UnixConn
	done chan struct{}

	mu   sync.Mutex
	logs map[string]*Log
}

// ListenSyslog makes the socket and reads it until Close. It refuses a path that
// exists: the machine's own log daemon would be cut off.
func ListenSyslog(path string) (*Syslog, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s exists: the tests need their own /dev (started by e2e/run)", path)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	s := &Syslog{path: path, conn: conn, done: make(chan struct{}), logs: map[string]*Log{}}
	if err := os.Chmod(path, 0o666); err != nil {
		conn.Close()
		return nil, err
	}
	go s.read()
	return s, nil
}

// Log gives the lines said under a tag, "<22>Jan  1 00:00:00 tag[pid]: ...".
func (s *Syslog) Log(tag string) *Log {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logs[tag] == nil {
		s.logs[tag] = new(Log)
	}
	return s.logs[tag]
}

// Close removes the socket and waits for the reader.
func (s *Syslog) Close() error {
	err := s.conn.Close()
	<-s.done
	// The kernel leaves a datagram socket's name behind.
	return errors.Join(err, os.Remove(s.path))
}

func (s *Syslog) read() {
	defer close(s.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		if err != nil {
			return
		}
		line := strings.TrimRight(string(buf[:n]), "\n\x00")
		// Writing to a Log cannot fail.
		_, _ = s.Log(syslogTag(line)).Write([]byte(line + "\n"))
	}
}

// syslogTag finds the program's name in "<22>Nov 24 23:20:00 sendmail[12]: text" (RFC 3164 section 4.1).
func syslogTag(line string) string {
	const stamp = len("Nov 24 23:20:00 ")
	_, rest, found := strings.Cut(line, ">")
	if !found || len(rest) < stamp {
		return ""
	}
	rest = rest[stamp:]
	if end := strings.IndexAny(rest, "[: "); end >= 0 {
		return rest[:end]
	}
	return rest
}
