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
