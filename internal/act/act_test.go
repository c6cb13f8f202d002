package act_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/act"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

const token = "0123456789abcdef0123456789abcdef"

// A hand notes what it is asked to do.
type hand struct {
	mu   sync.Mutex
	done []string
	file string
}

func (h *hand) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, fmt.Sprintf(format, args...))
}

func (h *hand) Raise(by string, g admin.Grant) (*admin.Changed, error) {
	h.note("raise %s %d %s by %s", g.Account, g.Max, g.Until, by)
	return &admin.Changed{Limits: []string{"outgoing"}, Unkept: "it is not on disk"}, nil
}

func (h *hand) Release(_ context.Context, _, account string) (*admin.BlockChange, error) {
	if account == "<script>" {
		return nil, errors.New("<script> is not blocked")
	}
	h.note("release %s", account)
	return &admin.BlockChange{}, nil
}

func (h *hand) ForgetServer(_, name string) (*admin.Forgotten, error) {
	h.note("forget %s", name)
	return &admin.Forgotten{Forgotten: 1}, nil
}

func (h *hand) ReportServer(_, what, word string) error {
	h.note("report %s %s", what, word)
	return nil
}

func (h *hand) Allow(_ string, a act.Allowance) error {
	h.note("allow %s until %s", a.Client, a.Until)
	return nil
}

func (h *hand) AllowsInto() string { return h.file }

// A place is a page with actions.
type place struct {
	*page.Page
	hand   *hand
	log    *bytes.Buffer
	now    time.Time
	access page.Access
}

func open() *place {
	p := &place{hand: &hand{file: "/var/lib/mailprofiled/allowed.txt"}, log: new(bytes.Buffer), now: pagetest.Noon}
	p.access = page.Access{Token: token, Actions: true, Scopes: []page.Scope{{Domain: "harbour.example", Token: "harbour-0123456789abcdef"}}}
	logger, now := slog.New(slog.NewTextHandler(p.log, nil)), func() time.Time { return p.now }
	p.Page = page.New(page.Options{
		Source: pagetest.Full(), Access: func() page.Access { return p.access }, Logger: logger, Now: now,
		Acting: act.New(act.Options{Hand: p.hand, Token: func() string { return p.access.Token }, Logger: logger, Now: now}),
	})
	return p
}

func (p *place) ask(method, path, body string, change ...func(*http.Request)) (int, string, *http.Response) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "localhost:8892"
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		panic(err) // it is in memory
	}
	return w.Code, string(text), w.Result()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(t string) func(*http.Request) { return header("Authorization", "Bearer "+t) }

// login gives the cookie of a browser.
func (p *place) login(t *testing.T) func(*http.Request) {
	t.Helper()
	_, _, resp := p.ask("POST", "/login", "token="+token)
	if len(resp.Cookies()) != 1 {
		t.Fatal("no cookie")
	}
	return func(r *http.Request) { r.AddCookie(resp.Cookies()[0]) }
}

var markIn = regexp.MustCompile(`name="mark" value="([^"]+)"`)

// mark is that of a form that is shown.
func (p *place) mark(t *testing.T, who func(*http.Request)) string {
	t.Helper()
	code, text, _ := p.ask("GET", "/act/", "", who)
	m := markIn.FindStringSubmatch(text)
	if code != 200 || m == nil {
		t.Fatalf("the forms: %d %s", code, text)
	}
	return m[1]
}

// requests are one of each action, by form and as JSON.
var requests = []struct{ name, form, json, want string }{
	{"raise", "account=jo%40example.net&max=500&until=2026-12-31", `{"account":"jo@example.net","max":500,"until":"2026-12-31"}`, "raise jo@example.net 500 2026-12-31 by page, 192.0.2.1:1234"},
	{"release", "account=jo%40example.net", `{"account":"jo@example.net"}`, "release jo@example.net"},
	{"allow", "client=192.0.2.7&until=2026-12-01&reason=x", `{"client":"192.0.2.7","until":"2026-12-01"}`, "allow 192.0.2.7 until 2026-12-01"},
	{"forget", "server=192.0.2.7", `{"server":"192.0.2.7"}`, "forget 192.0.2.7"},
	{"report", "what=0dzl1rikxpq7&word=spam", `{"what":"0dzl1rikxpq7","word":"spam"}`, "report 0dzl1rikxpq7 spam"},
}

func TestActions(t *testing.T) {
	for _, tt := range requests {
		p := open()
		who := p.login(t)
		code, text, _ := p.ask("POST", "/act/"+tt.name, tt.form+"&mark="+p.mark(t, who), who)
		if code != 200 || !slices.Equal(p.hand.done, []string{tt.want}) || !strings.Contains(text, `role="status"`) {
			t.Errorf("%s by form: %d %q\n%s", tt.name, code, p.hand.done, text)
		}
		p.hand.done = nil
		code, text, _ = p.ask("POST", "/api/v1/act/"+tt.name, tt.json, bearer(token), header("Content-Type", "application/json; charset=utf-8"))
		if code != 200 || !slices.Equal(p.hand.done, []string{tt.want}) || !json.Valid([]byte(text)) {
			t.Errorf("%s by JSON: %d %q\n%s", tt.name, code, p.hand.done, text)
		}
		if n := strings.Count(p.log.String(), `msg="action at the page" what=`+tt.name+` by="page, 192.0.2.1:1234"`); n != 2 {
			t.Errorf("%s: %d lines of the log:\n%s", tt.name, n, p.log)
		}
		if strings.Contains(p.log.String(), "jo@example.net") {
			t.Errorf("the line of an action names an account, hashed or not:\n%s", p.log)
		}
	}
}

// TestNothingIsDone where anything is amiss.
func TestNothingIsDone(t *testing.T) {
	asJSON := header("Content-Type", "application/json")
	for _, tt := range []struct {
		name string
		code int
		send func(p *place, who func(*http.Request), mark, form, body, name string) int
	}{
		{"without a token, by form", 401, func(p *place, _ func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark)
			return code
		}},
		{"without a token, by JSON", 401, func(p *place, _ func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, body, asJSON)
			return code
		}},
		{"with a wrong token", 401, func(p *place, _ func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, body, asJSON, bearer(token+"x"))
			return code
		}},
		{"with the token of a domain", 403, func(p *place, _ func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, body, asJSON, bearer("harbour-0123456789abcdef"))
			return code
		}},
		{"while actions are off", 403, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			p.access.Actions = false
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, who)
			return code
		}},
		{"without a mark", 403, func(p *place, who func(*http.Request), _, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form, who)
			return code
		}},
		{"with a forged mark", 403, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark=9"+mark, who)
			return code
		}},
		{"with a mark of an hour ago", 403, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			p.now = p.now.Add(time.Hour)
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, who)
			return code
		}},
		{"with the mark of another login", 403, func(p *place, _ func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, bearer(token))
			return code
		}},
		{"from another site, by its origin", 403, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, who, header("Origin", "https://evil.example"))
			return code
		}},
		{"from another site, as the browser says", 403, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, who, header("Sec-Fetch-Site", "cross-site"))
			return code
		}},
		{"from another place of this machine", 403, func(p *place, who func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, body, who, asJSON, header("Sec-Fetch-Site", "same-site"))
			return code
		}},
		{"by a form to where JSON is meant", 415, func(p *place, who func(*http.Request), _, form, _, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, form, who)
			return code
		}},
		{"with plain text", 415, func(p *place, who func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, body, who, header("Content-Type", "text/plain"))
			return code
		}},
		{"with a key that is not known", 400, func(p *place, _ func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, `{"x":1,`+body[1:], asJSON, bearer(token))
			return code
		}},
		{"with 10 MB of JSON", 413, func(p *place, _ func(*http.Request), _, _, body, name string) int {
			code, _, _ := p.ask("POST", "/api/v1/act/"+name, strings.Repeat(" ", 10<<20)+body, asJSON, bearer(token))
			return code
		}},
		{"with 10 MB of a form", 400, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark+"&x="+strings.Repeat("x", 10<<20), who)
			return code
		}},
		{"under a name that is not ours", 421, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("POST", "/act/"+name, form+"&mark="+mark, who, func(r *http.Request) { r.Host = "evil.example" })
			return code
		}},
		{"by GET", 405, func(p *place, who func(*http.Request), mark, form, _, name string) int {
			code, _, _ := p.ask("GET", "/act/"+name+"?"+form+"&mark="+mark, "", who)
			return code
		}},
	} {
		for _, r := range requests {
			p := open()
			who := p.login(t)
			if code := tt.send(p, who, p.mark(t, who), r.form, r.json, r.name); code != tt.code || len(p.hand.done) > 0 {
				t.Errorf("%s %s: %d, want %d; done %q", r.name, tt.name, code, tt.code, p.hand.done)
			}
		}
	}
}

func TestOnASocketActionsAskForTheToken(t *testing.T) {
	p := open()
	p.access.Token = ""
	p.Socket = true
	for _, path := range []string{"/act/", "/act/forget", "/api/v1/act/forget"} {
		for _, method := range []string{"GET", "POST"} {
			if code, text, _ := p.ask(method, path, "server=192.0.2.7"); code != 403 || len(p.hand.done) > 0 {
				t.Errorf("%s %s: %d %s", method, path, code, text)
			}
		}
	}
}

func TestFormsAreFilledIn(t *testing.T) {
	p := open()
	who := p.login(t)
	_, text, _ := p.ask("GET", "/act/?client=192.0.2.7&account="+url.QueryEscape(`"><script>`), "", who)
	for _, want := range []string{`name="client" value="192.0.2.7"`, `name="server" value="192.0.2.7"`, `value="&#34;&gt;&lt;script&gt;"`, `value="2026-12-01" type="date" min="2026-11-24" max="2027-02-22"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	code, text, _ := p.ask("POST", "/act/release", "account="+url.QueryEscape("<script>")+"&mark="+p.mark(t, who), who)
	if code != 400 || !strings.Contains(text, "&lt;script&gt; is not blocked") || strings.Contains(text, "<script") || !strings.Contains(p.log.String(), "done=false") {
		t.Errorf("what cannot be done: %d\n%s\n%s", code, text, p.log)
	}
	p.hand.file = ""
	if _, text, _ := p.ask("GET", "/act/", "", who); !strings.Contains(text, "admin.allow_file") || strings.Contains(text, `action="/act/allow"`) {
		t.Error("a form to allow a server where none can be")
	}
	for _, path := range []string{"/", "/why?id=0dzl"} {
		if _, text, _ := p.ask("GET", path, "", who); !strings.Contains(text, `href="/act/`) {
			t.Errorf("%s leads to no action", path)
		}
	}
	p.access.Actions = false
	p.now = p.now.Add(time.Minute)
	for _, path := range []string{"/", "/why?id=0dzl"} {
		if _, text, _ := p.ask("GET", path, "", who); strings.Contains(text, `href="/act/`) {
			t.Errorf("%s leads to actions that are off", path)
		}
	}
}

func TestARaiseIsOfOneAccount(t *testing.T) {
	p := open()
	for _, body := range []string{`{"domain":"example.net","max":5}`, `{"account":"jo","max":0}`, `{"account":"jo","max":5,"plan":"x"}`, `[]`, ``} {
		if code, text, _ := p.ask("POST", "/api/v1/act/raise", body, bearer(token), header("Content-Type", "application/json")); code != 400 || len(p.hand.done) > 0 {
			t.Errorf("%s: %d %s", body, code, text)
		}
	}
}

// TestTheDocumentedActionsAreThere, each with all that it takes.
func TestTheDocumentedActionsAreThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| `/api/v1/act/([^`]+)` \\|").FindAllSubmatch(text, -1) {
		names = append(names, string(m[1]))
	}
	var want []string
	for _, r := range requests {
		want = append(want, r.name)
		var keys map[string]any
		if err := json.Unmarshal([]byte(r.json), &keys); err != nil {
			t.Fatal(err)
		}
		row, _, _ := strings.Cut(string(text[bytes.Index(text, []byte("| `/api/v1/act/"+r.name)):]), "\n")
		for key := range keys {
			if !strings.Contains(row, "`"+key+"`") {
				t.Errorf("docs/api.md does not have %s of %s", key, r.name)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("docs/api.md has %q, tested are %q", names, want)
	}
}
