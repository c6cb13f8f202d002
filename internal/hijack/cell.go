package hijack

import (
	"math"
	"math/bits"
	"time"
)

// parts is how many a window has: what is in it is as old as two to three of them.
const parts = 3

// A cell is what is remembered of one account: 120 bytes without a pointer, so that a
// million of them cost the garbage collector nothing. The first of each row of
// parts is of now.
type cell struct {
	id uint64

	networks  [parts]uint64 // sketches
	senders   [parts]uint32
	countries [parts]uint32
	taken     [parts]uint32 // recipients whose message came to its end
	habit

	today  uint32 // recipients taken
	last   uint32 // seconds of Unix time
	listed uint32 // likewise: when a list last had its client; 0 for never
	since  uint32 // the event that is under way, or the last one; 0 for none
	over   uint32 // when it was last over the threshold

	unknown [parts]uint16  // recipients who do not exist
	usual   [habits]uint16 // things of a day, in parts of 256
	first   uint16         // day since 1970 on which it was first seen
	day     uint16         // that today and most are of
	most    [habits]uint8  // things of today, so far
	flags   uint8          // onChanged, suspect
}

// A habit is what an account sends on a day, as of the beginning of one; see learn.
type habit struct {
	mean, square float32 // decayed sums of recipients and of their squares
	peak         float32 // the most, fading
}

const (
	suspect   = 1 << 0 // today it was over the threshold: nothing is learnt of this day
	onChanged = 1 << 7 // its key is in the list of changes
)

// The habits that are learnt of how many different things there are in a window.
const (
	networkHabit = iota
	countryHabit
	senderHabit
	habits
)

const (
	daySeconds = 24 * 3600

	normHalfLife  = 14 // days, of mean and square
	peakHalfLife  = 90
	usualHalfLife = 30
)

func seconds(t time.Time) uint32 { return uint32(min(max(0, t.Unix()), math.MaxUint32)) }

func unix(at uint32) time.Time { return time.Unix(int64(at), 0).UTC() }

// tolerance is how far a clock may step back without being believed, in seconds.
const tolerance = 3600

// age brings a cell to a time. One that is before the last has no effect; where it is
// long before, the clock was wrong then, and what was noted is taken as of now.
func (c *cell) age(now uint32, o *Settings) {
	if now <= c.last {
		if c.last-now > tolerance {
			c.rewind(now)
		}
		return
	}
	length := uint32(o.Window/time.Second) / parts
	if n := now/length - c.last/length; n > 0 {
		c.shift(n)
	}
	c.last = now
	if day := uint16(now / daySeconds); day != c.day {
		c.learn(day, o)
	}
}

// rewind takes what is of the future as of now.
func (c *cell) rewind(now uint32) {
	day := uint16(now / daySeconds)
	c.last, c.day, c.first = now, day, min(c.first, day)
	for _, at := range [...]*uint32{&c.listed, &c.since, &c.over} {
		*at = min(*at, now)
	}
}

// shift begins so many new parts.
func (c *cell) shift(n uint32) {
	for ; n > 0; n-- {
		c.networks = [parts]uint64{1: c.networks[0], 2: c.networks[1]}
		c.senders = [parts]uint32{1: c.senders[0], 2: c.senders[1]}
		c.countries = [parts]uint32{1: c.countries[0], 2: c.countries[1]}
		c.taken = [parts]uint32{1: c.taken[0], 2: c.taken[1]}
		c.unknown = [parts]uint16{1: c.unknown[0], 2: c.unknown[1]}
		if n > parts {
			n = parts // nothing is left after those
		}
	}
}

// learn ends a day, and those without a mail behind it. Of a day on which the account
// was over the threshold nothing is learnt: a thief shall not be its habit.
func (c *cell) learn(day uint16, o *Settings) {
	gap, known := int(day)-int(c.day), c.acquainted(c.day, o)
	if c.flags&suspect == 0 {
		fade, x := decay(1, normHalfLife), float64(c.today)
		c.mean = float32(float64(c.mean)*fade + (1-fade)*x)
		c.square = float32(float64(c.square)*fade + (1-fade)*x*x)
		if p := float64(c.peak); x > p {
			if known { // one day is no habit: it comes up by a third
				x = p + (x-p)/3
			}
			c.peak = float32(x)
		}
		for i, most := range c.most {
			c.usual[i] = learnUsual(c.usual[i], most, known)
		}
	}
	rest := decay(gap-1, normHalfLife)
	c.mean, c.square = float32(float64(c.mean)*rest), float32(float64(c.square)*rest)
	c.peak = float32(float64(c.peak) * decay(gap, peakHalfLife))
	for i, u := range c.usual {
		c.usual[i] = uint16(float64(u) * decay(gap, usualHalfLife))
	}
	c.today, c.most, c.day = 0, [habits]uint8{}, day
	c.flags &^= suspect
}

// learnUsual lets a number of things come up by a quarter to what today had; at once
// while nothing else is known.
func learnUsual(usual uint16, most uint8, known bool) uint16 {
	today := uint16(most) << 8
	switch {
	case today <= usual:
		return usual
	case known:
		return usual + (today-usual)/4
	}
	return today
}

// acquainted reports whether the account was first seen long enough before a day.
func (c *cell) acquainted(day uint16, o *Settings) bool {
	return time.Duration(int(day)-int(c.first))*24*time.Hour >= o.Learn
}

func decay(days, halfLife int) float64 {
	return math.Exp2(-float64(days) / float64(halfLife))
}

// norm is what the account sends on a day, of so many that are over: mean and spread
// (standard deviation), the later ones weighing more.
func (h *habit) norm(days int) (mean, spread float64) {
	if days <= 0 {
		return 0, 0
	}
	weight := 1 - decay(days, normHalfLife) // of all days together: there were none before the first
	mean = float64(h.mean) / weight
	return mean, math.Sqrt(max(0, float64(h.square)/weight-mean*mean))
}

// note adds the marks of one mail.
func (c *cell) note(m *marks) {
	c.networks[0] |= m.network
	c.senders[0] |= m.sender
	c.countries[0] |= m.country
	if n := int(c.unknown[0]) + m.unknown; m.unknown > 0 {
		c.unknown[0] = uint16(min(n, math.MaxUint16))
	}
	if m.listed {
		c.listed = c.last
	}
	for i, n := range c.things() {
		c.most[i] = max(c.most[i], n)
	}
}

// things counts the different ones in the window, by habit.
func (c *cell) things() (n [habits]uint8) {
	n[networkHabit] = uint8(bits.OnesCount64(c.networks[0] | c.networks[1] | c.networks[2]))
	n[countryHabit] = uint8(bits.OnesCount32(c.countries[0] | c.countries[1] | c.countries[2]))
	n[senderHabit] = uint8(bits.OnesCount32(c.senders[0] | c.senders[1] | c.senders[2]))
	return n
}

// add counts recipients whose message came to its end.
func (c *cell) add(n int) {
	room := uint32(min(max(n, 0), math.MaxInt32))
	for _, sum := range [...]*uint32{&c.taken[0], &c.today} {
		if *sum > math.MaxUint32-room {
			*sum = math.MaxUint32
		} else {
			*sum += room
		}
	}
}

// sums are the recipients in the window.
func (c *cell) sums() (taken, unknown int) {
	for i := range parts {
		taken += int(c.taken[i])
		unknown += int(c.unknown[i])
	}
	return taken, unknown
}

// release forgets what speaks against the account, and keeps what it is used to.
func (c *cell) release() {
	c.networks, c.senders, c.countries = [parts]uint64{}, [parts]uint32{}, [parts]uint32{}
	c.taken, c.unknown = [parts]uint32{}, [parts]uint16{}
	c.today, c.most = 0, [habits]uint8{}
	c.listed, c.since, c.over = 0, 0, 0
	c.flags &^= suspect
}
