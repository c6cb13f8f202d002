package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/logging"
)

// Bounds of what programs get.
const (
	rowsUsual = 20
	rowsMost  = 100
	topMost   = 1 << 10 // accounts that are looked through for those of a domain: all that there are
)

// A route is one way to ask for JSON. docs/api.md has them all.
type route struct {
	path   string
	scoped bool // with a token of one domain too
	answer func(*http.Request) (any, error)
}

// errNotFound is of what is not there.
var errNotFound = errors.New("no such thing")

// routes are all that there are.
func (p *Page) routes() []route {
	return []route{
		{"/api/v1/status", false, func(*http.Request) (any, error) { return p.Source.Status(), nil }},
		{"/api/v1/attention", false, func(*http.Request) (any, error) {
			s := p.Source.Status()
			return map[string]any{"now": s.Now, "attention": append([]string{}, p.Source.Attention(s)...)}, nil
		}},
		{"/api/v1/lists", false, func(*http.Request) (any, error) { return p.Source.Status().Lists, nil }},
		{"/api/v1/limits", false, func(*http.Request) (any, error) { return p.Source.Limits(), nil }},
		{"/api/v1/trend", false, p.apiTrend},
		{"/api/v1/servers", false, p.apiServers},
		{"/api/v1/servers/show", false, func(r *http.Request) (any, error) { return p.Source.Server(r.URL.Query().Get("server")) }},
		{"/api/v1/candidate", false, func(*http.Request) (any, error) {
			s := p.Source.Status()
			return map[string]any{"now": s.Now, "policy": s.Policy, "candidate": s.Candidate}, nil
		}},
		{"/api/v1/why", false, p.apiWhy},
		{"/api/v1/accounts", true, p.apiAccounts},
		{"/api/v1/accounts/near", true, p.apiNear},
		{"/api/v1/accounts/show", true, p.apiAccount},
		{"/api/v1/accounts/blocked", true, p.apiBlocked},
		{"/api/v1/accounts/suspects", false, func(r *http.Request) (any, error) { return p.Source.Suspects(rows(r)), nil }},
	}
}

// serveAPI lays the routes.
func (p *Page) serveAPI() {
	for _, route := range p.routes() {
		p.mux.HandleFunc("GET "+route.path, func(w http.ResponseWriter, r *http.Request) {
			if scopeOf(r) != "" && !route.scoped {
				failure(w, http.StatusForbidden, "this token is for accounts of "+scopeOf(r)+" only")
				return
			}
			v, err := route.answer(r)
			switch {
			case errors.Is(err, errNotFound):
				failure(w, http.StatusNotFound, err.Error())
			case err != nil:
				failure(w, findStatus(err), err.Error())
			default:
				answer(w, http.StatusOK, v)
			}
		})
	}
	p.mux.HandleFunc("GET "+apiPrefix, func(w http.ResponseWriter, r *http.Request) {
		failure(w, http.StatusNotFound, "there is nothing at this path: see docs/api.md")
	})
}

// rows is how many are asked for, by n.
func rows(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 {
		return rowsUsual
	}
	return min(n, rowsMost)
}

func (p *Page) apiTrend(r *http.Request) (any, error) {
	span, err := admin.SpanNamed(r.URL.Query().Get("span"))
	if err != nil {
		return nil, err
	}
	return admin.TrendOf(p.Source.Trend(span)), nil
}

func (p *Page) apiServers(r *http.Request) (any, error) {
	q := r.URL.Query()
	all, err := p.servers.get(p.Source, q.Get("kind"), q.Get("by"), p.Now())
	if err != nil {
		return nil, err
	}
	return all[:min(len(all), rows(r))], nil
}

// within tells which domain is asked for: that of the token, whatever else is said.
func within(r *http.Request) string {
	if scope := scopeOf(r); scope != "" {
		return scope
	}
	return strings.ToLower(strings.TrimPrefix(r.URL.Query().Get("domain"), "@"))
}

// ofDomain reports whether an account is one of a domain; "" has all of them.
func ofDomain(account, domain string) bool {
	at := strings.LastIndexByte(account, '@')
	return domain == "" || at >= 0 && strings.EqualFold(account[at+1:], domain)
}

func (p *Page) apiAccounts(r *http.Request) (any, error) {
	domain := within(r)
	top := p.Source.TopAccounts(topMost)
	out := &admin.Top{All: top.All, Accounts: []admin.TopAccount{}}
	for _, a := range top.Accounts {
		if ofDomain(a.Account, domain) && len(out.Accounts) < rows(r) {
			out.Accounts = append(out.Accounts, a)
		}
	}
	return out, nil
}

func (p *Page) apiNear(r *http.Request) (any, error) {
	all := p.Source.NearAccounts(topMost)
	out := *all
	out.Accounts = []admin.NearAccount{}
	for _, a := range all.Accounts {
		if ofDomain(a.Account, within(r)) && len(out.Accounts) < rows(r) {
			out.Accounts = append(out.Accounts, a)
		}
	}
	return out, nil
}

func (p *Page) apiAccount(r *http.Request) (any, error) {
	name, domain := r.URL.Query().Get("account"), within(r)
	if !ofDomain(name, domain) {
		return nil, fmt.Errorf("%w: %+q is no account of %s", errNotFound, clip(name, 100), domain)
	}
	var a *admin.Account
	var err error
	p.pace.aside(func() { a, err = p.Source.Account(name) }) // a directory may be asked
	if err != nil || scopeOf(r) == "" {
		return a, err
	}
	if !ofDomain(a.Account, domain) { // by accounts.strip_domains, or the file of accounts, it is another's
		return nil, fmt.Errorf("%w: %+q is counted as an account that is none of %s", errNotFound, clip(name, 100), domain)
	}
	// What the postmaster has written is for the house.
	own := *a
	own.Exceptions = slices.Clone(a.Exceptions)
	for i := range own.Exceptions {
		own.Exceptions[i].Owner, own.Exceptions[i].Reason = "", ""
	}
	own.Names = slices.DeleteFunc(slices.Clone(a.Names), func(other string) bool { return !ofDomain(other, domain) })
	own.Hijack = nil // whoever has stolen it may be reading
	if a.Block != nil {
		block := withoutNotes(*a.Block)
		own.Block = &block
	}
	return &own, nil
}

func (p *Page) apiBlocked(r *http.Request) (any, error) {
	all := p.Source.Blocked()
	out := &admin.BlockedAccounts{Now: all.Now, Mode: all.Mode, Accounts: []admin.BlockedAccount{}}
	for _, b := range all.Accounts {
		if !ofDomain(b.Account, within(r)) || len(out.Accounts) == rowsMost {
			continue
		}
		if scopeOf(r) != "" {
			b = withoutNotes(b)
		}
		out.Accounts = append(out.Accounts, b)
	}
	return out, nil
}

// withoutNotes is a block without what the postmaster has written, and who it was.
func withoutNotes(b admin.BlockedAccount) admin.BlockedAccount {
	b.By, b.Owner, b.Reason, b.ReleasedBy = "", "", "", ""
	return b
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(logging.ASCII(w)) // curl may show it to a terminal
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client has gone: nobody is left to tell
}

// failure answers a program where there is no better answer.
func failure(w http.ResponseWriter, code int, text string) {
	answer(w, code, map[string]string{"error": text})
}
