package admin

import (
	"context"
	"net/http"
	"time"
	"unicode/utf8"
)

// A Learning tells of the time in which accounts that are first seen are of unknown age, as
// all customers of years are first seen then.
type Learning struct {
	Now      time.Time `json:"now"`
	Learning bool      `json:"learning"` // now
	Began    time.Time `json:"began"`    // the state: nothing is known of before
	Learnt   time.Time `json:"learnt"`   // the end of that time
	Accounts int       `json:"accounts"` // that are known
	Unknown  int       `json:"unknown"`  // of these: limits by age only report on them, now
	ByAge    bool      `json:"by_age"`   // some limits ask for the age of accounts
	Below    string    `json:"below"`    // the highest age that they ask for: "30d"
	Kept     bool      `json:"kept"`     // where something was changed: it is on disk
	Unkept   string    `json:"unkept"`   // why it is not, where state is kept
}

// A LearnAsk changes that time: one of the two is given.
type LearnAsk struct {
	Until string `json:"until,omitempty"` // its last day, "2026-12-31", UTC, or a time
	End   bool   `json:"end,omitempty"`   // now
}

// A Teacher is asked and told about that time.
type Teacher interface {
	Learning() *Learning
	Learn(ctx context.Context, by string, ask LearnAsk) (*Learning, error)
}

// learningRoutes lays the ways to it.
func (c *Control) learningRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/accounts/learn", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, c.Teacher.Learning()) })
	mux.HandleFunc("POST /v1/accounts/learn", changing(func(r *http.Request, by string, ask LearnAsk) (any, error) {
		return c.Teacher.Learn(r.Context(), by, ask)
	}))
}

// Learning asks about the time of learning.
func (c *Client) Learning(ctx context.Context) (*Learning, error) {
	l := new(Learning)
	return l, c.ask(ctx, http.MethodGet, "/v1/accounts/learn", nil, l, http.StatusOK)
}

// Learn changes it.
func (c *Client) Learn(ctx context.Context, ask LearnAsk) (*Learning, error) {
	if !utf8.ValidString(ask.Until) {
		return nil, errNotText
	}
	l := new(Learning)
	return l, c.ask(ctx, http.MethodPost, "/v1/accounts/learn", ask, l, http.StatusOK)
}
