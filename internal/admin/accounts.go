package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"
)

// An Account is what is known of one, and what of its limits is used.
type Account struct {
	Account string    `json:"account"` // as it is counted: in lower case
	Names   []string  `json:"names"`   // other logins of it, by accounts.file; 20 at most
	Now     time.Time `json:"now"`
	Age     Age       `json:"age"`
	Plan    string    `json:"plan"` // "": not known

	Limits     []AccountLimit     `json:"limits"` // all that count by account, in their order
	Exceptions []AccountException `json:"exceptions"`
	Block      *BlockedAccount    `json:"block"` // its last; null: it was never blocked, as far as is remembered
	Hijack     *AccountHijack     `json:"hijack"`
}

// An Age is how old an account is.
type Age struct {
	State  string    `json:"state"`           // known, unknown, unseen
	Since  time.Time `json:"since,omitzero"`  // at the latest
	By     string    `json:"by,omitempty"`    // file, seen
	Learnt time.Time `json:"learnt,omitzero"` // unknown: it was first seen before this, while it was being learnt who is there
	Days   float64   `json:"days_at_least"`   // whole ones and a part
}

// States of an Age.
const (
	AgeKnown   = "known"
	AgeUnknown = "unknown" // nobody is refused by it
	AgeUnseen  = "unseen"
)

// An AccountLimit is a limit as it stands for an account.
type AccountLimit struct {
	Limit  string    `json:"limit"`
	Per    string    `json:"per"`
	Count  string    `json:"count"`
	Window string    `json:"window"`
	State  string    `json:"state"`  // counts; exempt; not-for-it: its condition does not hold; elsewhere: per more than the account
	Action string    `json:"action"` // for this account: report also where a fact is not known
	Max    int       `json:"max"`    // for this account, now
	Used   int       `json:"used"`
	Again  time.Time `json:"again,omitzero"` // when there is room, where there is none now
}

// States of an AccountLimit.
const (
	LimitCounts    = "counts"
	LimitExempt    = "exempt"
	LimitNotForIt  = "not-for-it"
	LimitElsewhere = "elsewhere"
)

// An AccountException raises limits for one account, or for all of a plan or domain,
// or exempts them.
type AccountException struct {
	Account string    `json:"account,omitempty"`
	Plan    string    `json:"plan,omitempty"`
	Domain  string    `json:"domain,omitempty"`
	Limit   string    `json:"limit"`  // "": all that are per account
	Window  string    `json:"window"` // of those the ones with this window; "": all
	Max     int       `json:"max"`    // 0 exempts
	Expires time.Time `json:"expires,omitzero"`
	Expired bool      `json:"expired"`
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"` // file, command
}

// A Grant is an exception that is asked for, of Window 0 for any. The daemon takes
// Until for the last day on which it holds.
type Grant struct {
	Account string `json:"account,omitempty"`
	Plan    string `json:"plan,omitempty"`
	Domain  string `json:"domain,omitempty"`
	Limit   string `json:"limit,omitempty"`
	Window  int64  `json:"window_s,omitempty"` // seconds
	Max     int    `json:"max"`
	Until   string `json:"until,omitempty"` // "2026-12-31"
	Owner   string `json:"owner,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// A Changed is what a change has done.
type Changed struct {
	Exceptions []AccountException `json:"exceptions"` // that were made or taken back
	Written    int                `json:"written"`    // for the same, by the configuration, and so still there
	Limits     []string           `json:"limits"`     // that it is of
	Counters   int                `json:"counters"`   // that were reset
	Suspected  bool               `json:"suspected"`  // it seemed stolen, and that was reset
	Unkept     string             `json:"unkept"`     // why it is not on disk, where state is kept: it ends with the daemon then
	Unseen     bool               `json:"unseen"`     // no mail of the account was ever seen here: is the name right?
}

// A Top are the accounts that met limits most often since the daemon's start.
type Top struct {
	All      bool         `json:"all"` // nobody who met one is missing
	Accounts []TopAccount `json:"accounts"`
}

// A TopAccount is one of them. What its counts may have of another's is in Less: each place
// of the list was had by somebody before.
type TopAccount struct {
	Account  string    `json:"account"` // as the log names it
	Refused  uint64    `json:"refused"` // mails
	Reported uint64    `json:"reported"`
	Less     uint64    `json:"less"`
	Limits   []string  `json:"limits"`
	Last     time.Time `json:"last"`
}

// NearAccounts are the accounts that have used most of a limit, the fullest first.
type NearAccounts struct {
	Now      time.Time     `json:"now"`
	Share    float64       `json:"share"` // from which an account is among them: 0.8
	All      bool          `json:"all"`   // nobody is missing whose mail was seen since the daemon's start
	Accounts []NearAccount `json:"accounts"`
}

// A NearAccount is one of them, and of its limits the one of which most is used.
type NearAccount struct {
	Account  string    `json:"account"` // as the log names it
	Limit    string    `json:"limit"`
	Count    string    `json:"count"`
	Window   string    `json:"window"`
	Max      int       `json:"max"`
	Used     int       `json:"used"`
	AsOf     time.Time `json:"as_of"`          // now; of a token, and where the time ran out, its last mail
	Again    time.Time `json:"again,omitzero"` // when there is room again, where there is none
	Refilled time.Time `json:"refilled"`       // by when all of it is free again, if it sends no more
}

// An Accounts is asked and told about accounts. Its errors are the operator's
// mistakes. by is who asks for a change, for the log: "uid 1000", "" for not known.
type Accounts interface {
	Account(name string) (*Account, error)
	Exceptions() []AccountException
	Top(n int) *Top
	Near(n int) *NearAccounts
	Suspects(n int) *Suspects
	Raise(by string, g Grant) (*Changed, error)
	Unraise(by string, g Grant) (*Changed, error) // for its account, plan or domain
	Reset(by, name string) (*Changed, error)
}

// accountRoutes lays the ways to accounts.
func (c *Control) accountRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/accounts/show", func(w http.ResponseWriter, r *http.Request) {
		a, err := c.Accounts.Account(r.URL.Query().Get("account"))
		told(w, a, err)
	})
	mux.HandleFunc("GET /v1/accounts/exceptions", func(w http.ResponseWriter, _ *http.Request) { told(w, c.Accounts.Exceptions(), nil) })
	mux.HandleFunc("GET /v1/accounts/top", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 1 {
			n = topShown
		}
		told(w, c.Accounts.Top(n), nil)
	})
	mux.HandleFunc("GET /v1/accounts/near", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 1 {
			n = topShown
		}
		told(w, c.Accounts.Near(min(n, maxTop)), nil)
	})
	mux.HandleFunc("GET /v1/accounts/suspects", c.suspects)
	mux.HandleFunc("POST /v1/accounts/raise", changing(func(_ *http.Request, by string, g Grant) (any, error) { return c.Accounts.Raise(by, g) }))
	mux.HandleFunc("POST /v1/accounts/unraise", changing(func(_ *http.Request, by string, g Grant) (any, error) { return c.Accounts.Unraise(by, g) }))
	mux.HandleFunc("POST /v1/accounts/reset", changing(func(_ *http.Request, by string, g Grant) (any, error) { return c.Accounts.Reset(by, g.Account) }))
}

// topShown is how many a Top has unless told otherwise.
const topShown = 20

// changing answers a POST that changes something, as its body asks for.
func changing[T any](do func(r *http.Request, by string, ask T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var g T
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		body.DisallowUnknownFields()
		if err := body.Decode(&g); err != nil {
			fail(w, http.StatusBadRequest, "not understood: "+err.Error())
			return
		}
		changed, err := do(r, Asker(r.Context()), g)
		told(w, changed, err)
	}
}

func told(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, http.StatusOK, v)
}

// Account asks about an account.
func (c *Client) Account(ctx context.Context, name string) (*Account, error) {
	a := new(Account)
	return a, c.ask(ctx, http.MethodGet, "/v1/accounts/show?account="+url.QueryEscape(name), nil, a, http.StatusOK)
}

// Exceptions asks for all exceptions, those of the configuration first.
func (c *Client) Exceptions(ctx context.Context) ([]AccountException, error) {
	var all []AccountException
	err := c.ask(ctx, http.MethodGet, "/v1/accounts/exceptions", nil, &all, http.StatusOK)
	return all, err
}

// Top asks for the n accounts that met limits most often.
func (c *Client) Top(ctx context.Context, n int) (*Top, error) {
	t := new(Top)
	return t, c.ask(ctx, http.MethodGet, "/v1/accounts/top?n="+strconv.Itoa(n), nil, t, http.StatusOK)
}

// Near asks for the n accounts that are nearest to the end of a limit.
func (c *Client) Near(ctx context.Context, n int) (*NearAccounts, error) {
	t := new(NearAccounts)
	return t, c.ask(ctx, http.MethodGet, "/v1/accounts/near?n="+strconv.Itoa(n), nil, t, http.StatusOK)
}

// Raise makes an exception.
func (c *Client) Raise(ctx context.Context, g Grant) (*Changed, error) {
	return c.change(ctx, "raise", g)
}

// Unraise takes the exceptions back that were made by command.
func (c *Client) Unraise(ctx context.Context, g Grant) (*Changed, error) {
	return c.change(ctx, "unraise", g)
}

// Reset has what an account has used be forgotten.
func (c *Client) Reset(ctx context.Context, name string) (*Changed, error) {
	return c.change(ctx, "reset", Grant{Account: name})
}

func (c *Client) change(ctx context.Context, what string, g Grant) (*Changed, error) {
	if !g.isText() {
		return nil, errNotText
	}
	changed := new(Changed)
	return changed, c.ask(ctx, http.MethodPost, "/v1/accounts/"+what, g, changed, http.StatusOK)
}

var errNotText = errors.New("not UTF-8: that cannot be asked of a daemon")

func (g *Grant) isText() bool {
	for _, s := range []string{g.Account, g.Plan, g.Domain, g.Limit, g.Until, g.Owner, g.Reason} {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return true
}
