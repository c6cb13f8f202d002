package page_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/logging"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

// A stream is a source whose verdicts can be watched as they come.
type stream struct {
	*pagetest.Source
	tap logging.Tap
}

func (s *stream) Tail() (*logging.Watcher, error) { return s.tap.Watch() }

// say logs a verdict.
func (s *stream) say(action, helo string) {
	slog.New(s.tap.Over(logging.Discard().Handler(), "verdict")).Info("verdict", "id", "0dzl1rikxpq7", "client", "192.0.2.7", "helo", helo, "action", action, "code", 550)
}

// tails serves a page whose verdicts are watched.
func tails(t *testing.T) (*stream, string) {
	t.Helper()
	src := &stream{Source: pagetest.Full()}
	s := httptest.NewServer(page.New(page.Options{Source: src, Socket: true, Logger: slog.New(slog.DiscardHandler), Access: func() page.Access { return page.Access{} }}))
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return src, s.URL
}

// watch opens a tail, and has it be there.
func watch(t *testing.T, url string) (*http.Response, *bufio.Reader) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, bufio.NewReader(resp.Body)
}

// until reads lines up to one that holds a text.
func until(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no %q: %v", text, err)
		}
		if strings.Contains(line, text) {
			return line
		}
	}
}

func TestVerdictsAreWatched(t *testing.T) {
	src, url := tails(t)
	resp, people := watch(t, url+"/tail")
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || !strings.HasPrefix(kind, "text/html") {
		t.Fatalf("%d %s", resp.StatusCode, kind)
	}
	until(t, people, `<ol class="tail">`)
	resp, programs := watch(t, url+"/api/v1/tail?action=reject")
	if kind := resp.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Fatal(kind)
	}
	until(t, programs, ": verdicts")
	src.say("continue", "fine.example")
	src.say("reject", "<script>\x1b\u202e")
	line := until(t, people, `class="reject"`)
	if strings.Contains(line, "<script") || !strings.Contains(line, `&lt;script&gt;\u{1b}\u{202e}`) || !strings.Contains(line, `href="/why?id=0dzl1rikxpq7"`) {
		t.Errorf("people see %s", line)
	}
	data := until(t, programs, "data: ")
	var v struct{ Time, ID, Client, Action, Helo string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &v); err != nil || v.Action != "reject" || v.ID != "0dzl1rikxpq7" || v.Time == "" {
		t.Errorf("%v: %s", err, data)
	}
	if code, _ := read(open(pagetest.Full(), true, page.Access{}).ask("GET", "/tail?action=x", "", nil)); code != 400 {
		t.Errorf("no action: %d", code)
	}
	for _, path := range []string{"/tail", "/api/v1/tail"} {
		for given, want := range map[string]int{"": 401, ofHarbour: 403} {
			change := withBearer(given)
			if given == "" {
				change = nil
			}
			if code, text := read(guarded(pagetest.Full(), false).ask("GET", path, "", change)); code != want || strings.Contains(text, "203.0.113") {
				t.Errorf("%s with %q: %d", path, given, code)
			}
		}
	}
}

// TestAThousandTails: few are served, the others told so at once; the page is read
// beside them, and a place is free when one has gone.
func TestAThousandTails(t *testing.T) {
	src, url := tails(t)
	var served []*http.Response
	for i := range 1000 {
		resp, err := http.Get(url + []string{"/tail", "/api/v1/tail"}[i%2])
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode == 200 {
			served = append(served, resp)
			t.Cleanup(func() { resp.Body.Close() })
			continue
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(text), "as many watch") {
			t.Fatalf("%d %s %v", resp.StatusCode, text, err)
		}
	}
	if len(served) != logging.MaxWatchers {
		t.Errorf("%d are served, want %d", len(served), logging.MaxWatchers)
	}
	resp, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the page: %d", resp.StatusCode)
	}
	for _, resp := range served {
		resp.Body.Close()
	}
	for code := 0; code != 200; { // they leave when the server has seen that they went
		src.say("continue", "x")
		resp, err := http.Get(url + "/tail")
		if err != nil {
			t.Fatal(err)
		}
		code = resp.StatusCode
		resp.Body.Close()
	}
}

// TestWhoDoesNotKeepUpIsDropped, and a hundred thousand verdicts are given meanwhile.
func TestWhoDoesNotKeepUpIsDropped(t *testing.T) {
	src, url := tails(t)
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r := bufio.NewReaderSize(c, 16)
	until(t, r, ": verdicts")
	long := strings.Repeat("a", 300)
	for range 100_000 {
		src.say("reject", long)
	}
	if _, err := io.Copy(io.Discard, r); err != nil { // it ends by itself
		t.Error(err)
	}
	for range logging.MaxWatchers {
		if _, err := src.Tail(); err != nil {
			t.Fatalf("his place is not free: %v", err)
		}
	}
}

// TestMoreThanOneReads: of a thousand verdicts in a second people are shown so many as
// they read, and told how many there were besides; programs more.
func TestMoreThanOneReads(t *testing.T) {
	src, url := tails(t)
	_, people := watch(t, url+"/tail")
	until(t, people, `<ol class="tail">`)
	_, programs := watch(t, url+"/api/v1/tail")
	until(t, programs, ": verdicts")
	logger := src.tap.Over(logging.Discard().Handler(), "verdict")
	at := time.Unix(1_700_000_000, 0)
	say := func(at time.Time, id string) {
		r := slog.NewRecord(at, slog.LevelInfo, "verdict", 0)
		r.AddAttrs(slog.String("id", id), slog.String("action", "reject"), slog.String("client", "192.0.2.7"))
		if err := logger.Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	count := func(r *bufio.Reader, each, end string) (n int) {
		for {
			switch line, err := r.ReadString('\n'); {
			case err != nil:
				t.Fatal(err)
			case strings.Contains(line, end):
				return n
			case strings.Contains(line, each):
				n++
			}
		}
	}
	for i := range 250 { // fewer than would have somebody dropped who is not read yet
		say(at, fmt.Sprint("first", i))
	}
	say(at.Add(time.Second), "last")
	if n := count(people, ">why<", "230 verdicts more"); n != 20 {
		t.Errorf("people were shown %d", n)
	}
	until(t, people, "id=last")
	if n := count(programs, `"id":"first`, "event: left"); n != 200 {
		t.Errorf("programs were given %d", n)
	}
	until(t, programs, `{"left": 50}`)
	until(t, programs, `"id":"last"`)
}
