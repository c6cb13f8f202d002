package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is far more than anything here takes.
const patience = time.Minute

// A book is a log that can be waited for.
type book struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	select {
	case b.wrote <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A running Sender ends with the test. Its pauses are noted and take no time.
type running struct {
	*Sender
	t      *testing.T
	log    *book
	end    func()
	mu     sync.Mutex
	pauses []time.Duration
}

func start(t *testing.T, o Settings) *running {
	t.Helper()
	r := &running{t: t, log: &book{wrote: make(chan struct{}, 1)}}
	r.Sender = New(slog.New(slog.NewTextHandler(r.log, nil)))
	r.sleep = func(ctx context.Context, d time.Duration) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pauses = append(r.pauses, d)
		return ctx.Err() == nil
	}
	if o.Timeout == 0 {
		o.Timeout = patience
	}
	r.Set(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	r.end = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(r.end)
	return r
}

// settled waits until so many messages of a way have an end, and gives how they ended.
func (r *running) settled(way string, n uint64) string {
	r.t.Helper()
	end := time.Now().Add(patience)
	for time.Now().Before(end) {
		all, _, _ := r.Stats()
		for _, st := range all {
			if st.Way == way && st.Counts[Sent]+st.Counts[Failed]+st.Counts[Dropped] >= n {
				return fmt.Sprintf("%d sent, %d failed, %d dropped", st.Counts[Sent], st.Counts[Failed], st.Counts[Dropped])
			}
		}
		tick := time.NewTimer(5 * time.Millisecond)
		<-tick.C
	}
	r.t.Fatal("nothing came of it")
	return ""
}

type event struct {
	Account string `json:"account"`
}

// script writes a program of sh.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "alarm")
	// A child of another test may still hold it open for writing (ETXTBSY): the shell reads it.
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestACommandIsTold: on its standard input, with its arguments as they are, and with
// nothing of our environment.
func TestACommandIsTold(t *testing.T) {
	t.Setenv("SECRET", "hush")
	out := filepath.Join(t.TempDir(), "out")
	r := start(t, Settings{Command: []string{"/bin/sh", script(t, `{ cat; printf '%s|' "$@"; env; pwd; } > "$1"`), out, "a b", "$HOME;", ""}})
	r.Send("hijack", event{"jo <&> \n\"x\""})
	if got := r.settled("command", 1); got != "1 sent, 0 failed, 0 dropped" {
		t.Fatalf("%s\n%s", got, r.log)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(string(text), "\n")
	var got event
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Account != "jo <&> \n\"x\"" {
		t.Errorf("got %q, %v", line, err)
	}
	if !strings.HasPrefix(rest, out+"|a b|$HOME;||") || strings.Contains(rest, "hush") || !strings.HasSuffix(rest, "\n/\n") {
		t.Errorf("got %q", rest)
	}
}

// TestACommandThatFails is not run again, and the log has what it said.
func TestACommandThatFails(t *testing.T) {
	r := start(t, Settings{Command: []string{"/bin/sh", script(t, "echo no pager here >&2; yes | head -c 100000; exit 3")}})
	r.Send("hijack", event{})
	if got := r.settled("command", 1); got != "0 sent, 1 failed, 0 dropped" {
		t.Error(got)
	}
	r.end()
	if log := r.log.String(); !strings.Contains(log, "exit status 3: no pager here") || len(log) > 2000 || len(r.pauses) > 0 {
		t.Errorf("the log says %s", log)
	}
	if _, failed, failure := r.Stats(); failed.IsZero() || !strings.Contains(failure, "exit status 3") {
		t.Errorf("%v %s", failed, failure)
	}
	r = start(t, Settings{Command: []string{"/nowhere/at/all"}})
	r.Send("hijack", event{})
	if got := r.settled("command", 1); got != "0 sent, 1 failed, 0 dropped" {
		t.Error(got)
	}
}

// TestACommandThatHangs is killed, with what it started.
func TestACommandThatHangs(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, Settings{Command: []string{"/bin/sh", script(t, `sleep 100000 >"$1" & wait`), fifo}, Timeout: 300 * time.Millisecond})
	r.Send("hijack", event{})
	held, err := os.Open(fifo) // waits for the child
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if _, err := io.ReadAll(held); err != nil { // until the child is gone
		t.Error(err)
	}
	if got := r.settled("command", 1); got != "0 sent, 1 failed, 0 dropped" {
		t.Error(got)
	}
	r.end()
	if !strings.Contains(r.log.String(), "not done in time") {
		t.Errorf("the log says %s", r.log)
	}
}

// A hook is a server that notes what it is sent, and answers in turn.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	answers []func(http.ResponseWriter, *http.Request)
	heard   []string
	headers []http.Header
}

func newHook(t *testing.T, answers ...func(http.ResponseWriter, *http.Request)) *hook {
	h := &hook{answers: answers}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.heard, h.headers = append(h.heard, r.Method+" "+r.URL.Path+" "+string(body)), append(h.headers, r.Header)
		var answer func(http.ResponseWriter, *http.Request)
		if len(h.answers) > 0 {
			answer, h.answers = h.answers[0], h.answers[1:]
		}
		h.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func says(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

// TestAWebhookIsTold, with its secrets, and they stand in no line of the log.
func TestAWebhookIsTold(t *testing.T) {
	h := newHook(t, says(204))
	r := start(t, Settings{Webhook: h.URL + "/hush1", Token: "hush2"})
	r.Send("hijack", event{"jo"})
	if got := r.settled("webhook", 1); got != "1 sent, 0 failed, 0 dropped" {
		t.Error(got)
	}
	if len(h.heard) != 1 || h.heard[0] != `POST /hush1 {"account":"jo"}` {
		t.Errorf("heard %q", h.heard)
	}
	if x := h.headers[0]; x.Get("Authorization") != "Bearer hush2" || x.Get("Content-Type") != "application/json" || x.Get("User-Agent") != "mailprofiled" {
		t.Errorf("headers %v", x)
	}
	h.Close() // nobody is there any more
	r.Send("hijack", event{"al"})
	if got := r.settled("webhook", 2); got != "1 sent, 1 failed, 0 dropped" {
		t.Error(got)
	}
	r.end()
	if log := r.log.String(); strings.Contains(log, "hush") || !strings.Contains(log, "refused") || !strings.Contains(log, "tries=6") {
		t.Errorf("the log says %s", log)
	}
	if !slices.Equal(r.pauses, pauses[:]) {
		t.Errorf("pauses %v", r.pauses)
	}
}

// TestWhenAWebhookIsToldAgain: where that may help, and not sooner than it says.
func TestWhenAWebhookIsToldAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		answers []func(http.ResponseWriter, *http.Request)
		want    string
		pauses  []time.Duration
	}{
		"it is back":              {[]func(http.ResponseWriter, *http.Request){says(503), says(500), says(200)}, "1 sent, 0 failed, 0 dropped", pauses[:2]},
		"it says when":            {[]func(http.ResponseWriter, *http.Request){says(429, "Retry-After", "60"), says(200)}, "1 sent, 0 failed, 0 dropped", []time.Duration{time.Minute}},
		"it says in a year":       {[]func(http.ResponseWriter, *http.Request){says(503, "Retry-After", "31536000"), says(200)}, "1 sent, 0 failed, 0 dropped", []time.Duration{5 * time.Minute}},
		"it says rubbish":         {[]func(http.ResponseWriter, *http.Request){says(503, "Retry-After", "-9 soon"), says(200)}, "1 sent, 0 failed, 0 dropped", pauses[:1]},
		"it does not want it":     {[]func(http.ResponseWriter, *http.Request){says(400)}, "0 sent, 1 failed, 0 dropped", nil},
		"the secret is wrong":     {[]func(http.ResponseWriter, *http.Request){says(401)}, "0 sent, 1 failed, 0 dropped", nil},
		"on within the host":      {[]func(http.ResponseWriter, *http.Request){says(307, "Location", "/other"), says(200)}, "1 sent, 0 failed, 0 dropped", nil},
		"on, and the body is cut": {[]func(http.ResponseWriter, *http.Request){says(302, "Location", "/other"), says(200)}, "0 sent, 1 failed, 0 dropped", nil},
		"on and on": {[]func(http.ResponseWriter, *http.Request){
			says(307, "Location", "/1"), says(307, "Location", "/2"), says(307, "Location", "/3"), says(307, "Location", "/4"), says(200)}, "0 sent, 1 failed, 0 dropped", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHook(t, tt.answers...)
			r := start(t, Settings{Webhook: h.URL})
			r.Send("hijack", event{"jo"})
			if got := r.settled("webhook", 1); got != tt.want {
				t.Errorf("%s\n%s", got, r.log)
			}
			r.end()
			if !slices.Equal(r.pauses, tt.pauses) {
				t.Errorf("pauses %v, want %v", r.pauses, tt.pauses)
			}
			for _, heard := range h.heard {
				if !strings.HasPrefix(heard, "POST ") || !strings.HasSuffix(heard, `{"account":"jo"}`) {
					t.Errorf("heard %q", heard)
				}
			}
		})
	}
}

// TestNobodyElseHears: a redirect to another host is not followed.
func TestNobodyElseHears(t *testing.T) {
	other := newHook(t)
	h := newHook(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	r := start(t, Settings{Webhook: h.URL, Token: "hush"})
	r.Send("hijack", event{"jo"})
	if got := r.settled("webhook", 1); got != "0 sent, 1 failed, 0 dropped" {
		t.Error(got)
	}
	r.end()
	if len(other.heard) > 0 || !strings.Contains(r.log.String(), "it sends us elsewhere") {
		t.Errorf("another host heard %q; the log says %s", other.heard, r.log)
	}
}

// TestNobodyWaits: with a webhook that hangs, the queue fills, and the rest is dropped with one
// line; a reload to another one sends what waits there, and the end is soon.
func TestNobodyWaits(t *testing.T) {
	release := make(chan struct{})
	hang := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	h := newHook(t, slices.Repeat([]func(http.ResponseWriter, *http.Request){hang}, 100)...)
	r := start(t, Settings{Webhook: h.URL})
	const many = 1000
	for range many {
		r.Send("hijack", event{"jo"})
	}
	all, _, _ := r.Stats()
	if n := all[1].Counts[Dropped]; n < many-queueSize-atOnce || all[1].Waiting > queueSize {
		t.Errorf("%+v", all[1])
	}
	if n := strings.Count(r.log.String(), "notifications are dropped"); n < 1 || n > atOnce+1 { // there was room again when one of those was taken
		t.Errorf("%d lines", n)
	}
	close(release)
	if got := r.settled("webhook", many); !strings.HasSuffix(got, "dropped") || strings.HasPrefix(got, "0 sent") {
		t.Error(got)
	}
	r.Set(Settings{Timeout: time.Second}) // nowhere
	r.Send("hijack", event{"jo"})
	if all, _, _ := r.Stats(); all[0].On || all[1].On {
		t.Errorf("%+v", all)
	}
}

// TestWhatWaitsAtTheEndIsDropped, and that is said.
func TestWhatWaitsAtTheEndIsDropped(t *testing.T) {
	began := make(chan struct{}, 100)
	h := newHook(t, slices.Repeat([]func(http.ResponseWriter, *http.Request){func(_ http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		<-r.Context().Done()
	}}, 100)...)
	r := start(t, Settings{Webhook: h.URL})
	for range 20 {
		r.Send("hijack", event{"jo"})
	}
	for range atOnce {
		<-began
	}
	r.end()
	if got := r.settled("webhook", 20); got != fmt.Sprintf("0 sent, %d failed, %d dropped", atOnce, 20-atOnce) {
		t.Error(got)
	}
	if !strings.Contains(r.log.String(), fmt.Sprintf("notifications were not sent before the end\" by=webhook messages=%d", 20-atOnce)) {
		t.Errorf("the log says %s", r.log)
	}
}

// TestASlowWebhookIsGivenUp, and tried again.
func TestASlowWebhookIsGivenUp(t *testing.T) {
	h := newHook(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := start(t, Settings{Webhook: h.URL, Timeout: 200 * time.Millisecond})
	r.Send("hijack", event{"jo"})
	if got := r.settled("webhook", 1); got != "1 sent, 0 failed, 0 dropped" {
		t.Errorf("%s\n%s", got, r.log)
	}
}
