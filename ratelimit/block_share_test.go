package ratelimit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestBlocksOfMachinesComeToTheSame: whatever is blocked and released on which of them, and
// in whatever order, however often and late they hear of it, by clocks that are wrong.
func TestBlocksOfMachinesComeToTheSame(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
		type machine struct {
			blocks *Blocks
			ahead  time.Duration
		}
		machines := make([]machine, 3)
		for i := range machines {
			machines[i] = machine{new(Blocks), time.Duration(rnd.IntN(7200)-3600) * time.Second}
			machines[i].blocks.Share()
		}
		var told []Block
		for range 60 {
			now = now.Add(time.Duration(rnd.IntN(2000)) * time.Millisecond)
			m := &machines[rnd.IntN(len(machines))]
			account := fmt.Sprint("user", rnd.IntN(3))
			switch rnd.IntN(4) {
			case 0:
				_, err := m.blocks.Add(Block{Account: account, Auto: rnd.IntN(2) == 0, Reason: fmt.Sprint(rnd.Uint32())}, now.Add(m.ahead))
				if err != nil && !errors.Is(err, ErrBlocked) {
					t.Fatal(err)
				}
			case 1:
				m.blocks.Release(account, "uid 0", now.Add(m.ahead))
			case 2:
				told = append(told, m.blocks.TakeNews(1+rnd.IntN(3))...)
			case 3:
				if len(told) > 0 {
					if _, _, err := m.blocks.Hear(told[rnd.IntN(len(told))], now.Add(m.ahead)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, m := range machines {
			told = append(told, m.blocks.TakeNews(100)...)
		}
		for _, m := range machines {
			for _, i := range rnd.Perm(len(told)) {
				if _, _, err := m.blocks.Hear(told[i], now.Add(m.ahead)); err != nil {
					t.Fatal(err)
				}
			}
			if again := m.blocks.TakeNews(100); again != nil {
				t.Fatalf("seed %d: what was heard is told anew: %v", seed, again)
			}
		}
		for i := range 3 {
			account := fmt.Sprint("user", i)
			want, _ := machines[0].blocks.Last(account)
			for _, m := range machines[1:] {
				if got, _ := m.blocks.Last(account); got != want {
					t.Fatalf("seed %d: %s: %+v here, %+v there", seed, account, want, got)
				}
				if held, _ := m.blocks.Held(now); held != heldOf(machines[0].blocks, now) {
					t.Fatalf("seed %d: %d are held, not as many as elsewhere", seed, held)
				}
			}
		}
	}
}

func heldOf(x *Blocks, now time.Time) int {
	n, _ := x.Held(now)
	return n
}

// TestALaterWordOnABlockIsTrue, by whose clock it ever is later.
func TestALaterWordOnABlockIsTrue(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	fast, slow := new(Blocks), new(Blocks)
	fast.Share()
	slow.Share()
	hear := func(to, from *Blocks, want bool) {
		t.Helper()
		all := from.TakeNews(10)
		if len(all) != 1 {
			t.Fatalf("%d are told", len(all))
		}
		for range 2 { // the second time it is no news
			if _, news, err := to.Hear(all[0], now); news != want || err != nil {
				t.Fatalf("news: %v, %v", news, err)
			}
			want = false
		}
	}
	if _, err := fast.Add(Block{Account: "jo", By: "uid 0"}, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	hear(slow, fast, true)
	if slow.Find("jo", now) == nil {
		t.Fatal("it is not blocked where that was heard")
	}
	if _, ok := slow.Release("jo", "uid 1", now); !ok {
		t.Fatal("it is not released")
	}
	hear(fast, slow, true)
	if fast.Find("jo", now) != nil {
		t.Fatal("the release is not heeded, for the clock behind it is slow")
	}
	if _, err := fast.Add(Block{Account: "jo"}, now); err != nil {
		t.Fatal(err)
	}
	hear(slow, fast, true)
	if slow.Find("jo", now) == nil {
		t.Fatal("the second block is not heeded")
	}
	// What has lost it is told all of it once more, and knows it all.
	slow.Share()
	hear(fast, slow, false)
}

// TestRenamedBlocksAreToldByTheirNewName alone: a machine of another configuration may know
// the account by the name of before.
func TestRenamedBlocksAreToldByTheirNewName(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	key := func(login string) string { return strings.TrimSuffix(login, "@mx.example.net") }
	x, other := new(Blocks), new(Blocks)
	if _, err := x.Add(Block{Account: "jo@mx.example.net"}, now); err != nil {
		t.Fatal(err)
	}
	x.Share()
	before := x.TakeNews(10)
	x.Rekey(key, now.Add(time.Second))
	for range 2 {
		if news := x.TakeNews(10); len(news) != 1 || news[0].Account != "jo" || !news[0].Holds(now) {
			t.Fatalf("%+v", news)
		}
		x.Share()
	}
	// And what is heard is taken for the name of now, with or without a block before.
	other.Rekey(key, now)
	if b, news, err := other.Hear(before[0], now); err != nil || !news || b.Account != "jo" || other.Find("jo", now) == nil {
		t.Errorf("%+v, %v, %v", b, news, err)
	}
}

// TestHearTakesNothingThatIsWrong: whoever can write into the store sends what he likes.
func TestHearTakesNothingThatIsWrong(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	x := new(Blocks)
	x.Track()
	for _, b := range []Block{
		{}, {Account: "Jo"}, {Account: "jo\n"}, {Account: strings.Repeat("a", maxBlockName+1)}, {Account: "jo", Reason: strings.Repeat("a", maxBlockNote+1)},
		{Account: "jo", Changed: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, {Account: "jo", Until: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if _, news, err := x.Hear(b, now); news || err == nil {
			t.Errorf("%+v: %v, %v", b, news, err)
		}
	}
	// The latest that is taken can be released, and kept.
	last := time.Date(9998, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
	if _, news, err := x.Hear(Block{Account: "jo", Since: now, Changed: last}, now); !news || err != nil {
		t.Fatal(news, err)
	}
	if b, ok := x.Release("jo", "uid 0", now); !ok || !b.Holds(now.Add(-time.Hour)) && b.Changed.Year() > 9999 {
		t.Errorf("%+v, %v", b, ok)
	}
	if x.Find("jo", now) != nil {
		t.Error("it is blocked for ever")
	}
	// What ended long ago comes to nothing.
	if _, news, err := x.Hear(Block{Account: "al", Since: now.Add(-2 * blockStays), Released: now.Add(-blockStays - time.Second)}, now); news || err != nil {
		t.Error(news, err)
	}
}
