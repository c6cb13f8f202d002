package dnsbl

import (
	"fmt"
	"time"
)

// A Condition is what a list, or the resolver, is thought to be worth just now.
// Only a list that is Up counts. The zero Condition is Untested.
type Condition uint8

const (
	Untested  Condition = iota // not one test passed yet
	Up                         // its tests pass, and no answer spoke against it
	Refused                    // it said that it does not serve us
	Empty                      // it does not list its own test entry: closed, or without data
	ListsAll                   // it lists what must not be listed
	Silent                     // it does not answer
	Suspended                  // its answers cannot be its own, or the resolver makes answers up
)

var conditionNames = [...]string{"untested", "up", "refused", "empty", "lists-all", "silent", "suspended"}

// doubted reports whether what a list said before may have been the madness for which
// it is in this state. One that says nothing, or refuses us, takes nothing back.
func (s Condition) doubted() bool { return s == Empty || s == ListsAll || s == Suspended }

// String gives the name that log, metrics and the command lists use.
func (s Condition) String() string { return conditionNames[s] }

const (
	goodToReturn = 3 // passed tests in a row that bring a list back
	slowest      = 6 // a list that is away is tested at least once in so many test intervals

	// A list is silent when so many answers in a row failed, over so long, while
	// others answered: what is lost in one moment is the network's doing, not the
	// list's. Tests are apart by themselves, so fewer of them are enough. Where half
	// of the other lists fail as well, it takes longer: it may be our own DNS.
	failsToSilence = 5
	silenceLasts   = 3 * time.Second
	testsToSilence = 3
	togetherLasts  = time.Minute

	// steady is after how many test intervals without trouble a list that came
	// back is trusted as if it had never been away.
	steady = 36
)

// A machine is the state of one list and the rules by which it changes. It reads
// no clock and is not safe for concurrent use: its owner has a lock.
type machine struct {
	state  Condition
	reason string
	remedy string    // what an operator may do about it
	since  time.Time // of the state

	good      int       // passed tests in a row while not Up
	failing   time.Time // since when answers fail; zero: the last one did not
	pending   int       // failures in a row of which it is not known yet whose fault they are
	untried   bool      // a test is among them
	why       string    // of the last one
	fails     int       // failures in a row that were not the fault of our own DNS
	testFails int       // failed tests in a row, likewise
	level     int       // the pause between tests has been doubled so often
	back      bool      // it was away before it came Up
	relapses  int       // how often it went away soon after it had come back

	lasts time.Duration // how long a resolver may keep what it said while it listed everybody
	held  time.Time     // it does not come back before
}

// A Change is one list going from one state to another.
type Change struct {
	List     string // id; "" is the resolver, which stands for all lists
	From, To Condition
	Reason   string // for the operator: no key, no name that was asked
	Remedy   string // what the operator may do about it; may be ""
	At       time.Time
}

// passed notes a test in which everything was as it must be.
func (m *machine) passed(now time.Time) (Change, bool) {
	m.forgive()
	switch m.state {
	case Up:
		return Change{}, false
	case Untested:
		return m.become(Up, "tests passed", "", now), true
	}
	if m.good++; m.good == 1 {
		m.held = now.Add(m.lasts) // until now it may have answered so to others
	}
	m.level = max(m.level-1, min(m.relapses, maxLevel))
	if m.good < goodToReturn || now.Before(m.held) {
		return Change{}, false
	}
	return m.become(Up, fmt.Sprintf("%d tests passed in a row", m.good), "", now), true
}

// maxHold is how long resolvers keep an answer, whatever its TTL says.
const maxHold = 24 * time.Hour

// hold keeps a list that listed everybody away, after its first good test, for as
// long as the resolver may keep an answer of before: it looks like a listing of any
// other day, and somebody else may have asked for it.
func (m *machine) hold(ttl time.Duration) {
	m.lasts = max(m.lasts, min(ttl, maxHold))
}

// answered notes that the list answered a visit, with nothing to say against it.
func (m *machine) answered() { m.fails, m.pending, m.failing = 0, 0, time.Time{} }

// away reports whether the list has left Up, or never came that far for what it said.
func (m *machine) away() bool { return m.state != Up && m.state != Untested }

// failed notes that no answer came, to a test or to a question of a visit. It counts
// once somebody says that it was not the fault of our own DNS: see blame and forgive.
// With excused it is known that it may have been.
func (m *machine) failed(reason string, test, excused bool, now time.Time) {
	if m.failing.IsZero() && !m.away() {
		m.failing = now
	}
	m.why = reason
	if test {
		m.untried = true
	}
	if !m.away() && !excused { // a visit that asked before the list went away says nothing new
		m.pending++
	}
	if m.state == Untested {
		m.reason, m.remedy = "no answer to its first tests: "+reason, remedySilent
	}
}

// blame says that the failures so far were the list's own. Together says that other
// lists fail as well.
func (m *machine) blame(together bool, every time.Duration, now time.Time) (Change, bool) {
	m.fails, m.pending = m.fails+m.pending, 0
	if m.untried {
		m.untried = false
		m.testFails++
		if m.away() {
			m.bad()
		}
	}
	switch {
	case m.away(), m.failing.IsZero():
	case together && now.Sub(m.failing) < togetherLasts:
	case m.testFails >= testsToSilence, m.fails >= failsToSilence && now.Sub(m.failing) >= silenceLasts:
		return m.leave(Silent, fmt.Sprintf("%d questions in a row without an answer: %s", m.fails, m.why), remedySilent, every, now), true
	}
	return Change{}, false
}

// forgive says that the failures so far may have been the fault of our own DNS.
func (m *machine) forgive() {
	m.fails, m.pending, m.testFails, m.untried, m.failing = 0, 0, 0, false, time.Time{}
}

// against notes an answer that speaks against the list: s is what it shows it to be.
func (m *machine) against(s Condition, reason, remedy string, test bool, every time.Duration, now time.Time) (Change, bool) {
	m.forgive()
	switch {
	case !m.away():
		return m.leave(s, reason, remedy, every, now), true
	case !test: // of a visit that asked before the list went away
		return Change{}, false
	}
	m.bad()
	if m.state == s {
		m.reason, m.remedy = reason, remedy
		return Change{}, false
	}
	return m.become(s, reason, remedy, now), true
}

// bad notes a test that was not passed by a list that is away.
func (m *machine) bad() {
	m.good = 0
	m.level = min(m.level+1, maxLevel)
}

// leave goes from Up or Untested to a state in which the list does not count.
func (m *machine) leave(s Condition, reason, remedy string, every time.Duration, now time.Time) Change {
	switch {
	case m.state != Up || !m.back: // it was never away
	case now.Sub(m.since) < steady*every && m.relapses < maxLevel:
		m.relapses++
	case now.Sub(m.since) >= steady*every:
		m.relapses = 0
	}
	m.lasts = 0
	m.good, m.level = 0, min(firstLevel(s)+m.relapses, maxLevel)
	return m.become(s, reason, remedy, now)
}

func (m *machine) become(s Condition, reason, remedy string, now time.Time) Change {
	m.forgive()
	c := Change{From: m.state, To: s, Reason: reason, Remedy: remedy, At: now}
	m.back = s == Up && m.state != Untested
	m.state, m.reason, m.remedy, m.since = s, reason, remedy, now
	return c
}

// maxLevel doublings lead from the shortest pause past the longest.
const maxLevel = 6

// firstLevel is how patient the first test of a list that just went away is.
// Who refuses us because we ask too much is left alone for longer.
func firstLevel(s Condition) int {
	if s == Refused {
		return 2
	}
	return 0
}

// pause is how long after a test the next one comes, jitter aside.
func (m *machine) pause(every time.Duration) time.Duration {
	base := every
	switch {
	case m.state == Up && m.failing.IsZero():
		return every
	case m.state == Up || m.state == Untested:
		return shortly(every)
	case m.state == Silent: // most often the network, and soon over
		base = shortly(every)
	}
	return min(base<<m.level, slowest*every)
}

// shortly is the pause where an answer is wanted soon.
func shortly(every time.Duration) time.Duration {
	return max(every/10, min(every, 100*time.Millisecond))
}
