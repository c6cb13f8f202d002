package dnsbl

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// HealthOptions are what a Health goes by.
type HealthOptions struct {
	// Logger gets one line for each change: "list state", with the keys list,
	// from, to, reason and remedy; list is "all" when the resolver is meant. And at most
	// one an hour for each list of answers that none of its codes declares: "list answer
	// undeclared", with list, answer, count and remedy. Nil: silent.
	Logger *slog.Logger
	// Changed, if not nil, is told of the same. It is called from any goroutine
	// and with no lock held.
	Changed func(Change)
}

// Health knows how well each list in use is, and so whether it counts. It tests
// them (Run), is told of each answer to a visit (Saw) and of each visit judged
// (Judged). It outlives reloads: see Use. It is safe for concurrent use and
// bounded: all it holds is a few kilobytes for each list in use.
type Health struct {
	log     *slog.Logger
	changed func(Change)
	seed    uint64        // of the sketches
	born    time.Time     // what the times kept as numbers are counted from, see at
	wake    chan struct{} // the loop has something to do; of capacity 1
	roster  atomic.Pointer[roster]

	mu          sync.Mutex // guards what follows, and each watched's state
	asker       Asker
	every       time.Duration
	resolver    machine // Up, or Suspended when it makes answers up
	outside     outside
	askResolver bool      // before anything else
	controlled  time.Time // when the last control question was answered, or failed
	nextControl time.Time
	ended       chan struct{} // closed when the next test has ended
}

// A roster is the lists in use, in their order. It is immutable but for what its
// elements count.
type roster struct {
	all     []*watched
	byID    map[string]uint8
	overlap *overlap
	clean   sketch    // networks of clients with no other fault
	trusted sketch    // networks of clients that are trusted
	began   time.Time // the window of both; guarded by Health.mu
}

// subjectKinds is how many kinds of subject there are: IP4, IP6, Domain.
const subjectKinds = 3

// maxWatched bounds the lists in use: a place in a roster is one octet.
const maxWatched = 255

// A watched is one list in use.
type watched struct {
	list       atomic.Pointer[List]
	id         string
	print      [sha256.Size]byte // of zone and key: one that changed is another list
	counts     atomic.Bool       // the state is Up, and the resolver is not suspended
	absence    atomic.Uint32     // an Absence; Missed holds until missedTo
	missedTo   atomic.Int64      // by Health.at; 0 while it counts
	generation atomic.Uint32     // see Generation
	failing    atomic.Bool       // the last answer failed
	heard      atomic.Int64      // when there was an answer, by Health.at
	leaps      atomic.Bool       // its share jumped, in this window or up to the last one's end
	figures    figures
	clean      share // of clients with no other fault
	trusted    share // of trusted clients

	confirms [subjectKinds]confirmation // by kind: IP4, IP6, Domain

	// Guarded by Health.mu.
	state   machine
	owed    *owed
	doubted bool      // what it said before is not used any more
	sound   time.Time // when the last test began that was passed, and left it up; zero while doubted
	waiting []waiting
	next    time.Time // when to test
	tested  time.Time // when the last test ended
	testing bool
}

// against reports whether the list only speaks against clients: no trusted
// client should be on it.
func (w *watched) against() bool {
	family := w.list.Load().Family
	return family != "allow" && family != "mixed"
}

// An owed is a change that is told of only when the resolver has been asked: if
// it makes answers up, that is the one thing to tell.
type owed struct {
	change Change
	before machine
}

// NewHealth makes a Health that watches no list yet.
func NewHealth(o HealthOptions) *Health {
	h := &Health{log: o.Logger, changed: o.Changed, seed: rand.Uint64(), born: time.Now(), wake: make(chan struct{}, 1)}
	h.ended = make(chan struct{})
	h.resolver.state, h.outside.wanted = Up, true // so that it is known what a failure means
	h.roster.Store(newRoster(nil))
	return h
}

func newRoster(all []*watched) *roster {
	t := &roster{all: all, byID: make(map[string]uint8, len(all)), overlap: newOverlap(len(all))}
	for i, w := range all {
		w.clean.hits.reset()
		w.trusted.hits.reset()
		w.leaps.Store(false)
		t.byID[w.id] = uint8(i)
	}
	return t
}

// at is a time as a number: nanoseconds since the Health was made. Unlike a time since
// 1970 it does not jump when somebody sets the clock.
func (h *Health) at(t time.Time) int64 { return int64(t.Sub(h.born)) }

// Use says which lists are in use from now on, in which order, whom to ask, and
// how often to test. A list that was in use keeps its state and its figures,
// unless its zone or its key changed; any other one is Untested and does not
// count before its first test. Visits of before a reload may go on by the lists
// that they began with, as far as these are still in use.
func (h *Health) Use(lists []List, asker Asker, every time.Duration) {
	h.mu.Lock()
	old := h.roster.Load()
	var all []*watched
	var from []int
	for i := range lists {
		if len(all) == maxWatched {
			break // the rest is never tested, so it never counts
		}
		w, was := old.keep(lists[i], h.at(time.Now().Add(missedFor)))
		if slices.ContainsFunc(all, func(x *watched) bool { return x.id == w.id }) {
			continue
		}
		all, from = append(all, w), append(from, was)
	}
	now := time.Now()
	t := newRoster(all)
	t.overlap.take(old.overlap, from)
	t.began = now
	h.asker, h.every = asker, every
	if every <= 0 {
		h.every = 10 * time.Minute
	}
	for _, w := range all {
		if latest := now.Add(jitter(w.state.pause(h.every))); w.next.After(latest) {
			w.next = latest
		}
	}
	h.roster.Store(t)
	h.mu.Unlock()
	h.poke()
}

// keep is the list as it was watched before, with its place, or a new one, which is
// missed until then, and -1.
func (t *roster) keep(l List, missedTo int64) (*watched, int) {
	if len(l.order) != len(l.Codes) {
		l.compile()
	}
	print := fingerprint(&l)
	i, ok := t.byID[l.ID]
	if !ok || t.all[i].print != print {
		w := &watched{id: l.ID, print: print, state: machine{since: time.Now()}}
		w.generation.Store(1)
		if ok { // answers of before a reload are of another list
			w.generation.Store(t.all[i].generation.Load() + 1)
		}
		w.list.Store(&l)
		w.absence.Store(uint32(Missed))
		w.missedTo.Store(missedTo)
		for i := range w.confirms {
			w.confirms[i].turn = make(chan struct{}, 1)
		}
		return w, -1
	}
	t.all[i].list.Store(&l) // its codes or tests may have changed
	return t.all[i], int(i)
}

// fingerprint is the same for the same zone and key, and tells neither.
func fingerprint(l *List) [sha256.Size]byte {
	key := ""
	if l.key != nil {
		key = *l.key
	}
	return sha256.Sum256([]byte(l.Zone + "\x00" + key))
}

// Counts reports whether the list may be asked and its answers count: it is in
// use and Up, and the resolver makes no answers up.
func (h *Health) Counts(id string) bool {
	w := h.find(id)
	return w != nil && w.counts.Load()
}

// missedFor is how long a list that gives no answer is missed. In that time nothing is
// refused that it could have lifted: what it would say is most likely what it said an hour
// ago, and known again soon. After it a list that is gone for good must hold up nothing.
const missedFor = time.Hour

// Absence says what is made of a list that does not count. One that is not tested yet,
// silent or refusing is Missed for an hour, and of the latter two what they said before
// stays good. One that is doubted, speaks for nobody, or is not in use, is neither.
func (h *Health) Absence(id string) Absence {
	w := h.find(id)
	if w == nil {
		return 0
	}
	a := Absence(w.absence.Load())
	if a&Missed != 0 && h.at(time.Now()) >= w.missedTo.Load() {
		a &^= Missed
	}
	return a
}

// Generation is a number that is another one after each time that the list was doubted.
// What it said before may be the madness that it was stopped for: whoever keeps answers
// must not use those of another generation. It is 0 for a list that is not in use.
func (h *Health) Generation(id string) uint32 {
	if w := h.find(id); w != nil {
		return w.generation.Load()
	}
	return 0
}

func (h *Health) find(id string) *watched {
	t := h.roster.Load()
	if i, ok := t.byID[id]; ok {
		return t.all[i]
	}
	return nil
}

// poke wakes the loop.
func (h *Health) poke() {
	select {
	case h.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

// Saw is told of each question that was asked for a visit, once. A refusal or an
// answer outside 127.0.0.0/8 stops the list from counting before Saw returns; a code
// that says that it may be lying calls for a test at once.
func (h *Health) Saw(a *Answer) {
	w := h.find(a.List.ID)
	if w == nil {
		return
	}
	w.figures.saw(a)
	if addr, ok := a.undeclared(); ok {
		h.tellStrange(w, addr)
	}
	if a.State != Unknown {
		if !a.Stale {
			w.heard.Store(h.at(time.Now()))
		}
		if w.failing.Load() && !a.Stale {
			h.settle(w, func(time.Time) (Change, bool) { w.state.answered(); return Change{}, false })
		}
		return
	}
	h.unknown(w, a)
}

// unknown is told of an answer that could not be used.
func (h *Health) unknown(w *watched, a *Answer) {
	if fingerprint(a.List) != w.print {
		return // a visit of before a reload asked another zone, or by another key
	}
	if e := evidenceOf(a); e.shows != Untested {
		h.accuse(w, e, false)
		return
	}
	if a.Reason == Suspect {
		// A single client may have such an answer rightly, and must not switch the list
		// off for all. It is no answer to anybody, so there is time for a test, which
		// asks about what nobody can be.
		h.mu.Lock()
		h.testSoon(w, time.Now())
		h.mu.Unlock()
		return
	}
	if ownFault(a) {
		return
	}
	h.settle(w, func(now time.Time) (Change, bool) {
		h.noAnswer(w, token(a.Reason), now.Add(-a.Took), false, now)
		return Change{}, false
	})
}

// ownFault reports whether a question failed for a reason that is not the
// list's: no resolver, or a visit that had little of its time left.
func ownFault(a *Answer) bool {
	switch a.Reason {
	case noServer, Pending, Refusal, Suspect: // the latter two: it did answer
		return true
	case Budget:
		return a.Took < longEnough
	}
	return a.Stale
}

// noServer is how a resolver says that it has nobody to ask.
const noServer = "no-server"

// settle changes the state of a list under the lock, and tells of it.
func (h *Health) settle(w *watched, change func(now time.Time) (Change, bool)) {
	h.mu.Lock()
	if h.find(w.id) != w { // a test's, of before a reload
		h.mu.Unlock()
		return
	}
	now := time.Now()
	c, changed := change(now)
	h.mark(w)
	owed := w.owed
	if changed {
		w.owed = nil
		w.next = now.Add(jitter(w.state.pause(h.every)))
	}
	h.mu.Unlock()
	if !changed {
		return
	}
	if owed != nil {
		h.tell(owed.change) // this one came first
	}
	c.List = w.id
	h.tell(c)
	h.poke() // its next test may be the first one due
}

// mark takes over a list's state to where it is read without the lock.
func (h *Health) mark(w *watched) {
	up := h.resolver.state == Up
	counts := up && w.state.state == Up
	var absence Absence
	// Of a list that only speaks against clients nothing is used any more that it said before
	// it went, whatever for: it may have been mad just before it fell silent.
	doubted := !up || w.state.state.doubted() || w.state.away() && w.list.Load().Lift() == 0
	switch {
	case counts, doubted:
	case w.state.state == Untested:
		absence = Missed
	default:
		absence = Missed | Remembered
	}
	switch {
	case counts:
		w.missedTo.Store(0)
	case w.missedTo.Load() == 0:
		w.missedTo.Store(h.at(time.Now().Add(missedFor)))
	}
	w.absence.Store(uint32(absence)) // before it ceases to count: it is one of both
	w.counts.Store(counts)
	if doubted && !w.doubted {
		w.generation.Add(1)
		w.sound, w.waiting = time.Time{}, nil
	}
	w.doubted = doubted
	w.failing.Store(!w.state.failing.IsZero())
}

// tell writes the line of a change.
func (h *Health) tell(c Change) {
	if h.log != nil {
		level := slog.LevelWarn
		if c.To == Up {
			level = slog.LevelInfo
		}
		name := c.List
		if name == "" {
			name = "all"
		}
		attrs := []slog.Attr{slog.String("list", name), slog.String("from", c.From.String()),
			slog.String("to", c.To.String()), slog.String("reason", c.Reason)}
		if c.Remedy != "" {
			attrs = append(attrs, slog.String("remedy", c.Remedy))
		}
		h.log.LogAttrs(context.Background(), level, "list state", attrs...)
	}
	if h.changed != nil {
		h.changed(c)
	}
}

// tellStrange counts an answer that no code of its list declares, and writes a line of it
// now and then.
func (h *Health) tellStrange(w *watched, addr netip.Addr) {
	if n, tell := w.figures.strange.saw(addr, time.Now()); tell && h.log != nil {
		h.log.Warn("list answer undeclared", "list", w.id, "answer", addr.String(), "count", n, "remedy", remedyStrange)
	}
}

// A VisitSeen is what a judged visit says about the lists.
type VisitSeen struct {
	Client  netip.Addr
	Hit     []string // ids of the lists with a hit, each once, the first 32; lists that speak for the client too
	Clean   bool     // no other fault was found: no points against it but those of lists
	Trusted bool     // allow-listed, exempt, authenticated, or known to be good for long
}

// Judged is told of each visit when it is judged, and of each trusted client
// whose address was asked about for the lists' own sake. A share of hits that
// jumps calls for tests, and only together with a jump among trusted clients
// suspends a list: a flood of truly listed clients is no fault of a list.
func (h *Health) Judged(v VisitSeen) {
	t := h.roster.Load()
	var room [32]uint8
	places := room[:0]
	for _, id := range v.Hit {
		if i, ok := t.byID[id]; ok && len(places) < len(room) {
			places = append(places, i)
		}
	}
	t.overlap.hit(places)
	if !v.Clean && !v.Trusted || !v.Client.IsValid() {
		return
	}
	bit := networkBit(v.Client, h.seed)
	if v.Trusted {
		t.trusted.add(bit)
	} else if t.clean.add(bit) && t.clean.n.Load() >= sketchFull {
		defer h.newWindow(t)
	}
	for _, i := range places {
		h.noteHit(t, t.all[i], v.Trusted, bit)
	}
}

// noteHit notes the network of a client that a list hit.
func (h *Health) noteHit(t *roster, w *watched, trusted bool, bit uint) {
	if trusted {
		if w.against() && w.trusted.hits.add(bit) && w.leaps.Load() {
			h.secondSign(t, w)
		}
		return
	}
	if !w.clean.hits.add(bit) || w.leaps.Load() {
		return
	}
	seen := t.clean.n.Load()
	if seen >= cleanSeen && w.clean.hits.n.Load() >= cleanHits && w.clean.jumped(seen, cleanLeast, cleanMore) {
		h.leap(t, w)
	}
}

// Swayed counts a verdict that would have been another without the list:
// harsher because of it, or softer.
func (h *Health) Swayed(id string, harsher bool) {
	switch w := h.find(id); {
	case w == nil:
	case harsher:
		w.figures.harsher.Add(1)
	default:
		w.figures.softer.Add(1)
	}
}
