package page_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdef0123456789abcdef"

// A desk is a page, its time and who may read it.
type desk struct {
	*page.Page
	now    time.Time
	access page.Access
	source *pagetest.Source
}

// open makes a page of a source.
func open(src *pagetest.Source, socket bool, access page.Access) *desk {
	d := &desk{now: pagetest.Noon, access: access, source: src}
	d.Page = page.New(page.Options{
		Source: src, Socket: socket, Host: "mx1.example.net", Logger: slog.New(slog.DiscardHandler),
		Access: func() page.Access { return d.access }, Now: func() time.Time { return d.now },
	})
	return d
}

// ask sends one request; change may alter it.
func (d *desk) ask(method, path, body string, change func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8892"
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

func (d *desk) get(path string) (int, string) { return read(d.ask("GET", path, "", nil)) }

func read(resp *http.Response) (int, string) {
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err) // it is in memory
	}
	return resp.StatusCode, string(text)
}

func withBearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}
