package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/engine"
)

// aControl answers as its test wants.
func aControl() *Control {
	return &Control{
		Status: aStatus,
		Reload: func(context.Context) *Reload { return &Reload{Config: "m.toml", Policy: "standard@1-1"} },
		Explain: func(settings string, q engine.Query) (*engine.Record, error) {
			if settings != "" && settings != "5e77" {
				return nil, ErrOtherSettings
			}
			return &engine.Record{Client: q.Client.String(), Helo: deref(q.Helo), From: deref(q.From), PTR: deref(q.PTR), Account: q.Account}, nil
		},
		Logger: quiet,
	}
}

func deref(s *string) string {
	if s == nil {
		return "(nil)"
	}
	return *s
}

func control(t *testing.T, c *Control) *Client {
	t.Helper()
	l := listen(t)
	run(t, l, c.Serve)
	return Dial(l.Addr().String())
}

func TestStatusOverTheSocket(t *testing.T) {
	got, err := control(t, aControl()).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := aStatus()
	want.DNS.stats = got.DNS.stats // of the daemon's own process only
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestReloadOverTheSocket(t *testing.T) {
	c := aControl()
	client := control(t, c)
	if r, err := client.Reload(t.Context()); err != nil || r.Policy != "standard@1-1" || len(r.Errors) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	mistakes := []string{"m.toml:1: no; yes", "m.toml:2: <no> & no; yes"}
	c2 := aControl()
	c2.Reload = func(context.Context) *Reload { return &Reload{Errors: mistakes} }
	if r, err := control(t, c2).Reload(t.Context()); err != nil || !reflect.DeepEqual(r.Errors, mistakes) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestExplainOverTheSocket(t *testing.T) {
	client := control(t, aControl())
	empty, hostile := "", "a\x00\r\n\"<&>\u2028b"
	for _, q := range []engine.Query{
		{Client: netip.MustParseAddr("192.0.2.7")},
		{Client: netip.MustParseAddr("2001:db8::7"), PTR: &empty, Helo: &empty, From: &empty, Account: "jo"},
		{Client: netip.MustParseAddr("192.0.2.7"), Helo: &hostile, From: &hostile, Account: hostile},
	} {
		r, err := client.Explain(t.Context(), "5e77", q)
		if err != nil {
			t.Errorf("%+v: %v", q, err)
			continue
		}
		if r.Client != q.Client.String() || r.PTR != deref(q.PTR) || r.Helo != deref(q.Helo) || r.From != deref(q.From) || r.Account != q.Account {
			t.Errorf("asked %+v, got %+v", q, r)
		}
	}
	if _, err := client.Explain(t.Context(), "other", engine.Query{Client: netip.MustParseAddr("192.0.2.7")}); !errors.Is(err, ErrOtherSettings) {
		t.Errorf("other settings: %v", err)
	}
	if _, err := client.Explain(t.Context(), "", engine.Query{Client: netip.MustParseAddr("192.0.2.7")}); err != nil {
		t.Errorf("any settings: %v", err)
	}
	latin := "m\xfcller"
	if _, err := client.Explain(t.Context(), "", engine.Query{Client: netip.MustParseAddr("192.0.2.7"), Helo: &latin}); err == nil {
		t.Error("a name that JSON cannot carry was asked")
	}
}

// say sends bytes and gives the answer's status and body, as any client would see them.
func sayRaw(t *testing.T, path, text string) (int, string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, text) // the answer may come first
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestBadRequests(t *testing.T) {
	client := control(t, aControl())
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	for _, tt := range []struct {
		name, request string
		code          int
		want          string
	}{
		{"no such place", "GET /v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n", 404, ""},
		{"reading does not reload", "GET /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n", 405, ""},
		{"not HTTP", "hello\r\n\r\n", 400, ""},
		{"a body that is no JSON", post("/v1/explain", "hello"), 400, `"error": "no query: invalid character`},
		{"no client", post("/v1/explain", `{"query":{}}`), 400, "query.client is needed"},
		{"a client that is none", post("/v1/explain", `{"query":{"client":"300.1.2.3"}}`), 400, "no query"},
		{"an unknown field", post("/v1/explain", `{"query":{"client":"192.0.2.1","hello":"x"}}`), 400, "unknown field"},
		{"a body without end", post("/v1/explain", `{"query":{"client":"192.0.2.1","account":"`+strings.Repeat("x", 2*maxBody)+`"}}`), 400, "too large"},
		{"a header without end", "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10), 431, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, body := sayRaw(t, client.path, tt.request)
			if code != tt.code || !strings.Contains(body, tt.want) {
				t.Errorf("got %d %q, want %d and %q", code, body, tt.code, tt.want)
			}
		})
	}
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestAPanicIsOneAnswersEnd: the daemon goes on.
func TestAPanicIsOneAnswersEnd(t *testing.T) {
	c := aControl()
	c.Reload = func(context.Context) *Reload { panic("a bug of ours") }
	client := control(t, c)
	if _, err := client.Reload(t.Context()); err == nil {
		t.Error("an outcome of a panic")
	}
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestFiveHundredConnections: so many are told to come again, none is left
// without an answer, and the place of who goes is free.
func TestFiveHundredConnections(t *testing.T) {
	c := aControl()
	var inside sync.WaitGroup
	inside.Add(maxConns)
	open := make(chan struct{})
	c.Reload = func(context.Context) *Reload {
		inside.Done()
		<-open
		return &Reload{}
	}
	client := control(t, c)
	var held sync.WaitGroup
	for range maxConns {
		held.Go(func() {
			if _, err := client.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	inside.Wait()

	var all sync.WaitGroup
	for range 500 - maxConns {
		all.Go(func() {
			if _, err := client.Status(t.Context()); !errors.Is(err, ErrBusy) {
				t.Errorf("want busy, got %v", err)
			}
		})
	}
	all.Wait()
	if code, body := sayRaw(t, client.path, ""); code != 503 || !strings.Contains(body, "try again") {
		t.Errorf("who says nothing gets %d %q", code, body)
	}
	close(open)
	held.Wait()
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestAsksInVain: what a command can tell its user.
func TestAsksInVain(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/stale", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	for _, path := range []string{dir + "/none", dir + "/none/none", file, dir + "/stale", file + "/under"} {
		if _, err := Dial(path).Status(t.Context()); !errors.Is(err, ErrNoDaemon) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}

	silent := listen(t)
	defer silent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := Dial(silent.Addr().String()).Status(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a daemon that hangs: %v", err)
	}
}

// TestServeEndsWithItsContext: also while somebody waits for an answer.
func TestServeEndsWithItsContext(t *testing.T) {
	c := aControl()
	inside := make(chan struct{})
	c.Reload = func(ctx context.Context) *Reload {
		close(inside)
		<-ctx.Done()
		return &Reload{}
	}
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, l) }()
	asked := make(chan error, 1)
	go func() {
		_, err := Dial(l.Addr().String()).Reload(context.Background())
		asked <- err
	}()
	<-inside
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	<-asked
	if _, err := os.Lstat(l.Addr().String()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file: %v", err)
	}
}

// TestServeTellsOfALostListener: somebody else's close is an error.
func TestServeTellsOfALostListener(t *testing.T) {
	l := listen(t)
	ended := make(chan error, 1)
	go func() { ended <- aControl().Serve(context.Background(), l) }()
	if _, err := Dial(l.Addr().String()).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
