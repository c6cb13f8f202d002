package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"mailprofiled/internal/engine"
)

// A WhyQuery says which records are wanted: those that all that is set holds of.
type WhyQuery struct {
	ID     string // whole, or how it begins
	Client string // an address
	From   string // a sender's domain, or a whole address
	Rcpt   string // an address
	Queue  string // the MTA's name of the message
	Most   int    // how many, newest first
}

// Why is what was found.
type Why struct {
	Visits []*engine.Record `json:"visits"` // newest first
	More   bool             `json:"more"`   // there are more than were asked for
	Notes  []string         `json:"notes"`  // what to know of the search: files that cannot be read, why nothing may be there
}

// whyRoute lays the way to records.
func (c *Control) whyRoute(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/why", func(w http.ResponseWriter, r *http.Request) {
		mayTake(w, waitTime)
		q := r.URL.Query()
		most, _ := strconv.Atoi(q.Get("n")) // what is no number is the usual one
		found, err := c.Why(r.Context(), WhyQuery{
			ID: q.Get("id"), Client: q.Get("client"), From: q.Get("from"), Rcpt: q.Get("rcpt"), Queue: q.Get("queue"), Most: most,
		})
		told(w, found, err)
	})
}

// Why asks what stood behind answers.
func (c *Client) Why(ctx context.Context, q WhyQuery) (*Why, error) {
	values := url.Values{}
	for name, value := range map[string]string{"id": q.ID, "client": q.Client, "from": q.From, "rcpt": q.Rcpt, "queue": q.Queue} {
		if value != "" {
			values.Set(name, value)
		}
	}
	values.Set("n", strconv.Itoa(q.Most))
	found := new(Why)
	return found, c.ask(ctx, http.MethodGet, "/v1/why?"+values.Encode(), nil, found, http.StatusOK)
}
