package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"

	"mailprofiled/internal/miltertest"
)

// A crowd counts what the visits of a soak came to.
type crowd struct {
	good, stopped   atomic.Int64 // good senders; those of them who were not let through
	passed, refused atomic.Int64 // the others
	broken          atomic.Int64
}

// How many of each kind there are: regulars and nameless come again and again.
const (
	regulars = 10_000
	nameless = 10_000
)

// A guest makes one visit after the other, each on a connection of its own, as
// Postfix or Sendmail would show it.
type guest struct {
	socket string
	visit  *miltertest.Visit
	given  *crowd
}

// visit makes the visits from..to-1.
func (s *soak) visit(from, to int) error {
	n := 0
	return inTurn(from, to, s.workers, func() func(sender) error {
		g := &guest{socket: s.p.socket, given: &s.given}
		manner := miltertest.Postfix()
		if n++; n%4 == 0 {
			manner = miltertest.Sendmail()
		}
		return func(n sender) error { return g.come(int(n), manner) }
	})
}

// come makes visit n; the same n is always the same visit.
func (g *guest) come(n int, manner miltertest.MTA) error {
	conn, err := net.Dial("unix", g.socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if g.visit == nil {
		g.visit = miltertest.NewVisit(conn, manner)
	} else {
		g.visit.Reuse(conn)
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	switch kind := n % 20; {
	case kind < 10:
		return g.good(sender(rng.IntN(regulars)))
	case kind < 13:
		return g.good(sender(regulars + n))
	case kind < 16:
		return g.nameless(rng)
	case kind < 19:
		return g.odd(n, rng)
	}
	g.given.broken.Add(1)
	g.broken(sender(n), rng)
	return nil
}

func (g *guest) good(s sender) error {
	went, err := g.deliver(miltertest.Peer{Addr: s.addr(), Port: 40000, Name: s.ptr()}, s.helo(), "<jo@"+s.domain()+">", recipient)
	g.given.good.Add(1)
	if !went {
		g.given.stopped.Add(1)
	}
	return err
}

func (g *guest) other(addr netip.Addr, helo, from string, rcpts ...string) error {
	went, err := g.deliver(miltertest.Peer{Addr: addr, Port: 25}, helo, from, append(rcpts, recipient)...)
	if went {
		g.given.passed.Add(1)
	} else {
		g.given.refused.Add(1)
	}
	return err
}

// nameless is a visit of a client without a reverse name, which is asked to come
// back, and does so or not.
func (g *guest) nameless(rng *rand.Rand) error {
	k := rng.IntN(nameless)
	addr := netip.AddrFrom4([4]byte{11, byte(k >> 8), byte(k), 7})
	rcpts := make([]string, 3)
	for i := range rcpts {
		rcpts[i] = fmt.Sprintf("<u%d@example.net>", rng.IntN(1000))
	}
	return g.other(addr, "out."+sender(k).domain(), "<jo@"+sender(k).ptr()+">", rcpts...) // a host: no record of SPF is against it
}

// odd is a visit with names that are odd, or not to be found.
func (g *guest) odd(n int, rng *rand.Rand) error {
	addr := sender(rng.IntN(regulars)).addr()
	if rng.IntN(3) == 0 {
		addr = netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::%x", n&0xffff, n>>16))
	}
	helos := []string{
		"[" + addr.String() + "]", "localhost", "mx.example.net", "\xff\x01 " + strings.Repeat("x", 300),
		fmt.Sprintf("%s.n%d.test", strings.Repeat("l", 60), n), fmt.Sprintf("h%d.invalid", n),
	}
	froms := []string{
		"<>", fmt.Sprintf("<a@d%d.invalid>", n), "<" + strings.Repeat("a", 64) + fmt.Sprintf("@c%d.test>", n), "<no-domain>", "<\"a\\\"@b\"@\xc3\xa4.test>",
	}
	return g.other(addr, helos[rng.IntN(len(helos))], froms[rng.IntN(len(froms))], "<postmaster@example.net>", fmt.Sprintf("<u%d@example.net>", n))
}

// deliver is one transaction; went says that the last recipient was taken.
func (g *guest) deliver(p miltertest.Peer, helo, from string, rcpts ...string) (went bool, err error) {
	v := g.visit
	if err := v.Negotiate(); err != nil {
		return false, err
	}
	if _, err := v.Connect(p); err != nil {
		return false, err
	}
	if _, err := v.Helo(helo); err != nil {
		return false, err
	}
	a, err := v.Mail(from, "", "SIZE=4711")
	if err != nil || !a.Continue() {
		return false, err
	}
	for _, rcpt := range rcpts {
		if a, err = v.Rcpt(rcpt); err != nil {
			return false, err
		}
	}
	if a.Continue() {
		if _, err := v.EOM(); err != nil {
			return false, err
		}
	}
	return a.Continue(), v.Quit()
}

// broken is a session that ends in the middle, or is no session at all. What the
// daemon says to it is of no interest, nor is whether it still listens.
func (g *guest) broken(s sender, rng *rand.Rand) {
	v := g.visit
	switch rng.IntN(8) {
	case 0: // gone at once
	case 1:
		_ = v.Raw([]byte{0, 0})
	case 2:
		_ = v.Raw([]byte{0xff, 0xff, 0xff, 0xff, 'O'})
	case 3:
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		_ = v.Raw(b)
	case 4:
		if v.Negotiate() == nil {
			_ = v.Send('C', "x")
		}
	case 5:
		if v.Negotiate() == nil {
			_ = v.Send('R', recipient)
		}
	default: // the client is lost while its recipient is asked about
		if v.Negotiate() != nil {
			return
		}
		if _, err := v.Connect(miltertest.Peer{Addr: s.addr(), Port: 25}); err != nil {
			return
		}
		if _, err := v.Helo(s.helo()); err != nil {
			return
		}
		if _, err := v.Mail("<jo@"+s.domain()+">", ""); err != nil {
			return
		}
		_ = v.Send('R', recipient)
	}
}
