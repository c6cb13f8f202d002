package callahead

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"
)

// How long it is remembered of a domain whether all its names are taken, and how long
// it takes until somebody else asks when the first who did got no answer.
const (
	keepWild   = time.Hour
	askedAgain = time.Minute
	maxWilds   = 10_000 // domains
)

// wilds remember of domains whether the next hop takes all their names. For
// concurrent use.
type wilds struct {
	now func() time.Time

	mu    sync.Mutex
	known map[string]wild
}

type wild struct {
	all   bool
	until time.Time
}

func newWilds(now func() time.Time) *wilds { return &wilds{now: now, known: map[string]wild{}} }

// recall says what is known of a domain. If that is nothing, it is the caller's turn
// to find out, and others are told no meanwhile.
func (w *wilds) recall(domain string) (all, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if d, ok := w.known[domain]; ok && now.Before(d.until) {
		return d.all, true
	}
	w.put(domain, wild{until: now.Add(askedAgain)})
	return false, false
}

func (w *wilds) remember(domain string, all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(domain, wild{all, w.now().Add(keepWild)})
}

// put makes room by forgetting whichever comes first: it is found out again by one
// question.
func (w *wilds) put(domain string, d wild) {
	if _, ok := w.known[domain]; !ok && len(w.known) >= maxWilds {
		for other := range w.known {
			delete(w.known, other)
			break
		}
	}
	w.known[domain] = d
}

// nobody makes up a local part that nobody has. It tells the admin of the next hop
// what it is for.
func nobody() string { return "mailprofiled-probe-" + strings.ToLower(rand.Text()[:16]) }
