package dnsbl

import (
	"context"
	"time"
)

// confirmFresh is how long one confirmation serves. It bounds the questions that a
// flood of listed clients causes, and the visits that a list could harm between
// going mad and being found out.
const confirmFresh = 100 * time.Millisecond

// A confirmation is one question about what cannot be listed, for all who wait.
type confirmation struct {
	turn  chan struct{} // of capacity 1: holds a token while somebody asks
	began time.Time     // of the last question that was answered or failed; of who holds the token
	good  bool          // its answer; likewise
}

// Confirm reports whether a list with a hit still does not list what it cannot
// list: it is asked about a random subject of that kind, which no cache can
// know. Ask it before a hit is held against a client who has nothing else
// against it: a list that begins to list everything is known by this before its
// first victim. False means that the list does not count now, or that nothing is
// known: then the hit is none. One that lists everything is suspended before
// Confirm returns. Many who ask at once cost one question.
func (h *Health) Confirm(ctx context.Context, id string, kind Asks) bool {
	w := h.find(id)
	if w == nil || !w.counts.Load() {
		return false
	}
	c := &w.confirms[kind>>1%subjectKinds]
	arrived := time.Now()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return false
	}
	if c.began.Before(arrived.Add(-confirmFresh)) {
		began := time.Now()
		good := h.confirm(ctx, w, kind)
		if ctx.Err() != nil { // of this one only: the others ask for themselves
			return false
		}
		c.began, c.good = began, good
	}
	return c.good && w.counts.Load()
}

// confirm asks the question.
func (h *Health) confirm(ctx context.Context, w *watched, kind Asks) bool {
	h.mu.Lock()
	asker := h.asker
	h.mu.Unlock()
	l := w.list.Load()
	entry := randomEntry(kind)
	name, ok := l.testQuestion(entry)
	if !ok {
		return false
	}
	reply := ask(ctx, asker, name)
	if reply.Outcome == Found && !reply.Stale {
		p := probe{name: name, entry: entry}
		if e := p.judge(l, reply.Addrs); e.shows != Untested {
			e.expires = reply.Expires
			h.accuse(w, e, false)
		}
	}
	return reply.Outcome == None && !reply.Stale
}
