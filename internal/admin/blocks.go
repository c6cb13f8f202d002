package admin

import (
	"context"
	"errors"
	"net/http"
	"time"
	"unicode/utf8"
)

// A BlockedAccount is an account that may not send, or one that was blocked before.
type BlockedAccount struct {
	Account    string    `json:"account"`
	Blocked    bool      `json:"blocked"` // now
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until,omitzero"` // it ends by itself then; absent: by a release only
	Action     string    `json:"action"`         // tempfail, reject
	Auto       bool      `json:"auto"`           // by the daemon itself
	By         string    `json:"by"`             // "uid 0"
	Owner      string    `json:"owner"`
	Reason     string    `json:"reason"`
	Ended      time.Time `json:"ended,omitzero"` // by a release, or by its time
	ReleasedBy string    `json:"released_by,omitempty"`
}

// BlockedAccounts are accounts that are blocked, those of the longest first.
type BlockedAccounts struct {
	Now      time.Time        `json:"now"`
	Mode     string           `json:"mode"` // monitor, enforce: in monitor mode nobody is refused
	Accounts []BlockedAccount `json:"accounts"`
}

// A BlockAsk is a block that is asked for.
type BlockAsk struct {
	Account string `json:"account"`
	Action  string `json:"action,omitempty"` // tempfail, reject; "" is tempfail
	Until   string `json:"until,omitempty"`  // its last day, "2026-12-31", UTC, or a time, "2026-12-31T08:00:00Z"
	Owner   string `json:"owner,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// A BlockChange is what a block or a release has done.
type BlockChange struct {
	Block  BlockedAccount `json:"block"`
	Kept   bool           `json:"kept"`   // it is on disk, and outlives whatever becomes of the daemon
	Unkept string         `json:"unkept"` // why it is not, where state is kept
	Held   bool           `json:"held"`   // mail of a blocked account is refused; else Notes say why it is not
	Unseen bool           `json:"unseen"` // no mail of the account was ever seen here: is the name right?
	Notes  []string       `json:"notes"`  // for people
}

// Blocks is asked and told about accounts that may not send. Its errors are the
// operator's mistakes. by is who asks, as for Accounts.
type Blocks interface {
	// Blocked lists accounts that are blocked, and with ended those too that were.
	Blocked(ended bool) *BlockedAccounts
	// Block and Release answer when it is on disk, or cannot be.
	Block(ctx context.Context, by string, ask BlockAsk) (*BlockChange, error)
	Release(ctx context.Context, by, account string) (*BlockChange, error)
}

// blockRoutes lays the ways to blocked accounts.
func (c *Control) blockRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/accounts/blocked", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, c.Blocks.Blocked(r.URL.Query().Get("ended") == "1"))
	})
	mux.HandleFunc("POST /v1/accounts/block", changing(func(r *http.Request, by string, ask BlockAsk) (any, error) {
		return c.Blocks.Block(r.Context(), by, ask)
	}))
	mux.HandleFunc("POST /v1/accounts/release", changing(func(r *http.Request, by string, ask BlockAsk) (any, error) {
		if ask != (BlockAsk{Account: ask.Account}) {
			return nil, errors.New("a release has an account, and nothing else")
		}
		return c.Blocks.Release(r.Context(), by, ask.Account)
	}))
}

// Blocked asks which accounts are blocked, and with ended which were.
func (c *Client) Blocked(ctx context.Context, ended bool) (*BlockedAccounts, error) {
	path := "/v1/accounts/blocked"
	if ended {
		path += "?ended=1"
	}
	b := new(BlockedAccounts)
	return b, c.ask(ctx, http.MethodGet, path, nil, b, http.StatusOK)
}

// Block blocks an account.
func (c *Client) Block(ctx context.Context, ask BlockAsk) (*BlockChange, error) {
	return c.changeBlock(ctx, "block", ask)
}

// Release lets a blocked account send again.
func (c *Client) Release(ctx context.Context, account string) (*BlockChange, error) {
	return c.changeBlock(ctx, "release", BlockAsk{Account: account})
}

func (c *Client) changeBlock(ctx context.Context, what string, ask BlockAsk) (*BlockChange, error) {
	for _, s := range []string{ask.Account, ask.Owner, ask.Reason, ask.Until} {
		if !utf8.ValidString(s) {
			return nil, errNotText
		}
	}
	changed := new(BlockChange)
	return changed, c.ask(ctx, http.MethodPost, "/v1/accounts/"+what, ask, changed, http.StatusOK)
}
