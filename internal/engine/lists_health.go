package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// This file keeps a list that goes mad from harming a client, and tells the lists'
// health what visits show of it.

// A ListWatch learns from visits how well the lists are; dnsbl.Health is one. It is
// called from many goroutines, on the way to a reply.
type ListWatch interface {
	// Counts reports whether a list is asked and trusted.
	Counts(id string) bool
	Judged(dnsbl.VisitSeen)
	// ConfirmSince reports whether a list did not list what it cannot list after it
	// gave a hit, which came at that time or before.
	ConfirmSince(ctx context.Context, id string, kind dnsbl.Asks, heard time.Time) bool
	// AfterTest reports whether a hit of a list, which came at that time or before, has
	// outlived a test of it. If not, then is called when it has, or never.
	AfterTest(id string, heard time.Time, then func()) bool
	// Swayed is told of a verdict that would have been milder, or else harsher, had
	// that list been silent.
	Swayed(id string, harsher bool)
	// Snapshot tells how each list is.
	Snapshot() []dnsbl.Standing
}

// counts reports whether a list is asked and trusted, as far as anybody watches.
func (e *Engine) counts(id string) bool { return e.o.ListWatch == nil || e.o.ListWatch.Counts(id) }

// A confirmation is what a list is asked for before its hit is held against anybody.
type confirmation struct {
	list string
	kind dnsbl.Asks
}

func confirmationOf(h *listHit) confirmation {
	switch {
	case h.subject.Name != "":
		return confirmation{h.list.ID, dnsbl.Domain}
	case h.subject.Addr.Unmap().Is4():
		return confirmation{h.list.ID, dnsbl.IP4}
	}
	return confirmation{h.list.ID, dnsbl.IP6}
}

// confirmPart is the part of the budget, one of so many, that is kept for
// confirmations when some other answer is late: a sender whose own DNS never answers
// would else pass all lists.
const confirmPart = 4

// gather waits for the look-ups that are out, at most until the deadline.
func (v *Visit) gather(deadline time.Time) {
	if v.e.o.ListWatch != nil && v.lists.connect != nil && !v.await(deadline.Add(-v.e.o.Budget/confirmPart)) {
		v.take(v.e.o.Local.Peek)
		v.confirmLists(nil, deadline)
	}
	v.await(deadline)
}

// confirmLists asks, where lists alone make the answer to a recipient harsher,
// whether these have not just gone mad: a client without a fault of its own shall not
// be the one by whom that is found out. What is not confirmed in time is unknown.
func (v *Visit) confirmLists(rcpt *profile.Recipient, deadline time.Time) {
	tx := v.tx
	if v.e.o.ListWatch == nil || !slices.ContainsFunc(tx.listHits, tx.unconfirmed) || !v.listsDecide(rcpt) {
		return
	}
	var open []confirmation
	heard := make(map[confirmation]time.Time)
	for i := range tx.listHits {
		h := &tx.listHits[i]
		if c := confirmationOf(h); tx.unconfirmed(*h) {
			if last, asked := heard[c]; !asked {
				open, heard[c] = append(open, c), h.heard
			} else if h.heard.After(last) {
				heard[c] = h.heard
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline.Sub(v.e.o.Now()))
	defer cancel()
	good := make([]bool, len(open))
	asks := make([]func(), len(open))
	for i, c := range open {
		asks[i] = func() { good[i] = v.e.o.ListWatch.ConfirmSince(ctx, c.list, c.kind, heard[c]) }
	}
	together(asks...)
	if tx.confirmed == nil {
		tx.confirmed = make(map[confirmation]bool, len(open))
	}
	for i, c := range open {
		tx.confirmed[c] = good[i]
	}
	if slices.Contains(good, false) {
		tx.dropDoubted()
		v.reckon()
	}
}

// unconfirmed reports whether a hit speaks against the client and its list was not
// asked about that yet.
func (tx *transaction) unconfirmed(h listHit) bool {
	_, asked := tx.confirmed[confirmationOf(&h)]
	return h.accuses() && !asked
}

// dropDoubted takes out the hits that their lists did not confirm.
func (tx *transaction) dropDoubted() {
	if len(tx.confirmed) == 0 {
		return
	}
	var kept []listHit
	for _, h := range tx.listHits {
		if good, asked := tx.confirmed[confirmationOf(&h)]; good || !asked || !h.accuses() {
			kept = append(kept, h)
		}
	}
	tx.listHits, tx.session.Lists = kept, listFacts(kept)
}

// listsDecide reports whether the answer to a recipient would be milder without the
// hits that speak against the client.
func (v *Visit) listsDecide(rcpt *profile.Recipient) bool {
	tx := v.tx
	verdict := tx.judgement.Decide(rcpt, false)
	if verdict.Action == profile.Continue {
		return false
	}
	if tx.unlisted == nil {
		without := tx.session
		without.Lists = nil
		for i := range tx.listHits {
			if h := &tx.listHits[i]; !h.accuses() {
				without.Lists = append(without.Lists, h.ListHit)
			}
		}
		tx.unlisted = profile.Judge(&without, v.e.o.Policy)
	}
	return tx.unlisted.Decide(rcpt, false).Action < verdict.Action
}

// told is what a ListWatch was told of a visit.
type told struct {
	any     bool
	trusted bool
	hit     []string
}

// watchLists tells the health of the lists of a judged visit: once, and again only
// where a later transaction shows something else. What the lists said counts here,
// confirmed or not.
func (v *Visit) watchLists() {
	tx := v.tx
	if v.e.o.ListWatch == nil || v.quiet || v.lists.connect == nil {
		return
	}
	seen := dnsbl.VisitSeen{Client: v.client.Addr, Clean: true, Trusted: tx.trust != profile.Stranger || tx.deed.good, Hit: hitLists(tx.heard)}
	if tx.trust != profile.Stranger && !over(v.lists.connect.done) {
		return // nobody has waited for them
	}
	for _, f := range tx.judgement.Findings {
		switch {
		case strings.HasPrefix(f.ID, "dnswl:") || f.ID == "local-allow":
			seen.Trusted = true
		case f.Points > 0 && !strings.HasPrefix(f.ID, "dnsbl:") && !strings.HasPrefix(f.ID, "rhsbl:"):
			seen.Clean = false
		}
	}
	if was := &v.lists.told; !was.any || was.trusted != seen.Trusted || !slices.Equal(was.hit, seen.Hit) {
		*was = told{any: true, trusted: seen.Trusted, hit: seen.Hit}
		v.e.o.ListWatch.Judged(seen)
	}
}

// hitLists are the ids of the lists that hit, each once.
func hitLists(hits []listHit) []string {
	var ids []string
	for _, h := range hits {
		if !h.Possible && !slices.Contains(ids, h.list.ID) {
			ids = append(ids, h.list.ID)
		}
	}
	return ids
}

// swayed tells, list by list, whether what was found would have led to another
// answer to a recipient had that list been silent.
func (v *Visit) swayed(rcpt *profile.Recipient) {
	tx := v.tx
	if v.e.o.ListWatch == nil || v.quiet || len(tx.listHits) == 0 {
		return
	}
	action := tx.judgement.Decide(rcpt, tx.passed).Action
	for _, id := range hitLists(tx.listHits) {
		without := tx.session
		without.Lists = nil
		for _, h := range tx.listHits {
			if h.list.ID != id {
				without.Lists = append(without.Lists, h.ListHit)
			}
		}
		other := profile.Judge(&without, v.e.o.Policy).Decide(rcpt, tx.passed)
		if other.Action != action {
			v.e.o.ListWatch.Swayed(id, action > other.Action)
		}
	}
}

// sampleEvery is one in how many trusted transactions the lists are asked about the
// client's address, for the lists' own sake (law 4).
const sampleEvery = 16

// sampleLists asks the lists about a trusted client now and then: one that lists
// those has gone mad. Nobody waits for it, and it judges nothing.
func (v *Visit) sampleLists() {
	e := v.e
	if e.o.Lists == nil || e.o.ListWatch == nil || v.lists.connect != nil || v.isOurs() || e.trusted.Add(1)%sampleEvery != 1 {
		return // of who was asked about as a stranger, watchLists tells
	}
	sub := dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Connect}
	tell := func(answers []dnsbl.Answer) {
		e.o.ListWatch.Judged(dnsbl.VisitSeen{Client: sub.Addr, Hit: hitLists(appendHits(nil, sub, answers)), Trusted: true})
	}
	switch answers, complete := e.o.Lists.Known(sub, nil); {
	case len(answers) == 0: // no list may be asked about it
	case complete:
		tell(answers)
	default:
		start(v, nil, func(ctx context.Context, _ func([]listHit)) {
			if answers := e.o.Lists.Ask(ctx, sub, nil); ctx.Err() == nil {
				tell(answers)
			}
		})
	}
}
