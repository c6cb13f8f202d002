package ratelimit

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRacesAddUpToTheMaximum lets many sessions run for one account's allowance.
func TestRacesAddUpToTheMaximum(t *testing.T) {
	rules := newRules(t, perAccount(100, time.Hour),
		Limit{Name: "client", Per: PerClient, Count: Recipients, Max: 100, Window: time.Minute, Action: Reject})
	table := NewTable(Options{}, noon)
	var sent atomic.Int64
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			tx := Begin(rules, table)
			s := &Subject{Account: "joe", Client: netip.AddrFrom4([4]byte{192, 0, 2, 1}), Rcpt: "a@example.org"}
			for i := range 40 {
				if (i+n)%5 == 0 { // some do not come to their end
					tx.Mail(context.Background(), s, noon)
					tx.Release(context.Background(), noon)
				}
				if send(tx, s, noon) {
					sent.Add(1)
				}
			}
		})
	}
	wg.Wait()
	for tx := Begin(rules, table); send(tx, &Subject{Account: "joe"}, noon); { // refused because others held what they gave back
		sent.Add(1)
	}
	if got := sent.Load(); got != 100 {
		t.Errorf("%d messages came through, want 100", got)
	}
}

// TestAllOrNoneAcrossShards reserves of many counters at once, in any order.
func TestAllOrNoneAcrossShards(t *testing.T) {
	table := NewTable(Options{}, noon)
	const keys, most = 8, 50
	var taken [keys]atomic.Int64
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 3))
			for range 300 {
				var charges []Charge
				for _, k := range rnd.Perm(keys)[:1+rnd.IntN(keys)] {
					charges = append(charges, charge(uint64(k)*0x9e3779b97f4a7c15, most, 1, time.Hour)...)
				}
				ok, _ := table.Take(context.Background(), charges, noon)
				if !ok {
					continue
				}
				table.Settle(context.Background(), charges, Keep, noon)
				for _, c := range charges {
					for k := range uint64(keys) {
						if c.ID == k*0x9e3779b97f4a7c15 {
							taken[k].Add(1)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	for k := range uint64(keys) {
		c := charge(k*0x9e3779b97f4a7c15, most, 1, time.Hour)
		table.Look(c, noon)
		if got := taken[k].Load(); got != int64(c[0].Used) || got > most {
			t.Errorf("key %d: %d were taken, %d are counted, max %d", k, got, c[0].Used, most)
		}
	}
}
