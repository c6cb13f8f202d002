package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

func TestWhyAMailWasRefused(t *testing.T) {
	d := open(pagetest.Full(), true, page.Access{})
	for _, tt := range []struct{ name, query, want string }{
		{"the form", "", "Id, or the whole reply"},
		{"the reply as it was said", "id=0dzl1rikxpq7", "550 5.7.25 The reverse DNS name of 203.0.113.45"},
		{"each look-up", "id=0dzl1rikxpq7", "10 mail.harbour.example"},
		{"how old an answer was", "id=0dzl1rikxpq7", "12m 34s old"},
		{"points", "id=0dzl1rikxpq7", `<td data-l="Points" class="n">7</td>`},
		{"the line that decided", "id=0dzl1rikxpq7", "/etc/mailprofiled/mailprofiled.toml:31"},
		{"where the threshold is", "id=0dzl1rikxpq7", "verdict.reject_score</code> is 10: <code><bdi>/etc/mailprofiled/mailprofiled.toml:14"},
		{"what is left out", "id=0dzl1rikxpq7", "and 2 recipients more"},
		{"the first letters of an id", "id=0dzl", "The visit <small>"},
		{"a bounce that was pasted", "id=" + url.QueryEscape("host mx said: 550 5.7.25 No [0dzl1rikxpq7] (in reply to RCPT TO)"), "The visit <small>"},
		{"several visits", "client=203.0.113.45", `<a href="/why?id=1abc2rikxpq7">`},
		{"an address in the first field", "id=203.0.113.45", `<a href="/why?id=1abc2rikxpq7">`},
		{"what was not said", "id=1abc2rikxpq7", "Not said: in monitor mode everything goes on."},
		{"a policy of before", "id=1abc2rikxpq7", "by which lines is not known"},
		{"nothing", "id=zzzz", "no record of such a visit"},
		{"what is no id", "id=" + url.QueryEscape("mail was refused"), "no id in"},
		{"what was asked for", "from=" + url.QueryEscape(`"><script>`), `value="&#34;&gt;&lt;script"`},
	} {
		code, text := d.get("/why?" + tt.query)
		if want := map[bool]int{true: http.StatusBadRequest, false: 200}[tt.name == "what is no id"]; code != want || !strings.Contains(text, tt.want) {
			t.Errorf("%s: %d, no %q in\n%s", tt.name, code, tt.want, text)
		}
	}
	if code, text := d.get("/why?from=" + strings.Repeat("a", 1001)); code != http.StatusBadRequest || !strings.Contains(text, "more than 1000 bytes") {
		t.Errorf("a long query: %d", code)
	}
	if _, text := d.get("/"); !strings.Contains(text, `action="/why"`) || !strings.Contains(text, `href="/why?client=203.0.113.45"`) {
		t.Error("the first page leads there from nowhere")
	}
	for _, path := range []string{"/why", "/why?id=0dzl"} {
		if code, text := open(pagetest.Full(), false, page.Access{Token: token}).get(path); code != http.StatusUnauthorized || strings.Contains(text, "harbour") {
			t.Errorf("%s without a token: %d", path, code)
		}
	}
}

func TestWhyForPrograms(t *testing.T) {
	d := guarded(pagetest.Full(), false)
	var found admin.Why
	if code := d.json(t, "/api/v1/why?id=0dzl", token, &found); code != 200 || len(found.Visits) != 1 || found.Visits[0].Findings[0].Where == "" {
		t.Errorf("by id: %d %+v", code, found)
	}
	if code := d.json(t, "/api/v1/why?client=203.0.113.45&n=1", token, &found); code != 200 || len(found.Visits) != 1 {
		t.Errorf("one of two: %d %+v", code, found)
	}
	var failed struct{ Error string }
	if code := d.json(t, "/api/v1/why?id="+strings.Repeat("a", 1001), token, &failed); code != 400 || failed.Error == "" {
		t.Errorf("a long id: %d", code)
	}
	if code := d.json(t, "/api/v1/why?id=0dzl", ofHarbour, &failed); code != http.StatusForbidden {
		t.Errorf("with the token of a domain: %d", code)
	}
}

// searching is a source whose searches end with their context.
type searching struct {
	*pagetest.Source
	began chan struct{}
}

func (s searching) Why(ctx context.Context, _ admin.WhyQuery) (*admin.Why, error) {
	s.began <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestOneSearchesAtATime: the others wait, a few of them, and who asks for more is
// sent away at once.
func TestOneSearchesAtATime(t *testing.T) { synctest.Test(t, oneSearches) }

func oneSearches(t *testing.T) {
	src := searching{pagetest.Full(), make(chan struct{})}
	d := open(nil, true, page.Access{})
	d.Page = page.New(page.Options{Source: src, Socket: true, Access: func() page.Access { return page.Access{} }})
	ctx, cancel := context.WithCancel(t.Context())
	codes := make(chan int)
	ask := func(path string) {
		code, _ := read(d.ask("GET", path, "", func(r *http.Request) { *r = *r.WithContext(ctx) }))
		codes <- code
	}
	const most = 4
	for range most + 1 {
		go ask("/why?id=abcd")
	}
	<-src.began
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
	go ask("/api/v1/why?id=abcd")
	if code := <-codes; code != http.StatusServiceUnavailable {
		t.Errorf("a program too many: %d", code)
	}
	select {
	case <-src.began:
		t.Error("two search at once")
	default:
	}
	cancel()
	for answered := 0; answered < most; {
		select {
		case <-src.began: // the next one's turn came first
		case <-codes:
			answered++
		}
	}
}

// hung is a source whose disk does not answer in time, or at all.
type hung struct{ *pagetest.Source }

func (hung) Why(context.Context, admin.WhyQuery) (*admin.Why, error) {
	return nil, errors.Join(errors.New("records cannot be looked through"), context.DeadlineExceeded)
}

func TestASlowDiskIsNotTheAskersMistake(t *testing.T) {
	d := open(nil, true, page.Access{})
	d.Page = page.New(page.Options{Source: hung{pagetest.Full()}, Socket: true, Access: func() page.Access { return page.Access{} }})
	for _, path := range []string{"/why?id=abcd", "/api/v1/why?id=abcd"} {
		if code, text := d.get(path); code != http.StatusServiceUnavailable || !strings.Contains(text, "longer than 6s") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}
