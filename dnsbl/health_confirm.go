package dnsbl

import (
	"context"
	"sync/atomic"
	"time"
)

// confirmApart is how far the questions of confirmations to one list are apart, at
// least: it bounds what a flood of listed clients causes. Who comes in between waits
// for the next one.
const confirmApart = 100 * time.Millisecond

// A confirmation is one question about what cannot be listed, for all who wait.
type confirmation struct {
	turn   chan struct{}             // of capacity 1: holds a token while somebody asks
	passed atomic.Pointer[time.Time] // when the last question that was passed began; nil before the first
	began  time.Time                 // of the last question that was answered or failed; of who holds the token
}

// Confirm is ConfirmSince of a hit that came just now.
func (h *Health) Confirm(ctx context.Context, id string, kind Asks) bool {
	return h.ConfirmSince(ctx, id, kind, time.Now())
}

// ConfirmSince reports whether a list did not list what it cannot list after it gave
// a hit, which came at that time or before: it is asked about a random subject of
// that kind, which no cache can know. Ask it before a hit is held against a client
// who has nothing else against it: a list that begins to list everything is known by
// this before its first victim. False means that the list does not count now, or
// that nothing is known: then the hit is none. One that lists everything is suspended
// before ConfirmSince returns. Many who ask at once cost one question; a hit of before
// the last one that was passed costs none.
func (h *Health) ConfirmSince(ctx context.Context, id string, kind Asks, heard time.Time) bool {
	w := h.find(id)
	if w == nil || !w.counts.Load() {
		return false
	}
	arrived := time.Now()
	if heard.After(arrived) { // the cache does not know it so exactly
		heard = arrived
	}
	c := &w.confirms[kind>>1%subjectKinds]
	if c.since(heard) {
		return w.counts.Load()
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return false
	}
	switch {
	case c.since(heard):
		return w.counts.Load()
	case !c.began.Before(arrived):
		return false // the question that others have waited for as well
	case !pause(ctx, time.Until(c.began.Add(confirmApart))):
		return false
	}
	began := time.Now()
	good := h.confirm(ctx, w, kind)
	if ctx.Err() != nil { // of this one only: the others ask for themselves
		return false
	}
	c.began = began
	if good {
		c.passed.Store(&began)
	}
	return good && w.counts.Load()
}

// since reports whether a question was passed that began at that time or later.
func (c *confirmation) since(heard time.Time) bool {
	passed := c.passed.Load()
	return passed != nil && !passed.Before(heard)
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
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
