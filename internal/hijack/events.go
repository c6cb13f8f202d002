package hijack

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// maxEvents is how many an Events names: some 100 KB.
const maxEvents = 256

// An Event is that an account began to seem stolen.
type Event struct {
	Account string // as log lines show it
	At      time.Time
	Client  netip.Addr
	Score   float64
	Signs   string
	Detail  string
	Action  string // report, tempfail, block
	Monitor bool   // nothing was done
}

// Events are the last ones of a process. It is safe for concurrent use. The zero Events has
// none.
type Events struct {
	mu    sync.Mutex
	total uint64
	last  []Event // the newest at the end
}

// Note adds one.
func (e *Events) Note(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total++
	if len(e.last) == maxEvents {
		e.last = slices.Delete(e.last, 0, 1)
	}
	e.last = append(e.last, ev)
}

// Total counts all there were.
func (e *Events) Total() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// Last gives the n newest, the newest first, and how many there were.
func (e *Events) Last(n int) ([]Event, uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := slices.Clone(e.last[max(0, len(e.last)-max(n, 0)):])
	slices.Reverse(last)
	return last, e.total
}
