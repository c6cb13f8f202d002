package main

import (
	"fmt"
	"time"

	"github.com/miekg/dns"
)

// cold measures visits of servers never seen before, first with late answers,
// then as fast as it goes.
func (b *bench) cold() error {
	p, err := b.daemon("cold", usualBudget)
	if err != nil {
		return err
	}
	defer p.kill()
	c := &coldRun{bench: b, p: p, goal: 4}
	b.world.behave(b.delay, false)
	if _, err := c.visit(2*b.workers, b.workers); err != nil { // the process itself gets warm
		return err
	}
	late, err := c.late()
	if err != nil {
		return err
	}
	b.world.behave(0, false)
	full := 10 * b.visits // they take less time, and CPU wants many
	fast, err := c.visit(full, b.workers)
	if err != nil {
		return err
	}
	warm, err := c.again(full)
	if err != nil {
		return err
	}
	c.printCPU("late", late, warm)
	c.printCPU("at once", fast, warm)
	return b.finish(p, c.given, c.next)
}

// coldRounds is how often the visits with late answers are repeated: on a machine
// with other work a p99 is that work's doing in some of them.
const coldRounds = 5

// late measures the waits of visits while DNS is late, and beside them what one
// bare question takes here. It returns the last round.
func (c *coldRun) late() (m measured, err error) {
	names := []string{"wait at RCPT, p50", "wait at RCPT, p99", "whole visit, p50", "whole visit, p99", "bare question, p99"}
	values := make([][]float64, len(names))
	c.print("\nCOLD: %d visits of new servers, %d at once, every DNS answer %v late, %d rounds", c.visits, c.workers, c.delay, coldRounds)
	for range coldRounds {
		raw, err := c.rawDelays()
		if err != nil {
			return m, err
		}
		if m, err = c.visit(c.visits, c.workers); err != nil {
			return m, err
		}
		for i, d := range []time.Duration{
			quantile(m.waited[atRcpt], 0.50), quantile(m.waited[atRcpt], 0.99), quantile(m.whole, 0.50), quantile(m.whole, 0.99), quantile(raw, 0.99),
		} {
			values[i] = append(values[i], float64(d)/float64(c.delay))
		}
	}
	c.print("%-24s delays, median (range)", "")
	for i, name := range names {
		goal := ""
		if i == 1 {
			goal = fmt.Sprintf("   (goal: at most %d)", c.goal)
		}
		c.print("%-24s %s%s", name, spanOf(values[i]), goal)
	}
	return m, nil
}

// A coldRun is what one daemon was given.
type coldRun struct {
	*bench
	p     *process
	goal  int // the wait at RCPT, p99, in delays
	given samples
	next  int // sender that has not come yet
}

// measured are the samples of one load, and what they cost.
type measured struct {
	samples
	cpu   time.Duration
	asked int64
}

// visit has so many new senders come.
func (c *coldRun) visit(count, workers int) (measured, error) {
	c.next += count
	return c.measure(c.next-count, c.next, workers)
}

// again has the last so many senders come once more.
func (c *coldRun) again(count int) (measured, error) {
	return c.measure(c.next-count, c.next, c.workers)
}

func (c *coldRun) measure(from, to, workers int) (measured, error) {
	before, err := c.p.cpu()
	if err != nil {
		return measured{}, err
	}
	asked := c.world.asked.Load()
	s, err := deliver(c.p.socket, from, to, to, workers)
	if err != nil {
		return measured{}, err
	}
	after, err := c.p.cpu()
	c.given.count += s.count
	c.given.continued += s.continued
	return measured{s, after - before, c.world.asked.Load() - asked}, err
}

// printCPU takes what a warm visit costs off a cold one's, and gives the rest to its questions.
func (c *coldRun) printCPU(how string, m, warm measured) {
	visit := micros(m.cpu) / float64(m.count)
	known := micros(warm.cpu) / float64(warm.count)
	questions := float64(m.asked) / float64(m.count)
	each := 0.0
	if questions > 0 {
		each = (visit - known) / questions
	}
	c.print("CPU, answers %-8s     %.0f us a visit (warm: %.0f), %.1f questions, %.1f us each   (goal: at most 30)",
		how+":", visit, known, questions, each)
}

// rawDelays asks the world as many questions at once as there are workers, again
// and again: what is over one delay here is this machine's doing.
func (b *bench) rawDelays() ([]time.Duration, error) {
	took := make(chan time.Duration, b.visits)
	err := inTurn(0, b.visits, b.workers, func() func(sender) error {
		return func(s sender) error {
			start := time.Now()
			q := new(dns.Msg).SetQuestion(s.helo()+".", dns.TypeA)
			c := dns.Client{Timeout: wait}
			if _, _, err := c.ExchangeContext(b.ctx, q, b.world.conn.LocalAddr().String()); err != nil {
				return err
			}
			took <- time.Since(start)
			return nil
		}
	})
	close(took)
	var all []time.Duration
	for d := range took {
		all = append(all, d)
	}
	return all, err
}

// wait bounds one question of ours.
const wait = 10 * time.Second

// grace is what a reply may be late beyond the budget.
const grace = 100 * time.Millisecond

// silent measures visits while DNS does not answer at all. They go on.
func (b *bench) silent() error {
	p, err := b.daemon("dead", b.budget)
	if err != nil {
		return err
	}
	defer p.kill()
	b.world.behave(0, true)
	s, err := deliver(p.socket, 0, b.dead, b.dead, b.dead)
	if err != nil {
		return err
	}
	verdict := "within"
	if s.longest > b.budget+grace {
		verdict = "OVER"
	}
	b.print("\nDEAD DNS: %d visits at once, budget %v", b.dead, b.budget)
	b.print("longest reply: %v, %s budget + %v; p50 at RCPT %v", s.longest.Round(100*time.Microsecond), verdict, grace,
		quantile(s.waited[atRcpt], 0.50).Round(100*time.Microsecond))
	return b.finish(p, s, b.dead)
}
