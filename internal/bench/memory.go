package main

import (
	"time"
)

// atOnce is how many visits the memory part makes at the same time.
const atOnce = 64

// memory measures what the daemon holds of clients it has seen: the heap after a
// collection, of a process wired like the daemon, through engine and resolver.
func (b *bench) memory() error {
	return b.memoryWith("many", "", "each with a PTR name, a HELO name and a sender domain of its own", b.many)
}

// memoryWith is memory of a process with more in its configuration, and of so many clients.
// The memory of servers is held to the least there is: it has a bound of its own (memory.size),
// and a goal of its own, 250 MB for a million servers.
func (b *bench) memoryWith(name, more, of string, many int) error {
	p, err := b.wiredWith(name, more+"\n[memory]\nsize = \"1MiB\"\n")
	if err != nil {
		return err
	}
	defer p.kill()
	first := min(1000, many/2) // they fill what is there once
	before, err := b.seen(p, 0, first)
	if err != nil {
		return err
	}
	start := time.Now()
	var after use
	err = b.profiled(p, func() (err error) {
		after, err = b.seen(p, first, many)
		return err
	})
	if err != nil {
		return err
	}
	rss, err := p.rss()
	if err != nil {
		return err
	}
	b.print("\nMEMORY: %d distinct clients, %s", many, of)
	b.print("heap growth a client:     %.0f bytes   (goal: at most 1024), the memory of servers aside", float64(after.heap-before.heap)/float64(many-first))
	b.print("heap %.0f MiB, resident %.0f MiB, %.0f visits/s", mib(after.heap), mib(rss), float64(many-first)/time.Since(start).Seconds())
	return p.stop()
}

// seen has the senders from..to-1 visit, and says what is held then.
func (b *bench) seen(p *process, from, to int) (use, error) {
	if _, err := p.order("visit", from, to, atOnce); err != nil {
		return use{}, err
	}
	return p.use("collect")
}

// idleSessions measures what a session takes that has said HELO and no more: of
// the shipped daemon by what the kernel counts, of a wired one by the heap.
func (b *bench) idleSessions() error {
	p, err := b.daemon("idle", usualBudget)
	if err != nil {
		return err
	}
	defer p.kill()
	w, err := b.wired("idlewired")
	if err != nil {
		return err
	}
	defer w.kill()
	given, err := deliver(p.socket, 0, b.idle, b.idle, b.workers)
	if err != nil {
		return err
	}
	if _, err := deliver(w.socket, 0, b.idle, b.idle, b.workers); err != nil {
		return err
	}
	resident, err := b.grown(p, p.rss)
	if err != nil {
		return err
	}
	held, err := b.grown(w, func() (int64, error) {
		u, err := w.use("collect")
		return u.heap + u.stacks, err
	})
	if err != nil {
		return err
	}
	b.print("\nIDLE: %d sessions after HELO", b.idle)
	b.print("bytes a session:          %.0f of heap and stacks; resident memory of the shipped daemon grew by %.0f   (goal: under 25000)",
		float64(held)/float64(b.idle), float64(resident)/float64(b.idle))
	return b.finish(p, given, b.idle)
}

// grown says by how much a process grows when it has that many idle sessions.
func (b *bench) grown(p *process, size func() (int64, error)) (int64, error) {
	before, err := size()
	if err != nil {
		return 0, err
	}
	for n := range b.idle {
		m := &mta{socket: p.socket}
		if err := m.open(sender(n)); err != nil {
			return 0, err
		}
		defer m.visit.Close()
	}
	after, err := size()
	return after - before, err
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
