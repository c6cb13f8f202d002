package dnsbl

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"
)

// outside is what is known of whether questions get out into the world and answers
// back. Where they do not, no list is to blame for its silence: then nearly all are
// silent, and those that come back first would decide without those that might have
// spoken for a client. The resolver's own health does not tell it, nor does a name
// under .invalid: a resolver on this machine answers that by itself (RFC 6761 section
// 6.4), and goes on answering from its cache, while its line is cut. So a random name
// under a domain of the top level is asked for, which no cache can know.
type outside struct {
	wanted bool      // a list failed since the last check, or there was none yet
	asking bool      // one is out
	next   time.Time // not before
	ever   bool      // it was answered once: the world can be asked from here
	last   time.Time // when the last check ended
	since  time.Time // since when all were answered, without a pause; zero: they were not
	lost   int       // checks in a row that were not answered
	began  time.Time // when the first of these ended
	why    string    // how the last of these failed
	told   bool      // the log was told of it
	toldAt time.Time
}

const (
	checkApart = 2 * time.Second  // while lists fail
	checkMost  = 15 * time.Second // while nothing is answered
	// checkQuick is how soon a check must be answered. What takes longer may have
	// been asked while the line was cut, and answered when it was mended.
	checkQuick = 2 * time.Second
	// checkRow is how far checks may be apart and still show that there was no
	// outage in between.
	checkRow = 3 * checkApart
	// tellApart is how far lines about our own DNS are apart.
	tellApart = time.Minute
	// lostToTell is how many checks in a row are worth a line.
	lostToTell = 2
)

// noAnswer notes that a list gave no answer to a question that began then, and has it
// found out whose fault that was. The lock is held.
func (h *Health) noAnswer(w *watched, reason string, began time.Time, test bool, now time.Time) {
	o := &h.outside
	if now.Sub(o.last) > checkRow {
		o.since = time.Time{}
	}
	again := !w.state.failing.IsZero()
	excused := !test && !h.neverAnswered(now) && (o.since.IsZero() || began.Before(o.since))
	w.state.failed(reason, test, excused, now)
	if again && !test {
		h.testSoon(w, now)
	}
	if again || test {
		o.wanted = true
		h.poke()
	}
}

// checkDue reports whether to find out, and notes that somebody does.
func (h *Health) checkDue(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &h.outside
	if o.asking || h.asker == nil || o.next.After(now) || !o.wanted && o.lost == 0 || len(h.roster.Load().all) == 0 {
		return false
	}
	o.asking, o.wanted = true, false
	return true
}

// check finds out whether the world answers, and so whose fault it is where lists do not.
func (h *Health) check(ctx context.Context) {
	h.mu.Lock()
	asker, name := h.asker, h.outsideName()
	h.mu.Unlock()
	began := time.Now()
	reply := ask(ctx, asker, name)
	if ctx.Err() != nil {
		h.mu.Lock()
		h.outside.asking = false
		h.mu.Unlock()
		return
	}
	now := time.Now()
	answered := reply.Outcome != Failed && !reply.Stale && now.Sub(began) <= checkQuick
	h.mu.Lock()
	o := &h.outside
	o.asking, o.last, o.why = false, now, token(reply.Reason)
	if answered {
		h.worldAnswers(now)
	} else {
		h.worldSilent(now)
	}
	var changes []Change
	for _, w := range h.roster.Load().all {
		if w.state.failing.IsZero() && !w.state.untried {
			continue
		}
		if !answered && !(h.neverAnswered(now) && h.othersAnswer(w)) {
			w.state.forgive()
			h.mark(w)
			continue
		}
		c, changed := w.state.blame(h.together(w), h.every, now)
		h.mark(w)
		if changed {
			c.List = w.id
			changes = append(changes, c)
			w.next = now.Add(jitter(w.state.pause(h.every)))
		}
	}
	tell := h.tellOutside(now)
	h.mu.Unlock()
	if tell != nil {
		tell()
	}
	for _, c := range changes {
		h.tell(c)
	}
}

// worldAnswers notes a check that was answered. The lock is held.
func (h *Health) worldAnswers(now time.Time) {
	o := &h.outside
	if o.since.IsZero() {
		o.since = now
	}
	if o.lost > 0 { // what waits for its first tests has waited for this
		for _, w := range h.roster.Load().all {
			if w.state.state == Untested && !w.testing {
				w.next = now
			}
		}
	}
	o.ever, o.lost, o.next = true, 0, now.Add(checkApart)
}

// worldSilent notes one that was not. The lock is held.
func (h *Health) worldSilent(now time.Time) {
	o := &h.outside
	if o.lost == 0 {
		o.began = now
	}
	o.since = time.Time{}
	o.lost++
	o.next = now.Add(min(checkApart<<min(o.lost-1, 4), checkMost))
}

// neverAnswered reports whether there has been no answer of the world ever, and time
// enough for one: then there are lists here, and no world to be asked.
func (h *Health) neverAnswered(now time.Time) bool {
	return !h.outside.ever && h.outside.lost > 0 && now.Sub(h.outside.began) >= togetherLasts
}

// outsideName is a name that nobody has, under a domain of the top level that a list in
// use is under, of one that fails if there is one. It holds no key: that would stand
// further to the left. A domain that is none of the world's, as "lan", a resolver may know
// by itself. The lock is held.
func (h *Health) outsideName() string {
	top := "com"
	for _, w := range h.roster.Load().all {
		zone := strings.ToLower(strings.TrimSuffix(w.list.Load().Zone, "."))
		last := zone[strings.LastIndexByte(zone, '.')+1:]
		if _, icann := publicsuffix.PublicSuffix("x." + last); !icann {
			continue
		}
		top = last
		if !w.state.failing.IsZero() {
			break
		}
	}
	return randomLabel() + "." + top
}

// together reports whether half of those that run other lists in use fail as well. The
// lock is held.
func (h *Health) together(w *watched) bool {
	others, failing := h.others(w, func(x *watched) bool { return !x.state.failing.IsZero() })
	return failing > 0 && 2*failing >= others
}

// othersAnswer reports whether most of those that run other lists in use have answered
// since this one fails. The lock is held.
func (h *Health) othersAnswer(w *watched) bool {
	others, answer := h.others(w, func(x *watched) bool { return x.heard.Load() > h.at(w.state.failing) })
	return !w.state.failing.IsZero() && 2*answer > others
}

// others counts the groups of other lists that are asked, and those of them of which a
// list is so.
func (h *Health) others(w *watched, so func(*watched) bool) (groups, of int) {
	is := map[string]bool{w.list.Load().Group: false}
	for _, x := range h.roster.Load().all {
		if group := x.list.Load().Group; group != w.list.Load().Group && !x.state.away() {
			is[group] = is[group] || so(x)
		}
	}
	for _, yes := range is {
		if yes {
			of++
		}
	}
	return len(is) - 1, of
}

// worldSilence stands before how a question failed that only the world can answer.
const worldSilence = "the world does not answer either: "

// An Outage is that lists fail, and the world does not answer either: nothing can be told
// of how they are.
type Outage struct {
	Since          time.Time
	Reason, Remedy string
}

// Outage tells of the one that lasts; nil if there is none.
func (h *Health) Outage() *Outage {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.outage() {
		return nil
	}
	return &Outage{h.outside.began, worldSilence + h.outside.why, remedyOutage}
}

// outage reports whether the world does not answer, and lists want it: where there is none
// to be asked, all are tested without it. The lock is held.
func (h *Health) outage() bool {
	untested := func(w *watched) bool { return w.state.state == Untested }
	return h.outside.lost >= lostToTell && (h.outside.ever || slices.ContainsFunc(h.roster.Load().all, untested))
}

// tellOutside gives what writes a line, where our own DNS went or came back. The lock is
// held.
func (h *Health) tellOutside(now time.Time) func() {
	o := &h.outside
	reason := worldSilence + o.why
	switch {
	case h.log == nil:
	case o.lost >= lostToTell && !o.told && (o.toldAt.IsZero() || now.Sub(o.toldAt) >= tellApart):
		o.told, o.toldAt = true, now
		return func() {
			h.log.LogAttrs(context.Background(), slog.LevelWarn, "lists unanswered", slog.String("reason", reason),
				slog.String("remedy", remedyOutage))
		}
	case o.lost == 0 && o.told:
		o.told = false
		lasted := now.Sub(o.began)
		return func() {
			h.log.LogAttrs(context.Background(), slog.LevelInfo, "lists answered again", slog.Duration("after", lasted.Round(100*time.Millisecond)))
		}
	}
	return nil
}
