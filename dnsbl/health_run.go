package dnsbl

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	testTimeout = 3 * time.Second  // for one question of a test; who is slower is no help to a visit either
	testsApart  = 10 * time.Second // at least, when answers call for tests out of turn
	testsAtOnce = 12               // lists that are tested at the same time, each with one question out
)

// Run tests the lists until ctx ends: all of them at once at the start, then each
// by its own state. It returns when what it started has ended. One Run at a time.
func (h *Health) Run(ctx context.Context) {
	var running sync.WaitGroup
	slots := make(chan struct{}, testsAtOnce)
	for ctx.Err() == nil {
		if h.controlDue(time.Now()) {
			h.control(ctx)
			continue
		}
		if h.checkDue(time.Now()) {
			running.Go(func() {
				h.check(ctx)
				h.poke()
			})
		}
		for _, w := range h.due(time.Now()) {
			running.Go(func() {
				slots <- struct{}{}
				h.test(ctx, w)
				<-slots
				h.poke()
			})
		}
		h.newWindow(h.roster.Load())
		h.sleep(ctx)
	}
	running.Wait()
	h.settleOwed() // nobody is left to ask the resolver
}

// Test tests every list once and returns when all have been, or ctx ends: for
// who is to judge a visit now and has no Run.
func (h *Health) Test(ctx context.Context) {
	h.control(ctx)
	slots := make(chan struct{}, testsAtOnce)
	var running sync.WaitGroup
	for _, w := range h.due(time.Now().Add(slowest * 2 * h.interval())) {
		running.Go(func() {
			slots <- struct{}{}
			h.test(ctx, w)
			<-slots
		})
	}
	running.Wait()
	h.settleOwed()
}

func (h *Health) interval() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.every
}

// sleep waits until something is due.
func (h *Health) sleep(ctx context.Context) {
	timer := time.NewTimer(h.idle(time.Now()))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-h.wake:
	case <-timer.C:
	}
}

// idle is how long nothing is due.
func (h *Health) idle(now time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.roster.Load()
	wait := time.Hour
	if len(t.all) == 0 || h.asker == nil {
		return wait
	}
	if h.askResolver || h.resolver.state != Up {
		wait = h.nextControl.Sub(now)
	}
	if o := &h.outside; !o.asking && (o.wanted || o.lost > 0) {
		wait = min(wait, o.next.Sub(now))
	}
	if h.rewritten() {
		return max(wait, time.Millisecond)
	}
	for _, w := range t.all {
		if !w.testing {
			wait = min(wait, w.next.Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// rewritten reports whether the resolver made its last answer up, so that there
// is nothing to learn about lists. The lock is held.
func (h *Health) rewritten() bool { return h.resolver.state != Up && h.resolver.good == 0 }

// due takes the lists whose test is due.
func (h *Health) due(now time.Time) []*watched {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rewritten() || h.asker == nil {
		return nil
	}
	var all []*watched
	for _, w := range h.roster.Load().all {
		if !w.testing && !w.next.After(now) {
			w.testing = true
			all = append(all, w)
		}
	}
	return all
}

// testSoon has a list tested as soon as that makes sense. One that is away keeps
// to its pauses. The lock is held.
func (h *Health) testSoon(w *watched, now time.Time) {
	if w.state.state != Up {
		return
	}
	soonest := now
	if again := w.tested.Add(min(shortly(h.every), testsApart)); again.After(now) {
		soonest = again
	}
	if soonest.Before(w.next) {
		w.next = soonest
		h.poke()
	}
}

// test asks a list all that tells whether it is well.
func (h *Health) test(ctx context.Context, w *watched) {
	h.mu.Lock()
	asker := h.asker
	h.mu.Unlock()
	began := time.Now()
	var stand []func()
	e, failure := examine(ctx, asker, w.list.Load())
	if ctx.Err() != nil {
		h.mu.Lock()
		w.testing = false
		h.mu.Unlock()
		return
	}
	switch {
	case e.shows != Untested:
		h.accuse(w, e, true)
	case failure != "":
		h.settle(w, func(now time.Time) (Change, bool) {
			h.noAnswer(w, failure, now, true, now)
			return Change{}, false
		})
	default:
		w.heard.Store(h.at(time.Now()))
		h.settle(w, func(now time.Time) (Change, bool) {
			c, changed := w.state.passed(now)
			if w.state.state == Up {
				stand = w.stand(began)
			}
			return c, changed
		})
	}
	for _, then := range stand {
		then()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	w.testing, w.tested = false, now
	w.next = now.Add(jitter(w.state.pause(h.every)))
	close(h.ended)
	h.ended = make(chan struct{})
}

// Tested waits until each list in use has had a test, passed or not, or ctx ends. It gives
// those that have had none.
func (h *Health) Tested(ctx context.Context) (without []string) {
	for {
		h.mu.Lock()
		without = nil
		for _, w := range h.roster.Load().all {
			if w.tested.IsZero() {
				without = append(without, w.id)
			}
		}
		ended := h.ended
		h.mu.Unlock()
		if len(without) == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return without
		}
	}
}

// jitter changes a pause by up to a tenth, so that lists are not asked in step.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// examine asks the probes of a list, one after the other, until one shows
// something or fails. Both results empty: all is as it must be.
func examine(ctx context.Context, asker Asker, l *List) (evidence, string) {
	entries, found := 0, 0
	probes := l.probes()
	if len(probes) == 0 {
		return evidence{}, "not-askable"
	}
	for i := range probes {
		p := &probes[i]
		reply := ask(ctx, asker, p.name)
		switch {
		case reply.Outcome == Failed || reply.Stale:
			return evidence{}, token(reply.Reason)
		case reply.Outcome == Found:
			if e := p.judge(l, reply.Addrs); e.shows != Untested {
				e.expires = reply.Expires
				return e, ""
			}
		}
		if p.listed {
			entries++
			if reply.Outcome == Found {
				found++
			}
		}
	}
	if entries > 0 && found == 0 {
		return evidence{shows: Empty, reason: fmt.Sprintf("does not list its test entry %s", probes[len(probes)-1].entry), remedy: remedyEmpty}, ""
	}
	return evidence{}, ""
}

// ask asks one question of a test.
func ask(ctx context.Context, asker Asker, name string) Reply {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	return asker.A(ctx, name)
}
