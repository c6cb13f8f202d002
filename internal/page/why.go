package page

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
)

// Bounds of searches of the records, which read a disk.
const (
	findTime   = 6 * time.Second // of one, with the wait for those before it
	maxFinders = 4               // that wait or search; one searches
	findBurst  = time.Second     // of searching, in a row; see pace
	findMost   = time.Second / 2 // that a search counts for
	maxFound   = 20              // visits that are given
	maxAsked   = 1000            // bytes of one field: a whole bounce may be pasted
)

// Trouble with a search that is not the asker's mistake.
var (
	errFinders  = errors.New("too many search at once; try again")
	errSlowDisk = fmt.Errorf("the search took longer than %s and was given up: an id is found soonest, and \"mailprofiled why\" waits longer", findTime)
)

// finders are those who search, one at a time.
type finders struct {
	places chan struct{}
	pace   *pace
}

func newFinders() finders {
	return finders{make(chan struct{}, maxFinders), newPace(findBurst, findMost, findTime)}
}

// find searches for the first of some ids of which there is a record, and for
// what else is asked; for any id where there is "" alone. One searches at a time, while
// others have their turn at the page.
func (p *Page) find(ctx context.Context, q admin.WhyQuery, ids ...string) (found *admin.Why, err error) {
	p.pace.aside(func() { found, err = p.search(ctx, q, ids) })
	return found, err
}

func (p *Page) search(ctx context.Context, q admin.WhyQuery, ids []string) (found *admin.Why, err error) {
	select {
	case p.finders.places <- struct{}{}:
		defer func() { <-p.finders.places }()
	default:
		return nil, errFinders
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	if !p.finders.pace.begin(ctx) {
		return nil, errFinders
	}
	defer p.finders.pace.end()
	for _, q.ID = range ids {
		if found, err = p.Source.Why(ctx, q); err != nil || len(found.Visits) > 0 {
			break
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errSlowDisk
	}
	return found, err
}

// findStatus is the status of an answer to a search that failed.
func findStatus(err error) int {
	if errors.Is(err, errFinders) || errors.Is(err, errSlowDisk) {
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// whyAsked is what a request looks for. said is what stands in the field for an id.
func whyAsked(r *http.Request) (q admin.WhyQuery, said string, err error) {
	values := r.URL.Query()
	get := func(name string) string {
		text := strings.TrimSpace(values.Get(name))
		if len(text) > maxAsked && err == nil {
			err = fmt.Errorf("%s has more than %d bytes", name, maxAsked)
		}
		return text
	}
	said = get("id")
	q = admin.WhyQuery{Client: get("client"), From: strings.Trim(get("from"), "<>"), Rcpt: strings.Trim(get("rcpt"), "<>"), Queue: get("queue"), Most: min(rows(r), maxFound)}
	return q, said, err
}

// whyFound looks for what is asked for.
func (p *Page) whyFound(ctx context.Context, q admin.WhyQuery, said string) (*admin.Why, error) {
	ids := admin.IDsIn(said)
	switch addr, wrong := netip.ParseAddr(said); {
	case said == "":
		ids = []string{""}
	case wrong == nil && q.Client == "": // in the first field that there is
		q.Client, ids = addr.String(), []string{""}
	case len(ids) == 0:
		return nil, fmt.Errorf("no id in %+q: an id is 12 letters and digits, in brackets at the end of a reply", clip(said, 200))
	}
	return p.find(ctx, q, ids...)
}

// apiWhy answers programs.
func (p *Page) apiWhy(r *http.Request) (any, error) {
	q, said, err := whyAsked(r)
	if err != nil {
		return nil, err
	}
	return p.whyFound(r.Context(), q, said)
}

// A whyPage is the search, and what was found.
type whyPage struct {
	Host  string
	Every int
	Guard bool
	Acts  bool

	Said    string
	Q       admin.WhyQuery
	Trouble string // why nothing was looked for, or could be
	Found   *admin.Why
	One     *engine.Record // the whole record, where there is one alone
}

// Asked reports whether something was looked for.
func (w *whyPage) Asked() bool { return w.Found != nil || w.Trouble != "" }

// why answers people.
func (p *Page) why(w http.ResponseWriter, r *http.Request) {
	code := http.StatusOK
	q, said, err := whyAsked(r)
	access := p.Access()
	page := whyPage{Host: p.Host, Guard: access.Token != "", Acts: p.acts(access), Said: said, Q: q}
	if err == nil && said+q.Client+q.From+q.Rcpt+q.Queue != "" {
		page.Found, err = p.whyFound(r.Context(), q, said)
	}
	switch {
	case err != nil:
		code, page.Trouble = findStatus(err), err.Error()
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter)
		}
	case page.Found != nil && len(page.Found.Visits) == 1:
		page.One = page.Found.Visits[0]
	}
	p.write(w, code, "why.html", &page)
}

// write answers with a page that is made for one reader.
func (p *Page) write(w http.ResponseWriter, code int, name string, data any) {
	var b bytes.Buffer
	if err := render(&b, name, data); err != nil {
		p.Logger.Error("the page could not be made", "path", name, "error", err.Error())
		plain(w, http.StatusInternalServerError, "the page could not be made; see the log")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the reader has gone: nobody is left to tell
}

// harshest is the answer of a visit in a word, and its class in the picture.
func harshest(rec *engine.Record) (best engine.RecordRecipient) {
	best.Action = "continue"
	for _, r := range rec.Recipients {
		if r.Code > best.Code {
			best = r
		}
	}
	return best
}

// moreRcpts is how many recipients a visit had beside the first.
func moreRcpts(rec *engine.Record) int { return max(0, len(rec.Recipients)-1) + rec.RecipientsMore }

// actionClass is an action as the style knows it.
func actionClass(action string) string {
	if slices.Contains(actions, action) {
		return action
	}
	return ""
}

// heaviest are the first findings of a visit and of its first recipient.
func heaviest(rec *engine.Record) []engine.RecordFinding {
	all := append([]engine.RecordFinding{}, rec.Findings...)
	if len(rec.Recipients) > 0 {
		all = append(all, rec.Recipients[0].Findings...)
	}
	return all[:min(3, len(all))]
}

// lookupAge says how old an answer was, or how long it took.
func lookupAge(l engine.RecordLookup) string {
	if l.AgeS > 0 {
		return age(time.Duration(l.AgeS*float64(time.Second))) + " old"
	}
	return fmt.Sprintf("%.1f ms", l.MS)
}
