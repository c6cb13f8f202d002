package page

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// CookieName and cookieTime are of what the login form gives a browser. The cookie
// holds its end and a MAC of it, not the token: what a browser loses opens the page
// until then, and nothing else. Another token makes it worthless.
const (
	CookieName = "mailprofiled"
	cookieTime = 12 * time.Hour
)

// hostAllowed reports whether the page is read under the name of a Host header.
func hostAllowed(host string, more []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if addr, err := netip.ParseAddr(name); err == nil && addr.IsLoopback() {
		return true
	}
	return name == "localhost" || slices.Contains(more, name)
}

// mayRead reports whether a request shows that its sender may read, and answers it
// where not. The request that it gives knows its scope.
func (p *Page) mayRead(w http.ResponseWriter, r *http.Request, access Access) (*http.Request, bool) {
	given, isBearer := bearer(r)
	if c, err := r.Cookie(CookieName); err == nil && !isBearer && access.Token != "" && cookieHolds(c.Value, access.Token, p.Now()) {
		return r, true
	}
	if isBearer {
		switch scope, known := access.knows(given); {
		case access.Token == "" && p.Socket && !known:
			return r, true
		case !p.gate.open(p.Now()):
			p.refuse(w, http.StatusTooManyRequests)
		case !known:
			p.gate.failed(p.Now())
			p.refuse(w, http.StatusUnauthorized)
		case scope != "" && !strings.HasPrefix(r.URL.Path, apiPrefix):
			failure(w, http.StatusForbidden, "this token is for accounts of "+scope+" only, by "+apiPrefix)
		default:
			return withScope(r, scope), true
		}
		return nil, false
	}
	switch {
	case access.Token == "" && p.Socket: // its mode and group guard it
		return r, true
	case strings.HasPrefix(r.URL.Path, apiPrefix):
		p.refuse(w, http.StatusUnauthorized)
	default:
		p.form(w, http.StatusUnauthorized, "")
	}
	return nil, false
}

// knows reports whether a token is one of those that there are, and of which
// domain; "" for all. It takes as long for each.
func (a *Access) knows(given string) (domain string, known bool) {
	known = a.Token != "" && sameToken(given, a.Token)
	for _, s := range a.Scopes {
		if s.Token != "" && sameToken(given, s.Token) {
			domain, known = s.Domain, true
		}
	}
	return domain, known
}

// scopeKey is where the context of a request has its domain.
type scopeKey struct{}

func withScope(r *http.Request, domain string) *http.Request {
	if domain == "" {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), scopeKey{}, domain))
}

// scopeOf is the domain that a request is bounded to; "" for none.
func scopeOf(r *http.Request) string {
	domain, _ := r.Context().Value(scopeKey{}).(string)
	return domain
}

// apiPrefix is where programs ask, which have no use for a form.
const apiPrefix = "/api/"

// bearer gives the token of a program (RFC 6750 section 2.1).
func bearer(r *http.Request) (string, bool) {
	kind, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(given), strings.EqualFold(kind, "Bearer")
}

// sameToken compares in a time that tells nothing of either.
func sameToken(given, token string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return hmac.Equal(a[:], b[:])
}

func (p *Page) refuse(w http.ResponseWriter, code int) {
	text := "the token is needed: Authorization: Bearer TOKEN (admin.token, or of admin.scoped)"
	if code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", retryAfter)
		text = "too many wrong tokens; try again in some seconds"
	} else {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	failure(w, code, text)
}

// form asks a person for the token.
func (p *Page) form(w http.ResponseWriter, code int, trouble string) {
	var b bytes.Buffer
	if err := render(&b, "login.html", map[string]any{"Host": p.Host, "Every": 0, "Trouble": trouble}); err != nil {
		p.Logger.Error("the page could not be made", "path", "/login", "error", err.Error())
		code = http.StatusInternalServerError
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	w.Write(b.Bytes())
}

// maxForm is more than the longest token takes, in bytes.
const maxForm = 4 << 10

// origin refuses forms that another site has sent here.
var origin = http.NewCrossOriginProtection()

// login takes the form.
func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	if err := origin.Check(r); err != nil {
		plain(w, http.StatusForbidden, "this form was sent by another site")
		return
	}
	access := p.Access()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.form(w, http.StatusBadRequest, "That could not be read.")
		return
	}
	now := p.Now()
	switch {
	case access.Token == "": // a unix socket: there is nothing to log in to
	case !p.gate.open(now):
		w.Header().Set("Retry-After", retryAfter)
		p.form(w, http.StatusTooManyRequests, "Too many wrong tokens were tried. Wait some seconds.")
		return
	case !sameToken(strings.TrimSpace(r.PostForm.Get("token")), access.Token):
		p.gate.failed(now)
		p.Logger.Warn("wrong token at the page", "by", r.RemoteAddr)
		p.form(w, http.StatusUnauthorized, "That is not the token.")
		return
	default:
		p.Logger.Info("logged in at the page", "by", r.RemoteAddr)
		http.SetCookie(w, p.cookie(r, newCookie(access.Token, now), cookieTime))
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout has the browser forget the cookie.
func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	if err := origin.Check(r); err != nil {
		plain(w, http.StatusForbidden, "this form was sent by another site")
		return
	}
	http.SetCookie(w, p.cookie(r, "", -time.Second))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Page) cookie(r *http.Request, value string, keep time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: "/", MaxAge: int(keep / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// A web server before us speaks TLS; over plain loopback the browser would
		// not send it back.
		Secure: strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

// newCookie makes "UNIXTIME.MAC".
func newCookie(token string, now time.Time) string {
	until := strconv.FormatInt(now.Add(cookieTime).Unix(), 10)
	return until + "." + cookieMAC(token, until)
}

func cookieMAC(token, until string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("mailprofiled page cookie 1\n" + until))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// cookieHolds reports whether a cookie was made with the token, and has not ended.
func cookieHolds(value, token string, now time.Time) bool {
	until, mac, _ := strings.Cut(value, ".")
	if !hmac.Equal([]byte(mac), []byte(cookieMAC(token, until))) {
		return false
	}
	end, err := strconv.ParseInt(until, 10, 64)
	return err == nil && now.Unix() < end
}

// A gate bounds how often a token is guessed: so many at once, then one in a
// while, whoever it is that guesses (on loopback all have one address). A token
// has 16 characters at least; this is for those that somebody thought up. Cookies
// pass it: their MAC is beyond guessing. The zero gate is open.
type gate struct {
	mu    sync.Mutex
	spent int       // of wrongTokens
	last  time.Time // that one was given back, or the first was spent
}

const (
	wrongTokens = 10
	wrongEvery  = 3 * time.Second
	retryAfter  = "3" // seconds
)

// open reports whether another token is looked at.
func (g *gate) open(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.giveBack(now)
	return g.spent < wrongTokens
}

// failed notes a wrong token.
func (g *gate) failed(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.giveBack(now)
	if g.spent == 0 {
		g.last = now
	}
	g.spent++
}

func (g *gate) giveBack(now time.Time) {
	n := int(now.Sub(g.last) / wrongEvery)
	if g.spent == 0 || n <= 0 {
		return
	}
	g.spent = max(0, g.spent-n)
	g.last = g.last.Add(time.Duration(n) * wrongEvery)
}
