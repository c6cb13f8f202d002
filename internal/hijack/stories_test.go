package hijack

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

// monday is the first day of all stories; weekdays matter to customers.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// A life is one account in one Watch, and who may be caught in it.
type life struct {
	t     *testing.T
	w     *Watch
	key   Key
	now   time.Time
	worst Suspicion // the highest score since it was last cleared
	began int       // events since then
}

func newLife(t *testing.T) *life {
	t.Helper()
	// The state is older than the account: whoever is caught is not spared for that.
	w := New(Options{Settings: DefaultSettings(), Secret: Secret{1}}, monday.Add(-30*day))
	return &life{t: t, w: w, key: w.Account("jo@example.net"), now: monday}
}

// mail sends one mail to so many recipients, and notes what is thought of it.
func (l *life) mail(e Evidence, rcpts int) {
	l.t.Helper()
	for i := 1; i <= rcpts; i++ {
		if e.Pending = i; i == 20 {
			i, e.Pending = rcpts, rcpts // those between show nothing else
		}
		s := l.w.Note(l.key, &e, l.now)
		if s.Score >= l.worst.Score {
			l.worst = s
		}
		if s.Began {
			l.began++
		}
		e.Unknown = 0
	}
	l.w.Sent(l.key, rcpts, l.now)
}

// days lets so many days pass, of each of which do is told; work is from Monday to Friday.
func (l *life) days(n int, do func(weekday time.Weekday)) {
	l.t.Helper()
	for range n {
		begin := l.now
		l.now = begin.Add(9 * time.Hour)
		do(l.now.Weekday())
		l.now = begin.Add(day)
	}
}

func (l *life) forget() { l.worst, l.began = Suspicion{}, 0 }

func v4(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }

// home, office and the phone are where most customers are. A phone has another address of its
// operator each time.
func home() Evidence   { return Evidence{Client: v4(84, 20, 3, 7), ASN: 3320, Country: "DE"} }
func office() Evidence { return Evidence{Client: v4(62, 8, 1, 2), ASN: 8881, Country: "DE"} }
func phone(i int) Evidence {
	return Evidence{Client: v4(80, 187, byte(i*37), byte(i)), ASN: 3209, Country: "DE"}
}

// bot is one of a thief's machines, each of another network; nobody tells its number.
func bot(i int) Evidence {
	return Evidence{Client: v4(byte(11+i%80), byte(7*i), byte(i), 9), Country: []string{"BR", "VN", "IN", "TR", "MX", "ID"}[i%6]}
}

func from(e Evidence, sender string) Evidence { e.Sender = sender; return e }

func business(d time.Weekday) bool { return d != time.Saturday && d != time.Sunday }

// TestStories tells of customers and of thieves. The action by default is to report, and
// a thief is told by two signs.
func TestStories(t *testing.T) {
	for _, tt := range []struct {
		name  string
		tell  func(l *life)
		over  bool
		signs string // of the worst moment
	}{
		{"five a day from phone, office and home", func(l *life) {
			l.days(60, func(d time.Weekday) {
				for i := range 5 {
					for _, e := range []Evidence{phone(i), office(), home()}[:1+i%3] {
						l.mail(from(e, "jo@example.net"), 1)
					}
				}
			})
		}, false, ""},
		{"and all of it by IPv6, with another private address each hour", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 24 {
					addr := netip.MustParseAddr(fmt.Sprintf("2003:e2:%x:%x::%x", i, i*7, i*i+1))
					l.mail(Evidence{Client: addr, Sender: "jo@example.net"}, 1)
				}
			})
		}, false, ""},
		{"a carrier's NAT gives each mail another address", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 40 {
					l.mail(Evidence{Client: v4(80, 187, byte(i*5), byte(i)), Sender: "jo@example.net"}, 1)
				}
			})
		}, false, ""},
		{"a mobile operator with twenty /16s, whose number is known", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 20 {
					l.mail(Evidence{Client: v4(109, byte(40+i), 1, 1), ASN: 3209, Country: "DE"}, 1)
				}
			})
		}, false, ""},
		{"a newsletter of 3,000 each Monday", func(l *life) {
			l.days(120, func(d time.Weekday) {
				if d == time.Monday {
					l.mail(from(office(), "news@example.net"), 3000)
				}
				l.mail(from(office(), "jo@example.net"), 5)
			})
		}, false, ""},
		{"the same once a month: no more than one sign", func(l *life) {
			l.days(360, func(d time.Weekday) {
				if l.now.Day() == 1 {
					l.mail(from(office(), "news@example.net"), 3000)
				}
				l.mail(from(office(), "jo@example.net"), 5)
			})
		}, false, "jump:5"},
		{"after a year it is none", func(l *life) {
			monthly := func(time.Weekday) {
				if l.now.Day() == 1 {
					l.mail(from(office(), "news@example.net"), 3000)
				}
				l.mail(from(office(), "jo@example.net"), 5)
			}
			l.days(360, monthly)
			l.forget()
			l.days(120, monthly)
		}, false, ""},
		{"a wedding: 120 guests after a life of five a day", func(l *life) {
			l.days(30, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.mail(from(home(), "jo@example.net"), 120)
		}, false, "jump:5"},
		{"a traveller: seven networks, three countries, in a day", func(l *life) {
			l.days(30, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.days(1, func(time.Weekday) {
				for i, c := range []string{"DE", "DE", "NL", "NL", "US", "US", "US"} {
					l.mail(Evidence{Client: v4(byte(70+i), 1, 1, 1), Country: c, Sender: "jo@example.net"}, 2)
				}
			})
		}, false, ""},
		{"one account of a company, at forty sites, from its first day on", func(l *life) {
			l.days(60, func(d time.Weekday) {
				if business(d) {
					for i := range 40 {
						l.mail(from(Evidence{Client: v4(byte(11+i*3), byte(i), 1, 1), Country: "DE"}, "shop@example.net"), 3)
					}
				}
			})
		}, false, "networks:5"},
		{"and after a week that is how it is", func(l *life) {
			sites := func(d time.Weekday) {
				if business(d) {
					for i := range 40 {
						l.mail(from(Evidence{Client: v4(byte(11+i*3), byte(i), 1, 1), Country: "DE"}, "shop@example.net"), 3)
					}
				}
			}
			l.days(7, sites)
			l.forget()
			l.days(60, sites)
		}, false, ""},
		{"webmail: one client, which is ours, for everybody", func(l *life) {
			l.days(30, func(time.Weekday) {
				for range 30 {
					l.mail(Evidence{Client: v4(10, 0, 0, 7), Sender: "jo@example.net"}, 1)
				}
			})
		}, false, ""},
		{"a scanner that sends what it scans", func(l *life) {
			l.days(60, func(d time.Weekday) {
				if business(d) {
					for range 60 {
						l.mail(from(office(), "scanner@example.net"), 1)
					}
				}
			})
		}, false, ""},
		{"a list with a sender for each recipient, from its first day on", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 300 {
					l.mail(from(office(), fmt.Sprintf("owner-%c%c%c@lists.example.net", 'a'+i%26, 'a'+i/26, 'a'+i%7)), 1)
				}
			})
		}, false, ""},
		{"one that begins after a year of five a day: one sign", func(l *life) {
			l.days(360, func(time.Weekday) { l.mail(from(office(), "jo@example.net"), 5) })
			l.days(10, func(time.Weekday) {
				for i := range 300 {
					l.mail(from(office(), fmt.Sprintf("owner-%c%c%c@lists.example.net", 'a'+i%26, 'a'+i/26, 'a'+i%7)), 1)
				}
			})
		}, false, "jump:5"},
		{"a company's relay: thirty people of three domains by one login", func(l *life) {
			l.days(30, func(d time.Weekday) {
				for i := range 90 {
					l.mail(from(office(), fmt.Sprintf("p%c@%s", 'a'+i%30, []string{"a.example", "b.example", "c.example"}[i%3])), 1)
				}
			})
		}, false, ""},
		{"a rule that forwards other people's mail: one sign", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 60 {
					l.mail(from(office(), fmt.Sprintf("%c@%c%c.example", 'a'+i%26, 'a'+i/3, 'a'+i%9)), 1)
				}
			})
		}, false, "senders:5"},
		{"slips in an address book: few who do not exist among many", func(l *life) {
			l.days(30, func(time.Weekday) {
				for i := range 100 {
					e := from(office(), "jo@example.net")
					if i%8 == 0 {
						e.Unknown = 1
					}
					l.mail(e, 1)
				}
			})
		}, false, ""},
		{"an address that others before it made bad: one sign", func(l *life) {
			l.days(30, func(time.Weekday) {
				e := from(home(), "jo@example.net")
				e.Listed = true
				l.mail(e, 5)
			})
		}, false, "listed:5"},

		{"stolen: five a day, and now 400 from twelve networks", func(l *life) {
			l.days(60, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.days(1, func(time.Weekday) {
				for i := range 400 {
					l.mail(from(bot(i%12), "jo@example.net"), 1)
				}
			})
		}, true, "networks:5,countries:5,jump:5"},
		{"stolen, by one machine, in other people's names", func(l *life) {
			l.days(60, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.days(1, func(time.Weekday) {
				for i := range 400 {
					l.mail(from(bot(1), fmt.Sprintf("bank@%c%c.example", 'a'+i%26, 'a'+i/26)), 1)
				}
			})
		}, true, "senders:5,jump:5"},
		{"stolen from a company that sends 500 a day, and 500 more go out by a botnet", func(l *life) {
			l.days(60, func(d time.Weekday) {
				if business(d) {
					l.mail(from(office(), "shop@example.net"), 500)
				}
			})
			l.days(1, func(time.Weekday) {
				for i := range 500 {
					l.mail(from(bot(i%60), fmt.Sprintf("x@%c%c.example", 'a'+i%26, 'a'+i/26)), 1)
				}
			})
		}, true, "networks:5,countries:5,senders:5"},
		{"stolen, and tried with an old list of our own users", func(l *life) {
			l.days(60, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.days(1, func(time.Weekday) {
				for i := range 60 {
					e := from(bot(i%30), "jo@example.net")
					e.Unknown = i % 2
					l.mail(e, 1)
				}
			})
		}, true, "networks:5,countries:5,unknown:5"},
		{"stolen slowly: 150 a day, from one listed machine", func(l *life) {
			l.days(60, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			l.days(1, func(time.Weekday) {
				e := from(bot(3), "jo@example.net")
				e.Listed = true
				l.mail(e, 150)
			})
		}, true, "jump:5,listed:5"},
		{"asleep for a year, then stolen", func(l *life) {
			l.mail(from(home(), "jo@example.net"), 1)
			l.days(365, func(time.Weekday) { e := home(); l.w.Note(l.w.Account("somebody else"), &e, l.now) })
			for i := range 150 {
				l.mail(from(bot(i%12), "jo@example.net"), 1)
			}
		}, true, "networks:5,countries:5,jump:5"},
		{"the second day of a theft is no habit", func(l *life) {
			l.days(60, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
			thief := func(time.Weekday) {
				for i := range 400 {
					l.mail(from(bot(i%12), "jo@example.net"), 1)
				}
			}
			l.days(5, thief)
			l.forget()
			l.days(1, thief)
		}, true, "networks:5,countries:5,jump:5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLife(t)
			tt.tell(l)
			if l.worst.Over != tt.over || l.worst.Signs() != tt.signs {
				t.Errorf("over %v by %q (%s), want %v by %q", l.worst.Over, l.worst.Signs(), l.worst.Detail(), tt.over, tt.signs)
			}
			if want := 10.0; (l.worst.Score >= want) != tt.over {
				t.Errorf("score %g", l.worst.Score)
			}
		})
	}
}

// TestOneEvent is told of once, until it is quiet for a day or the account is released.
func TestOneEvent(t *testing.T) {
	l := newLife(t)
	l.days(30, func(time.Weekday) { l.mail(home(), 5) })
	thief := func(time.Weekday) {
		for i := range 400 {
			l.mail(bot(i%12), 1)
		}
	}
	l.days(3, thief)
	if l.began != 1 || !l.worst.Over {
		t.Errorf("%d events in three days of theft", l.began)
	}
	if s := l.w.Look(l.key, new(Evidence), l.now); !s.Over || s.Began || s.Since.IsZero() {
		t.Errorf("under way: %+v", s)
	}
	if !l.w.Release(l.key, l.now) {
		t.Error("nothing to release")
	}
	l.forget()
	l.days(10, func(time.Weekday) { l.mail(home(), 5) })
	if l.began != 0 || l.worst.Any() {
		t.Errorf("released, and still %s", l.worst.Detail())
	}
	l.days(1, thief)
	if l.began != 1 {
		t.Errorf("%d events when it is stolen again", l.began)
	}
	l.now = l.now.Add(3 * day)
	l.forget()
	l.days(1, thief)
	if l.began != 1 {
		t.Errorf("%d events after three quiet days", l.began)
	}
	if l.w.Release(l.w.Account("al"), l.now) {
		t.Error("somebody unknown was released")
	}
}

// TestAYoungStateSuspectsNobody: on the first day all that customers do is new.
func TestAYoungStateSuspectsNobody(t *testing.T) {
	l := newLife(t)
	l.w.Relearn(monday)
	thief := func(time.Weekday) {
		for i := range 400 {
			l.mail(from(bot(i%30), fmt.Sprintf("x@%c%c.example", 'a'+i%26, 'a'+i/26)), 1)
		}
	}
	l.days(6, thief)
	if l.worst.Over || l.began > 0 || !l.worst.Learning || l.worst.Score < 10 {
		t.Errorf("in the first week: %+v", l.worst)
	}
	l.forget()
	l.days(3, thief)
	if l.worst.Over {
		t.Errorf("what it does since the first day is no sign: %s", l.worst.Detail())
	}
	o := DefaultSettings()
	o.Learn = 0
	l = newLife(t)
	l.w.Set(o)
	l.w.Relearn(monday)
	l.days(1, thief)
	if !l.worst.Over || l.began != 1 {
		t.Errorf("told not to learn: %+v", l.worst)
	}
}

// TestWordsAreOfWhatIsThere, and of what is usual.
func TestWordsAreOfWhatIsThere(t *testing.T) {
	l := newLife(t)
	l.days(30, func(time.Weekday) { l.mail(from(home(), "jo@example.net"), 5) })
	for i := range 400 {
		e := from(bot(i%12), fmt.Sprintf("x@%c%c.example", 'a'+i%26, 'a'+i/26))
		e.Listed, e.Unknown = true, i%2
		l.mail(e, 1)
	}
	got := l.worst.Detail()
	for _, want := range []string{"networks in 24h, usually 1", "countries in 24h, usually 1", "senders in 24h", "recipients unknown in 24h", "recipients in 24h, usually 5 a day (spread 0, most ", "client listed 2026-04-01"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	nobody := l.w.Look(l.w.Account("al"), new(Evidence), l.now)
	if nobody.Any() || nobody.Detail() != "" || nobody.Signs() != "" || nobody.Score != 0 {
		t.Errorf("of nobody: %+v", nobody)
	}
	if got := nobody.Words(Jump); got != "0 recipients in 24h, what is usual is not known" {
		t.Errorf("of nobody: %s", got)
	}
}

// TestLookNotesNothing, whatever it is shown.
func TestLookNotesNothing(t *testing.T) {
	l := newLife(t)
	l.days(20, func(time.Weekday) { l.mail(home(), 5) })
	before := l.w.Look(l.key, new(Evidence), l.now)
	for i := range 200 {
		e := bot(i)
		e.Listed, e.Unknown, e.Pending = true, 50, 5000
		l.w.Look(l.key, &e, l.now.Add(time.Duration(i)*time.Hour))
		l.w.Look(l.w.Account(fmt.Sprint(i)), &e, l.now)
	}
	if after := l.w.Look(l.key, new(Evidence), l.now); after != before {
		t.Errorf("got %+v, was %+v", after, before)
	}
	if n := l.w.Stats(l.now).Accounts; n != 1 {
		t.Errorf("%d accounts", n)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 { // what it tells is what Note would
		e := bot(rng.IntN(40))
		e.Pending = rng.IntN(300)
		want := l.w.Look(l.key, &e, l.now)
		if got := l.w.Note(l.key, &e, l.now); got.Score != want.Score || got.Over != want.Over || got.Began != want.Began {
			t.Fatalf("Look: %+v\nNote: %+v", want, got)
		}
	}
}

// TestAStateThatSleptSuspectsNobody: where nothing was told for longer than a week the
// daemon was off, or its clock is wrong; all habits have faded, and are learnt anew.
func TestAStateThatSleptSuspectsNobody(t *testing.T) {
	steal := func(l *life) {
		for i := range 400 {
			l.mail(from(bot(i%30), fmt.Sprintf("x@%c%c.example", 'a'+i%26, 'a'+i/26)), 1)
		}
	}
	awake := func(t *testing.T) *life {
		l := newLife(t)
		l.days(30, func(time.Weekday) { l.mail(home(), 5) })
		return l
	}
	for name, tt := range map[string]struct {
		away time.Duration // negative: the state is of the future
		over bool
	}{"over night": {12 * time.Hour, true}, "a long weekend": {4 * day, true}, "a fortnight": {14 * day, false}, "a clock that was nine years ahead": {-9 * 365 * day, false}} {
		t.Run(name, func(t *testing.T) {
			l := awake(t)
			again := New(Options{Settings: DefaultSettings(), Secret: Secret{1}}, l.now.Add(tt.away))
			for record := range l.w.ExportAll() {
				if err := again.Import(record, l.now.Add(tt.away)); err != nil {
					t.Fatal(err)
				}
			}
			l.w, l.now = again, l.now.Add(tt.away)
			steal(l)
			if l.worst.Over != tt.over || l.worst.Learning == tt.over {
				t.Errorf("over %v, learning %v: %s", l.worst.Over, l.worst.Learning, l.worst.Detail())
			}
			l.days(8, func(time.Weekday) { l.mail(home(), 5) })
			if l.w.Stats(l.now).Learning {
				t.Error("a week later nobody is suspected yet")
			}
		})
	}
}
