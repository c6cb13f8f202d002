package callahead

import (
	"bufio"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script says what a next hop answers to a line. Without an answer it hangs up.
type script func(line string) string

// A stub is a next hop that follows a script.
type stub struct {
	*backendtest.Stub
	greeting string

	mu     sync.Mutex
	script script
	lines  []string // all that was said to it
}

const hello = "250-stub\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"

func start(t testing.TB, greeting string, s script) *stub {
	t.Helper()
	return startAt(t, "tcp", "127.0.0.1:0", greeting, s)
}

func startAt(t testing.TB, network, address, greeting string, s script) *stub {
	t.Helper()
	hop := &stub{greeting: greeting, script: s}
	var err error
	if hop.Stub, err = backendtest.StartStub(network, address, hop.speak); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hop.Stop)
	return hop
}

func (s *stub) speak(c net.Conn) {
	if s.greeting == "" {
		return
	}
	c.Write([]byte(s.greeting))
	in := bufio.NewScanner(c)
	for in.Scan() {
		s.mu.Lock()
		s.lines = append(s.lines, in.Text())
		answer := s.script
		s.mu.Unlock()
		text := answer(in.Text())
		if text == "" {
			return
		}
		if _, err := c.Write([]byte(text)); err != nil {
			return
		}
	}
}

func (s *stub) now(sc script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = sc
}

// said gives the lines that begin with verb.
func (s *stub) said(verb string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if strings.HasPrefix(line, verb) {
			lines = append(lines, line)
		}
	}
	return lines
}

// rcpt answers RCPT as told, all else as servers do, and a made-up name by 5.1.1.
func rcpt(answer string) script {
	return func(line string) string {
		switch {
		case strings.HasPrefix(line, "EHLO"), strings.HasPrefix(line, "LHLO"):
			return hello
		case strings.HasPrefix(line, "RCPT TO:<mailprofiled-probe-"):
			return "550 5.1.1 nobody\r\n"
		case strings.HasPrefix(line, "RCPT"):
			return answer
		case line == "QUIT":
			return "221 bye\r\n"
		}
		return "250 ok\r\n"
	}
}

// but is a script with another answer to one verb.
func but(s script, verb, answer string) script {
	return func(line string) string {
		if strings.HasPrefix(line, verb) {
			return answer
		}
		return s(line)
	}
}

func source(t testing.TB, s *stub) *Source {
	t.Helper()
	src, err := New(Options{NextHop: "smtp:" + s.Addr().String(), Hello: "mx.example.net"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var joe = directory.Address{Local: "Joe", Domain: "example.net"}
