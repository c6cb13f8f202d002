package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
)

// questionRounds is how often each load of the questions part is repeated.
const questionRounds = 9

// An asker is a process with a resolver and nothing else, and what its CPU was.
type asker struct {
	*process
	name string
	next int // sender that was not asked for yet
}

// bare names what is asked without a resolver.
const bare = "a bare datagram"

// A questionLoad is one way in which questions come.
type questionLoad struct {
	name    string
	workers int
	count   int
	delay   time.Duration
}

// questions measures the CPU of a question to a resolver on loopback, in turns
// with a bare datagram that goes out and comes back, which is the floor of
// runtime and kernel on this machine: what is over it is ours.
func (b *bench) questions() error {
	this, err := os.Executable()
	if err != nil {
		return err
	}
	names, exes := []string{"a question"}, []string{this}
	if b.before != "" {
		names, exes = append(names, "before"), append(exes, b.before)
	}
	var askers []*asker
	for i, exe := range exes {
		p, err := startRoleOf(b.ctx, exe, b.dir, fmt.Sprintf("asker%d", i), "", "asker", b.world.conn.LocalAddr().String())
		if err != nil {
			return err
		}
		defer p.kill()
		askers = append(askers, &asker{process: p, name: names[i]})
	}
	loads := []questionLoad{
		{"at full speed", b.workers, b.transactions, 0},
		{"one at a time", 1, (b.transactions + 3) / 4, 0},
		{fmt.Sprintf("answers %v late", b.delay), b.workers, b.visits, b.delay},
	}
	b.print("\nQUESTIONS: %d at once and one at a time, %d rounds in turn, %s", b.workers, questionRounds, busy())
	b.print("%-22s %-22s %-22s %-22s", "CPU us, median (range)", loads[0].name, loads[1].name, loads[2].name)
	costs := map[string][]span{}
	for _, load := range loads {
		b.world.behave(load.delay, false)
		if err := askInTurn(askers, load, costs); err != nil {
			return err
		}
	}
	for _, name := range append(names, bare) {
		c := costs[name]
		b.print("%-22s %-22s %-22s %-22s", name, micro(c[0]), micro(c[1]), micro(c[2]))
	}
	ours := costs[names[0]]
	b.print("CPU a question on loopback: %.1f us at full speed, %.1f us one at a time   (goal: at most 30)", ours[0].median, ours[1].median)
	return stopAll(askers)
}

// micro shows microseconds.
func micro(s span) string { return fmt.Sprintf("%.1f (%.1f-%.1f)", s.median, s.low, s.high) }

func stopAll(askers []*asker) error {
	for _, a := range askers {
		if err := a.stop(); err != nil {
			return err
		}
	}
	return nil
}

// askInTurn adds what a load costs to costs, by what was asked.
func askInTurn(askers []*asker, load questionLoad, costs map[string][]span) error {
	values := map[string][]float64{}
	for round := range questionRounds + 1 {
		for _, a := range askers {
			for _, order := range []string{"ask", "bare"} {
				cpu, err := a.measure(order, load)
				if err != nil {
					return err
				}
				name := a.name
				if order == "bare" {
					name = bare
				}
				if round > 0 { // in the first one the process gets warm
					values[name] = append(values[name], micros(cpu)/float64(load.count))
				}
			}
		}
	}
	for name, v := range values {
		costs[name] = append(costs[name], spanOf(v))
	}
	return nil
}

// measure gives the CPU of a load of questions.
func (a *asker) measure(order string, load questionLoad) (time.Duration, error) {
	from := a.next
	a.next += load.count
	before, err := a.cpu()
	if err != nil {
		return 0, err
	}
	if _, err := a.order(order, from, a.next, load.workers); err != nil {
		return 0, err
	}
	after, err := a.cpu()
	return after - before, err
}

// askerCache is the cache of an asker: full soon, as that of a busy daemon is.
const askerCache = 4 << 20

// startAsking makes the loads of an asker, for a server.
func startAsking(server string) (loads map[string]load, stop func(), err error) {
	at, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, nil, err
	}
	wiring.TuneMemory(askerCache)
	r := resolver.New(resolver.Config{Servers: []netip.AddrPort{at}, CacheBytes: askerCache})
	return map[string]load{
		"ask":  func(from, to, workers int) error { return askFor(r, from, to, workers) },
		"bare": func(from, to, workers int) error { return askBare(at, from, to, workers) },
	}, r.Close, nil
}

// askFor asks r for the addresses of senders, which it must not know yet.
func askFor(r *resolver.Resolver, from, to, workers int) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return inTurn(from, to, workers, func() func(sender) error {
		return func(s sender) error {
			if a := r.Lookup(ctx, s.helo(), dns.TypeA); a.Outcome != resolver.Found || a.Cached {
				return fmt.Errorf("answered %+v", a)
			}
			return nil
		}
	})
}

// askBare sends one datagram again and again, and reads what comes back.
func askBare(at netip.AddrPort, from, to, workers int) error {
	packet, err := new(dns.Msg).SetQuestion(sender(0).helo()+".", dns.TypeA).Pack()
	if err != nil {
		return err
	}
	conns := make([]net.Conn, workers)
	for i := range conns {
		if conns[i], err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(at)); err != nil {
			return err
		}
		defer conns[i].Close()
		if err := conns[i].SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
	}
	return inTurn(from, to, workers, func() func(sender) error {
		conn := conns[0]
		conns = conns[1:]
		buf := make([]byte, 4096)
		return func(sender) error {
			if _, err := conn.Write(packet); err != nil {
				return err
			}
			_, err := conn.Read(buf)
			return err
		}
	})
}
