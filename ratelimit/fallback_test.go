package ratelimit

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestSharesAddUp(t *testing.T) {
	for most := range uint32(40) {
		for machines := 1; machines < 10; machines++ {
			sum := uint32(0)
			for before := range machines {
				sum += Share(most, machines, before)
			}
			if sum != most {
				t.Errorf("%d of %d machines add up to %d", most, machines, sum)
			}
		}
	}
}

func TestPeers(t *testing.T) {
	p := NewPeers("b")
	check := func(name string, now time.Time, machines, before int) {
		t.Helper()
		if m, b := p.Count(now); m != machines || b != before {
			t.Errorf("%s: %d machines, %d before it, want %d, %d", name, m, b, machines, before)
		}
	}
	check("alone", noon, 1, 0)
	p.Seen("a", noon)
	p.Seen("b", noon)
	p.Seen("c", noon.Add(30*time.Minute))
	check("itself is none of the others", noon.Add(30*time.Minute), 3, 1)
	check("within the hour", noon.Add(time.Hour), 3, 1)
	check("one was not heard of since", noon.Add(time.Hour+1), 2, 0)
	for i := range maxPeers + 50 {
		p.Seen(fmt.Sprint(i), noon.Add(time.Hour))
	}
	if m, _ := p.Count(noon.Add(time.Hour)); m > maxPeers+1 {
		t.Errorf("%d machines are remembered", m)
	}
}

// A sharedStore is a Table that several machines ask, and that may be away.
type sharedStore struct {
	*Table
	away, stalled bool
	calls         int
}

func (s *sharedStore) Take(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	s.calls++
	switch {
	case s.stalled:
		<-ctx.Done()
		return false, ctx.Err()
	case s.away:
		return false, errBroken
	}
	return s.Table.Take(ctx, charges, now)
}

func (s *sharedStore) Settle(ctx context.Context, charges []Charge, o Outcome, now time.Time) error {
	if s.away || s.stalled {
		return errBroken
	}
	return s.Table.Settle(ctx, charges, o, now)
}

// cluster gives Transactions of several machines that share a store.
func cluster(t *testing.T, machines, most int) (*sharedStore, []*Transaction, []*Fallback) {
	shared := &sharedStore{Table: NewTable(Options{}, noon)}
	rules := newRules(t, perAccount(most, time.Hour))
	var all []*Transaction
	var stores []*Fallback
	for i := range machines {
		peers := NewPeers(fmt.Sprint("mx", i))
		for j := range machines {
			peers.Seen(fmt.Sprint("mx", j), noon)
		}
		stores = append(stores, NewFallback(shared, NewTable(Options{}, noon), peers))
		all = append(all, Begin(rules, stores[i]))
	}
	return shared, all, stores
}

// burst lets each machine try much more than there is, in turn.
func burst(all []*Transaction, now time.Time) (sent int) {
	s := &Subject{Account: "joe"}
	for range 200 {
		for _, tx := range all {
			if send(tx, s, now) {
				sent++
			}
		}
	}
	return sent
}

func TestMachinesShareAMaximum(t *testing.T) {
	for machines := 1; machines <= 5; machines++ {
		for _, most := range []int{1, 3, 100} {
			shared, all, _ := cluster(t, machines, most)
			if got := burst(all, noon); got != most {
				t.Errorf("%d machines let %d through, want %d", machines, got, most)
			}
			shared.away = true
			for i := range all {
				if got := burst(all[i:i+1], noon); machines == 1 && got > 0 {
					t.Errorf("one machine lets %d more through when the store goes away", got)
				}
			}
			shared, all, _ = cluster(t, machines, most)
			shared.away = true
			if got := burst(all, noon); got != most {
				t.Errorf("without the store, %d machines let %d through, want %d", machines, got, most)
			}
		}
	}
}

// TestTheStoreGoesAwayAndComesBack: a mail reserved there and ended without it,
// and the other way round.
func TestTheStoreGoesAwayAndComesBack(t *testing.T) {
	shared, all, stores := cluster(t, 2, 10)
	now, s := noon, Subject{Account: "joe"}
	if got := script(all[0], s, &now, "mail"); got != "+" {
		t.Fatal(got)
	}
	shared.away = true
	if err := all[0].Commit(context.Background(), now); err == nil {
		t.Error("the lost end of a mail is not told")
	}
	now = now.Add(2 * SharedRetry)
	if got := script(all[0], s, &now, "mail end mail end mail end mail end mail"); got != "++++-" {
		t.Errorf("%s: one was sent before, so four of the share of five are left", got)
	}
	if st := stores[0].Stats(); st.Failures == 0 || st.Locally != 5 {
		t.Errorf("%+v", st)
	}
	calls := shared.calls
	if script(all[0], s, &now, "mail"); shared.calls != calls {
		t.Error("a store that has just failed is asked again")
	}
	shared.away = false
	now = now.Add(2 * SharedRetry)
	if got := script(all[0], s, &now, "mail end mail end"); got != "++" || shared.calls == calls {
		t.Errorf("%s: the store is back, and has not been asked", got)
	}
}

// TestWhatIsHeldThereIsHeldHere: mail that the shared store reserved is under way
// here, too.
func TestWhatIsHeldThereIsHeldHere(t *testing.T) {
	shared, all, stores := cluster(t, 2, 2)
	now, s := noon, Subject{Account: "joe"}
	script(all[0], s, &now, "mail")
	shared.away = true
	other := Begin(all[0].rules, stores[0])
	if got := script(other, s, &now, "mail"); got != "-" {
		t.Errorf("%s: one is under way, which is the share of this machine", got)
	}
}

// TestAStalledStoreIsAway after its time is over.
func TestAStalledStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, all, _ := cluster(t, 1, 10)
		shared.stalled = true
		start := time.Now()
		if !send(all[0], &Subject{Account: "joe"}, start) {
			t.Error("refused")
		}
		if took := time.Since(start); took != SharedTimeout {
			t.Errorf("it took %v, want %v", took, SharedTimeout)
		}
	})
}

// TestACallerThatGaveUpIsNoFailure of the store.
func TestACallerThatGaveUpIsNoFailure(t *testing.T) {
	shared, all, stores := cluster(t, 1, 10)
	shared.stalled = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if d := all[0].Mail(ctx, &Subject{Account: "joe"}, noon); d.Refused() {
		t.Errorf("%+v", d)
	}
	if st := stores[0].Stats(); st.Failures != 0 || st.Locally != 1 {
		t.Errorf("%+v", st)
	}
	all[0].Release(context.Background(), noon)
}
