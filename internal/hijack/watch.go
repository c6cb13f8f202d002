package hijack

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

// DefaultBytes is the memory that a Watch may take unless told otherwise: room for
// some 960,000 accounts.
const DefaultBytes = 128 << 20

// cellCost is what one account takes in bytes at most: its cell and tag, and what of a
// table stands free.
const cellCost = 121*8/7 + 1

// Options are those of a Watch.
type Options struct {
	Settings
	Bytes  int64 // the bound of its memory, 0 for DefaultBytes
	Track  bool  // keep a list of what changed, for ExportChanged
	Secret Secret
}

// A Watch knows what accounts do. It is safe for concurrent use, and bounded.
type Watch struct {
	secret   Secret
	seed     uint64 // of marks
	settings atomic.Pointer[Settings]
	base     time.Time     // when it was made
	began    atomic.Uint32 // seconds of Unix time
	last     atomic.Uint32 // likewise: when it was last told something, as of a minute
	loaded   uint32        // the same, by what was taken in
	shards   [shards]shard
}

// New returns a Watch that knows nobody.
func New(o Options, now time.Time) *Watch {
	if o.Bytes <= 0 {
		o.Bytes = DefaultBytes
	}
	w := &Watch{secret: o.Secret, base: now, seed: binary.LittleEndian.Uint64(o.Secret[:]) ^ 0xcbf29ce484222325}
	w.Set(o.Settings)
	w.began.Store(seconds(now))
	w.last.Store(seconds(now))
	scatter := newScatter()
	for i := range w.shards {
		w.shards[i].scatter = scatter
		w.shards[i].limit = int(max(o.Bytes/cellCost/shards, 1))
		w.shards[i].track = o.Track
	}
	return w
}

// at brings a time to seconds of Unix time, by the clock that does not step where now has
// one (see package time): a step into the future would let all habits fade at once.
func (w *Watch) at(now time.Time) uint32 { return seconds(w.base.Add(now.Sub(w.base))) }

// asleep is how long nothing at all may happen before habits have to be learnt anew: the
// daemon was off, or its clock is wrong.
const asleep = 7 * daySeconds

// wake notes that something is told at a time.
func (w *Watch) wake(at uint32) {
	switch last := w.last.Load(); {
	case at >= last && at-last < 60, at < last && last-at < tolerance:
	default:
		if w.last.Swap(at); at > last && at-last > asleep || at < last && last-at > asleep {
			w.began.Store(at)
		}
	}
}

// Set changes the settings for what comes from now on.
func (w *Watch) Set(o Settings) {
	o.Window = max(o.Window, parts*time.Second)
	w.settings.Store(&o)
}

func (w *Watch) shard(k Key) *shard { return &w.shards[uint64(k)>>32%shards] }

// Evidence is what one mail shows of an account. What is zero shows nothing.
type Evidence struct {
	Client  netip.Addr // one that says where its owner is: no server of our own
	ASN     uint32     // of it
	Country string     // likewise: "DE"
	Sender  string     // as it is the same from mail to mail, without what marks a single one
	Listed  bool       // a list of addresses that guess passwords has the client
	Unknown int        // recipients who do not exist, which it was not told of before
	Pending int        // recipients so far; they count when Sent is told of them
}

// marks are an Evidence as a cell takes it.
type marks struct {
	network         uint64
	sender, country uint32
	unknown         int
	listed          bool
}

func (w *Watch) marks(e *Evidence) marks {
	m := marks{network: w.networkMark(e.Client, e.ASN), sender: w.senderMark(e.Sender), unknown: max(e.Unknown, 0), listed: e.Listed}
	if m.network != 0 {
		m.country = w.countryMark(e.Country)
	}
	return m
}

// quiet is how long an account must be below the threshold before it is said again
// that it is over it, in seconds: a day and a half, so that what comes once a day is
// one event.
const quiet = daySeconds * 3 / 2

// Note adds what a mail shows to what is known of its account, and gives what is
// thought of it. Of nobody, the zero Key, nothing is.
func (w *Watch) Note(k Key, e *Evidence, now time.Time) (s Suspicion) {
	if k == 0 {
		return s
	}
	at, o, m := w.at(now), w.settings.Load(), w.marks(e)
	w.wake(at)
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(k)
	if c == nil {
		c = sh.insert(k, at)
	}
	c.age(at, o)
	c.note(&m)
	s.suspect(c, e.Pending, o)
	w.conclude(c, &s, o, at)
	if s.Over {
		if s.Began = !c.underWay(); s.Began {
			c.since = max(c.last, 1)
		}
		c.over = max(c.last, 1)
		c.flags |= suspect
	}
	if c.underWay() {
		s.Since = unix(c.since)
	}
	sh.touch(c)
	return s
}

// underWay reports whether an event has begun and not ended by itself.
func (c *cell) underWay() bool { return c.over != 0 && c.last-c.over < quiet }

// conclude says whether it is enough.
func (w *Watch) conclude(c *cell, s *Suspicion, o *Settings, at uint32) {
	s.Learning = w.learning(at, o)
	s.Over = s.Score >= o.Threshold && !s.Learning
	if c.underWay() {
		s.Since = unix(c.since)
	}
}

// learning reports whether the state is too young to suspect anybody.
func (w *Watch) learning(at uint32, o *Settings) bool {
	began := w.began.Load()
	return at < began && o.Learn > 0 || at >= began && time.Duration(at-began)*time.Second < o.Learn
}

// Look tells what Note would, and notes nothing.
func (w *Watch) Look(k Key, e *Evidence, now time.Time) (s Suspicion) {
	if k == 0 {
		return s
	}
	at, o, m := w.at(now), w.settings.Load(), w.marks(e)
	day := uint16(at / daySeconds)
	c := cell{last: at, first: day, day: day}
	sh := w.shard(k)
	sh.mu.Lock()
	if there := sh.find(k); there != nil {
		c = *there
	}
	sh.mu.Unlock()
	c.age(at, o)
	c.note(&m)
	s.suspect(&c, e.Pending, o)
	w.conclude(&c, &s, o, at)
	s.Began = s.Over && !c.underWay()
	return s
}

// Sent notes that a message for so many recipients came to its end.
func (w *Watch) Sent(k Key, recipients int, now time.Time) {
	if k == 0 || recipients <= 0 {
		return
	}
	at, o := w.at(now), w.settings.Load()
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(k)
	if c == nil {
		c = sh.insert(k, at)
	}
	c.age(at, o)
	c.add(recipients)
	sh.touch(c)
}

// Listed notes that a list of addresses that guess passwords has a client of an account. The
// next Note judges by it.
func (w *Watch) Listed(k Key, now time.Time) {
	if k == 0 {
		return
	}
	at, o := w.at(now), w.settings.Load()
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(k)
	if c == nil {
		c = sh.insert(k, at)
	}
	c.age(at, o)
	c.listed = max(c.last, 1)
	sh.touch(c)
}

// Release forgets what speaks against an account, and ends the event: its owner has it
// back. What it is used to stays. It reports whether there was an event.
func (w *Watch) Release(k Key, now time.Time) (was bool) {
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c := sh.find(k)
	if c == nil {
		return false
	}
	c.age(w.at(now), w.settings.Load())
	was = c.underWay()
	c.release()
	sh.touch(c)
	return was
}

// Known reports whether the account was ever seen, as far as that is remembered.
func (w *Watch) Known(k Key) bool {
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.find(k) != nil
}

// Stats are of a Watch.
type Stats struct {
	Accounts int    // that are remembered
	Room     int    // for accounts
	Evicted  uint64 // forgotten for want of room, since it was made
	Began    time.Time
	Learning bool // nobody is suspected yet
}

// Stats gives the counts.
func (w *Watch) Stats(now time.Time) Stats {
	st := Stats{Began: unix(w.began.Load()), Learning: w.learning(w.at(now), w.settings.Load())}
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		st.Accounts += sh.used
		st.Room += sh.limit
		st.Evicted += sh.evicted
		sh.mu.Unlock()
	}
	return st
}

// Relearn has the state begin now: some of what was known may be missing, and who has no
// habits here may well have had some.
func (w *Watch) Relearn(now time.Time) { w.began.Store(w.at(now)) }
