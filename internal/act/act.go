package act

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/page"
)

// A Hand does things to a daemon. Its errors are the operator's mistakes. by is who
// asks, for the log. It is safe for concurrent use.
type Hand interface {
	Raise(by string, g admin.Grant) (*admin.Changed, error)
	Release(ctx context.Context, by, account string) (*admin.BlockChange, error)
	ForgetServer(by, server string) (*admin.Forgotten, error)
	ReportServer(by, what, word string) error
	// Allow lets a server in until the end of a day.
	Allow(by string, a Allowance) error
	// AllowsInto names the file that Allow writes to; "" where it cannot.
	AllowsInto() string
}

// An Allowance lets the mail of one server in for a time.
type Allowance struct {
	Client string `json:"client"` // an address
	Until  string `json:"until"`  // the last day, "2026-12-31", UTC; 90 days from now at most
	Owner  string `json:"owner"`  // who is to be asked
	Reason string `json:"reason"`
}

// Options are what an Actor is made of.
type Options struct {
	Hand   Hand
	Token  func() string // admin.token; where it is "" nothing is done
	Host   string        // the name of this machine, for the title
	Logger *slog.Logger
	Now    func() time.Time // nil for time.Now
}

// An Actor answers below Prefix and APIPrefix. It is safe for concurrent use.
type Actor struct {
	Options
	mux *http.ServeMux
}

// Where an Actor is found.
const (
	Prefix    = page.ActPrefix
	APIPrefix = page.APIActPrefix
)

// New makes an Actor.
func New(o Options) *Actor {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Actor{Options: o, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET "+Prefix+"{$}", a.forms)
	for _, d := range a.deeds() {
		a.mux.HandleFunc("POST "+Prefix+d.name, func(w http.ResponseWriter, r *http.Request) { a.byForm(w, r, d) })
		a.mux.HandleFunc("POST "+APIPrefix+d.name, func(w http.ResponseWriter, r *http.Request) { a.byJSON(w, r, d) })
	}
	return a
}

// origin refuses what another site has a browser send.
var origin = http.NewCrossOriginProtection()

// ServeHTTP answers a request whose sender has shown that he may.
func (a *Actor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.Token() == "" {
		refuse(w, r, http.StatusForbidden, "nothing is done without admin.token")
		return
	}
	if err := origin.Check(r); err != nil {
		a.Logger.Warn("action refused: another site has sent it", "by", a.by(r), "path", strconv.QuoteToASCII(r.URL.Path))
		refuse(w, r, http.StatusForbidden, "this was sent by another site")
		return
	}
	a.mux.ServeHTTP(w, r)
}

// refuse answers in the words of who asks.
func refuse(w http.ResponseWriter, r *http.Request, code int, text string) {
	if strings.HasPrefix(r.URL.Path, APIPrefix) {
		answer(w, code, map[string]string{"error": text})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text + "\n"))
}

// by names who asks: on a unix socket the user, on loopback the place.
func (a *Actor) by(r *http.Request) string {
	return "page, " + cmp.Or(admin.Asker(r.Context()), r.RemoteAddr, "not known")
}

// markTime is how long a form is good for.
const markTime = time.Hour

// mark makes what stands in a form: "UNIXTIME.MAC". Another token, another login or
// another browser has other ones.
func (a *Actor) mark(r *http.Request) string {
	until := strconv.FormatInt(a.Now().Add(markTime).Unix(), 10)
	return until + "." + a.markMAC(r, until)
}

func (a *Actor) markMAC(r *http.Request, until string) string {
	login := ""
	if c, err := r.Cookie(page.CookieName); err == nil {
		login = c.Value
	}
	mac := hmac.New(sha256.New, []byte(a.Token()))
	mac.Write([]byte("mailprofiled page form 1\n" + until + "\n" + login))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// marked reports whether a form came from here, and lately.
func (a *Actor) marked(r *http.Request, value string) bool {
	until, mac, _ := strings.Cut(value, ".")
	if !hmac.Equal([]byte(mac), []byte(a.markMAC(r, until))) {
		return false
	}
	end, err := strconv.ParseInt(until, 10, 64)
	return err == nil && a.Now().Unix() < end
}

//go:embed files
var files embed.FS

var pages = template.Must(page.Templates().ParseFS(files, "files/*.html"))
