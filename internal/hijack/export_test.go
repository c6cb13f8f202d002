package hijack

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// lively makes a Watch with a few accounts of all sorts.
func lively(track bool) (*Watch, time.Time) {
	w := New(Options{Settings: DefaultSettings(), Secret: Secret{9}, Track: track}, monday.Add(-100*day))
	rng := rand.New(rand.NewPCG(1, 1))
	now := monday
	for range 3000 {
		now = now.Add(time.Duration(rng.IntN(3600)) * time.Second)
		e := bot(rng.IntN(60))
		e.Sender, e.Unknown, e.Listed = fmt.Sprintf("a@%d.example", rng.IntN(50)), rng.IntN(2), rng.IntN(9) == 0
		key := w.Account(fmt.Sprint(rng.IntN(50)))
		w.Note(key, &e, now)
		w.Sent(key, rng.IntN(100), now)
	}
	return w, now
}

// same compares what is thought of the accounts of lively.
func same(t *testing.T, a, b *Watch, now time.Time) {
	t.Helper()
	for i := range 50 {
		key := a.Account(fmt.Sprint(i))
		if x, y := a.Look(key, new(Evidence), now), b.Look(key, new(Evidence), now); x != y {
			t.Fatalf("account %d: %+v\nand %+v", i, x, y)
		}
	}
	if x, y := a.Stats(now), b.Stats(now); x.Accounts != y.Accounts || !x.Began.Equal(y.Began) {
		t.Errorf("%+v and %+v", x, y)
	}
}

func fresh(now time.Time) *Watch {
	return New(Options{Settings: DefaultSettings(), Secret: Secret{9}, Track: true}, now)
}

// TestWhatIsKeptIsTheSame, by a snapshot and by changes, taken in twice.
func TestWhatIsKeptIsTheSame(t *testing.T) {
	w, now := lively(true)
	all := fresh(now)
	for range 2 {
		for record := range w.ExportAll() {
			if err := all.Import(record, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	same(t, w, all, now)
	changes := fresh(now)
	record := w.ExportChanged(nil)
	for range 2 {
		if err := changes.Import(record, now); err != nil {
			t.Fatal(err)
		}
	}
	same(t, w, changes, now)
	if more := w.ExportChanged(nil); len(more) > 0 {
		t.Errorf("%d octets of no change", len(more))
	}
	w.Sent(w.Account("1"), 5, now)
	if err := changes.Import(w.ExportChanged(nil), now); err != nil {
		t.Fatal(err)
	}
	same(t, w, changes, now)
	e := home()
	w.Note(w.Account("1"), &e, now.Add(40*day)) // all who were watched are acquainted by then
	if err := changes.Import(w.ExportChanged(nil), now.Add(40*day)); err != nil {
		t.Fatal(err)
	}
	same(t, w, changes, now.Add(40*day))
}

// TestWhoWasForgottenStaysSo: what has gone for want of room does not come back by
// what was written before.
func TestWhoWasForgottenStaysSo(t *testing.T) {
	w := New(Options{Settings: DefaultSettings(), Bytes: cellCost, Track: true}, monday) // one of each shard
	e := home()
	for i := range 1000 {
		w.Note(w.Account(fmt.Sprint(i)), &e, monday)
	}
	record := w.ExportChanged(nil)
	big := fresh(monday)
	if err := big.Import(record, monday); err != nil {
		t.Fatal(err)
	}
	if a, b := w.Stats(monday).Accounts, big.Stats(monday).Accounts; a != b || a > shards {
		t.Errorf("%d accounts, of %d", b, a)
	}
}

// TestBadRecordsChangeNothing.
func TestBadRecordsChangeNothing(t *testing.T) {
	w, now := lively(false)
	var record []byte
	for r := range w.ExportAll() {
		if len(r) > recordHead {
			record = bytes.Clone(r)
			break
		}
	}
	for n := range len(record) {
		into := fresh(now)
		if err := into.Import(record[:n], now); err == nil && into.Stats(now).Accounts > 0 && n < recordHead+8 {
			t.Fatalf("%d octets of %d are taken", n, len(record))
		} else if err != nil && into.Stats(now).Accounts > 0 {
			t.Fatalf("%v, and something was taken", err)
		}
	}
	other := bytes.Clone(record)
	other[0] = 77
	if err := fresh(now).Import(other, now); !errors.Is(err, ErrVersion) {
		t.Errorf("of another version: %v", err)
	}
	if err := fresh(now).Import(append(bytes.Clone(record), 1, 2, 3), now); !errors.Is(err, ErrDamaged) {
		t.Errorf("with more behind it: %v", err)
	}
}

// TestTheFutureIsTakenAsOfNow: a state that was written by a clock ahead of ours.
func TestTheFutureIsTakenAsOfNow(t *testing.T) {
	w, now := lively(false)
	into := fresh(monday)
	early := now.Add(-1000 * day)
	for record := range w.ExportAll() {
		if err := into.Import(record, early); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 50 {
		key := into.Account(fmt.Sprint(i))
		e := home()
		into.Note(key, &e, early)
		if s := into.Note(key, &e, early.Add(3*day)); s.things[networkHabit] != 1 || s.taken != 0 {
			t.Fatalf("three days later there still are %s", s.Detail())
		}
	}
}

// FuzzImport holds what is taken in to the laws of a Watch, whatever the disk gave.
func FuzzImport(f *testing.F) {
	w, now := lively(true)
	f.Add(w.ExportChanged(nil))
	f.Add(fresh(now).appendHead(nil))
	f.Add([]byte{version, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		into := fresh(now)
		if err := into.Import(record, now); err != nil {
			if into.Stats(now).Accounts > 0 {
				t.Fatal("something was taken of a bad record")
			}
			return
		}
		again := fresh(now)
		for r := range into.ExportAll() {
			if err := again.Import(r, now); err != nil {
				t.Fatalf("what was taken in is not taken again: %v", err)
			}
		}
		for i := range into.shards {
			for j, c := range into.shards[i].cells {
				if into.shards[i].tags[j] == 0 {
					continue
				}
				key, e := Key(c.id), bot(1)
				if a, b := into.Look(key, &e, now), again.Look(key, &e, now); a != b {
					t.Fatalf("%+v\nand again %+v", a, b)
				}
				into.Note(key, &e, now.Add(day))
				into.Sent(key, 1, now.Add(9*day))
			}
		}
	})
}
