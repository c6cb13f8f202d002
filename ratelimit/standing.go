package ratelimit

import "time"

// A Desk is a store as operators use it. A Table and a Fallback are.
type Desk interface {
	// Look sets Over, Used and Wait as Take would, and reserves nothing.
	Look(charges []Charge, now time.Time) bool

	// Reset forgets what the counters hold. What is pending still counts.
	Reset(charges []Charge)
}

// Standing tells of each limit that applies to a subject's mail how much of it is
// used, whether or not one mail more would fit. It reserves nothing, and Again is
// set only where it would not fit.
func (r *Rules) Standing(t Desk, s *Subject, now time.Time) []Over {
	charges := r.both(s, now)
	t.Look(charges, now)
	all := make([]Over, len(charges))
	for i := range charges {
		all[i] = r.over(&charges[i], now)
	}
	return all
}

// Reset forgets what the limits that apply to a subject's mail have counted, and
// gives how many those are. What is pending still counts.
func (r *Rules) Reset(t Desk, s *Subject, now time.Time) int {
	charges := r.both(s, now)
	t.Reset(charges)
	return len(charges)
}

func (r *Rules) both(s *Subject, now time.Time) []Charge {
	return r.Charges(r.Charges(nil, s, AtMail, now), s, AtRcpt, now)
}

// FirstSeen tells since when an account is known, to the second and by the clock of
// now; false when it never was.
func (a *Accounts) FirstSeen(account string, now time.Time) (time.Time, bool) {
	at := a.clock.see(now) / 1000
	s, id := a.shard(account)
	s.mu.RLock()
	defer s.mu.RUnlock()
	first, ok := s.first(id)
	if !ok {
		return time.Time{}, false
	}
	return now.Add(-time.Duration(max(at-int64(first), 0)) * time.Second).Truncate(time.Second), true
}
