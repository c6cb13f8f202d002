package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// A Keeping says how long answers of a source are remembered. A zero time: not at all.
type Keeping struct {
	Yes  time.Duration // that a recipient exists
	No   time.Duration // that it does not, or that the source does not speak for it
	Down time.Duration // that it existed, beyond Yes, for as long as the source fails
}

// The bounds of a Guard.
const (
	maxKept     = 250_000 // recipients who exist
	maxDenied   = 50_000  // of whom that was not said: whoever tries names must not drive the others out
	maxParallel = 32      // questions at a time
	maxInFlight = 4096    // of these and those that wait for their turn
	longest     = 30 * time.Second
	late        = 5 * time.Second // beyond the patience of who asked first: what comes then serves who asks again
)

// A Guard stands before a Source that has to be waited for: it remembers answers,
// asks one question for all that want to know the same at the same time, holds the
// number of questions down, and leaves a source alone that fails. It is safe for
// concurrent use, and bounded. Generations of a configuration share it: it closes its
// source with the last of them.
type Guard struct {
	id     string
	src    Source
	keep   Keeping
	now    func() time.Time
	places chan struct{} // a token for each question at the source
	folds  bool          // case means nothing to the source
	work   sync.WaitGroup

	mu      sync.Mutex
	kept    *simplelru.LRU[Address, answer] // each a Yes
	denied  *simplelru.LRU[Address, answer] // No or Unknown; who is there is not in kept
	said    *testimonies
	onNamed func(domain string) // somebody is known there, for the first time; nil: nobody wants to know
	flights map[Address]*flight
	breaker breaker
	users   int
	counts  Counts
	trouble error // of the last question, nil when it was answered
	failure error // of the last that failed
}

// Counts are what has become of questions to a source since it was made.
type Counts struct {
	Asked  uint64 // of the source itself
	Failed uint64 // of these
	Cached uint64 // answered by memory
	Stale  uint64 // of these: past their time, since the source failed
	Turned uint64 // not asked: the source was left alone, or had too much to do
}

// An answer is one as it is remembered.
type answer struct {
	entry Entry
	at    time.Time
}

// A flight is a question that is out.
type flight struct {
	done    chan struct{}
	entry   Entry // once done
	waiting int
	asked   bool // it is at the source: its answer serves whoever asks next, so it stays out
	cancel  context.CancelFunc
}

// NewGuard stands before src, for one user. id names the source and all that makes it
// another one: see Stack. now is nil for time.Now.
func NewGuard(id string, src Source, keep Keeping, now func() time.Time) *Guard {
	if now == nil {
		now = time.Now
	}
	g := &Guard{id: id, src: src, keep: keep, now: now, places: make(chan struct{}, maxParallel), flights: make(map[Address]*flight), said: newTestimonies(), users: 1}
	_, g.folds = src.(CaseBlind)
	g.kept, _ = simplelru.NewLRU[Address, answer](maxKept, nil) // it refuses sizes below 1 only
	g.denied, _ = simplelru.NewLRU[Address, answer](maxDenied, nil)
	return g
}

// ID gives what NewGuard was given.
func (g *Guard) ID() string { return g.id }

// share counts one more user in.
func (g *Guard) share() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users++
}

// Close counts a user out. With the last one the source is closed, once what is out
// is back.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.users--
	last := g.users == 0
	if last {
		for _, f := range g.flights {
			f.cancel()
		}
	}
	g.mu.Unlock()
	if !last {
		return nil
	}
	g.work.Wait()
	return g.src.Close()
}

// Cached answers by memory alone, where it can.
func (g *Guard) Cached(a Address) (Entry, bool) {
	a = g.key(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.fresh(a)
	if ok {
		g.counts.Cached++
	}
	return e, ok
}

// Lookup answers by memory, or asks the source and waits as long as ctx. stale says
// that the source failed, and the answer is an old one: never a No.
func (g *Guard) Lookup(ctx context.Context, a Address) (e Entry, stale bool) {
	a = g.key(a)
	g.mu.Lock()
	if e, ok := g.fresh(a); ok {
		g.counts.Cached++
		g.mu.Unlock()
		return e, false
	}
	f, err := g.flight(ctx, a)
	if err != nil {
		defer g.mu.Unlock()
		g.counts.Turned++
		return g.lastOf(a, Fail(err))
	}
	f.waiting++
	g.mu.Unlock()
	select {
	case <-f.done:
		e = f.entry
	case <-ctx.Done():
		e = Fail(whyEnded(ctx))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.waiting--; f.waiting == 0 && !f.asked {
		f.cancel() // nobody wants to know any more
	}
	if e.Result == Failed {
		return g.lastOf(a, e)
	}
	return e, false
}

// Last gives what was last known of an address, while its source fails: that it
// existed. Nobody is asked.
func (g *Guard) Last(a Address) (e Entry, ok bool) {
	a = g.key(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lastOf(a, Entry{})
}

// key is the address by which answers are remembered.
func (g *Guard) key(a Address) Address {
	if g.folds {
		return a.Folded()
	}
	return a
}

// fresh gives a remembered answer that still holds.
func (g *Guard) fresh(a Address) (Entry, bool) {
	k, ok := g.kept.Get(a)
	lasts := g.keep.Yes
	if !ok {
		k, ok = g.denied.Get(a)
		lasts = g.keep.No
	}
	if !ok || g.now().Sub(k.at) >= lasts {
		return Entry{}, false
	}
	return k.entry, true
}

// remember takes an answer in, in place of the one before.
func (g *Guard) remember(a Address, e Entry) {
	to, from := g.denied, g.kept
	if e.Result == Yes {
		to, from = from, to
	}
	to.Add(a, answer{e, g.now()})
	from.Remove(a)
}

// lastOf gives what was last known of an address whose question failed: that it existed.
func (g *Guard) lastOf(a Address, failed Entry) (e Entry, stale bool) {
	k, ok := g.kept.Get(a)
	if !ok || g.now().Sub(k.at) >= g.keep.Yes+g.keep.Down {
		return failed, false
	}
	g.counts.Cached++
	g.counts.Stale++
	return k.entry, true
}

var errBusy = errors.New("too many questions are waiting already")

// whyEnded is why a context has ended.
func whyEnded(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ErrLate
	}
	return ctx.Err()
}

// flight gives the question about a that is out, or sends it. It is called under mu. A
// question goes on when who asked has lost patience: a next hop that answers unknown
// names late, as a tarpit does, is not down, and must not be left alone for that.
func (g *Guard) flight(ctx context.Context, a Address) (*flight, error) {
	if f := g.flights[a]; f != nil {
		return f, nil
	}
	if len(g.flights) >= maxInFlight {
		return nil, errBusy
	}
	if !g.breaker.lets(g.now()) {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, g.trouble)
	}
	patience := longest
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)+late)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	f := &flight{done: make(chan struct{}), cancel: cancel}
	g.flights[a] = f
	g.work.Go(func() {
		defer cancel()
		g.land(ctx, a, f, g.ask(ctx, a, f))
	})
	return f, nil
}

// ask waits for its turn and asks the source.
func (g *Guard) ask(ctx context.Context, a Address, f *flight) Entry {
	select {
	case g.places <- struct{}{}:
		defer func() { <-g.places }()
	case <-ctx.Done():
		return Fail(whyEnded(ctx))
	}
	g.mu.Lock()
	f.asked = ctx.Err() == nil
	g.mu.Unlock()
	if !f.asked {
		return Fail(whyEnded(ctx))
	}
	e := g.question(ctx, a)
	switch e.Result {
	case Yes:
		g.vouch(a)
	case No:
		e = g.believe(ctx, a, e)
	}
	return e
}

// question puts one question to the source. A panic in it is a failed question.
func (g *Guard) question(ctx context.Context, a Address) (e Entry) {
	defer func() {
		if p := recover(); p != nil {
			e = Fail(fmt.Errorf("panic: %v", p))
		}
	}()
	g.mu.Lock()
	g.counts.Asked++
	g.mu.Unlock()
	e = g.src.Lookup(ctx, a)
	if e.Result == No && g.folds {
		// A table that was made for Postfix has "strasse" for "straße".
		if folded := Fold(a.Local); folded != a.Local {
			e = g.src.Lookup(ctx, Address{Local: folded, Domain: a.Domain})
		}
	}
	if e.Result == Failed && e.Err == nil {
		e.Err = errors.New("no reason was given")
	}
	return e
}

// land notes the answer, and gives it to those who wait.
func (g *Guard) land(ctx context.Context, a Address, f *flight, e Entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.flights, a)
	f.entry = e
	close(f.done)
	if e.Result != Failed {
		g.breaker.worked()
		g.trouble = nil
		g.remember(a, e)
		return
	}
	if f.asked {
		g.counts.Failed++
	} else {
		g.counts.Turned++
	}
	g.trouble, g.failure = e.Err, e.Err
	if errors.Is(e.Err, ErrThisAddress) {
		g.breaker.worked()
		return
	}
	g.breaker.failed(g.now())
	if ctx.Err() != nil && errors.Is(e.Err, context.Canceled) {
		g.trouble, g.failure = ErrLate, ErrLate
	}
}

// Health tells how the source is.
func (g *Guard) Health() Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := Health{Counts: g.counts, Kept: g.kept.Len() + g.denied.Len(), Up: g.breaker.closed(), Since: g.breaker.since}
	if g.trouble != nil {
		h.Trouble = g.trouble.Error()
	}
	if g.failure != nil {
		h.Failure = g.failure.Error()
	}
	return h
}

// A Health is how a source is.
type Health struct {
	Counts
	Kept    int       // answers remembered
	Up      bool      // it is asked
	Since   time.Time // of not being Up
	Trouble string    // of the last question, "" when it was answered
	Failure string    // of the last question that failed, "" when none has
}
