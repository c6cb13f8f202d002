package admin

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

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

// An id may stand in brackets at the end of a reply, behind a slash or id= in a link or a line of
// the log, or alone. Other words of twelve letters come last.
var (
	idMarked = regexp.MustCompile(`(?:\[|/|\bid=)([0-9a-z]{12})\b`)
	idWord   = regexp.MustCompile(`\b[0-9a-z]{12}\b`)
	idPart   = regexp.MustCompile(`^\[?([0-9a-z]{4,12})\]?$`)
)

// maxIDs bounds what is tried of a pasted text.
const maxIDs = 8

// IDsIn finds what may be ids in a text, the likeliest first.
func IDsIn(text string) []string {
	text = strings.ToLower(strings.TrimSpace(text))
	if m := idPart.FindStringSubmatch(text); m != nil {
		return []string{m[1]}
	}
	var ids []string
	add := func(id string) {
		if !slices.Contains(ids, id) && len(ids) < maxIDs {
			ids = append(ids, id)
		}
	}
	marked := idMarked.FindAllStringSubmatch(text, -1)
	for _, m := range slices.Backward(marked) {
		add(m[1])
	}
	for _, id := range slices.Backward(idWord.FindAllString(text, -1)) {
		add(id)
	}
	return ids
}
