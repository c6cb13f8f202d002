package ratelimit

import (
	"testing"
	"time"
)

// TestRelearn: after a loss nobody looks newer than he is known to be.
func TestRelearn(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := NewAccounts(AccountOptions{Learn: 30 * day}, Secret{}, start)
	a.Age("customer", time.Time{}, start.Add(day))      // first seen while learning
	a.Age("told", start.Add(-1000*day), start.Add(day)) // of old, by the directory
	a.Age("fresh", time.Time{}, start.Add(40*day))      // new, and known to be
	now := start.Add(45 * day)
	a.Relearn(now)
	for _, tt := range []struct {
		account string
		age     Age
	}{
		{"customer", Age{}},
		{"missing", Age{}},
		{"fresh", Age{AtLeast: 5 * day, Known: true}},
		{"told", Age{AtLeast: 1045 * day, Known: true}},
	} {
		got := a.Age(tt.account, time.Time{}, now)
		if got.Known != tt.age.Known || got.Known && got.AtLeast != tt.age.AtLeast {
			t.Errorf("%s is of age %+v, want %+v", tt.account, got, tt.age)
		}
	}
	if began, learnt := a.Began(now); !began.Equal(now) || !learnt.Equal(now.Add(30*day)) {
		t.Errorf("began %s, learnt %s", began, learnt)
	}
	after := now.Add(31 * day)
	if got := a.Age("newcomer", time.Time{}, after); !got.Known || got.AtLeast != 0 {
		t.Errorf("after the new time of learning a newcomer is of age %+v", got)
	}

	// What is exported now brings the same to another process.
	b := NewAccounts(AccountOptions{Learn: 30 * day}, Secret{}, now)
	for frame := range a.ExportAll(now) {
		f, _, err := NextFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Import(f, now); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.Peek("customer", now.Add(day)); got.Known {
		t.Errorf("imported, the customer is of age %+v", got)
	}
}

// TestOtherNamesKeepAges: an account that gets another name is as old as it was under the
// one before, and of unknown age if it was.
func TestOtherNamesKeepAges(t *testing.T) {
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	a := NewAccounts(AccountOptions{Learn: 5 * day}, Secret{1}, start)
	a.Age("early@mx.test", time.Time{}, start.Add(day))
	a.Age("late@mx.test", time.Time{}, start.Add(10*day))
	now := start.Add(20 * day)
	for _, tt := range []struct {
		account, login string
		want           Age
	}{
		{"early", "early@mx.test", Age{19 * day, false}},
		{"late", "late@mx.test", Age{10 * day, true}},
		{"new", "new@mx.test", Age{0, true}},
	} {
		a.Same(tt.account, tt.login)
		if got := a.Age(tt.account, time.Time{}, now); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.account, got, tt.want)
		}
	}
	a.Same("late", "early@mx.test")
	a.Same("early@mx.test", "late@mx.test") // the later sighting changes nothing
	if got := a.Peek("late", now); got != (Age{19 * day, false}) {
		t.Errorf("of two names the earlier sighting counts: %+v", got)
	}
	if got := a.Peek("early@mx.test", now); got.AtLeast != 19*day {
		t.Errorf("got %+v", got)
	}
}

// TestLearningByHand walks the time of learning through what operators and losses do to it.
func TestLearningByHand(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(days int) time.Time { return start.Add(time.Duration(days) * day) }
	for _, tt := range []struct {
		name    string
		learn   time.Duration
		do      func(a *Accounts)
		unknown [][2]int // days in which who was first seen is of unknown age
		learnt  int
	}{
		{"nothing", 30 * day, func(*Accounts) {}, [][2]int{{0, 30}}, 30},
		{"ended early", 30 * day, func(a *Accounts) { a.Learn(at(10), at(10)) }, [][2]int{{0, 10}}, 10},
		{"shortened", 30 * day, func(a *Accounts) { a.Learn(at(12), at(5)) }, [][2]int{{0, 12}}, 12},
		{"prolonged", 30 * day, func(a *Accounts) { a.Learn(at(60), at(10)) }, [][2]int{{0, 60}}, 60},
		{"begun anew, long after", 30 * day, func(a *Accounts) { a.Learn(at(250), at(200)) }, [][2]int{{0, 30}, {200, 250}}, 250},
		{"and that prolonged", 30 * day, func(a *Accounts) { a.Learn(at(250), at(200)); a.Learn(at(270), at(220)) }, [][2]int{{0, 30}, {200, 270}}, 270},
		{"and that ended", 30 * day, func(a *Accounts) { a.Learn(at(250), at(200)); a.Learn(at(220), at(220)) }, [][2]int{{0, 30}, {200, 220}}, 220},
		{"ended, and begun anew shortly after: nobody looks new by it", 30 * day, func(a *Accounts) { a.Learn(at(10), at(10)); a.Learn(at(40), at(20)) }, [][2]int{{0, 40}}, 40},
		{"a new site that never learns", 0, func(*Accounts) {}, nil, 0},
		{"and begins by hand", 0, func(a *Accounts) { a.Learn(at(50), at(20)) }, [][2]int{{20, 50}}, 50},
		{"and loses its state", 0, func(a *Accounts) { a.Relearn(at(100)) }, [][2]int{{100, 130}}, 130},
		{"a loss makes void what was by hand", 30 * day, func(a *Accounts) { a.Learn(at(10), at(10)); a.Relearn(at(100)) }, [][2]int{{100, 130}}, 130},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := NewAccounts(AccountOptions{Learn: tt.learn}, Secret{}, start)
			tt.do(a)
			b := NewAccounts(AccountOptions{Learn: tt.learn}, Secret{}, at(300)) // another process, with what was kept
			for frame := range a.ExportAll(at(300)) {
				f, _, err := NextFrame(frame)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.Import(f, at(300)); err != nil {
					t.Fatal(err)
				}
			}
			b.SetLearning(a.Learning(at(300)), at(300))
			for what, x := range map[string]*Accounts{"made": a, "kept": b} {
				for d := range 290 {
					want := false
					for _, w := range tt.unknown {
						want = want || w[0] <= d && d < w[1]
					}
					seen := uint32(at(d).Add(time.Hour).Unix())
					if got := !x.age(seen, at(300).Unix()).Known; got != want {
						t.Fatalf("%s: first seen on day %d: unknown %v, want %v", what, d, got, want)
					}
				}
				if _, learnt := x.Began(at(300)); tt.learnt > 0 && learnt.Sub(at(tt.learnt)).Abs() > 2*time.Millisecond {
					t.Errorf("%s: learnt on %v, want day %d", what, learnt, tt.learnt)
				}
			}
			if _, changed := b.LearningChanged(at(300)); changed {
				t.Error("what was kept is to be kept again")
			}
		})
	}
}

func TestLearnersAreCounted(t *testing.T) {
	const day = 24 * time.Hour
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := NewAccounts(AccountOptions{Learn: 30 * day}, Secret{}, start)
	a.Age("early", time.Time{}, start.Add(day))
	a.Age("late", time.Time{}, start.Add(20*day))
	a.Age("old", start.Add(-1000*day), start.Add(20*day))
	for _, tt := range []struct{ day, want int }{{30, 2}, {32, 1}, {40, 1}, {60, 0}} { // early is 30 days old on day 31, late on day 50
		if got := a.Learners(30*day, start.Add(time.Duration(tt.day)*day)); got != tt.want {
			t.Errorf("on day %d: %d, want %d", tt.day, got, tt.want)
		}
	}
}
