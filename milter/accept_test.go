package milter

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/miltertest"
)

// TestAcceptErrors: what cannot be accepted now is accepted later, with waits
// from 5 ms to 1 s, and one line in the log.
func TestAcceptErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		l := newPipeListener()
		l.fail = func() error {
			if len(at) == 11 {
				return nil
			}
			at = append(at, time.Since(start))
			return &net.OpError{Op: "accept", Net: "unix", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
		}
		r := serveOn(t, Config{Handler: new(scripted)}, l)
		visit(t, r, miltertest.Postfix())
		for i, want := range []int{0, 5, 15, 35, 75, 155, 315, 635, 1275, 2275, 3275} {
			if at[i] != time.Duration(want)*time.Millisecond {
				t.Errorf("try %d after %v, want %d ms", i, at[i], want)
			}
		}
		got := r.log.String()
		if strings.Count(got, "not accepted") != 1 || strings.Count(got, "accepted again") != 1 || r.Stats().AcceptErrors != 11 {
			t.Errorf("%+v, log:\n%s", r.Stats(), got)
		}
	})
}

// TestAcceptErrorAtTheEnd: the wait for better times does not outlast the context.
func TestAcceptErrorAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		l.fail = func() error { return syscall.ENFILE }
		r := serveOn(t, Config{Handler: new(scripted)}, l)
		pass(10 * time.Second)
		start := time.Now()
		r.stop()
		if took := time.Since(start); took != 0 || r.err != nil {
			t.Errorf("Serve came back after %v with %v", took, r.err)
		}
	})
}

// childSocket tells the child of TestFileDescriptorsRunOut where to listen.
const childSocket = "MILTER_TEST_SOCKET"

// TestFileDescriptorsRunOut: a server with hardly any file descriptors left
// serves all of many clients in the end.
func TestFileDescriptorsRunOut(t *testing.T) {
	if path := os.Getenv(childSocket); path != "" {
		serveWithFewFiles(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	child := exec.Command(os.Args[0], "-test.run=^TestFileDescriptorsRunOut$", "-test.v")
	child.Env = append(os.Environ(), childSocket+"="+path)
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.Stderr = os.Stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "listening" {
	}
	const clients = 80
	conns := make([]net.Conn, clients)
	for i := range conns { // all of them wait before the first says a word
		if conns[i], err = net.Dial("unix", path); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			if err := deliver(c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	stdin.Close()
	var st Stats
	for lines.Scan() {
		if json.Unmarshal(lines.Bytes(), &st) == nil {
			break
		}
	}
	for lines.Scan() {
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if st.Accepted != clients || st.AcceptErrors == 0 || st.Open != 0 {
		t.Errorf("%+v, want %d connections taken after some errors", st, clients)
	}
}

// deliver is one message over a connection.
func deliver(c net.Conn) error {
	defer c.Close()
	v := miltertest.NewVisit(c, miltertest.Postfix())
	if err := v.Negotiate(); err != nil {
		return err
	}
	for _, step := range []func() (miltertest.Answer, error){
		func() (miltertest.Answer, error) {
			return v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.7")})
		},
		func() (miltertest.Answer, error) { return v.Helo("mx.example.com") },
		func() (miltertest.Answer, error) { return v.Mail("<a@example.net>", "") },
		func() (miltertest.Answer, error) { return v.Rcpt("<b@example.org>") },
		v.EOM,
	} {
		if a, err := step(); err != nil || a.Action != "continue" {
			return errors.Join(err, errors.New("answer "+a.String()))
		}
	}
	return v.Quit()
}

// serveWithFewFiles is the child: it serves until its input ends.
func serveWithFewFiles(t *testing.T, path string) {
	l, err := Listen("unix:"+path, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 24, Max: 24}); err != nil {
		t.Fatal(err)
	}
	s := NewServer(Config{Handler: new(scripted)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l) }()
	os.Stdout.WriteString("\nlistening\n")
	bufio.NewReader(os.Stdin).ReadByte()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	st, _ := json.Marshal(s.Stats())
	os.Stdout.WriteString("\n" + string(st) + "\n")
}

// TestServeEndsUnderLoad ends a server while clients come and go; every session
// it has opened it closes, and the race detector looks on.
func TestServeEndsUnderLoad(t *testing.T) {
	h := new(scripted)
	r := serve(t, Config{Handler: h, MaxSessions: 4})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				c := r.Dial()
				if c == nil {
					return
				}
				deliver(c) // may fail: the server is going
				r.Stats()
			}
		})
	}
	for h.seen("eom") < 100 {
		deliver(r.Dial())
	}
	r.stop()
	all.Wait()
	if r.err != nil || r.Stats().Open != 0 || h.seen("connect") != h.seen("close") {
		t.Errorf("Serve gave %v, %+v, %d opened, %d closed", r.err, r.Stats(), h.seen("connect"), h.seen("close"))
	}
}
