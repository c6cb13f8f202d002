package replay

import (
	"time"

	"mailprofiled/internal/engine"
)

// A Clock is the time of what is replayed. It does not go back. It is not safe for
// concurrent use: one goroutine replays.
type Clock struct{ now time.Time }

// NewClock returns a clock that stands at start.
func NewClock(start time.Time) *Clock { return &Clock{start} }

// Now is the clock's time.
func (c *Clock) Now() time.Time { return c.now }

// lateness is how far times may go back and still count as in order: several
// machines and processes write one log.
const lateness = time.Hour

// to moves the clock on.
func (c *Clock) to(t time.Time) {
	if t.After(c.now) {
		c.now = t
	}
}

// inOrder reports whether a visit is not older than what was seen before.
func (c *Clock) inOrder(v *Visit) bool {
	slack := lateness
	if v.Precision == Day {
		slack += 24 * time.Hour
	}
	return c.now.Sub(v.Time) <= slack
}

// A Policy is what visits are judged by, with what it remembers of those before.
type Policy struct {
	File  string // of its configuration
	ID    string
	Mode  string
	Clock *Clock

	// Engines by how much is known of a visit's time: without memories and limits,
	// with the limits over a day or longer, and with all.
	Engines [Moment + 1]*engine.Engine
	// Doors by their role, where they have settings of their own.
	Doors map[string]*engine.Door
}

// begin opens a visit. precision may be less than that of the visit itself.
func (p *Policy) begin(v *Visit, precision Precision, o *Options) *engine.Replay {
	g := v.given(o.Assume)
	g.Ask = o.Ask
	g.Client.Door = p.Doors[v.Door]
	return p.Engines[precision].Begin(g)
}
