package harvest

import (
	"slices"
	"time"
)

// mostHeld is how many hashes one half of a window holds. Past it every second one is
// forgotten, of both kinds alike, and those that stay stand for two (adaptive
// sampling; Flajolet, "On adaptive sampling", 1990): their share stays right, and
// small numbers are exact.
const mostHeld = 512

// A peer is a client or a network. It counts in two halves of the window, of which
// the older is dropped when the newer is full of time. It has no lock.
type peer struct {
	halves [2]half
	began  time.Time // of halves[0]
	first  time.Time // of what halves hold
}

// A half is the names tried in half a window.
type half struct {
	level   uint8    // a hash is held if that many of its low bits are zero
	unknown []uint32 // in their order
	known   []uint32
}

func (p *peer) held() int {
	n := 0
	for i := range p.halves {
		n += len(p.halves[i].unknown) + len(p.halves[i].known)
	}
	return n
}

// turn lets halves go whose time is over.
func (p *peer) turn(now time.Time, length time.Duration) {
	switch passed := now.Sub(p.began); {
	case p.began.IsZero(), passed >= 2*length, passed < -length: // the last is a clock that was set back
		*p = peer{began: now, first: now}
	case passed >= length:
		p.halves = [2]half{1: p.halves[0]}
		p.first, p.began = p.began, p.began.Add(length)
	}
}

func (p *peer) note(now time.Time, length time.Duration, h uint32, exists bool) {
	p.turn(now, length)
	s := &p.halves[0]
	to := &s.unknown
	if exists {
		to = &s.known
	}
	if h&(1<<s.level-1) != 0 {
		return
	}
	at, there := slices.BinarySearch(*to, h)
	if there {
		return
	}
	*to = slices.Insert(*to, at, h)
	for len(s.unknown)+len(s.known) > mostHeld {
		s.thin()
	}
}

// thin forgets every second hash.
func (s *half) thin() {
	s.level++
	gone := func(h uint32) bool { return h&(1<<s.level-1) != 0 }
	s.unknown, s.known = slices.DeleteFunc(s.unknown, gone), slices.DeleteFunc(s.known, gone)
}

// fishing counts both halves, and says since when, and whether it is a harvest. It
// changes nothing.
func (p *peer) fishing(now time.Time, set *Settings) (unknown, known int, since time.Duration, ok bool) {
	q := *p
	q.turn(now, set.Window/2)
	level := max(q.halves[0].level, q.halves[1].level)
	unknown = distinct(q.halves[0].unknown, q.halves[1].unknown, level)
	known = distinct(q.halves[0].known, q.halves[1].known, level)
	ok = unknown >= set.Names && float64(unknown) >= set.Share*float64(unknown+known)
	return unknown, known, now.Sub(q.first), ok
}

// distinct estimates how many names two halves have together.
func distinct(a, b []uint32, level uint8) int {
	n, i, j := 0, 0, 0
	for i < len(a) || j < len(b) {
		var h uint32
		switch {
		case j == len(b) || i < len(a) && a[i] < b[j]:
			h = a[i]
			i++
		case i == len(a) || b[j] < a[i]:
			h = b[j]
			j++
		default:
			h = a[i]
			i++
			j++
		}
		if h&(1<<level-1) == 0 {
			n++
		}
	}
	return n << level
}
