package spf

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a Resolver over a map: what is not in it has no name. It can be
// late, fail, and counts.
type world struct {
	names   map[string]*node // by the name as a Resolver is asked for it
	delay   time.Duration
	expires time.Time // of all answers
	fails   func(rrtype, string) bool

	mu    sync.Mutex
	asked map[question]int
	now   int // questions that are out
	peak  int
}

// A node is what stands at a name.
type node struct {
	txt, mx, ptr []string
	a, aaaa      []netip.Addr
	cname        string
	timeout      bool // of every type that has no records here
	stale        bool
	partial      bool
}

func newWorld() *world {
	return &world{names: map[string]*node{}, asked: map[question]int{}}
}

// zone makes a world of lines "name TYPE data".
func zone(t testing.TB, lines string) *world {
	t.Helper()
	w := newWorld()
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		n := w.at(f[0])
		data := f[2:]
		switch f[1] {
		case "TXT":
			n.txt = append(n.txt, data...)
		case "MX":
			for _, host := range strings.Fields(data[0]) {
				n.mx = append(n.mx, strings.TrimSuffix(host, "."))
			}
		case "PTR":
			n.ptr = append(n.ptr, strings.Fields(data[0])...)
		case "A", "AAAA":
			for _, addr := range strings.Fields(data[0]) {
				n.addr(netip.MustParseAddr(addr))
			}
		case "CNAME":
			n.cname = data[0]
		case "TIMEOUT":
			n.timeout = true
		case "STALE":
			n.stale = true
		case "PARTIAL":
			n.partial = true
		default:
			t.Fatalf("no such type: %s", line)
		}
	}
	return w
}

func (w *world) at(name string) *node {
	name, _ = asked(name)
	if w.names[name] == nil {
		w.names[name] = &node{}
	}
	return w.names[name]
}

func (n *node) addr(addr netip.Addr) {
	if addr.Is4() {
		n.a = append(n.a, addr)
	} else {
		n.aaaa = append(n.aaaa, addr)
	}
}

func (w *world) TXT(ctx context.Context, name string) Answer { return w.ask(ctx, typeTXT, name) }

func (w *world) MX(ctx context.Context, name string) Answer { return w.ask(ctx, typeMX, name) }

func (w *world) Addrs(ctx context.Context, name string, v6 bool) Answer {
	if v6 {
		return w.ask(ctx, typeAAAA, name)
	}
	return w.ask(ctx, typeA, name)
}

func (w *world) PTR(ctx context.Context, addr netip.Addr) Answer {
	return w.ask(ctx, typePTR, reverse(addr))
}

func (w *world) ask(ctx context.Context, t rrtype, name string) Answer {
	w.count(t, name)
	defer w.landed()
	if w.delay > 0 {
		late := time.NewTimer(w.delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-ctx.Done():
			return Answer{Reason: "budget"}
		}
	}
	if ctx.Err() != nil {
		return Answer{Reason: "budget"}
	}
	a := w.find(t, name, 0)
	a.Expires = w.expires
	return a
}

func (w *world) find(t rrtype, name string, hops int) Answer {
	n := w.names[name]
	switch {
	case w.fails != nil && w.fails(t, name):
		return Answer{Reason: "servfail"}
	case n == nil:
		return Answer{Status: NoName}
	case n.cname != "" && hops > 8:
		return Answer{Reason: "bad-answer"}
	case n.cname != "":
		target, _ := asked(n.cname)
		return w.find(t, target, hops+1)
	}
	a := Answer{Status: Found, Stale: n.stale, Partial: n.partial}
	switch t {
	case typeTXT:
		a.Texts = n.txt
	case typeMX:
		a.Names = n.mx
	case typePTR:
		a.Names = n.ptr
	case typeA:
		a.Addrs = n.a
	case typeAAAA:
		a.Addrs = n.aaaa
	}
	if len(a.Texts)+len(a.Names)+len(a.Addrs) == 0 {
		a.Status = NoData
		if n.timeout {
			a = Answer{Reason: "timeout"}
		}
	}
	return a
}

func (w *world) count(t rrtype, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[question{t, name}]++
	w.now++
	w.peak = max(w.peak, w.now)
}

func (w *world) landed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now--
}

// total is how often w was asked.
func (w *world) total() (n int) {
	for _, times := range w.asked {
		n += times
	}
	return n
}

// reverse is the name of an address in the reverse zones.
func reverse(addr netip.Addr) string {
	const hex = "0123456789abcdef"
	b := addr.AsSlice()
	var labels []string
	for i := len(b) - 1; i >= 0; i-- {
		if addr.Is4() {
			labels = append(labels, strconv.Itoa(int(b[i])))
		} else {
			labels = append(labels, string(hex[b[i]&15]), string(hex[b[i]>>4]))
		}
	}
	suffix := ".in-addr.arpa"
	if !addr.Is4() {
		suffix = ".ip6.arpa"
	}
	return strings.Join(labels, ".") + suffix
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// brief is a world in which includes expire after a minute and all else later.
type brief struct {
	*world
	now time.Time
}

func (b brief) TXT(ctx context.Context, name string) Answer {
	a := b.world.TXT(ctx, name)
	if a.Expires = b.now.Add(time.Hour); name == "b.test" {
		a.Expires = b.now.Add(time.Minute)
	}
	return a
}

// expired is a context that ends after d.
func expired(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
