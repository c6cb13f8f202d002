package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/store"
	"mailprofiled/internal/wiring"
	"mailprofiled/ratelimit"
)

// loggedIn is what the state part adds to the configuration: limits that each mail of an
// account is counted in, and none meets.
const loggedIn = `
[accounts]
learn = "0"

[[limit]]
name  = "new accounts"
max   = 1000000

[[limit]]
name   = "outgoing"
per    = "account"
count  = "recipients"
max    = 1000000
window = "24h"

[[limit]]
name   = "one domain"
per    = "account+recipient_domain"
count  = "recipients"
max    = 1000000
window = "1h"
action = "report"
`

// state measures mail of clients that log in, each by an account of its own, beside the empty
// filter; and what very many accounts take that are known and at rest.
func (b *bench) state() error {
	if err := b.loggedIn(); err != nil {
		return err
	}
	return b.atRest()
}

// loggedIn has an empty filter and the daemon take the same mail in turns.
func (b *bench) loggedIn() error {
	socket := filepath.Join(b.dir, "unlimited.sock")
	empty, err := startRole(b.ctx, b.dir, "unlimited", socket, "empty", socket)
	if err != nil {
		return err
	}
	defer empty.kill()
	daemon, err := b.daemonWith("accounts", usualBudget, loggedIn)
	if err != nil {
		return err
	}
	defer daemon.kill()
	sides := []*process{empty, daemon}
	var given samples
	next := [2]int{}
	turn := func(i, transactions int) (float64, error) {
		before, err := sides[i].cpu()
		if err != nil {
			return 0, err
		}
		s, err := deliverAs(true, sides[i].socket, next[i], next[i]+transactions, b.clients, b.workers)
		if err != nil {
			return 0, fmt.Errorf("%s: %w\n%s", sides[i].name, err, lastLines(sides[i].log))
		}
		next[i] += transactions
		if i == 1 {
			given.count, given.continued = given.count+s.count, given.continued+s.continued
		}
		after, err := sides[i].cpu()
		return micros(after-before) / float64(s.count), err
	}
	for i := range sides { // each sender once, so that all is warm
		if _, err := turn(i, b.clients); err != nil {
			return err
		}
	}
	var used [2][]float64
	for n := range b.rounds {
		for k := range sides {
			i := (n + k) % len(sides)
			us, err := turn(i, b.transactions)
			if err != nil {
				return err
			}
			used[i] = append(used[i], us)
		}
	}
	b.print("\nSTATE: %d clients that log in, %d rounds of %d transactions a side, 5 limits, state on disk, memory, retries and signs of stolen accounts on",
		b.clients, b.rounds, b.transactions)
	b.print("CPU us a transaction:     %s, empty filter %s: %s times   (goal: at most 1.60 with limits, 1.80 with all of it)",
		spanOf(used[1]), spanOf(used[0]), ratios(used[1], used[0]))
	return b.finish(daemon, given, min(b.clients, given.count))
}

// atRest has the daemon start with the state of very many accounts, each with counters, and
// looks at what it takes.
func (b *bench) atRest() error {
	path, socket, err := b.configure("atrest", usualBudget, loggedIn)
	if err != nil {
		return err
	}
	size, counters, err := fillState(b.ctx, path, b.accounts)
	if err != nil {
		return fmt.Errorf("filling the state: %w", err)
	}
	began := time.Now()
	p, err := startDaemon(b.ctx, b.dir, "atrest", socket, b.env, b.exe(), path)
	if err != nil {
		return err
	}
	defer p.kill()
	took := time.Since(began)
	first, err := p.rss()
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.quiet):
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
	rest, err := p.rss()
	if err != nil {
		return err
	}
	b.print("%d accounts at rest:  %d live counters, %.0f MiB on disk (goal: under 300), ready after %.1f s (goal: 3)", b.accounts, counters, mib(size), took.Seconds())
	b.print("resident memory:          %.0f MiB at the start, %.0f MiB after %v of quiet   (goal: under 200), with %d names and networks in [[local]]", mib(first), mib(rest), b.quiet, b.rules)
	return p.stop()
}

// fillState makes the state of a configuration as the daemon does: of so many accounts that
// have each sent three messages. It gives its size on disk in bytes, and how many counters
// are in it.
func fillState(ctx context.Context, path string, accounts int) (size int64, counters int, err error) {
	cfg, report := config.Load(path)
	if cfg == nil {
		return 0, 0, fmt.Errorf("configuration: %s", report)
	}
	kept, err := store.Open(store.Options{Dir: cfg.State.Path})
	if err != nil {
		return 0, 0, err
	}
	now := time.Now()
	counted := wiring.NewCounters(cfg, kept, now)
	kept.Start()
	counted.Apply(cfg, wiring.AccountKeys(cfg, nil), now)
	limits, err := counted.Limits(cfg, nil, nil)
	if err != nil {
		return 0, 0, err
	}
	tx := ratelimit.Begin(limits.Rules, limits.Store)
	for i := range accounts {
		s := ratelimit.Subject{Account: fmt.Sprintf("user%d@c%d.test", i, i%1000), Listener: "submission", Rcpt: "jo@example.net"}
		for range 3 {
			now = time.Now()
			s.Age = counted.Accounts.Age(s.Account, time.Time{}, now)
			if d := tx.Mail(ctx, &s, now); d.Refused() {
				return 0, 0, fmt.Errorf("refused: %s", d.Text)
			}
			tx.Rcpt(ctx, &s, now)
			if err := tx.Commit(ctx, now); err != nil {
				return 0, 0, err
			}
		}
		if i%10_000 == 0 && ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
	}
	if err := kept.Close(ctx); err != nil {
		return 0, 0, err
	}
	files, err := os.ReadDir(cfg.State.Path)
	if err != nil {
		return 0, 0, err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			size += info.Size()
		}
	}
	return size, counted.Table.Stats().Keys, nil
}
