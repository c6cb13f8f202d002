package dnsbl

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// MaxLists bounds the lists of a Set; a configuration with more is to be refused.
const MaxLists = 255

// Options are what a Set goes by beside its lists. Zero values have defaults.
type Options struct {
	Own   []netip.Addr     // our own addresses, never asked about
	Cache *Cache           // what was answered; one of 32 MiB for this Set alone
	Now   func() time.Time // time.Now
}

// A Set is the lists in use. It is immutable, and safe for concurrent use. Close
// waits for what is still asked.
type Set struct {
	lists  []List
	asker  Asker
	watch  Watch
	cache  *Cache
	own    []netip.Addr
	now    func() time.Time
	plans  [stages][]member
	bySlot []uint8 // place of the list, plus 1, by the number of its slot
	slots  []*slot // by the place of the list

	mu      sync.Mutex
	closed  bool
	flights map[flightKey]*flight
	flying  sync.WaitGroup
}

// A member is a list at a stage.
type member struct {
	list  *List
	zone  string // with its key
	slot  *slot
	lifts bool // it may speak for a client
}

// NewSet makes a Set of lists, the first MaxLists of them, in their order. Lists
// that cannot be asked, for want of a zone or a key, are in it and never asked. A nil
// watch lets all lists count.
func NewSet(lists []List, asker Asker, watch Watch, o Options) *Set {
	s := &Set{
		lists: slices.Clone(lists[:min(len(lists), MaxLists)]), asker: asker, watch: watch,
		cache: o.Cache, now: o.Now, flights: map[flightKey]*flight{},
	}
	if s.watch == nil {
		s.watch = unwatched{}
	}
	if s.cache == nil {
		s.cache = NewCache(0)
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, addr := range o.Own {
		s.own = append(s.own, addr.Unmap().WithZone(""))
	}
	s.slots = make([]*slot, len(s.lists))
	for i := range s.lists {
		s.join(i)
	}
	return s
}

// join gives the list its place in the plans of its stages.
func (s *Set) join(i int) {
	l := &s.lists[i]
	l.place = i
	if len(l.order) != len(l.Codes) {
		l.compile()
	}
	zone, ok := l.zone()
	if !ok {
		return
	}
	m := member{l, zone, s.cache.slots.of(l.ID, zone), l.Lift() < 0}
	if grow := int(m.slot.n) + 1 - len(s.bySlot); grow > 0 {
		s.bySlot = append(s.bySlot, make([]uint8, grow)...)
	}
	s.bySlot[m.slot.n], s.slots[i] = uint8(i+1), m.slot
	s.bySlot[0] = 0 // no list's
	for stage := range stages {
		if l.Stages.Has(stage) && l.asksAt(stage) {
			s.plans[stage] = append(s.plans[stage], m)
		}
	}
}

// Lists are the lists in use, in their order. They are the Set's own: read-only.
func (s *Set) Lists() []List { return s.lists }

type unwatched struct{}

func (unwatched) Counts(string) bool       { return true }
func (unwatched) Absence(string) Absence   { return 0 }
func (unwatched) Generation(string) uint32 { return 0 }
func (unwatched) Saw(*Answer)              {}

// A target is a subject as lists are asked about it.
type target struct {
	kind              Asks
	addr              netip.Addr
	whole, registered string
}

// target is false for what no list may be asked about.
func (s *Set) target(sub Subject) (t target, ok bool) {
	var buf [recordRoom]byte
	t, _, ok = s.glance(sub, buf[:0])
	return t, ok
}

// glance is target, and the record of the address or the whole name, appended to
// buf: it knows the registered domain, which is dear to find out.
func (s *Set) glance(sub Subject, buf []byte) (t target, record []byte, ok bool) {
	if sub.Stage >= stages {
		return target{}, nil, false
	}
	if !sub.Stage.ofName() {
		if t.addr, ok = public(sub.Addr, s.own); !ok {
			return target{}, nil, false
		}
		t.kind = IP6
		if t.addr.Is4() {
			t.kind = IP4
		}
		return t, s.cache.get(buf, s.cache.keyOf(t.addr, "")), true
	}
	t.kind = Domain
	if t.whole, ok = hostName(sub.Name); !ok {
		return target{}, nil, false
	}
	record = s.cache.get(buf, s.cache.keyOf(netip.Addr{}, t.whole))
	n := registeredOf(record)
	if n == 0 {
		n = registeredLen(t.whole)
	}
	if n == 0 || n > len(t.whole) {
		return target{}, nil, false
	}
	t.registered = t.whole[len(t.whole)-n:]
	return t, record, true
}

// name is the part of a host name that a list of this form is asked about.
func (t *target) name(f NameForm) string {
	if f == Registered {
		return t.registered
	}
	return t.whole
}

// fits reports whether the list is one to ask.
func (m *member) fits(t *target) bool {
	if !m.list.Asks.Has(t.kind) {
		return false
	}
	front := 63 // of 32 nibbles
	switch t.kind {
	case IP4:
		front = 15
	case Domain:
		front = len(t.name(m.list.Form))
	}
	return front+1+len(m.zone) <= maxName
}

// question is the name to ask. It may hold a key.
func (m *member) question(t *target) string {
	if t.kind == Domain {
		return t.name(m.list.Form) + "." + m.zone
	}
	var buf [maxName]byte
	front := appendReversed(buf[:0], t.addr)
	return string(append(append(front, '.'), m.zone...))
}

// Known is what the cache knows of a subject, appended to buf: one Answer for each
// list that counts and may be asked about it, in the order of the Set. It asks
// nothing, waits for nothing, and allocates nothing when nothing is listed and
// buf has room. It is false when a question would be needed: such answers are
// Unknown and Pending. A list that does not count, but is Remembered, has an Answer
// too where it spoke for the subject, or is known not to; one that is Missed, and
// of which nothing is known, is Unknown and Away.
func (s *Set) Known(sub Subject, buf []Answer) ([]Answer, bool) {
	var room [recordRoom]byte
	t, record, ok := s.glance(sub, room[:0])
	if !ok {
		return buf, true
	}
	return s.known(&t, record, sub.Stage, buf, false)
}

// known is Known of what glance saw; with last, what has expired is taken too, as
// there is nothing better.
func (s *Set) known(t *target, record []byte, stage Stage, buf []Answer, last bool) ([]Answer, bool) {
	from := len(buf)
	v := view{set: s, now: s.cache.now(s.now())}
	for i := range s.plans[stage] {
		m := &s.plans[stage][i]
		if !m.fits(t) {
			continue
		}
		reason := Pending
		if !s.watch.Counts(m.list.ID) {
			absence := s.watch.Absence(m.list.ID)
			if absence == 0 || !m.lifts {
				continue
			}
			reason, v.absence[m.list.place] = Away, absence
		}
		m.slot.heed(v.now, s.watch.Generation(m.list.ID))
		buf = append(buf, Answer{List: m.list, Reason: reason})
		v.place[m.list.place] = uint8(len(buf) - from)
	}
	if len(buf) == from {
		return buf, true
	}
	v.answers = buf[from:]
	same := t.whole == t.registered // both empty for an address
	v.take(record, true, same)
	if !same && v.wants(Registered) {
		var room [recordRoom]byte
		v.take(s.cache.get(room[:0], s.cache.keyOf(netip.Addr{}, t.registered)), false, true)
	}
	known := v.settle(last)
	return buf[:from+len(v.answers)], known
}

// landing is within what time after it was asked a question is answered, or given up.
const landing = 30 * time.Second

// A view fills answers from records.
type view struct {
	set     *Set
	now     uint32
	answers []Answer
	place   [MaxLists]uint8 // in answers, plus 1, by the list's place in the Set
	absence [MaxLists]Absence
}

func (v *view) wants(f NameForm) bool {
	return slices.ContainsFunc(v.answers, func(a Answer) bool { return a.List.Form == f })
}

// take fills in what a record holds, for lists that take names whole or registered.
func (v *view) take(record []byte, whole, registered bool) {
	base, rest := entriesOf(record)
	for {
		var e kept
		var ok bool
		if e, rest, ok = next(base, rest); !ok {
			return
		}
		if int(e.slot) >= len(v.set.bySlot) || v.set.bySlot[e.slot] == 0 {
			continue
		}
		place := v.set.bySlot[e.slot] - 1
		at := v.place[place]
		if at == 0 || v.absence[place] == Missed || !v.set.slots[place].trusts(base+staleTicks) {
			continue
		}
		a := &v.answers[at-1]
		if a.List.Form == Whole && !whole || a.List.Form == Registered && !registered {
			continue
		}
		if v.fill(a, e); len(a.Matches) > 0 {
			a.Heard = v.set.cache.time(base + staleTicks).Add(landing)
		}
	}
}

func (v *view) fill(a *Answer, e kept) {
	fresh := e.expires > v.now
	switch {
	case e.expires+staleTicks <= v.now: // it may even no longer be there: nothing is known
	case e.holds != trouble:
		a.Stale, a.Cached = !fresh, true
		a.State, a.Reason = Clear, ""
		if e.holds != unlisted {
			a.rate(e)
		}
		if !fresh {
			a.Reason = Pending // until trouble says that there is nothing better
			if a.State == Unknown {
				*a = Answer{List: a.List, Reason: Pending}
			}
		}
	case fresh && a.Stale:
		a.Reason = ""
	case fresh && a.Reason == Pending:
		a.Reason, a.Cached = troubleName(e.payload[0]), true
	}
}

// rate says what an entry with addresses means.
func (a *Answer) rate(e kept) {
	var buf [maxAddrs]netip.Addr
	a.State, a.Reason, a.Matches = a.List.read(nil, unpack(buf[:0], e))
}

// settle reports whether nothing needs to be asked. What has expired is let go of,
// or with last taken; of lists that do not count what may speak for the subject stays.
func (v *view) settle(last bool) bool {
	known, away := true, false
	for i := range v.answers {
		a := &v.answers[i]
		if absence := v.absence[a.List.place]; absence != 0 {
			away = a.settleAway(absence) || away
			continue
		}
		if a.Reason != Pending {
			continue
		}
		known = false
		if last && a.Stale {
			a.Reason = ""
		} else {
			*a = Answer{List: a.List, Reason: Pending}
		}
	}
	if away {
		v.answers = slices.DeleteFunc(v.answers, func(a Answer) bool { return a.List == nil })
	}
	return known
}

// settleAway makes of what the cache holds of a list that does not count what that is
// good for: the list is not asked, so what has expired is the last that is known. It
// reports whether that is nothing: then the answer has no list.
func (a *Answer) settleAway(absence Absence) (nothing bool) {
	if a.Stale && a.Reason == Pending {
		a.Reason = ""
	}
	switch {
	case a.State == Hit && a.Points() < 0:
	case a.State != Unknown && !a.Stale: // nothing that it said is held against anybody
		*a = Answer{List: a.List, State: Clear, Cached: true}
	case absence&Missed != 0:
		*a = Answer{List: a.List, Reason: Away}
	default:
		*a = Answer{}
		return true
	}
	return false
}
