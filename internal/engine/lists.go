package engine

import (
	"context"
	"slices"
	"sync"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// This file asks the DNS lists about the client and the names that it goes by.

// clientLists are the questions to the lists about a client, by what they are
// about; nil where nothing was asked.
type clientLists struct {
	connect, ptr, helo *asked[[]listHit]

	heloName string    // that helo is about
	lost     []listHit // what lists might have said for the client, see noteLost
	told     told      // to ListWatch of this visit
}

// asksAtOnce reports whether the lists are asked as soon as there is something to
// ask. Who comes to a submission door is about to log in, and then is no stranger:
// there they wait for MAIL.
func (v *Visit) asksAtOnce() bool {
	return v.client.Door == nil || v.client.Door.Role != RoleSubmission
}

// nothing is a group that was answered from the cache, and nobody is listed.
var nothing = known[[]listHit](nil)

// askLists starts the questions of all lists about subjects. What is beside stands
// among the answers whatever these are.
func (v *Visit) askLists(beside []listHit, subjects ...dnsbl.Subject) *asked[[]listHit] {
	hits, complete := slices.Clone(beside), true
	for _, sub := range subjects {
		var all bool
		hits, all = v.knownLists(hits, sub)
		complete = complete && all
	}
	switch {
	case complete && len(hits) == 0:
		return nothing
	case complete:
		return known(hits)
	}
	return start(v, hits, func(ctx context.Context, set func([]listHit)) {
		v.lookupLists(ctx, beside, slices.Clone(subjects), set)
	})
}

// knownLists appends what the cache holds of a subject, and reports whether that is
// all. What is missing stands there as unknown.
func (v *Visit) knownLists(hits []listHit, sub dnsbl.Subject) (all []listHit, complete bool) {
	room, ok := v.e.rooms.Get().(*[listRoom]dnsbl.Answer)
	if !ok {
		room = new([listRoom]dnsbl.Answer)
	}
	answers, complete := v.e.o.Lists.Known(sub, room[:0])
	if v.trace != nil { // it wants the questions too
		complete = len(answers) == 0
	}
	hits = appendHits(hits, sub, answers)
	clear(room[:]) // hits hold nothing of it, and it shall not hold what was answered
	v.e.rooms.Put(room)
	return hits, complete
}

// listRoom is for how many answers there is room without a new one.
const listRoom = 24

// lookupLists asks the lists about all subjects together, and sets what is known
// before and after each answer: who waits no longer has the others' all the same.
func (v *Visit) lookupLists(ctx context.Context, beside []listHit, subjects []dnsbl.Subject, set func([]listHit)) {
	var mu sync.Mutex
	hits := make([][]listHit, 1+len(subjects))
	hits[0] = beside
	tell := func(i int, of []listHit) {
		mu.Lock()
		defer mu.Unlock()
		hits[i] = of
		set(slices.Concat(hits...))
	}
	for i, sub := range subjects {
		hits[i+1], _ = v.knownLists(nil, sub)
	}
	tell(0, beside)
	asks := make([]func(), len(subjects))
	for i, sub := range subjects {
		answered := func(answers []dnsbl.Answer) {
			v.trace.lists(v.e.o.Lists, sub, answers, v.e.o.Now())
			v.notes.addLists(ctx, sub, answers)
			tell(i+1, appendHits(nil, sub, answers))
		}
		asks[i] = func() { answered(v.e.o.Lists.Ask(ctx, sub, answered)) }
	}
	together(asks...)
}

// askClientLists starts the questions about the client's address and its PTR names.
func (v *Visit) askClientLists() {
	if v.e.o.Lists == nil {
		return
	}
	if !v.isOurs() {
		v.lists.connect = v.askLists(nil, dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Connect})
	}
	v.askPTRLists()
}

// isOurs reports whether the client has one of our own addresses: by the
// configuration, or by what the MTA told. Whatever lists say of it, it is no stranger.
func (v *Visit) isOurs() bool { return slices.Contains(v.us.Addrs, v.client.Addr) }

// askPTRLists starts the questions about the confirmed names of the client, when
// these are known.
func (v *Visit) askPTRLists() {
	reverse := v.rdns
	if over(reverse.done) {
		subjects, all := ptrSubjects(&reverse.value)
		v.lists.ptr = v.askLists(v.unheard(all), subjects...)
		return
	}
	v.lists.ptr = start(v, v.unheard(false), func(ctx context.Context, set func([]listHit)) {
		select {
		case <-reverse.done:
		case <-ctx.Done():
			return
		}
		v.mu.Lock()
		rdns := reverse.value
		v.mu.Unlock()
		subjects, all := ptrSubjects(&rdns)
		v.lookupLists(ctx, v.unheard(all), subjects, set)
	})
}

// unheard is what lists of names might say for a client some of whose names are not
// known: anything good (law 2). With all of them known, that is nothing.
func (v *Visit) unheard(all bool) []listHit {
	if all {
		return nil
	}
	hits, _ := v.knownLists(nil, dnsbl.Subject{Name: v.e.nobody, Stage: dnsbl.PTR})
	return hits
}

// maxListNames bounds the PTR names that lists are asked about: each is a question
// to each list.
const maxListNames = 3

// allPTRNames is how many PTR names profile.RDNS has room for: a client with so many
// may have more.
const allPTRNames = 10

// ptrSubjects are the names to ask about. It reports whether they are all that the
// client has: no look-up failed, none was answered by the past alone, none was left out.
func ptrSubjects(r *profile.RDNS) (subjects []dnsbl.Subject, all bool) {
	all = r.Outcome != profile.Failed && !r.Stale && !forwardFailed(*r) && len(r.Names) < allPTRNames
	for _, name := range r.Names {
		switch {
		case name.Forward != profile.Confirmed:
		case len(subjects) == maxListNames:
			all = false
		default:
			subjects = append(subjects, dnsbl.Subject{Name: name.Name, Stage: dnsbl.PTR})
		}
	}
	return subjects, all
}

// askHeloLists starts the questions about the HELO name. The same name once more,
// as after STARTTLS, goes on waiting.
func (v *Visit) askHeloLists(name string) {
	host, ok := "", false
	if v.e.o.Lists != nil && v.trust == profile.Stranger {
		host, ok = profile.HeloHost(name)
	}
	if old := v.lists.helo; old != nil {
		if ok && host == v.lists.heloName && !over(old.done) {
			return
		}
		old.letGo()
		v.lists.helo = nil
	}
	if ok {
		v.lists.helo, v.lists.heloName = v.askLists(nil, dnsbl.Subject{Name: host, Stage: dnsbl.Helo}), host
	}
}

// askMailLists starts the questions about the sender's domain, for a null sender
// those of the address that mean something then, and those of the visit that have
// not been asked, or not lately.
func (v *Visit) askMailLists() {
	if v.e.o.Lists == nil {
		return
	}
	again := v.transactions > 1 // what was asked may have expired, or failed
	if v.lists.connect == nil || again && over(v.lists.connect.done) && over(v.lists.ptr.done) {
		v.askClientLists()
	}
	if v.lists.helo == nil || again && over(v.lists.helo.done) {
		v.askHeloLists(v.heloName())
	}
	switch path := &v.tx.path; {
	case path.Given != profile.Shown:
	case path.Null:
		if !v.isOurs() {
			v.tx.lists = v.askLists(nil, dnsbl.Subject{Addr: v.client.Addr, Stage: dnsbl.Bounce})
		}
	case path.Domain != "":
		v.tx.lists = v.askLists(nil, dnsbl.Subject{Name: path.Domain, Stage: dnsbl.Mail})
	}
}

// outLists gives what is asked of the lists; elements may be nil.
func (v *Visit) outLists() [4]*asked[[]listHit] {
	return [...]*asked[[]listHit]{v.lists.connect, v.lists.ptr, v.lists.helo, v.tx.lists}
}

// noteLost keeps, at the end of a transaction, what lists that gave it no answer
// might have said. One that was stopped for the answer which it gave to this very
// visit is not asked by the next transaction, and still is unknown to it (law 2).
func (v *Visit) noteLost() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, a := range v.outLists() {
		if a == nil {
			continue
		}
		for _, h := range a.value {
			if h.Possible && !slices.ContainsFunc(v.lists.lost, h.sameList) {
				v.lists.lost = append(v.lists.lost, h)
			}
		}
	}
}
