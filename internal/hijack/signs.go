package hijack

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// A Sign is one thing that speaks for a stolen account.
type Sign uint8

// The signs, in the order in which they are told.
const (
	Networks  Sign = iota // its clients are in many networks
	Countries             // or in many countries: of the two the heavier counts
	Senders               // it names many senders
	Unknown               // it writes to many who do not exist
	Jump                  // it sends far more than it used to
	Listed                // a list of addresses that guess passwords has its client
	Signs                 // how many there are
)

var signNames = [Signs]string{"networks", "countries", "senders", "unknown", "jump", "listed"}

// String gives the word of configuration and log.
func (s Sign) String() string {
	if s < Signs {
		return signNames[s]
	}
	return "none"
}

// Settings are what an operator may say. Numbers of things that may be had in a window
// are those at which nothing is a sign yet.
type Settings struct {
	Window    time.Duration  // one hour at least
	Learn     time.Duration  // so long after the state began nobody is suspected; and after an account was first seen it has no habits
	Threshold float64        // at or over this score the account is taken for stolen; positive
	Points    [Signs]float64 // not negative

	Networks     int
	Countries    int
	Senders      int
	Unknown      int     // recipients who do not exist
	UnknownShare float64 // and which part of all they must be, from 0 to 1
	Jump         int     // recipients in a window
}

// DefaultSettings are those of an empty configuration: it takes two signs.
func DefaultSettings() Settings {
	return Settings{
		Window: 24 * time.Hour, Learn: 7 * 24 * time.Hour,
		Threshold: 10, Points: [Signs]float64{5, 5, 5, 5, 5, 5},
		Networks: 8, Countries: 3, Senders: 12, Unknown: 10, UnknownShare: 0.2, Jump: 100,
	}
}

// How far above its habits an account must be.
const (
	aboveUsual = 1.5 // times the usual number of things, and
	moreThings = 2   // so many more
	spreads    = 4   // standard deviations above the mean of a day, and
	abovePeak  = 2   // times the most that it ever sent on a day, as that fades
)

// A Suspicion is what is thought of an account. The zero Suspicion is of one that
// nobody knows.
type Suspicion struct {
	Score float64 // the sum of the points of its signs
	Over  bool    // it is taken for stolen
	Began bool    // by this very evidence: it was not within the last day
	Since time.Time
	// Learning: nobody is suspected yet, for the state is too young. Over is false.
	Learning bool
	// Known: the account has been here for long enough to have habits.
	Known bool

	signs  uint8 // a bit for each
	points [Signs]float64
	window time.Duration
	things [habits]uint8
	usual  [habits]uint16
	habit  habit
	days   int    // that it is of
	taken  int    // recipients, those of the mail under way among them
	unseen int    // recipients who do not exist
	listed uint32 // 0: never
}

// suspect judges a cell that is of now.
func (s *Suspicion) suspect(c *cell, pending int, o *Settings) {
	s.window, s.points, s.Known = o.Window, o.Points, c.acquainted(c.day, o)
	s.things, s.usual = c.things(), c.usual
	s.habit, s.days = c.habit, int(c.day)-int(c.first)
	s.taken, s.unseen = c.sums()
	s.taken += max(pending, 0)
	s.listed = c.listed
	for sign := range Signs {
		if c.is(sign, s, o) {
			s.signs |= 1 << sign
		}
	}
	if s.signs == 0 {
		return
	}
	networks, _ := s.Points(Networks)
	countries, _ := s.Points(Countries)
	s.Score = max(networks, countries)
	for sign := Senders; sign < Signs; sign++ {
		points, _ := s.Points(sign)
		s.Score += points
	}
	s.Score = math.Round(s.Score*1e6) / 1e6 // 0.1 and 0.2 reach 0.3
}

// is reports whether the cell shows a sign.
func (c *cell) is(sign Sign, s *Suspicion, o *Settings) bool {
	switch sign {
	case Networks:
		return s.many(networkHabit, o.Networks)
	case Countries:
		return s.many(countryHabit, o.Countries)
	case Senders:
		return s.many(senderHabit, o.Senders)
	case Unknown:
		return s.unseen > o.Unknown && float64(s.unseen) >= o.UnknownShare*float64(s.unseen+s.taken)
	case Jump:
		if !s.Known || s.taken <= o.Jump {
			return false
		}
		x := float64(s.taken)
		mean, spread := s.habit.norm(s.days)
		return x > mean+spreads*spread && x > abovePeak*float64(s.habit.peak)
	case Listed:
		return c.listed != 0 && c.last-c.listed < uint32(o.Window/time.Second)
	}
	return false
}

func (s *Suspicion) many(habit int, most int) bool {
	n, usual := int(s.things[habit]), float64(s.usual[habit])/256
	return n > most && (usual == 0 || float64(n) > aboveUsual*usual+moreThings)
}

// Points gives what a sign weighs, and whether there is that sign.
func (s *Suspicion) Points(sign Sign) (float64, bool) {
	if s.signs>>sign&1 == 0 {
		return 0, false
	}
	return s.points[sign], true
}

// Any reports whether there is any sign.
func (s *Suspicion) Any() bool { return s.signs != 0 }

// Detail words the signs for the operator, "" where there is none.
func (s *Suspicion) Detail() string {
	var b strings.Builder
	for sign := range Signs {
		if _, is := s.Points(sign); !is {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(s.Words(sign))
	}
	return b.String()
}

// Signs gives the signs as the log has them: "networks:5,jump:5".
func (s *Suspicion) Signs() string {
	var b strings.Builder
	for sign := range Signs {
		points, is := s.Points(sign)
		if !is {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%g", sign, points)
	}
	return b.String()
}

// Words says what there is of that which a sign is made of, whether it is one or not.
func (s *Suspicion) Words(sign Sign) string {
	in := "in " + windowText(s.window)
	switch sign {
	case Networks:
		return s.thingWords(networkHabit, "network", "networks", in)
	case Countries:
		return s.thingWords(countryHabit, "country", "countries", in)
	case Senders:
		return s.thingWords(senderHabit, "sender", "senders", in)
	case Unknown:
		return fmt.Sprintf("%d of %s unknown %s", s.unseen, number(s.unseen+s.taken, "recipient", "recipients"), in)
	case Jump:
		sent := number(s.taken, "recipient", "recipients") + " " + in
		if !s.Known {
			return sent + ", what is usual is not known"
		}
		mean, spread := s.habit.norm(s.days)
		return fmt.Sprintf("%s, usually %.0f a day (spread %.0f, most %.0f)", sent, mean, spread, s.habit.peak)
	case Listed:
		if s.listed == 0 {
			return "client on no list"
		}
		return "client listed " + unix(s.listed).Format("2006-01-02 15:04 UTC")
	}
	return ""
}

func (s *Suspicion) thingWords(habit int, one, many, in string) string {
	text := number(int(s.things[habit]), one, many) + " " + in
	if u := float64(s.usual[habit]) / 256; u >= 0.5 {
		text += fmt.Sprintf(", usually %.0f", u)
	}
	return text
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// windowText writes a window of whole seconds without what is nothing: 24h, 1h30m.
func windowText(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, nothing) {
			text = text[:len(text)-2]
		}
	}
	return text
}
