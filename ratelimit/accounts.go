package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultAccounts is how many accounts are remembered unless told otherwise.
const DefaultAccounts = 4_000_000

// createdTolerance is how far in the future a directory may date an account:
// dates have no zone.
const createdTolerance = 48 * time.Hour

// AccountOptions are those of Accounts.
type AccountOptions struct {
	// Learn is how long after the state began accounts that are first seen are
	// of unknown age: all customers of years are first seen then. 0 is for a new
	// site, where first seen is new.
	Learn time.Duration
	Keys  int  // how many are remembered, 0 for DefaultAccounts; an account takes 15 to 19 bytes
	Track bool // keep a list of changes, for ExportChanged
}

// Accounts remembers when each account was first seen, for good: as a hash of its
// name and a time. It is safe for concurrent use.
type Accounts struct {
	secret Secret
	clock  *clock
	keys   int // of a shard
	track  bool
	learn  atomic.Int64 // a Duration
	began  atomic.Int64 // when the state began, in Unix milliseconds of clock
	other  atomic.Pointer[learning]
	told   atomic.Bool // other has changed, since LearningChanged
	full   atomic.Uint64
	shards [shards]accountShard
}

type accountShard struct {
	mu      sync.RWMutex
	scatter scatter
	seen    []sighting // an open hash table with linear probing
	used    int
	changed []uint64
	_       [64]byte
}

// NewAccounts returns Accounts that know nobody: their state begins now. Import
// brings back what was known, and when that began.
func NewAccounts(o AccountOptions, secret Secret, now time.Time) *Accounts {
	if o.Keys <= 0 {
		o.Keys = DefaultAccounts
	}
	a := &Accounts{secret: secret, clock: newClock(now), keys: max(o.Keys/shards, 1), track: o.Track}
	a.learn.Store(int64(o.Learn))
	a.began.Store(a.clock.begin)
	m := newScatter()
	for i := range a.shards {
		a.shards[i].scatter = m
	}
	return a
}

// SetLearn changes AccountOptions.Learn.
func (a *Accounts) SetLearn(d time.Duration) { a.learn.Store(int64(d)) }

// Relearn begins the time of learning anew, because some of what was known is lost:
// accounts that are missing would look new, and be limited as such. What was of
// unknown age is so for the new time of learning; what was known stays. It is to be
// called after all Imports, and what was exported before it is to be replaced by
// ExportAll.
//
// It lasts 30 days at least: a site that was new when it set AccountOptions.Learn to 0
// has customers when it loses them.
func (a *Accounts) Relearn(now time.Time) {
	at := a.clock.see(now)
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.Lock()
		for j := range s.seen {
			if o := &s.seen[j]; o.first != 0 && !a.age(o.first-1, at/1000).Known {
				o.first = uint32(at/1000) + 1
			}
		}
		s.mu.Unlock()
	}
	a.began.Store(at)
	var o learning
	if time.Duration(a.learn.Load()) < relearnTime {
		o.from, o.until = at, at+relearnTime.Milliseconds()
	}
	a.setOther(o)
}

// Began tells when the state began, and until when accounts that are first seen
// are of unknown age; both by the clock of now.
func (a *Accounts) Began(now time.Time) (began, learnt time.Time) {
	at, o := a.clock.see(now), a.others()
	wall := func(ms int64) time.Time { return now.Add(time.Duration(ms-at) * time.Millisecond) }
	return wall(a.began.Load()), wall(max(a.firstEnd(o), o.until))
}

// Age notes that an account (see AccountKey) is there, and gives its age. created
// is what the directory says, the zero time if nothing; it is remembered, in case
// the directory says nothing next time. When a directory that should know does
// not answer, ask Peek.
func (a *Accounts) Age(account string, created, now time.Time) Age {
	at := a.clock.see(now) / 1000
	first := at
	known := !created.IsZero() && created.Sub(now) < createdTolerance
	if known {
		first = min(at, max(at-int64(now.Sub(created)/time.Second), 0))
	}
	seen, ok := a.note(a.secret.sum([]byte(account)), uint32(first))
	if known {
		return Age{AtLeast: max(now.Sub(created), 0), Known: true}
	}
	if !ok {
		return Age{}
	}
	return a.age(seen, at)
}

// Same notes that an account was known by another name too: it is there since the
// earlier sighting of both. Where that name was never seen, nothing changes.
func (a *Accounts) Same(account, name string) {
	s, id := a.shard(name)
	s.mu.RLock()
	seen, ok := s.first(id)
	s.mu.RUnlock()
	if ok {
		a.note(a.secret.sum([]byte(account)), seen)
	}
}

// Peek gives the age of an account and notes nothing. Of one that was never seen
// it is unknown.
func (a *Accounts) Peek(account string, now time.Time) Age {
	at := a.clock.see(now) / 1000
	s, id := a.shard(account)
	s.mu.RLock()
	seen, ok := s.first(id)
	s.mu.RUnlock()
	if !ok {
		return Age{}
	}
	return a.age(seen, at)
}

func (a *Accounts) shard(account string) (*accountShard, uint64) {
	id := a.secret.sum([]byte(account))
	return &a.shards[id%shards], id
}

// age is that of an account first seen then; both in seconds.
func (a *Accounts) age(seen uint32, at int64) Age {
	o, first := a.others(), int64(seen)
	unknown := within(first, a.began.Load(), a.firstEnd(o)) || // before it began: a directory said so
		within(first, o.from, o.until)
	return Age{AtLeast: time.Duration(max(at-first, 0)) * time.Second, Known: !unknown}
}

// note remembers the earliest time of an account, and gives it; false when there
// is no room for a new one.
func (a *Accounts) note(id uint64, first uint32) (uint32, bool) { return a.enter(id, first, a.track) }

// enter is note; told says that it is to be exported.
func (a *Accounts) enter(id uint64, first uint32, told bool) (uint32, bool) {
	s := &a.shards[id%shards]
	s.mu.RLock()
	seen, ok := s.first(id)
	s.mu.RUnlock()
	if ok && seen <= first {
		return seen, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen, ok = s.first(id); ok && seen <= first {
		return seen, true
	}
	if !ok && s.used >= a.keys {
		a.full.Add(1)
		return 0, false
	}
	s.set(id, first)
	if told {
		s.changed = append(s.changed, id)
	}
	return first, true
}

// A sighting is an account's ID, in halves so that it takes 12 bytes, and when it
// was first seen: in Unix seconds of the clock, plus 1; 0 is a free place.
type sighting struct{ low, high, first uint32 }

// place gives the place of an account, or the free one where it belongs.
func (s *accountShard) place(id uint64) *sighting {
	i := s.scatter.place(id, len(s.seen))
	for {
		p := &s.seen[i]
		if p.first == 0 || p.low == uint32(id) && p.high == uint32(id>>32) {
			return p
		}
		if i++; i == len(s.seen) {
			i = 0
		}
	}
}

func (s *accountShard) first(id uint64) (uint32, bool) {
	if len(s.seen) == 0 {
		return 0, false
	}
	p := s.place(id)
	return p.first - 1, p.first != 0
}

func (s *accountShard) set(id uint64, first uint32) {
	if (s.used+1)*5 > len(s.seen)*4 {
		old := s.seen
		s.seen = make([]sighting, max(firstCells, len(old)+len(old)/4))
		for _, o := range old {
			if o.first != 0 {
				*s.place(o.id()) = o
			}
		}
	}
	p := s.place(id)
	if p.first == 0 {
		s.used++
	}
	*p = sighting{uint32(id), uint32(id >> 32), min(first, math.MaxUint32-1) + 1}
}

func (s *sighting) id() uint64 { return uint64(s.high)<<32 | uint64(s.low) }

// AccountStats are of Accounts.
type AccountStats struct {
	Keys int    // accounts that are known
	Room int    // for accounts
	Full uint64 // sightings of accounts that there was no room for; their age is unknown
}

// Stats counts the accounts.
func (a *Accounts) Stats() AccountStats {
	st := AccountStats{Room: a.keys * shards, Full: a.full.Load()}
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.RLock()
		st.Keys += s.used
		s.mu.RUnlock()
	}
	return st
}
