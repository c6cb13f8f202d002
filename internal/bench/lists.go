package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A listKind is lists of ours that are asked alike.
type listKind struct {
	count   int
	ask, at string
	allow   bool
	subject int // questions about one of the senders
}

// listKinds are the twenty lists of the lists part: those that can say something of
// a sender, and those that cannot.
var listKinds = []listKind{
	{8, `"ip4", "ip6"`, `"connect"`, false, 1},
	{2, `"ip4", "ip6"`, `"connect"`, true, 1},
	{2, `"ip6"`, `"connect"`, false, 0},
	{1, `"ip4"`, `"bounce"`, false, 0},
	{3, `"domain"`, `"ptr", "helo", "mail"`, false, 3},
	{2, `"domain"`, `"helo"`, false, 1},
	{2, `"domain"`, `"mail"`, false, 1},
}

// listTail ends the zones of those lists, in which nobody is.
const listTail = "lists.example"

// theLists gives their configuration, how many they are, and how many questions to
// them there are about a new sender.
func theLists() (text string, lists, questions int) {
	var b strings.Builder
	for _, k := range listKinds {
		code := `{ answer = "127.0.0.2", points = 4.0, meaning = "spam source" }, { answer = "127.0.0.4-127.0.0.7", points = 3.0 }`
		if k.allow {
			code = `{ answer = "127.0.0.2", points = -4.0, kind = "allow" }`
		}
		for range k.count {
			fmt.Fprintf(&b, "\n[[lists.own]]\nid = \"l%d\"\nzone = \"l%[1]d.%s\"\nask = [%s]\nat = [%s]\ncodes = [ %s ]\n", lists, listTail, k.ask, k.at, code)
			lists++
			questions += k.subject
		}
	}
	return b.String(), lists, questions
}

// askedLists measures what twenty DNS lists add: to a decision when all is known, to the
// wait for it when nothing is, in questions, and in memory.
func (b *bench) askedLists() error {
	text, n, perSender := theLists()
	b.print("\nLISTS: %d of them, of which a sender's address and names are %d questions, %s", n, perSender, busy())
	for _, part := range []func(string, int) error{b.knownWithLists, b.coldWithLists} {
		if err := part(text, perSender); err != nil {
			return err
		}
	}
	return b.memoryWith("manylisted", text, fmt.Sprintf("the same, with what %d lists say of each", n), b.listed)
}

// knownWithLists measures the decisions about clients that everything is known of, in
// turns with a daemon that has no lists.
func (b *bench) knownWithLists(text string, _ int) error {
	var sides [2]*process
	for i, more := range []string{"", text} {
		p, err := b.wiredWith(fmt.Sprintf("lists%d", i), more)
		if err != nil {
			return err
		}
		defer p.kill()
		if _, err := p.order("visit", 0, b.clients, b.workers); err != nil {
			return err
		}
		sides[i] = p
	}
	asked := b.world.asked.Load()
	visits := min(b.transactions, b.clients)
	var without, with, more []float64
	for round := range b.rounds {
		var cost [2]float64
		for turn := range sides {
			i := (round + turn) % len(sides)
			before, err := sides[i].cpu()
			if err != nil {
				return err
			}
			if _, err := sides[i].order("visit", 0, visits, 1); err != nil {
				return err
			}
			after, err := sides[i].cpu()
			if err != nil {
				return err
			}
			cost[i] = micros(after-before) / float64(visits)
		}
		without, with, more = append(without, cost[0]), append(with, cost[1]), append(more, cost[1]-cost[0])
	}
	b.print("known clients, CPU us a decision: %s without lists, %s with, ratio %s", micro(spanOf(without)), micro(spanOf(with)), ratios(with, without))
	b.print("lists add to a decision:  %s us of CPU   (goal: under 15)", micro(spanOf(more)))
	b.check(b.world.asked.Load() == asked, "lists: %d questions about clients that everything was known of", b.world.asked.Load()-asked)
	for i, p := range sides {
		before, err := p.use("memory")
		if err != nil {
			return err
		}
		if err := b.profiled(p, func() error { _, err := p.order("visit", 0, b.clients, 1); return err }); err != nil {
			return err
		}
		after, err := p.use("memory")
		if err != nil {
			return err
		}
		b.print("allocations a decision:   %.1f, %.0f bytes, %s lists", float64(after.mallocs-before.mallocs)/float64(b.clients),
			float64(after.bytes-before.bytes)/float64(b.clients), [...]string{"without", "with"}[i])
		if err := p.stop(); err != nil {
			return err
		}
	}
	return nil
}

// coldWithLists measures visits of new servers, of which all lists must be asked.
func (b *bench) coldWithLists(text string, perSender int) error {
	p, err := b.daemonWith("listed", usualBudget, text)
	if err != nil {
		return err
	}
	defer p.kill()
	if err := b.awaitLists(p); err != nil {
		return err
	}
	c := &coldRun{bench: b, p: p, goal: 5}
	b.world.behave(b.delay, false)
	if _, err := c.visit(2*b.workers, b.workers); err != nil { // the process itself gets warm
		return err
	}
	b.world.listed.Store(0)
	from := c.next
	if _, err := c.late(); err != nil {
		return err
	}
	asked := b.world.listed.Swap(0)
	again, err := c.again(b.visits)
	if err != nil {
		return err
	}
	visits := c.next - from
	b.print("questions to lists:       %.2f of a new client   (goal: %d, to those that can say something of it); %.2f of a known one   (goal: 0)",
		float64(asked)/float64(visits), perSender, float64(b.world.listed.Load())/float64(again.count))
	b.check(int(asked) >= visits*perSender, "lists: %d questions of %d visits, not %d of each", asked, visits, perSender)
	b.check(again.asked == 0, "lists: %d questions about known clients", again.asked)
	return b.finish(p, c.given, c.next)
}

// awaitLists waits until all lists of a daemon are tested, and so count.
func (b *bench) awaitLists(p *process) error {
	_, lists, _ := theLists()
	ctx, cancel := context.WithTimeout(b.ctx, startTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		m, err := scrape(ctx, b.web(p.name))
		if err != nil {
			return err
		}
		if int(m["mailprofiled_list_up"]) == lists {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %g of %d lists are up", p.name, m["mailprofiled_list_up"], lists)
		}
	}
}
