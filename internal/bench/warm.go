package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// The sides of the warm part.
const (
	sideA = iota // empty filter, plain go-milter
	sideB        // empty handler, our server
	sideC        // shipped daemon
	sides
)

// A contest is the warm part: three sides under the same load, in turns.
type contest struct {
	*bench
	side  [sides]*process
	wired *process   // the daemon once more, to see its allocations
	given samples    // of side C
	next  [sides]int // the sender whose turn it is
}

// warm measures the daemon with every answer in its cache, beside the empty filters.
func (b *bench) warm() (err error) {
	c := &contest{bench: b}
	defer c.kill()
	if err := c.start(); err != nil {
		return err
	}
	if err := c.fill(); err != nil {
		return err
	}
	b.print("\nWARM: %d clients in turn, %d rounds of %d transactions a side, %d names and %d networks in [[local]], 2 limits",
		b.clients, b.rounds, b.transactions, b.rules, min(b.rules, 1<<16))
	asked := b.world.asked.Load()
	for _, load := range []struct{ workers, transactions int }{
		{b.workers, b.transactions},
		{1, (b.transactions + 3) / 4}, // it takes longer
	} {
		rows, err := c.compete(load.transactions, load.workers)
		if err != nil {
			return err
		}
		b.print("%s", warmTable(fmt.Sprintf("%d at once", load.workers), rows))
		if load.workers == b.workers {
			b.print("goals: CPU at most 1.60 times A, with limits on; whole p99 at 16 at once under 1 ms on a machine with nothing else to do\n")
		}
	}
	rows, err := c.allocations()
	if err != nil {
		return err
	}
	b.print("%s", warmTable("allocations", rows))
	if n := b.world.asked.Load() - asked; n > 0 {
		b.print("NOT WARM: %d questions were asked meanwhile", n)
	}
	if err := c.profiles(); err != nil {
		return err
	}
	return b.finish(c.side[sideC], c.given, min(b.clients, c.given.count))
}

func (c *contest) start() (err error) {
	for i, role := range []string{sideA: "empty", sideB: "ours"} {
		socket := filepath.Join(c.dir, role+".sock")
		if c.side[i], err = startRole(c.ctx, c.dir, role, socket, role, socket); err != nil {
			return err
		}
	}
	if c.side[sideC], err = c.daemon("daemon", usualBudget); err != nil {
		return err
	}
	c.wired, err = c.bench.wired("wired")
	return err
}

// kill ends what still runs.
func (c *contest) kill() {
	for _, p := range append(c.side[:], c.wired) {
		if p != nil {
			p.kill()
		}
	}
}

// fill has every sender come once to every side.
func (c *contest) fill() error {
	for i := range c.side {
		if _, _, err := c.round(i, c.clients, c.workers); err != nil {
			return err
		}
	}
	_, err := deliver(c.wired.socket, 0, c.clients, c.clients, c.workers)
	return err
}

// round is one side's turn.
func (c *contest) round(i, transactions, workers int) (samples, time.Duration, error) {
	p := c.side[i]
	before, err := p.cpu()
	if err != nil {
		return samples{}, 0, err
	}
	s, err := deliver(p.socket, c.next[i], c.next[i]+transactions, c.clients, workers)
	if err != nil {
		return s, 0, fmt.Errorf("%s: %w\n%s", p.name, err, lastLines(p.log))
	}
	after, err := p.cpu()
	c.next[i] += transactions
	if i == sideC {
		c.given.count += s.count
		c.given.continued += s.continued
	}
	return s, after - before, err
}

// compete runs all rounds; who begins changes from one to the next.
func (c *contest) compete(transactions, workers int) ([]row, error) {
	rows := []row{{name: "CPU us a transaction"}, {name: "whole p50 ms"}, {name: "whole p99 ms"}}
	for _, stage := range stageNames {
		rows = append(rows, row{name: stage + " p50 ms"}, row{name: stage + " p99 ms"})
	}
	for n := range c.rounds {
		for turn := range sides {
			i := (n + turn) % sides
			s, cpu, err := c.round(i, transactions, workers)
			if err != nil {
				return nil, err
			}
			values := []float64{micros(cpu) / float64(s.count), millis(quantile(s.whole, 0.50)), millis(quantile(s.whole, 0.99))}
			for _, waited := range s.waited {
				values = append(values, millis(quantile(waited, 0.50)), millis(quantile(waited, 0.99)))
			}
			for k, v := range values {
				rows[k].values[i] = append(rows[k].values[i], v)
			}
		}
	}
	return rows, nil
}

// allocations has the sides that can tell do one round more.
func (c *contest) allocations() ([]row, error) {
	rows := []row{{name: "allocations a transact."}, {name: "bytes a transaction"}}
	for i, p := range []*process{sideA: c.side[sideA], sideB: c.side[sideB], sideC: c.wired} {
		before, err := p.use("memory")
		if err != nil {
			return nil, err
		}
		s, err := deliver(p.socket, 0, c.transactions, c.clients, c.workers)
		if err != nil {
			return nil, err
		}
		after, err := p.use("memory")
		if err != nil {
			return nil, err
		}
		n := float64(s.count)
		rows[0].values[i] = []float64{float64(after.mallocs-before.mallocs) / n}
		rows[1].values[i] = []float64{float64(after.bytes-before.bytes) / n}
	}
	return rows, nil
}

// profiles shows where the CPU and the allocations of the warm sides go, if asked to.
func (c *contest) profiles() error {
	if c.profile == "" {
		return nil
	}
	for _, p := range []*process{c.side[sideA], c.side[sideB], c.wired} {
		err := c.profiled(p, func() error {
			_, err := deliver(p.socket, 0, 5*c.clients, c.clients, c.workers)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
