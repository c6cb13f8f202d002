package milter

import (
	"sync"
	"time"
)

// shedIdle is how long a session must have been idle, outside a transaction, to
// be closed when others need its place.
const shedIdle = 5 * time.Minute

// A place is what a new connection is given.
type place uint8

const (
	judgedPlace  place = iota // one among Config.MaxSessions
	limitedPlace              // none: answered by on_failure
	noPlace                   // not even that, or not any more
)

// A port is one listener's share of the sessions.
type port struct {
	handler Handler // of its sessions
	open    sync.WaitGroup
}

// sessions is the set of all connections of a server. Its mutex is taken before
// that of a conn's gate, never after.
type sessions struct {
	mu     sync.Mutex
	max    int // judged ones
	bound  int // all of them
	all    map[*conn]place
	judged int // of them with judgedPlace
	live   int // with a place at all: the others are being shed

	nextShed time.Time // no session can be idle for long enough before
	nextLog  time.Time

	limited, turnedAway, shed uint64
}

func (s *sessions) init() { s.all = make(map[*conn]place) }

// setMax changes how many sessions are judged at once. Those that have a place
// keep it.
func (s *sessions) setMax(max int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max, s.bound = max, hardBound(max)
}

// enter gives a connection the best place there is, and makes one if it can.
func (s *sessions) enter(c *conn, now time.Time) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.judged >= s.max {
		s.shedIdle(now)
	}
	p := judgedPlace
	switch {
	case s.judged < s.max:
		s.judged++
	case s.live < s.bound:
		p = limitedPlace
		s.limited++
	default:
		s.turnedAway++
		return noPlace
	}
	s.all[c] = p
	s.live++
	c.port.open.Add(1)
	return p
}

// hardBound is how many sessions there can be at all. One answered by on_failure
// costs little and saves a mail from the MTA's own word, so there is room for
// many; but not for any number.
func hardBound(judged int) int { return max(4*judged, judged+minLimited) }

// minLimited is the least room for sessions beyond milter.max_sessions.
const minLimited = 1000

// makeRoom closes idle sessions because something else than places ran out.
func (s *sessions) makeRoom(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shedIdle(now)
}

// shedIdle closes the sessions idle for too long; their places are free at once.
// It looks at all of them, so not again before there can be any.
func (s *sessions) shedIdle(now time.Time) {
	if now.Before(s.nextShed) {
		return
	}
	oldest := now
	for c, p := range s.all {
		ended, since := c.endIfIdle(now.Add(-shedIdle), now)
		if since.Before(oldest) {
			oldest = since
		}
		if ended {
			s.release(p)
			s.all[c] = noPlace
			s.shed++
		}
	}
	s.nextShed = oldest.Add(shedIdle)
}

// forget takes a closed connection out.
func (s *sessions) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.all[c]; ok {
		s.release(p)
		delete(s.all, c)
		c.port.open.Done()
	}
}

// release gives a place back.
func (s *sessions) release(p place) {
	if p == judgedPlace {
		s.judged--
	}
	if p != noPlace {
		s.live--
	}
}

// each calls f for every connection of a port.
func (s *sessions) each(p *port, f func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.all {
		if c.port == p {
			f(c)
		}
	}
}

// timeToLog reports whether the last line on a lack of room is old enough.
func (s *sessions) timeToLog(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.nextLog) {
		return false
	}
	s.nextLog = now.Add(logEvery)
	return true
}

// stats gives the numbers of the set.
func (s *sessions) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Open: len(s.all), Judged: s.judged, Limited: s.limited, TurnedAway: s.turnedAway, Shed: s.shed}
}
