package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/trend"
)

// A Source tells what is shown. It changes nothing, and is safe for concurrent use.
type Source interface {
	Status() *admin.Status
	// Attention says in words what somebody should do something about.
	Attention(*admin.Status) []string
	Limits() *admin.Limits
	// TopAccounts names at most n accounts that met limits.
	TopAccounts(n int) *admin.Top
	// NearAccounts names at most n accounts that are near a limit. It may ask a
	// directory, and take seconds.
	NearAccounts(n int) *admin.NearAccounts
	// Account tells how an account stands. It may ask a directory, and take seconds.
	Account(name string) (*admin.Account, error)
	// TopServers ranks the first n of a kind: address, network or operator.
	TopServers(kind, by string, n int) ([]admin.ServerCounts, error)
	// Server tells what is remembered of one, or of an operator.
	Server(name string) (*admin.Server, error)
	// Blocked names the accounts that may not send.
	Blocked() *admin.BlockedAccounts
	// Suspects names at most n accounts that began to seem stolen, the newest first.
	Suspects(n int) *admin.Suspects
	// Trend tells how often verdicts and findings were in a span, by these names.
	Trend(trend.Span) *trend.Series
	// Why looks for records of visits until ctx ends. Its errors are the asker's
	// mistakes, of ctx, or of the disk.
	Why(ctx context.Context, q admin.WhyQuery) (*admin.Why, error)
	// Tail begins to give verdicts as they are given, as the log has them; there is
	// an error where too many watch. The mail does not wait for it.
	Tail() (*logging.Watcher, error)
}

// Access is who may read. A reload changes it.
type Access struct {
	Token  string   // "" for none
	Scopes []Scope  // besides
	Hosts  []string // allowed in Host, besides those of loopback, without port

	Actions bool // whoever has Token may act too
}

// A Scope is a token with which only accounts of one domain are read, by programs.
type Scope struct{ Domain, Token string }

// Options are what a Page is made of.
type Options struct {
	Source Source
	Access func() Access
	Socket bool   // it is served on a unix socket, whose mode and group guard it
	Host   string // the name of this machine, for the title
	Logger *slog.Logger
	Now    func() time.Time // nil for time.Now

	// Acting answers at ActPrefix and APIActPrefix what changes something, where
	// Access has Actions; nil for nobody. What reads knows no more of it than this.
	Acting http.Handler
}

// Where Acting is asked: by people, and by programs.
const (
	ActPrefix    = "/act/"
	APIActPrefix = apiPrefix + "v1/act/"
)

// A Page answers everything on admin.listen but metrics and health. It is safe for
// concurrent use.
type Page struct {
	Options
	mux     *http.ServeMux
	gate    gate
	places  chan struct{} // requests under way
	kept    map[string]*kept
	servers serverRanks
	pace    *pace
	finders finders
}

// Bounds of what readers can make us do.
const (
	maxRequests = 16                     // that are answered at once
	placeWait   = time.Second            // for one of them
	paceBurst   = 300 * time.Millisecond // of work, in a row; see pace
	paceMost    = time.Second / 10       // that an answer counts for
	paceWait    = 5 * time.Second        // for the turn
	sendTime    = 5 * time.Second        // for the reader to take it
	freshFor    = time.Second            // how long an answer serves all who ask
	serversFor  = 30 * time.Second       // and the ranking of servers, which walks over all that is remembered
)

// New makes a page.
func New(o Options) *Page {
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Page{Options: o, mux: http.NewServeMux(), places: make(chan struct{}, maxRequests), kept: map[string]*kept{}, finders: newFinders()}
	p.pace = newPace(paceBurst, paceMost, paceWait)
	p.show("/{$}", "text/html; charset=utf-8", p.overview)
	p.show("/every/30", "text/html; charset=utf-8", p.overviewEvery)
	p.mux.HandleFunc("GET /why", p.why)
	p.mux.HandleFunc("GET /finding", p.finding)
	p.serveAPI()
	p.mux.HandleFunc("POST /login", p.login)
	p.mux.HandleFunc("POST /logout", p.logout)
	return p
}

// policy lets no script run and nothing be fetched but from here.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP answers one request.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	leave, ok := p.enter(r.Context())
	if !ok || !p.readForm(r) {
		away(w)
		return
	}
	defer leave()
	mayTake(w, paceWait+findTime+sendTime)
	out := &held{ResponseWriter: w}
	after, ok := p.paced(out, r)
	switch {
	case !ok:
		away(w)
	case after == nil:
		out.send()
	default:
		leave() // it takes long, and has bounds of its own
		after(w)
	}
}

// mayTake gives an answer so much time from now. The read deadline goes with it: when
// that passes, net/http takes the reader for gone.
func mayTake(w http.ResponseWriter, d time.Duration) {
	until, rc := time.Now().Add(d), http.NewResponseController(w)
	_ = rc.SetReadDeadline(until) // both fail only where there is no connection
	_ = rc.SetWriteDeadline(until)
}

// enter waits for a place; false where there is none. Whoever asks without a pause is
// slowed down by that.
func (p *Page) enter(ctx context.Context) (leave func(), ok bool) {
	patience := time.NewTimer(placeWait)
	defer patience.Stop()
	select {
	case p.places <- struct{}{}:
		return sync.OnceFunc(func() { <-p.places }), true
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil, false
}

func away(w http.ResponseWriter) {
	w.Header().Set("Retry-After", retryAfter)
	plain(w, http.StatusServiceUnavailable, "too many readers at once; try again")
}

// readForm reads what a form has sent before its turn comes: it may come slowly. What is
// too long is cut, and found too long by who takes it.
func (p *Page) readForm(r *http.Request) bool {
	if r.Method != http.MethodPost || !isLogin(r.URL.Path) {
		return true
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	r.Body = io.NopCloser(bytes.NewReader(text))
	return err == nil
}

func isLogin(path string) bool { return path == "/login" || path == "/logout" }

// paced answers a request in its turn; false where none came. What is to be done after
// it, if anything, is all of the answer.
func (p *Page) paced(w http.ResponseWriter, r *http.Request) (after func(http.ResponseWriter), ok bool) {
	if !p.pace.begin(r.Context()) {
		return nil, false
	}
	defer p.pace.end()
	return p.answer(w, r), true
}

// answer answers a request whose turn it is, or gives what has to be done after that.
func (p *Page) answer(w http.ResponseWriter, r *http.Request) (after func(http.ResponseWriter)) {
	access := p.Access()
	switch {
	case !hostAllowed(r.Host, access.Hosts):
		plain(w, http.StatusMisdirectedRequest, fmt.Sprintf("the page is not read under the name %+q: add it to admin.hosts, or use localhost", clip(r.Host, 100)))
	case !p.Socket && access.Token == "" && (len(access.Scopes) == 0 || !strings.HasPrefix(r.URL.Path, apiPrefix)):
		plain(w, http.StatusForbidden, offText)
	case r.Method == http.MethodPost && isLogin(r.URL.Path):
		p.mux.ServeHTTP(w, r)
	case isAct(r.URL.Path):
		return p.act(w, r, access)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		plain(w, http.StatusMethodNotAllowed, "the page is read only")
	case r.URL.Path == styleFile.path: // the form has it too
		styleFile.serve(w)
	case r.URL.Path == iconFile.path:
		iconFile.serve(w)
	default:
		r, ok := p.mayRead(w, r, access)
		switch {
		case !ok:
		case isTail(r.URL.Path) && r.Method == http.MethodGet:
			return p.tail(w, r)
		default:
			p.mux.ServeHTTP(w, r)
		}
	}
	return nil
}

func isAct(path string) bool {
	return strings.HasPrefix(path, ActPrefix) || strings.HasPrefix(path, APIActPrefix)
}

// acts reports whether something can be done here.
func (p *Page) acts(access Access) bool {
	return p.Acting != nil && access.Actions && access.Token != ""
}

// act hands over what may change something, of who has shown the token of the whole
// page.
func (p *Page) act(w http.ResponseWriter, r *http.Request, access Access) (after func(http.ResponseWriter)) {
	if !p.acts(access) {
		failure(w, http.StatusForbidden, "this page reads only: actions take admin.token and admin.actions = true")
		return nil
	}
	r, ok := p.mayRead(w, r, access)
	switch {
	case !ok:
	case scopeOf(r) != "":
		failure(w, http.StatusForbidden, "this token is for accounts of "+scopeOf(r)+" only")
	default:
		return func(w http.ResponseWriter) { p.Acting.ServeHTTP(w, r) }
	}
	return nil
}

const offText = `The page is not served here: any local user could read it. Set a token,
  admin.token = "file:/etc/mailprofiled/page.token"
or serve it on a unix socket, for ssh -L or a web server with its own login,
  admin.listen = "unix:/run/mailprofiled/admin.sock"
Metrics are at /metrics, health at /healthz and /readyz.`

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}

// A kept answer serves all who ask within a time.
type kept struct {
	mu   sync.Mutex
	at   time.Time
	body []byte
}

// show has an answer be made at most once in freshFor.
func (p *Page) show(path, kind string, write func(*bytes.Buffer) error) {
	k := new(kept)
	p.kept[path] = k
	p.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
		body, err := k.get(p.Now, write)
		if err != nil {
			p.Logger.Error("the page could not be made", "path", path, "error", err.Error())
			plain(w, http.StatusInternalServerError, "the page could not be made; see the log")
			return
		}
		w.Header().Set("Content-Type", kind)
		w.Write(body)
	})
}

func (k *kept) get(now func() time.Time, write func(*bytes.Buffer) error) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.body != nil && now().Sub(k.at).Abs() < freshFor {
		return k.body, nil
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return nil, err
	}
	k.at, k.body = now(), b.Bytes()
	return k.body, nil
}

//go:embed files
var files embed.FS

var pages = template.Must(template.New("").Funcs(words).ParseFS(files, "files/*.html"))

// Templates gives a copy of the templates, to which others can be added: they have
// the same head, and what makes texts of strangers fit to be shown.
func Templates() *template.Template { return template.Must(pages.Clone()) }

// An asset is a file that a browser may keep: its path changes with it.
type asset struct {
	path, kind string
	text       []byte
}

var (
	styleFile = newAsset("style", ".css", "text/css; charset=utf-8")
	iconFile  = newAsset("icon", ".svg", "image/svg+xml")
)

func newAsset(name, ext, kind string) asset {
	text, err := files.ReadFile("files/" + name + ext)
	if err != nil {
		panic(err) // it is embedded
	}
	sum := sha256.Sum256(text)
	return asset{"/" + name + "-" + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext, kind, text}
}

func (a asset) serve(w http.ResponseWriter) {
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(a.text)
}

// render writes one of the pages.
func render(b *bytes.Buffer, name string, data any) error {
	return pages.ExecuteTemplate(b, name, data)
}
