package dnsbl

import (
	"context"
	"fmt"
	"time"
)

// controlDue reports whether the resolver is to be asked before any list: when
// a list is due for a test and it was not asked just before, when an answer
// looked made up, and by its own pace while it is suspended.
func (h *Health) controlDue(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.nextControl.After(now) || h.asker == nil {
		return false
	}
	if h.askResolver || h.resolver.state != Up {
		return len(h.roster.Load().all) > 0
	}
	for _, w := range h.roster.Load().all {
		if !w.testing && !w.next.After(now) {
			return true
		}
	}
	return false
}

// control asks for a name that cannot exist (RFC 6761 section 6.4). A resolver
// that has an address for it makes answers up, and then no list counts.
func (h *Health) control(ctx context.Context) {
	h.mu.Lock()
	asker := h.asker
	h.mu.Unlock()
	if asker == nil {
		return
	}
	reply := ask(ctx, asker, randomLabel()+".invalid")
	if ctx.Err() != nil {
		return
	}
	h.mu.Lock()
	c, changed := h.judgeResolver(reply, time.Now())
	if changed {
		for _, w := range h.roster.Load().all {
			h.mark(w)
		}
	}
	h.mu.Unlock()
	if changed {
		h.tell(c)
	}
	h.settleOwed()
}

// judgeResolver notes the answer to a control question. The lock is held.
func (h *Health) judgeResolver(reply Reply, now time.Time) (c Change, changed bool) {
	pace := shortly(h.every)
	switch {
	case reply.Outcome == Found && !reply.Stale:
		reason := "the resolver answers names that do not exist"
		if len(reply.Addrs) > 0 {
			reason = fmt.Sprintf("%s: %s", reason, reply.Addrs[0])
		}
		c, changed = h.resolver.against(Suspended, reason, remedyRewrite, true, pace, now)
	case reply.Outcome == None:
		c, changed = h.resolver.passed(now)
	}
	if reply.Outcome == Failed {
		h.outside.wanted = true
	}
	h.askResolver, h.controlled = false, now
	h.nextControl = now.Add(jitter(h.resolver.pause(pace)))
	return c, changed
}

// settleOwed tells of the lists that answered as a resolver answers that makes
// things up, now that it is known whose doing it was. If it was the resolver's,
// its own line has told it, and the lists are what they were before.
func (h *Health) settleOwed() {
	h.mu.Lock()
	var tell []Change
	for _, w := range h.roster.Load().all {
		if w.owed == nil {
			continue
		}
		if h.resolver.state == Up {
			tell = append(tell, w.owed.change)
		} else {
			w.state = w.owed.before
		}
		w.owed = nil
		h.mark(w)
	}
	h.mu.Unlock()
	for _, c := range tell {
		h.tell(c)
	}
}

// controlApart is how soon the resolver is asked again when an answer looks made up.
const controlApart = 2 * time.Second

// accuse notes evidence against a list. What may be the resolver's doing is told
// of when the resolver has been asked; the list stops counting at once.
func (h *Health) accuse(w *watched, e evidence, test bool) {
	if !e.doubtful {
		h.settle(w, func(now time.Time) (Change, bool) {
			return w.state.against(e.shows, e.reason, e.remedy, test, h.every, now)
		})
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	before := w.state
	c, changed := w.state.against(e.shows, e.reason, e.remedy, test, h.every, now)
	if e.shows == ListsAll {
		w.state.hold(e.expires.Sub(now))
	}
	h.mark(w)
	if !changed {
		return
	}
	c.List = w.id
	if w.owed != nil { // the first of both would be told of too late
		c.From, before = w.owed.change.From, w.owed.before
	}
	w.owed = &owed{c, before}
	w.next = now.Add(jitter(w.state.pause(h.every)))
	h.askResolver = true
	if soon := h.controlled.Add(min(shortly(h.every), controlApart)); soon.Before(h.nextControl) {
		h.nextControl = soon
	}
	h.poke()
}
