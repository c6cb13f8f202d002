package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
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

// logins are a million, side by side in memory: the MTA brings a login with it,
// so having its bytes at hand is no part of a decision.
func logins() []string {
	all, text := make([]string, million), make([]byte, 0, 40*million)
	for i := range all {
		text = fmt.Appendf(text, "user%d@customer%d.example ", i, i%5000)
	}
	for i, name := range strings.Fields(string(text)) {
		all[i] = name
	}
	return all
}

// crowded is a Table and Accounts with a million live accounts, of three limits
// each, that sent five mails in 24 hours on average, at different times.
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
			if hour == 0 || rnd.IntN(6) == 0 {
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

// cpu is the processor time of this process so far: a busy machine does not count.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkDecision is MAIL, RCPT and end of message of one account after another
// of a million live ones, which lie anywhere in the Table: three limits, two
// decisions, and the age of the account.
func BenchmarkDecision(b *testing.B) {
	c := crowded()
	rules := benchRules(b)
	tx := Begin(rules, c.table)
	s := Subject{Client: netip.MustParseAddr("192.0.2.7"), Rcpt: "a@example.org"}
	ctx := context.Background()
	b.ReportAllocs()
	before := cpu()
	b.ResetTimer()
	for i := range b.N {
		s.Account = c.names[i%million]
		s.Age = c.accounts.Age(s.Account, time.Time{}, c.now)
		tx.Mail(ctx, &s, c.now)
		tx.Rcpt(ctx, &s, c.now)
		tx.Commit(ctx, c.now)
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N)/2, "cpu-ns/decision")
	b.ReportMetric(c.bytes, "B/account")
	runtime.KeepAlive(c.table)
}

// BenchmarkMail is one decision of two limits, and giving it back.
func BenchmarkMail(b *testing.B) {
	c := crowded()
	tx := Begin(benchRules(b), c.table)
	s := Subject{Age: Age{Known: true}}
	ctx := context.Background()
	b.ReportAllocs()
	before := cpu()
	b.ResetTimer()
	for i := range b.N {
		s.Account = c.names[i%million]
		tx.Mail(ctx, &s, c.now)
	}
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/decision")
	runtime.KeepAlive(c.table)
}

// BenchmarkSnapshot exports and imports a million accounts with three counters each.
func BenchmarkSnapshot(b *testing.B) {
	c := crowded()
	b.ReportAllocs()
	for range b.N {
		before := cpu()
		var size, longest int
		table := NewTable(Options{}, c.now)
		for frame := range c.table.ExportAll(c.now) {
			size += len(frame)
			longest = max(longest, len(frame))
			f, _, err := NextFrame(frame)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := table.Import(f, c.now); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric((cpu() - before).Seconds(), "cpu-s/million")
		b.ReportMetric(float64(size)/million, "disk-B/account")
		b.ReportMetric(float64(longest), "B/frame")
		if got, want := table.Stats().Keys, 2*million; got < want {
			b.Fatalf("%d counters came back, want %d or more", got, want)
		}
	}
}
