package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

var blockNoon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestBlocksHoldUntilTheirEnd walks one account through all that can be done to it.
func TestBlocksHoldUntilTheirEnd(t *testing.T) {
	x, now := new(Blocks), blockNoon
	check := func(step string, held bool, cleared time.Time) {
		t.Helper()
		if b := x.Find("jo", now); (b != nil) != held {
			t.Fatalf("%s: found %+v, want held %v", step, b, held)
		}
		if got := x.Cleared("jo", now); !got.Equal(cleared) {
			t.Errorf("%s: cleared %v, want %v", step, got, cleared)
		}
		want := 0
		if held {
			want = 1
		}
		if n, newest := x.Held(now); n != want || (newest != nil) != held {
			t.Errorf("%s: %d held, %+v", step, n, newest)
		}
	}
	add := func(b Block) (Block, error) { b.Account = "jo"; return x.Add(b, now) }

	check("nobody", false, time.Time{})
	if _, ok := x.Release("jo", "al", now); ok {
		t.Error("nobody was released")
	}
	if b, err := add(Block{By: "uid 0", Reason: "ticket 1", Released: now}); err != nil || !b.Since.Equal(now) || !b.Released.IsZero() {
		t.Fatalf("%+v, %v", b, err)
	}
	check("blocked", true, time.Time{})
	if x.Find("al", now) != nil || x.Find("", now) != nil {
		t.Error("another one is blocked")
	}
	now = now.Add(time.Hour)
	if b, err := add(Block{Auto: true, Reason: "signs"}); !errors.Is(err, ErrBlocked) || b.Reason != "ticket 1" {
		t.Errorf("what the daemon finds takes the place of an operator's word: %+v, %v", b, err)
	}
	if b, err := add(Block{Reason: "ticket 2", Reject: true, Until: now.Add(time.Hour)}); err != nil || !b.Since.Equal(blockNoon) || !b.Reject {
		t.Errorf("changed: %+v, %v", b, err)
	}
	check("changed", true, time.Time{})
	now = now.Add(time.Hour)
	check("its time is over", false, now)
	if _, err := add(Block{Auto: true, Reason: "signs"}); err != nil {
		t.Fatal(err)
	}
	check("blocked by signs", true, time.Time{})
	now = now.Add(time.Minute)
	if b, ok := x.Release("jo", "uid 7", now); !ok || b.Reason != "signs" || b.ReleasedBy != "uid 7" {
		t.Errorf("%+v, %v", b, ok)
	}
	check("released", false, now)
	if _, ok := x.Release("jo", "uid 7", now); ok {
		t.Error("released twice")
	}
	now = now.Add(time.Minute)
	if b, err := add(Block{}); err != nil || !b.Since.Equal(now) {
		t.Errorf("blocked anew: %+v, %v", b, err)
	}
	check("blocked anew", true, time.Time{})
	if x.Len() != 1 || len(x.All()) != 1 {
		t.Errorf("%d rows", x.Len())
	}
}

func TestBlocksThatAreWrong(t *testing.T) {
	x := new(Blocks)
	for name, b := range map[string]Block{
		"no account":           {},
		"upper case":           {Account: "Jo"},
		"a long account":       {Account: strings.Repeat("x", 321)},
		"a control character":  {Account: "jo", Reason: "a\nb"},
		"not UTF-8":            {Account: "jo", Owner: "m\xfc"},
		"a long reason":        {Account: "jo", Reason: strings.Repeat("x", 201)},
		"a year without end":   {Account: "jo", Until: blockNoon.AddDate(9000, 0, 0)},
		"an account of no use": {Account: "m\xfc"},
	} {
		if _, err := x.Add(b, blockNoon); err == nil {
			t.Errorf("%s was taken", name)
		}
		if n, err := x.Restore([]Block{b}, blockNoon); err == nil || n != 0 {
			t.Errorf("%s was restored", name)
		}
	}
	if x.Len() != 0 {
		t.Errorf("%d rows", x.Len())
	}
	var none *Blocks
	if none.Find("jo", blockNoon) != nil || !none.Cleared("jo", blockNoon).IsZero() {
		t.Error("no Blocks has some")
	}
}

// TestBlocksAreBounded: what has ended makes room, and what holds is never dropped.
func TestBlocksAreBounded(t *testing.T) {
	x := new(Blocks)
	name := func(i int) string { return fmt.Sprint("user", i) }
	for i := range maxBlocks {
		if _, err := x.Add(Block{Account: name(i)}, blockNoon); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.Add(Block{Account: "one more"}, blockNoon); !errors.Is(err, ErrBlocksFull) {
		t.Errorf("one more: %v", err)
	}
	if _, err := x.Add(Block{Account: name(7), Reason: "changed"}, blockNoon); err != nil {
		t.Errorf("one that is there cannot be changed: %v", err)
	}
	x.Release(name(1), "", blockNoon.Add(time.Hour))
	x.Release(name(2), "", blockNoon.Add(2*time.Hour))
	now := blockNoon.Add(3 * time.Hour)
	if _, err := x.Add(Block{Account: "one more"}, now); err != nil {
		t.Errorf("nothing makes room: %v", err)
	}
	if _, ok := x.Last(name(1)); ok {
		t.Error("the oldest that has ended is still there")
	}
	if _, ok := x.Last(name(2)); !ok {
		t.Error("a younger one is gone with it")
	}
	if n, _ := x.Held(now); n != maxBlocks-1 || x.Len() != maxBlocks {
		t.Errorf("%d hold of %d", n, x.Len())
	}
}

// TestBlocksAreRestored: what is told of changes, one after the other, comes to the same as
// what is told of all; and what ended long ago is forgotten.
func TestBlocksAreRestored(t *testing.T) {
	x := new(Blocks)
	x.Track()
	var journal []Block
	do := func(change func()) {
		change()
		journal = append(journal, x.TakeChanged()...)
	}
	do(func() { x.Add(Block{Account: "jo", Reason: "1"}, blockNoon) })
	do(func() { x.Add(Block{Account: "al", Until: blockNoon.Add(time.Hour)}, blockNoon) })
	do(func() { x.Release("jo", "uid 0", blockNoon.Add(time.Minute)) })
	do(func() { x.Add(Block{Account: "bo", Auto: true, By: "account-hijack"}, blockNoon.Add(time.Minute)) })
	if len(journal) != 4 {
		t.Fatalf("%d changes: %+v", len(journal), journal)
	}
	if again := x.TakeChanged(); again != nil {
		t.Errorf("told twice: %+v", again)
	}
	for what, all := range map[string][]Block{"journal": journal, "all": x.All(), "both": append(x.All(), journal...)} {
		y := new(Blocks)
		if n, err := y.Restore(all, blockNoon.Add(time.Minute)); err != nil || n != len(all) {
			t.Fatalf("%s: %d, %v", what, n, err)
		}
		for _, account := range []string{"jo", "al", "bo"} {
			a, _ := x.Last(account)
			b, ok := y.Last(account)
			if !ok || a != b {
				t.Errorf("%s: %+v, want %+v", what, b, a)
			}
		}
		if n, _ := y.Held(blockNoon.Add(time.Minute)); n != 2 || y.open.Load() != 2 {
			t.Errorf("%s: %d hold, %d open", what, n, y.open.Load())
		}
	}
	y := new(Blocks)
	if _, err := y.Restore(journal, blockNoon.Add(blockStays+time.Hour)); err != nil || y.Len() != 2 { // jo's release came a minute after noon, al's end an hour after
		t.Errorf("%d are remembered: %v", y.Len(), err)
	}
	if _, ok := y.Last("jo"); ok {
		t.Error("a release of long ago is remembered")
	}
	if y.Find("bo", blockNoon.Add(blockStays+time.Hour)) == nil {
		t.Error("a block that nobody has released is over")
	}
}

// TestBlocksRace: those who ask, block and release at once see whole blocks only.
func TestBlocksRace(t *testing.T) {
	x := new(Blocks)
	x.Track()
	var all sync.WaitGroup
	for i := range 4 {
		account := fmt.Sprint("user", i%2)
		all.Go(func() {
			for n := range 500 {
				now := blockNoon.Add(time.Duration(n) * time.Second)
				x.Add(Block{Account: account, By: account, Reason: account}, now)
				if b := x.Find(account, now); b != nil && (b.By != account || b.Reason != account) {
					t.Errorf("half a block: %+v", b)
				}
				x.Release(account, "", now)
				x.TakeChanged()
				x.All()
			}
		})
	}
	all.Wait()
	if n, _ := x.Held(blockNoon.Add(time.Hour)); n != 0 || x.open.Load() != 0 {
		t.Errorf("%d hold, %d open", n, x.open.Load())
	}
}

// BenchmarkBlocksFind is what each mail of an account pays.
func BenchmarkBlocksFind(b *testing.B) {
	for _, blocked := range []int{0, 1, 10_000} {
		b.Run(fmt.Sprint(blocked, "blocked"), func(b *testing.B) {
			x := new(Blocks)
			for i := range blocked {
				x.Add(Block{Account: fmt.Sprint("user", i, "@here.example")}, blockNoon)
			}
			b.ReportAllocs()
			for b.Loop() {
				if x.Find("somebody@here.example", blockNoon) != nil {
					b.Fatal("blocked")
				}
			}
		})
	}
}

// TestBlocksFindDoesNotAllocate holds Find to what it says.
func TestBlocksFindDoesNotAllocate(t *testing.T) {
	x := new(Blocks)
	x.Add(Block{Account: "jo@here.example"}, blockNoon)
	if n := testing.AllocsPerRun(100, func() { x.Find("jo@here.example", blockNoon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestBlocksAreRekeyed: a block holds under the name that its account has now, and where
// that one is blocked already, by that block.
func TestBlocksAreRekeyed(t *testing.T) {
	x, now := new(Blocks), blockNoon
	for _, account := range []string{"joe@mx.test", "al", "bo@mx.test", "bo"} {
		if _, err := x.Add(Block{Account: account, Reason: account}, now); err != nil {
			t.Fatal(err)
		}
	}
	key := func(login string) string { return strings.TrimSuffix(login, "@mx.test") }
	x.Track()
	for range 2 { // again, it changes nothing
		now = now.Add(time.Minute)
		x.Rekey(key, now)
		for account, reason := range map[string]string{"joe": "joe@mx.test", "al": "al", "bo": "bo"} {
			if b := x.Find(account, now); b == nil || b.Reason != reason || !b.Since.Equal(blockNoon) {
				t.Errorf("%s: %+v", account, b)
			}
		}
		if n, _ := x.Held(now); n != 3 || x.open.Load() != 3 {
			t.Errorf("%d hold", n)
		}
	}
	y := new(Blocks) // a start reads what was kept, and Rekey again
	y.Restore(x.All(), now)
	x.Release("joe", "", now)
	y.Restore(x.TakeChanged(), now)
	y.Rekey(key, now)
	if y.Find("joe", now) != nil {
		t.Error("one that was released is blocked again under its old name")
	}
}
