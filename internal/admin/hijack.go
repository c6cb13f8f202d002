package admin

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// An AccountHijack is what is thought of an account: whether somebody else has got
// hold of it.
type AccountHijack struct {
	State     string        `json:"state"`
	Score     float64       `json:"score"`
	Threshold float64       `json:"threshold"`
	Since     time.Time     `json:"since,omitzero"` // suspected: since then
	Signs     []AccountSign `json:"signs"`          // all there may be, in their order
}

// States of an AccountHijack.
const (
	HijackOff       = "off"       // no account is suspected here
	HijackExempt    = "exempt"    // this one is not
	HijackLearning  = "learning"  // nobody is yet: it is being learnt what is usual
	HijackQuiet     = "quiet"     // it is not
	HijackSuspected = "suspected" // it is, or was within the last day and a half
)

// An AccountSign is what there is of that which a sign is made of.
type AccountSign struct {
	Sign   string  `json:"sign"` // networks, countries, senders, unknown, jump, listed
	Is     bool    `json:"is"`   // it is a sign now
	Points float64 `json:"points"`
	Words  string  `json:"words"`
}

// HijackStatus is how stolen accounts are told.
type HijackStatus struct {
	Action   string    `json:"action"` // report, tempfail, block; off
	Accounts int       `json:"accounts"`
	Room     int       `json:"room"`
	Evicted  uint64    `json:"evicted"`  // accounts that were forgotten for want of room
	Events   uint64    `json:"events"`   // accounts that began to seem stolen
	Learning bool      `json:"learning"` // nobody is suspected until Learnt
	Learnt   time.Time `json:"learnt,omitzero"`
}

// Suspects are accounts that began to seem stolen since the daemon's start, the last of
// them.
type Suspects struct {
	Total    uint64           `json:"total"`
	Accounts []SuspectAccount `json:"accounts"` // the newest first
}

// A SuspectAccount is one of them.
type SuspectAccount struct {
	Account string    `json:"account"` // as the log names it
	At      time.Time `json:"at"`
	Client  string    `json:"client"`
	Score   float64   `json:"score"`
	Signs   string    `json:"signs"` // "networks:5,jump:5"
	Detail  string    `json:"detail"`
	Action  string    `json:"action"` // report, tempfail, block
	Monitor bool      `json:"monitor"`
}

// suspects answers with the last ones.
func (c *Control) suspects(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 1 {
		n = topShown
	}
	told(w, c.Accounts.Suspects(n), nil)
}

// Suspects asks for the n accounts that last began to seem stolen.
func (c *Client) Suspects(ctx context.Context, n int) (*Suspects, error) {
	s := new(Suspects)
	return s, c.ask(ctx, http.MethodGet, "/v1/accounts/suspects?n="+strconv.Itoa(n), nil, s, http.StatusOK)
}
