package dnsbl

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"
)

// A flight is one question that is out. All who need its answer wait for the same
// one; when the last of them leaves, it is given up.
type flight struct {
	list    *List
	cancel  context.CancelFunc
	began   time.Time
	waiters []chan<- *flight // nil: given up. Guarded by Set.mu; each has room for the answer
	told    bool             // the watch is told of the answer, or has been; guarded by Set.mu
	// Set before the waiters are told, then read-only.
	answer Answer
	kept   kept
	keep   bool
	raised any // a panic on the way
}

// A flightKey finds the question that is out: the name holds list, subject and key.
type flightKey struct {
	place int
	name  string
}

// Ask is what all lists say of a subject: from the cache, and for the rest by
// asking them in parallel. It returns when all are back, or when ctx ends: then the
// others are Unknown by Budget. Partial, if not nil, is called in between, in the
// goroutine of Ask and after each answer but the last, with all answers: those still
// out are Unknown and Pending. It must not keep them. A panic of the Asker is raised
// again here.
func (s *Set) Ask(ctx context.Context, sub Subject, partial func([]Answer)) []Answer {
	var room [recordRoom]byte
	t, record, ok := s.glance(sub, room[:0])
	if !ok {
		return nil
	}
	answers, known := s.known(&t, record, sub.Stage, nil, false)
	if known {
		return answers
	}
	q := quest{set: s, target: &t, sub: sub, answers: answers}
	q.ask(ctx)
	for q.out > 0 {
		select {
		case f := <-q.arrived:
			q.land(f)
			if f.raised != nil { // a bug of ours, to be met where it is contained
				q.leave(nil)
				panic(f.raised)
			}
			if partial != nil && q.out > 0 {
				partial(answers)
			}
		case <-ctx.Done():
			q.leave(ctx.Err())
		}
	}
	q.keep()
	q.fallBack()
	return answers
}

// A quest is one Ask under way.
type quest struct {
	set     *Set
	target  *target
	sub     Subject
	answers []Answer
	flights []*flight // by the place in answers; nil: nothing asked, or landed
	landed  []*flight
	arrived chan *flight
	out     int
}

// ask joins a flight for each answer that is pending.
func (q *quest) ask(ctx context.Context) {
	q.flights = make([]*flight, len(q.answers))
	q.arrived = make(chan *flight, len(q.answers))
	next := 0
	for _, m := range q.set.plans[q.sub.Stage] {
		if next == len(q.answers) || q.answers[next].List != m.list {
			continue // does not count, or is not for this subject
		}
		if a := &q.answers[next]; a.Reason == Pending {
			if f := q.set.board(ctx, flightKey{m.list.place, m.question(q.target)}, m, q.arrived); f != nil {
				q.flights[next] = f
				q.out++
			} else {
				a.Reason = Budget
			}
		}
		next++
	}
}

func (q *quest) land(f *flight) {
	i := slices.Index(q.flights, f)
	q.flights[i] = nil
	q.answers[i] = f.answer
	q.landed = append(q.landed, f)
	q.out--
}

// leave gives up what is still out.
func (q *quest) leave(why error) {
	for i, f := range q.flights {
		if f == nil {
			continue
		}
		landed, givenUp := q.set.leave(f, q.arrived)
		if landed {
			q.land(f)
			continue
		}
		a := &q.answers[i]
		a.Reason, a.Took = Budget, q.set.now().Sub(f.began)
		q.out--
		// That somebody hangs up says nothing about the list, but that he waited does.
		if givenUp && (errors.Is(why, context.DeadlineExceeded) || why != nil && a.Took >= longEnough) {
			q.set.watch.Saw(a)
		}
	}
}

// keep writes what came into the cache, once for each record: what is written twice
// takes room twice.
func (q *quest) keep() {
	began := q.set.now()
	var byForm [2][]kept
	for _, f := range q.landed {
		form := f.list.Form
		if q.target.whole == q.target.registered {
			form = Whole
		}
		if f.began.Before(began) {
			began = f.began
		}
		if f.keep {
			byForm[form] = append(byForm[form], f.kept)
		}
	}
	whole, registered := q.target.whole, q.target.registered
	if len(q.landed) > 0 { // of a name also where nothing was asked by it whole
		c := q.set.cache
		written := c.now(began)
		c.put(c.keyOf(q.target.addr, whole), byForm[Whole], len(registered), written)
		if fresh := byForm[Registered]; len(fresh) > 0 {
			c.put(c.keyOf(netip.Addr{}, registered), fresh, len(registered), written)
		}
	}
}

// fallBack takes what lists said before in the place of what failed now.
func (q *quest) fallBack() {
	if !slices.ContainsFunc(q.answers, failed) {
		return
	}
	var room [recordRoom]byte
	t, record, _ := q.set.glance(q.sub, room[:0])
	before, _ := q.set.known(&t, record, q.sub.Stage, nil, true)
	for i := range q.answers {
		a := &q.answers[i]
		if !failed(*a) {
			continue
		}
		for _, b := range before {
			if b.List == a.List && b.Stale {
				b.Took = a.Took
				*a = b
			}
		}
	}
}

// failed reports whether no answer came, not even one that cannot be used.
func failed(a Answer) bool { return a.State == Unknown && a.Matches == nil }

// board joins the flight of a question, or starts it. It is nil when the Set is closed.
func (s *Set) board(ctx context.Context, k flightKey, m member, arrived chan<- *flight) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if f := s.flights[k]; f != nil && f.waiters != nil {
		f.waiters = append(f.waiters, arrived)
		return f
	}
	// Others may wait for it longer than this one, whose trace it keeps.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &flight{list: m.list, cancel: cancel, began: s.now(), waiters: []chan<- *flight{arrived}}
	s.flights[k] = f
	s.flying.Go(func() { s.fly(ctx, k, f, m.slot.n) })
	return f
}

// fly asks, and tells those who wait.
func (s *Set) fly(ctx context.Context, k flightKey, f *flight, slot uint16) {
	defer f.cancel()
	var reply Reply
	answer := Answer{List: f.list, Reason: troubleName(0)}
	raised := contained(func() {
		reply = s.asker.A(ctx, k.name)
		answer = f.list.hear(reply)
		answer.Heard = s.now()
		if answer.Took == 0 {
			answer.Took = s.now().Sub(f.began)
		}
		if s.tells(ctx, f) {
			s.watch.Saw(&answer) // before anybody acts on it
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[k] == f {
		delete(s.flights, k)
	}
	f.answer, f.raised = answer, raised
	f.kept, f.keep = s.pack(&answer, reply, slot)
	for _, w := range f.waiters {
		w <- f
	}
}

// tells reports whether the watch is to be told of the answer of a flight: not where those
// who waited have gone, as leave has it told of that.
func (s *Set) tells(ctx context.Context, f *flight) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.told = f.waiters != nil && ctx.Err() == nil
	return f.told
}

// contained runs fn and hands back its panic, if there is one.
func contained(fn func()) (raised any) {
	defer func() { raised = recover() }()
	fn()
	return nil
}

// leave takes one who waits from a flight. Landed says that the answer has come
// meanwhile, givenUp that nobody waits for it any more, and none has come.
func (s *Set) leave(f *flight, arrived chan<- *flight) (landed, givenUp bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.answer.List != nil {
		return true, false
	}
	f.waiters = slices.DeleteFunc(f.waiters, func(w chan<- *flight) bool { return w == arrived })
	if len(f.waiters) > 0 {
		return false, false
	}
	f.waiters = nil
	f.cancel()
	return false, !f.told
}

// hear is what a reply says.
func (l *List) hear(r Reply) Answer {
	a := Answer{List: l, Stale: r.Stale, Took: r.Took}
	if r.Outcome == Failed {
		a.Reason = r.Reason
		if a.Reason == "" {
			a.Reason = troubleName(0)
		}
		return a
	}
	if r.Outcome == None {
		r.Addrs = nil
	}
	a.State, a.Reason, a.Matches = l.read(nil, r.Addrs)
	return a
}

// pack makes of an answer what the cache keeps of it. It is false for what must
// not be kept: what was old when it came, and what failed for our own haste.
func (s *Set) pack(a *Answer, r Reply, slot uint16) (e kept, ok bool) {
	now := s.now()
	if slot == 0 || a.Stale || r.Outcome == Failed && a.Reason == Budget {
		return kept{}, false
	}
	e.slot = slot
	var addrs []netip.Addr
	if r.Outcome == Found {
		addrs = r.Addrs
	}
	keep := max(r.Expires.Sub(now), minKeep)
	switch {
	case r.Outcome == Failed:
		e.holds, e.payload, ok = trouble, []byte{troubleOf(a.Reason)}, true
	default:
		e.holds, e.payload, ok = pack(addrs)
	}
	if a.State == Unknown {
		keep = keepTrouble
	}
	e.expires = s.cache.now(now.Add(min(keep, maxKeep)))
	return e, ok
}

// Close gives up what is still asked, and waits for it. After it, Ask answers from
// the cache alone.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	for _, f := range s.flights {
		f.cancel()
	}
	s.mu.Unlock()
	s.flying.Wait()
}
