//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
)

// retries waits until what a daemon knows of who came back is as it should be.
func (h *house) retries(t *testing.T, so func(*admin.Retry) bool) *admin.Retry {
	t.Helper()
	daemon, ctx := admin.Dial(config.ControlSocket(h.daemon.configPath())), waiting(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		st, err := daemon.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if so(&st.Retry) {
			return &st.Retry
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not so: %+v", st.Retry)
		}
	}
}

// passes tries until a mail passes; until then it is to be asked to come back.
func (h *house) passes(t *testing.T, a netip.Addr, sender string) {
	t.Helper()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for began := time.Now(); ; <-again.C {
		r := h.from(t, a, sender)
		if r.Code == 250 {
			return
		}
		if r.Code != 450 || time.Since(began) > wait {
			t.Fatalf("%v from %s: %v", a, sender, r)
		}
	}
}

// TestADeferralOnOneMXAndTheRetryOnAnother: two daemons, each behind its own Postfix, with
// one Redis. Who was asked to come back by one passes at the other, and then at both, with
// all its operator's addresses; so it is after Redis was killed, came back empty, and one
// of the daemons was killed too.
func TestADeferralOnOneMXAndTheRetryOnAnother(t *testing.T) {
	t.Parallel()
	w := new(world)
	pool := poolOf(w, 6)
	w.host("in.odd.example", netip.MustParseAddr("10.1.2.3")) // a reason to come back, and no more
	w.mx("odd.example", "in.odd.example")
	var strangers []netip.Addr
	for i := range 3 {
		a := netip.AddrFrom4([4]byte{198, 51, byte(100 + i), 77})
		w.good(a, fmt.Sprintf("stranger%c.example", 'a'+i))
		strangers = append(strangers, a)
	}
	r := startRedis(t)
	var mx []*house
	for range 2 {
		mx = append(mx, openKept(t, postfix, w.String(), fmt.Sprintf("retry.after = \"2s\"\nstate.redis = %q\n", "unix:"+r.socket)))
	}
	together := func(s *admin.Shared) bool { return s.Up && s.MemoryUp && len(s.Machines) == 2 }
	for _, h := range mx {
		h.shared(t, together)
	}

	if got := mx[0].from(t, pool[0], "a@odd.example"); got.Code != 450 {
		t.Fatalf("a stranger: %v", got)
	}
	mx[1].retries(t, func(s *admin.Retry) bool { return s.Deferred == 1 })
	mx[1].passes(t, pool[1], "a@odd.example")
	if s := mx[1].retries(t, func(*admin.Retry) bool { return true }); s.Asked != 0 || s.Passed != 1 {
		t.Errorf("the second machine has asked too: %+v", s)
	}
	mx[0].retries(t, func(s *admin.Retry) bool { return s.Passed == 1 && s.Returned == 1 && s.Deferred == 0 })
	for i, a := range pool {
		if got := mx[i%2].from(t, a, fmt.Sprintf("b%c@odd.example", 'a'+i)); got.Code != 250 {
			t.Errorf("%v at machine %d: %v, and its provider has come back", a, i%2, got)
		}
	}
	seen := regexp.MustCompile(`[0-9.]+ visits? on`)
	for began := time.Now(); ; { // each of its own, and of the other's
		out, _ := mx[0].ask(t, "servers", "show", "provider.example")
		other, _ := mx[1].ask(t, "servers", "show", "provider.example")
		if a := seen.FindString(out); a != "" && a == seen.FindString(other) && a != "4 visits on" {
			break
		}
		if time.Since(began) > wait {
			t.Fatalf("they do not know it alike:\n%s\n%s", out, other)
		}
	}

	// Redis dies, and comes back empty. What was deferred meanwhile is told afterwards.
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-r.gone
	for _, h := range mx {
		h.shared(t, func(s *admin.Shared) bool { return !s.Up && !s.MemoryUp })
	}
	if got := mx[0].from(t, strangers[0], "c@odd.example"); got.Code != 450 {
		t.Fatalf("a stranger while Redis is away: %v", got)
	}
	if got := mx[1].from(t, pool[5], "d@odd.example"); got.Code != 250 {
		t.Errorf("who came back, while Redis is away: %v", got)
	}
	asked := mx[1].retries(t, func(*admin.Retry) bool { return true }).Asked
	r.start(t)
	for _, h := range mx {
		h.shared(t, together)
	}
	mx[1].retries(t, func(s *admin.Retry) bool { return s.Deferred == 1 })
	mx[1].passes(t, strangers[0], "c@odd.example")

	// A machine is killed just after it has asked somebody to come back, to it or not.
	if got := mx[0].from(t, strangers[1], "e@odd.example"); got.Code != 450 {
		t.Fatalf("a stranger: %v", got)
	}
	mx[1].retries(t, func(s *admin.Retry) bool { return s.Deferred == 1 })
	mx[0].daemon.signal(t, syscall.SIGKILL)
	mx[0].daemon.ended(t)
	mx[1].passes(t, strangers[1], "e@odd.example")
	if s := mx[1].retries(t, func(*admin.Retry) bool { return true }); s.Asked != asked {
		t.Errorf("the second machine has asked too: %+v", s)
	}
	mx[0].daemon.start(t) // and hears of what came back meanwhile
	mx[0].retries(t, func(s *admin.Retry) bool { return s.Passed == 3 })
	if got := mx[0].from(t, strangers[1], "f@odd.example"); got.Code != 250 {
		t.Errorf("it came back to the other machine while this one was dead: %v", got)
	}
}
