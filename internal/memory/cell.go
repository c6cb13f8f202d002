package memory

import (
	"math"
	"math/bits"
	"time"
)

// A count is one of the things that are counted of a server.
type count uint8

const (
	visits     count = iota // connections with a MAIL
	taken                   // recipients whose message came to its end, and whom nothing spoke against
	refused                 // recipients refused for what the server is
	unknown                 // recipients who do not exist
	trapped                 // recipients who are traps
	listed                  // visits that a DNS list had something against
	deferred                // visits that were asked to come back
	returned                // those that did
	spam                    // reports
	ham                     // reports
	daysSeen                // days with a visit
	daysTaken               // days with a taken recipient
	daysListed              // days on which a DNS list had it
	counts                  // how many there are
)

// What is set of a cell's today and flags.
const (
	todaySeen   = 1 << 0
	todayTaken  = 1 << 1
	todayListed = 1 << 2

	met       = 1 << 0 // it has had a message taken, once
	onChanged = 1 << 7 // its key is in the list of changes
)

// A cell is what is remembered of one key: 100 bytes without a pointer, so that a
// million of them cost the garbage collector nothing.
type cell struct {
	id    [16]byte
	first uint32 // seconds of Unix time
	last  uint32 // likewise; the counts are as of its hour
	n     [counts]float32
	helo  sketch
	from  sketch
	day   uint16 // of the sketches and today
	kind  Kind   // 0 for a free cell
	flags uint8  // met, onChanged
	today uint8
}

// A sketch holds which things were seen, today and the day before, as one bit of 32
// for each. Things may share a bit: what it counts is never more than there was.
type sketch [2]uint32

func (s sketch) count() int { return bits.OnesCount32(s[0] | s[1]) }

// A halving says how fast counts fade.
type halving struct{ hours float64 }

func newHalving(life time.Duration) halving { return halving{max(1, life.Hours())} }

// factor is what is left after so many hours.
func (h halving) factor(hours uint32) float64 { return math.Exp2(-float64(hours) / h.hours) }

const (
	hourSeconds = 3600
	daySeconds  = 24 * hourSeconds
)

func seconds(t time.Time) uint32 { return uint32(min(max(0, t.Unix()), math.MaxUint32)) }

// age has the counts fade until a time. One that is before the last has no effect:
// a clock that steps back makes nobody younger.
func (c *cell) age(now uint32, h halving) {
	if now <= c.last {
		return
	}
	if hours := now/hourSeconds - c.last/hourSeconds; hours > 0 {
		f := float32(h.factor(hours))
		for i := range c.n {
			c.n[i] *= f
		}
	}
	c.last = now
	if day := uint16(now / daySeconds); day != c.day {
		yesterday := day == c.day+1
		c.helo.turn(yesterday)
		c.from.turn(yesterday)
		c.day, c.today = day, 0
	}
}

// turn begins a new day.
func (s *sketch) turn(next bool) {
	s[1] = 0
	if next {
		s[1] = s[0]
	}
	s[0] = 0
}

// once counts a thing that is counted once a day.
func (c *cell) once(bit uint8, what count) {
	if c.today&bit == 0 {
		c.today |= bit
		c.n[what]++
	}
}

// note adds an event to a cell that is of its time.
func (c *cell) note(e *Event, m *marks) {
	if e.Visit {
		c.n[visits]++
	}
	c.once(todaySeen, daysSeen)
	if e.Taken > 0 {
		c.once(todayTaken, daysTaken)
	}
	if e.Listed {
		c.n[listed]++
		c.once(todayListed, daysListed)
	}
	c.n[taken] += float32(e.Taken)
	c.n[refused] += float32(e.Refused)
	c.n[unknown] += float32(e.Unknown)
	c.n[trapped] += float32(e.Trapped)
	if e.Deferred {
		c.n[deferred]++
	}
	if e.Returned {
		c.n[returned]++
	}
	if e.Met || e.Taken > 0 {
		c.flags |= met
	}
	c.helo[0] |= m.helo
	c.from[0] |= m.from
}

// worth is how much would be missed if the cell were forgotten: what took long to
// learn most of all, and what is held against a server more than that it was there.
func (c *cell) worth(now uint32, h halving) float64 {
	w := 8*float64(c.n[daysTaken]) + 8*float64(c.n[trapped]+c.n[spam]+c.n[ham]) +
		2*float64(c.n[daysListed]) + float64(c.n[daysSeen]) + float64(c.n[returned]) + min(2, float64(c.n[unknown]))
	if c.flags&met != 0 {
		w++
	}
	if now <= c.last {
		return w
	}
	return w * h.factor(now/hourSeconds-c.last/hourSeconds)
}

// Counts are what is remembered of one server, network or operator. Numbers have
// faded to the time of the question. The zero Counts are of somebody unknown.
type Counts struct {
	Key         Key
	Name        string // of an operator
	First, Last time.Time
	Met         bool // it has had a message taken, once

	Visits, Taken, Refused, Unknown, Trapped, Listed float64
	Deferred, Returned, Spam, Ham                    float64
	DaysSeen, DaysTaken, DaysListed                  float64

	Helos   int // different HELO domains of today and yesterday that do not lead to it, at least
	Senders int // different sender domains of these days, at least
}

// Known reports whether there is anything.
func (c *Counts) Known() bool { return c.Key.Valid() }

func (c cell) counts(now uint32, h halving) Counts {
	last := c.last
	c.age(now, h)
	n := func(i count) float64 { return float64(c.n[i]) }
	return Counts{
		Key: Key{c.kind, c.id}, First: time.Unix(int64(c.first), 0).UTC(), Last: time.Unix(int64(last), 0).UTC(), Met: c.flags&met != 0,
		Visits: n(visits), Taken: n(taken), Refused: n(refused), Unknown: n(unknown), Trapped: n(trapped), Listed: n(listed),
		Deferred: n(deferred), Returned: n(returned), Spam: n(spam), Ham: n(ham),
		DaysSeen: n(daysSeen), DaysTaken: n(daysTaken), DaysListed: n(daysListed),
		Helos: c.helo.count(), Senders: c.from.count(),
	}
}
