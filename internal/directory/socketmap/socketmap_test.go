package socketmap

import (
	"bufio"
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A server speaks the protocol, or whatever it is told to.
type server struct {
	*backendtest.Stub

	mu     sync.Mutex
	answer func(c net.Conn, question string) bool // false hangs up
	asked  []string
}

func serve(t testing.TB, answer func(c net.Conn, question string) bool) *server {
	t.Helper()
	return serveAt(t, "tcp", "127.0.0.1:0", answer)
}

func serveAt(t testing.TB, network, address string, answer func(c net.Conn, question string) bool) *server {
	t.Helper()
	s := &server{answer: answer}
	var err error
	if s.Stub, err = backendtest.StartStub(network, address, s.speak); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func (s *server) speak(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		q, err := readString(in)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, q)
		answer := s.answer
		s.mu.Unlock()
		if !answer(c, q) {
			return
		}
	}
}

// says gives an answer with one reply for all.
func says(raw string) func(net.Conn, string) bool {
	return func(c net.Conn, _ string) bool {
		c.Write([]byte(raw))
		return true
	}
}

// users answers for those named.
func users(names ...string) func(net.Conn, string) bool {
	return func(c net.Conn, q string) bool {
		reply := "NOTFOUND "
		for _, name := range names {
			if q == "users "+name {
				reply = "OK x"
			}
		}
		_, err := c.Write(appendString(nil, reply))
		return err == nil
	}
}

func source(t testing.TB, s *server) *Source {
	t.Helper()
	where := "inet:" + s.Addr().String()
	if s.Addr().Network() == "unix" {
		where = "unix:" + s.Addr().String()
	}
	src, err := New(Options{Map: where + ":users"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

var joe = directory.Address{Local: "Joe", Domain: "example.net"}

func TestReplies(t *testing.T) {
	long := strings.Repeat("x", maxReply)
	for _, c := range []struct {
		name, raw string
		want      directory.Result
	}{
		{"OK is a yes", "4:OK x,", directory.Yes},
		{"OK without a value is one too", "2:OK,", directory.Yes},
		{"NOTFOUND is a no", "9:NOTFOUND ,", directory.No},
		{"NOTFOUND without its space is one too", "8:NOTFOUND,", directory.No},
		{"TEMP is a failure", "10:TEMP later,", directory.Failed},
		{"TIMEOUT is a failure", "8:TIMEOUT ,", directory.Failed},
		{"PERM is a failure", "12:PERM no such,", directory.Failed},
		{"a status in lower case is none", "8:notfound,", directory.Failed},
		{"a longer word is no status", "13:NOTFOUNDATALL,", directory.Failed},
		{"an empty reply", "0:,", directory.Failed},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", directory.Failed},
		{"no comma at its end", "8:NOTFOUND;", directory.Failed},
		{"leading zeros", "08:NOTFOUND,", directory.Failed},
		{"a negative length", "-1:NOTFOUND,", directory.Failed},
		{"longer than anybody needs", "100001:" + long + "x,", directory.Failed},
		{"a length that overflows", "99999999999999999999:NOTFOUND,", directory.Failed},
		{"as long as can be", "100000:OK " + long[3:] + ",", directory.Yes},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := source(t, serve(t, says(c.raw))).Lookup(soon(t), joe)
			if e.Result != c.want || (e.Err != nil) != (c.want == directory.Failed) {
				t.Errorf("%.40q: %v (%v), want %v", c.raw, e.Result, e.Err, c.want)
			}
			if about := errors.Is(e.Err, directory.ErrThisAddress); about != strings.Contains(c.raw, "PERM") {
				t.Errorf("%.40q: about this address only: %v", c.raw, about)
			}
		})
	}
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestWhatIsAsked(t *testing.T) {
	s := serve(t, users())
	src := source(t, s)
	for _, a := range []directory.Address{joe, {Local: "", Domain: "example.net"}, {Local: "Jörg Doe", Domain: "xn--e.test"}} {
		src.Lookup(soon(t), a)
	}
	if e := src.Lookup(soon(t), directory.Address{Local: "a\nb", Domain: "example.net"}); e.Result != directory.Unknown {
		t.Errorf("a name with a line feed: %v", e.Result)
	}
	want := []string{"users joe@example.net", "users @example.net", "users jörg doe@xn--e.test"}
	if got := strings.Join(s.asked, "|"); got != strings.Join(want, "|") {
		t.Errorf("asked %q, want %q", got, want)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections for questions one after the other, want 1", n)
	}
}

func TestWhatTheValueSays(t *testing.T) {
	e := source(t, serve(t, says("36:OK created=2026-01-31 plan=pro u=v x,"))).Lookup(soon(t), joe)
	if e.Result != directory.Yes || e.Plan != "pro" || e.Created.Year() != 2026 || e.Settings != nil {
		t.Errorf("%+v", e)
	}
}

func TestAnUnixSocket(t *testing.T) {
	s := serveAt(t, "unix", filepath.Join(t.TempDir(), "map"), users("joe@example.net"))
	if e := source(t, s).Lookup(soon(t), joe); e.Result != directory.Yes {
		t.Errorf("%+v", e)
	}
}

func TestAServerThatHungUpIsAskedAnew(t *testing.T) {
	s := serve(t, users("joe@example.net"))
	src := source(t, s)
	for range 3 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
			t.Fatalf("%+v", e)
		}
		s.HangUp()
	}
}

func TestHangingUpIsNoAnswer(t *testing.T) {
	s := serve(t, func(net.Conn, string) bool { return false })
	if e := source(t, s).Lookup(soon(t), joe); e.Result != directory.Failed {
		t.Errorf("%+v", e)
	}
}

func TestASecondAnswerIsNobodys(t *testing.T) {
	s := serve(t, says("9:NOTFOUND ,4:OK x,"))
	src := source(t, s)
	for range 3 { // a connection each: what is left over answers no other question
		if e := src.Lookup(soon(t), joe); e.Result != directory.No {
			t.Fatalf("%+v", e)
		}
	}
}

func TestSilenceEndsWithTheDeadline(t *testing.T) {
	asked := make(chan bool, 1)
	s := serve(t, func(net.Conn, string) bool { asked <- true; return true })
	src := source(t, s)
	ctx, cancel := context.WithCancelCause(soon(t))
	why := errors.New("the deadline")
	go func() { <-asked; cancel(why) }()
	if e := src.Lookup(ctx, joe); e.Result != directory.Failed {
		t.Fatalf("%+v", e)
	}
	s.mu.Lock()
	s.answer = users("joe@example.net")
	s.mu.Unlock()
	if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
		t.Errorf("afterwards: %+v", e)
	}
}

func TestNobodyThere(t *testing.T) {
	src, err := New(Options{Map: "unix:" + filepath.Join(t.TempDir(), "none") + ":users"})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if e := src.Lookup(soon(t), joe); e.Result != directory.Failed || !strings.Contains(e.Err.Error(), "no such file") {
		t.Errorf("%+v", e)
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ text, want, wrong string }{
		{"unix:/run/map:users", "unix /run/map users", ""},
		{"unix:/run/a:b:users", "unix /run/a:b users", ""},
		{"inet:localhost:4711:users", "tcp localhost:4711 users", ""},
		{"inet:[::1]:4711:users", "tcp [::1]:4711 users", ""},
		{"socketmap:unix:/run/map:users", "unix /run/map users", ""},
		{"unix:run/map:users", "", "relative"},
		{"unix:/run/map", "", "no name"},
		{"unix:/run/map:", "", "no name"},
		{"inet:localhost:users", "", "no host and port"},
		{"inet::4711:users", "", "no host"},
		{"inet:localhost:0:users", "", "port"},
		{"inet:localhost:70000:users", "", "port"},
		{"tcp:localhost:4711:users", "", "neither"},
		{"inet:localhost:4711:my users", "", "space"},
		{"", "", "neither"},
	} {
		p, err := parsePlace(c.text)
		switch {
		case c.wrong == "" && (err != nil || p.network+" "+p.address+" "+p.name != c.want):
			t.Errorf("%q: %+v, %v; want %s", c.text, p, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "; ")):
			t.Errorf("%q: %v, want a word of %q, and a remedy", c.text, err, c.wrong)
		}
	}
}

func FuzzReply(f *testing.F) {
	for _, seed := range []string{"4:OK x,", "9:NOTFOUND ,", "0:,", "10:TEMP later,", "99999999999:x", "1:", "08:NOTFOUND,"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		reply, err := readString(bufio.NewReader(strings.NewReader(string(raw))))
		if err != nil {
			return
		}
		if again := appendString(nil, reply); !strings.HasPrefix(string(raw), string(again)) || len(reply) > maxReply {
			t.Fatalf("%q was read as %q", raw, reply)
		}
		e, err := judge(reply)
		if e.Result == directory.No && !strings.HasPrefix(reply, "NOTFOUND") {
			t.Errorf("%q is a no", reply)
		}
		if err != nil && e.Result != directory.Unknown {
			t.Errorf("%q: both %v and %v", reply, e.Result, err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	src := source(b, serve(b, users("joe@example.net")))
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if e := src.Lookup(ctx, joe); e.Result != directory.Yes {
			b.Fatal(e)
		}
	}
}
