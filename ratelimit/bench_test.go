package ratelimit

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"
)

const million = 1_000_000

// benchRules are three limits on each account.
func benchRules(t testing.TB) *Rules {
	return newRules(t, Ramp(),
		Limit{Name: "hour", Per: PerAccount, Max: 1000, Window: time.Hour, Action: TempFail},
		Limit{Name: "recipients", Per: PerAccount, Count: Recipients, Max: 5000, Window: 24 * time.Hour, Action: TempFail})
}

func logins() []string {
	all := make([]string, million)
	for i := range all {
		all[i] = "user" + strconv.Itoa(i) + "@customer" + strconv.Itoa(i%5000) + ".example"
	}
	return all
}

// crowded is a Table and Accounts with a million live accounts, of three limits
// each, that sent in eight of the sub-buckets of 24 hours on average.
var crowded = sync.OnceValue(func() (c struct {
	table    *Table
	accounts *Accounts
	names    []string
	bytes    float64 // an account
	now      time.Time
}) {
	c.names = logins()
	before := heap()
	c.table = NewTable(Options{Track: true}, noon)
	c.accounts = NewAccounts(AccountOptions{}, secret, noon)
	rules, err := NewRules([]Limit{Ramp(),
		{Name: "hour", Per: PerAccount, Max: 1000, Window: time.Hour, Action: TempFail},
		{Name: "recipients", Per: PerAccount, Count: Recipients, Max: 5000, Window: 24 * time.Hour, Action: TempFail}}, secret, nil)
	if err != nil {
		panic(err)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	tx := Begin(rules, c.table)
	s := Subject{Age: Age{Known: true}, Rcpt: "a@example.org"}
	for hour := range 24 {
		c.now = noon.Add(time.Duration(hour) * 57 * time.Minute)
		for _, name := range c.names {
			if hour == 0 || rnd.IntN(3) == 0 {
				s.Account = name
				c.accounts.Age(name, time.Time{}, c.now)
				send(tx, &s, c.now)
			}
		}
	}
	c.table.ExportChanged(nil, c.now)
	c.bytes = float64(heap()-before) / million
	return c
})

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkDecision is MAIL, RCPT and end of message of random accounts out of a
// million live ones: three limits, two decisions, and the age of the account.
func BenchmarkDecision(b *testing.B) {
	c := crowded()
	rules := benchRules(b)
	rnd := rand.New(rand.NewPCG(1, 2))
	tx := Begin(rules, c.table)
	s := Subject{Client: netip.MustParseAddr("192.0.2.7"), Rcpt: "a@example.org"}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.Account = c.names[rnd.IntN(million)]
		s.Age = c.accounts.Age(s.Account, time.Time{}, c.now)
		tx.Mail(ctx, &s, c.now)
		tx.Rcpt(ctx, &s, c.now)
		tx.Commit(ctx, c.now)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/decision")
	b.ReportMetric(c.bytes, "B/account")
	runtime.KeepAlive(c.table)
}

// BenchmarkMail is one decision of two limits, and giving it back.
func BenchmarkMail(b *testing.B) {
	c := crowded()
	tx := Begin(benchRules(b), c.table)
	rnd := rand.New(rand.NewPCG(1, 2))
	s := Subject{Age: Age{Known: true}}
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		s.Account = c.names[rnd.IntN(million)]
		tx.Mail(ctx, &s, c.now)
	}
	runtime.KeepAlive(c.table)
}
