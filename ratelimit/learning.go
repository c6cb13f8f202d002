package ratelimit

import "time"

// Times of learning.
const (
	relearnTime = 30 * 24 * time.Hour // at least, after a loss of state
	learnJoins  = 90 * 24 * time.Hour // a new time of learning goes on from one that was over so shortly before
)

// A learning is what differs from the one time of learning after the state began, in
// milliseconds of the clock; 0 is none.
type learning struct {
	cut         int64 // that time is over then, if not before
	from, until int64 // another one
}

func (a *Accounts) others() learning {
	if o := a.other.Load(); o != nil {
		return *o
	}
	return learning{}
}

func (a *Accounts) setOther(o learning) {
	a.other.Store(&o)
	a.told.Store(true)
}

// firstEnd is when the time of learning after the state began is over.
func (a *Accounts) firstEnd(o learning) int64 {
	end := a.began.Load() + a.learn.Load()/int64(time.Millisecond)
	if o.cut != 0 {
		end = min(end, o.cut)
	}
	return end
}

// within reports whether a second is, at least in part, of a time in milliseconds.
func within(second, from, end int64) bool {
	return from < end && second >= from/1000 && second < ceilDiv(end, 1000)
}

// Learn has accounts that are first seen before until be of unknown age, from now on, or
// from when a time of learning began that is under way, or was over shortly before. An
// until that is not after now ends it: who is first seen then is new, and who was seen
// before stays of unknown age. It is called by one goroutine at a time.
func (a *Accounts) Learn(until, now time.Time) {
	at := a.clock.see(now)
	end := at
	if until.After(now) {
		end += until.Sub(now).Milliseconds() + 2 // parts of a millisecond, that both have lost
	}
	o := a.others()
	first := a.firstEnd(o)
	switch {
	case o.until > at-learnJoins.Milliseconds():
	case at < first:
		o.from = a.began.Load()
	default:
		o.from = at
	}
	if at < first {
		o.cut = end
	}
	o.until = end
	a.setOther(o)
}

// Learners counts the accounts that are of unknown age, and may be younger than that.
func (a *Accounts) Learners(below time.Duration, now time.Time) int {
	at, n := a.clock.see(now)/1000, 0
	for i := range a.shards {
		s := &a.shards[i]
		s.mu.RLock()
		for j := range s.seen {
			if o := &s.seen[j]; o.first != 0 {
				if age := a.age(o.first-1, at); !age.Known && age.AtLeast < below {
					n++
				}
			}
		}
		s.mu.RUnlock()
	}
	return n
}

// A Learning is what Learn and Relearn have made of the time of learning, as it is kept.
// Zero times are none.
type Learning struct{ Cut, From, Until time.Time }

// LearningChanged gives what is to be kept where it has changed since the last call.
func (a *Accounts) LearningChanged(now time.Time) (Learning, bool) {
	if !a.told.Swap(false) {
		return Learning{}, false
	}
	return a.Learning(now), true
}

// Learning gives what is to be kept.
func (a *Accounts) Learning(now time.Time) Learning {
	at, o := a.clock.see(now), a.others()
	wall := func(ms int64) time.Time {
		if ms == 0 {
			return time.Time{}
		}
		return now.Round(0).UTC().Add(time.Duration(ms-at) * time.Millisecond)
	}
	return Learning{wall(o.cut), wall(o.from), wall(o.until)}
}

// SetLearning takes over what was kept.
func (a *Accounts) SetLearning(l Learning, now time.Time) {
	at, wall := a.clock.see(now), now.Round(0)
	ms := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return max(at+t.Sub(wall).Milliseconds(), 1)
	}
	a.other.Store(&learning{ms(l.Cut), ms(l.From), ms(l.Until)})
}
