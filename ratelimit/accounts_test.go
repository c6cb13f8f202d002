package ratelimit

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	type sight struct {
		at      time.Duration // after the state began
		created time.Duration // the same, as the directory says; never if it says nothing
	}
	const never = -1 << 62
	tests := []struct {
		name  string
		learn time.Duration
		seen  []sight
		want  Age // at the last
	}{
		{"first seen on the day of installing: not new", 30 * day, []sight{{0, never}}, Age{}},
		{"and a week later", 30 * day, []sight{{0, never}, {7 * day, never}}, atLeast(7 * day)},
		{"first seen at the end of learning", 30 * day, []sight{{30*day - time.Second, never}}, Age{}},
		{"first seen after learning: new", 30 * day, []sight{{30 * day, never}}, known(0)},
		{"and a week later", 30 * day, []sight{{30 * day, never}, {37 * day, never}}, known(7 * day)},
		{"a new site does not learn", 0, []sight{{0, never}, {day, never}}, known(day)},
		{"the directory knows", 30 * day, []sight{{day, -400 * day}}, known(401 * day)},
		{"the directory knew", 0, []sight{{day, -400 * day}, {2 * day, never}}, known(402 * day)},
		{"the directory's word goes before what was seen", 0, []sight{{0, never}, {5 * day, 4 * day}}, known(day)},
		{"created tomorrow, by another zone", 0, []sight{{0, day}}, known(0)},
		{"created next year: nobody knows", 30 * day, []sight{{0, 365 * day}}, Age{}},
		{"created before there was mail", 30 * day, []sight{{0, -100_000 * day}}, known(100_000 * day)},
	}
	for _, test := range tests {
		a := NewAccounts(AccountOptions{Learn: test.learn}, secret, noon)
		var got Age
		for _, s := range test.seen {
			created := time.Time{}
			if s.created != never {
				created = noon.Add(s.created)
			}
			got = a.Age("joe", created, noon.Add(s.at))
		}
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestPeekNotesNothing(t *testing.T) {
	a := NewAccounts(AccountOptions{}, secret, noon)
	if got := a.Peek("joe", noon); got != (Age{}) {
		t.Errorf("never seen: %+v", got)
	}
	a.Age("joe", time.Time{}, noon.Add(day))
	if got := a.Peek("joe", noon.Add(3*day)); got != known(2*day) {
		t.Errorf("seen two days ago: %+v", got)
	}
	if n := a.Stats().Keys; n != 1 {
		t.Errorf("%d accounts, want 1", n)
	}
}

func TestWhenAccountsAreFullAgesAreUnknown(t *testing.T) {
	a := NewAccounts(AccountOptions{Keys: shards}, secret, noon)
	for i := range 500 {
		a.Age(fmt.Sprint(i), time.Time{}, noon)
	}
	if s := a.Stats(); s.Keys > shards || s.Room != shards || s.Full == 0 || s.Keys+int(s.Full) != 500 {
		t.Errorf("%+v", s)
	}
	unknown := 0
	for i := range 500 {
		if !a.Age(fmt.Sprint(i), time.Time{}, noon).Known {
			unknown++
		}
	}
	if unknown != 500-a.Stats().Keys {
		t.Errorf("%d are of unknown age, %d are kept", unknown, a.Stats().Keys)
	}
}

func importAccounts(t testing.TB, a *Accounts, data []byte, now time.Time) {
	t.Helper()
	for len(data) > 0 {
		f, rest, err := NextFrame(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Import(f, now); err != nil {
			t.Fatal(err)
		}
		data = rest
	}
}

func TestAccountsComeBack(t *testing.T) {
	o := AccountOptions{Learn: 30 * day, Track: true}
	old := NewAccounts(o, secret, noon)
	names := map[string]Age{}
	var kept []byte
	now := noon
	for i := range 1000 {
		now = noon.Add(time.Duration(i) * time.Hour)
		old.Age(fmt.Sprint(i), time.Time{}, now)
		if i%100 == 50 {
			kept = old.ExportChanged(kept, now)
		}
	}
	kept = old.ExportChanged(kept, now)
	if more := old.ExportChanged(nil, now); len(more) > 0 {
		t.Errorf("%d bytes are exported again", len(more))
	}
	now = now.Add(day)
	for i := range 1000 {
		names[fmt.Sprint(i)] = old.Peek(fmt.Sprint(i), now)
	}
	var all []byte
	for frame := range old.ExportAll(now) {
		all = append(all, frame...)
	}
	for what, data := range map[string][]byte{"journal": kept, "snapshot": all} {
		a := NewAccounts(o, secret, now)
		importAccounts(t, a, data, now)
		for name, want := range names {
			if got := a.Peek(name, now); got != want {
				t.Errorf("from the %s, account %s is %+v, want %+v", what, name, got, want)
			}
		}
		if began, learnt := a.Began(now); !began.Equal(noon) || !learnt.Equal(noon.Add(30*day)) {
			t.Errorf("from the %s, the state began at %v and has learnt at %v", what, began, learnt)
		}
	}
}

// TestAccountsOfTheFuture: a clock that stepped back while the process was down
// makes nobody younger than now.
func TestAccountsOfTheFuture(t *testing.T) {
	old := NewAccounts(AccountOptions{Track: true}, secret, noon)
	old.Age("joe", time.Time{}, noon)
	kept := old.ExportChanged(nil, noon)
	now := noon.Add(-1000 * day)
	a := NewAccounts(AccountOptions{}, secret, now)
	importAccounts(t, a, kept, now)
	if got := a.Peek("joe", now.Add(day)); got != known(day) {
		t.Errorf("a day later: %+v", got)
	}
}

func TestALossOfStateIsLearning(t *testing.T) {
	a := NewAccounts(AccountOptions{Learn: 30 * day}, secret, noon)
	tx := Begin(newRules(t, Ramp()), NewTable(Options{}, noon))
	s := Subject{Account: "joe"}
	for range 500 {
		s.Age = a.Age(s.Account, time.Time{}, noon)
		if !send(tx, &s, noon) {
			t.Fatal("a customer of unknown age is refused")
		}
	}
}

func TestAccountsRace(t *testing.T) {
	a := NewAccounts(AccountOptions{Track: true}, secret, noon)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				if got := a.Age(fmt.Sprint(i), time.Time{}, noon.Add(day)); got != known(0) {
					t.Errorf("account %d: %+v", i, got)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			a.ExportChanged(nil, noon.Add(day))
		}
	})
	wg.Wait()
	if n := a.Stats().Keys; n != 2000 {
		t.Errorf("%d accounts, want 2000", n)
	}
}
