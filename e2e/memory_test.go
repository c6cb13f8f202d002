//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/mtatest"
)

// poolOf is a provider's machines: each with a name that leads back, none of them the MX
// of whom they write for.
func poolOf(w *world, n int) []netip.Addr {
	var pool []netip.Addr
	for i := range n {
		a := netip.AddrFrom4([4]byte{203, 0, byte(i), 25})
		name := fmt.Sprintf("mail-ot1-f%d.provider.example", i)
		w.host(name, a)
		w.ptr(a, name)
		pool = append(pool, a)
	}
	w.domain("provider.example")
	return pool
}

// from sends one mail through the server as if it came from an address, and gives the
// reply to its recipient.
func (h *house) from(t *testing.T, a netip.Addr, sender string) mtatest.Reply {
	t.Helper()
	c := h.dial(t, netip.MustParseAddr("127.0.0.1"))
	do(t, c, "EHLO proxy.test", 250)
	if r, err := c.XClient(mtatest.XClient{Addr: a}); err != nil || r.Code != 220 {
		t.Fatalf("XCLIENT: %v, %v", r, err)
	}
	do(t, c, "EHLO mail-ot1-f1.provider.example", 250)
	d := send(t, c, sender, "jo@example.net")
	quit(t, c)
	return d.Rcpts[0]
}

// TestAPoolOfFortyWaitsOnce: a provider's queue runner comes from another of its 40
// addresses each time. One tempfail is all that it meets; and what is remembered of it
// outlives a kill -9, while it waits and after it came back.
func TestAPoolOfFortyWaitsOnce(t *testing.T) {
	w := new(world)
	pool := poolOf(w, 40)
	w.host("in.odd.example", netip.MustParseAddr("10.1.2.3")) // a reason to come back, and no more
	w.mx("odd.example", "in.odd.example")
	stranger := netip.MustParseAddr("198.51.100.77")
	w.good(stranger, "stranger.example")
	h := openKept(t, postfix, w.String(), "retry.after = \"2s\"\n")
	if r := h.from(t, pool[0], "a@odd.example"); r.Code != 450 {
		t.Fatalf("the first try: %v", r)
	}
	began := time.Now()
	h.kill(t)
	tries := 1
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for r := h.from(t, pool[1], "a@odd.example"); r.Code != 250; r = h.from(t, pool[1+tries%39], "a@odd.example") {
		if tries++; r.Code != 450 || time.Since(began) > wait {
			t.Fatalf("try %d: %v", tries, r)
		}
		<-again.C
	}
	if tries < 2 {
		t.Error("it passed at once: nothing was tested")
	}
	h.kill(t)
	for i, a := range pool {
		if r := h.from(t, a, fmt.Sprintf("b%d@odd.example", i)); r.Code != 250 {
			t.Errorf("%v: %v, and its provider has come back", a, r)
		}
	}
	if r := h.from(t, stranger, "a@odd.example"); r.Code != 450 {
		t.Errorf("a stranger in its name: %v", r)
	}
	h.control(t, "status").has(t, `(?m)^retry +1 mail asked to come back, 1 honest caller remembered$`)
	h.control(t, "servers", "show", "provider.example").has(t, `(?m)^passes +until `)
	h.control(t, "servers", "show", pool[3].String()).has(t, `(?m)^network +203\.0\.3\.0/24$`)
}

// kill waits until what is known is on disk, kills the daemon, and starts it again.
func (h *house) kill(t *testing.T) {
	t.Helper()
	h.waitKept(t)
	h.daemon.signal(t, syscall.SIGKILL)
	h.daemon.ended(t)
	h.daemon.start(t)
}
