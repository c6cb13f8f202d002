package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/config"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/miltertest"
)

// A house is a daemon whose configuration a test rewrites.
type house struct {
	*daemon
	dir, path, socket string
}

// newHouse lets a daemon serve in a folder of its own until the test ends.
func newHouse(t *testing.T, text string) *house {
	t.Helper()
	return newHouseLogging(t, text, io.Discard)
}

// newHouseLogging is newHouse with the daemon's log.
func newHouseLogging(t *testing.T, text string, log io.Writer) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	h.write(t, text)
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, log)
	runDaemon(t, h.daemon)
	return h
}

// write replaces the configuration at one stroke, as editors do. Sockets are added.
func (h *house) write(t *testing.T, text string) {
	t.Helper()
	text += fmt.Sprintf("\n[milter]\nlisten = [%q]\n[admin]\nlisten = \"\"\ncontrol = \"\"\n", "unix:"+h.socket)
	if err := os.WriteFile(h.path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(h.path+".new", h.path); err != nil {
		t.Fatal(err)
	}
}

// begin opens a session of a client without a reverse name, as far as HELO.
func (h *house) begin(t *testing.T) *miltertest.Visit {
	t.Helper()
	v := miltertest.NewVisit(dial(t, h.socket), miltertest.Postfix())
	err := v.Negotiate()
	if err == nil {
		_, err = v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.66"), Port: 25})
	}
	if err == nil {
		_, err = v.Helo("mail.bad.example")
	}
	if err != nil {
		t.Error(err)
	}
	return v
}

// ask sends one transaction with one recipient, and gives the answer to that.
func ask(t *testing.T, v *miltertest.Visit) miltertest.Answer {
	t.Helper()
	if _, err := v.Mail("<jo@good.example>", ""); err != nil {
		t.Error(err)
	}
	a, err := v.Rcpt("<user@here.example>")
	if err != nil {
		t.Error(err)
	}
	if err := v.Reset(); err != nil {
		t.Error(err)
	}
	return a
}

const badZone = "good.example. 300 IN MX 10 mail.good.example.\nmail.good.example. 300 IN A 192.0.2.7\nmail.bad.example. 300 IN A 192.0.2.66\n"

// judging makes a configuration by which the client of a house is answered alike
// each time: by so many points for its missing name.
func judging(dns *dnstest.Server, points float64) string {
	return fmt.Sprintf(stateless+"mode = \"enforce\"\nus.domains = [\"here.example\"]\ndns.servers = [%q]\nretry.after = \"1h\"\n[points]\n\"rdns-missing\" = %.1f\n", dns.Addr(), points)
}

// TestReloadUnderLoad: while the configuration changes as fast as it can be
// loaded, DNS servers and all, no session is lost or waits, and each is judged to
// its end by what it began with. No more configurations live than sessions have
// begun with, and no resolver or goroutine stays behind.
func TestReloadUnderLoad(t *testing.T) {
	idle := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, idle) })
	one, two := startDNS(t, badZone, ""), startDNS(t, badZone, "")
	texts := []string{judging(one, 6), judging(two, 12), judging(one, 12), "mode = \"enforced\"\n"}
	h := newHouse(t, texts[0])

	var reloads, sessions atomic.Int64
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for !over(done) {
				v := h.begin(t)
				first, at := ask(t, v), reloads.Load()
				if first.Action != "tempfail" && first.Action != "reject" {
					t.Errorf("answer %v", first)
				}
				for reloads.Load() < at+2 && !over(done) { // the configuration changes under the session
					if again := ask(t, v); again.Action != first.Action {
						t.Errorf("first %v, then %v in one session", first, again)
					}
				}
				if err := v.Quit(); err != nil {
					t.Error(err)
				}
				v.Close()
				sessions.Add(1)
			}
		})
	}
	const many, most = 300, 4 + 1 // of each open session one, and the current
	living := []*generation{h.current.Load()}
	for i := 1; (i <= many || sessions.Load() < 20) && !t.Failed(); i++ {
		bad := i%len(texts) == 3
		h.write(t, texts[i%len(texts)])
		if r := h.reload(t.Context()); bad != (len(r.Errors) > 0) {
			t.Errorf("reload %d: %+v", i, r)
		}
		reloads.Add(1)
		if g := h.current.Load(); g != living[len(living)-1] {
			living = append(living, g)
		}
		eventually(t, "configurations that nobody has any more end", func() bool {
			living = slices.DeleteFunc(living, func(g *generation) bool { return g.users.Load() == 0 })
			return len(living) <= most
		})
	}
	close(done)
	all.Wait()

	eventually(t, "all but the current configuration end", func() bool {
		living = slices.DeleteFunc(living, func(g *generation) bool { return g.users.Load() == 0 })
		return len(living) == 1
	})
	eventually(t, "the current configuration alone has the last resolver", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.current.Load().resolver.users == 1
	})
	st := h.status()
	if st.Sessions.Total != uint64(sessions.Load()) || st.Sessions.Panics+st.Sessions.Limited+st.Sessions.TurnedAway+st.Sessions.ProtocolErrors > 0 {
		t.Errorf("%d sessions, but %+v", sessions.Load(), st.Sessions)
	}
	t.Logf("%d reloads under %d sessions", reloads.Load(), sessions.Load())
}

// eventually waits until ok, and gives up after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-end.C:
			t.Fatal("never: " + what)
		}
	}
}

func over(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// TestOldResolversAreClosed: with the last session that may ask them.
func TestOldResolversAreClosed(t *testing.T) {
	one, two := startDNS(t, badZone, ""), startDNS(t, badZone, "")
	h := newHouse(t, judging(one, 6))
	old := h.current.Load()
	v := h.begin(t)
	defer v.Close()
	h.write(t, judging(two, 6))
	h.reload(t.Context())
	now := h.current.Load()
	if old == now || old.resolver == now.resolver {
		t.Fatal("other servers, and the same resolver")
	}
	if got := old.users.Load(); got != 1 {
		t.Errorf("the old configuration has %d users, want the one session", got)
	}
	if a := ask(t, v); a.Action != "tempfail" {
		t.Errorf("the old session: %v", a)
	}
	before := two.Questions()
	if len(before) > 0 {
		t.Errorf("the old session asks the new server: %v", before)
	}
	if err := v.Quit(); err != nil {
		t.Fatal(err)
	}
	v.Receive()
	h.write(t, judging(two, 7))
	h.reload(t.Context())
	if again := h.current.Load(); again.resolver != now.resolver {
		t.Error("the same servers, and another resolver: the cache is lost")
	}
	if old.enter() {
		t.Error("a session could still begin by the first configuration")
	}
}

// TestReloadKeepsWhatSPFFound: with the resolver, which other servers end.
func TestReloadKeepsWhatSPFFound(t *testing.T) {
	zone := badZone + "good.example. 300 IN TXT \"v=spf1 mx -all\"\n"
	one, two := startDNS(t, zone, ""), startDNS(t, zone, "")
	h := newHouse(t, judging(one, 6))
	visit := func() {
		v := h.begin(t)
		defer v.Close()
		ask(t, v)
		if err := v.Quit(); err != nil {
			t.Fatal(err)
		}
	}
	visit()
	found := h.current.Load().resolver.spf
	if found.Len() != 1 {
		t.Fatalf("%d results of SPF are remembered, want 1", found.Len())
	}
	for _, text := range []string{judging(one, 7), judging(two, 7)} {
		h.write(t, text)
		if r := h.reload(t.Context()); len(r.Errors) > 0 {
			t.Fatal(r.Errors)
		}
		visit()
		if kept, same := h.current.Load().resolver.spf == found, strings.Contains(text, one.Addr().String()); kept != same || found.Len() != 1 {
			t.Errorf("the same servers %v, kept %v with %d results", same, kept, found.Len())
		}
	}
}

// TestReloadKeepsWhoWasDeferred: the retry table lives longer than a configuration,
// and takes its times from the new one.
func TestReloadKeepsWhoWasDeferred(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	v := h.begin(t)
	if a := ask(t, v); a.Action != "tempfail" {
		t.Fatalf("first visit: %v", a)
	}
	v.Quit()
	h.write(t, strings.Replace(judging(dns, 6), `retry.after = "1h"`, `retry.after = "0.001s"`, 1))
	if r := h.reload(t.Context()); len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for range 1000 {
		v := h.begin(t)
		a := ask(t, v)
		v.Quit()
		v.Close()
		if a.Continue() {
			return
		}
		<-again.C
	}
	t.Error("who was deferred before the reload never passes")
}

// TestReloadTakesOverTheMiltersSettings: those that need no other sockets.
func TestReloadTakesOverTheMiltersSettings(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	first := h.begin(t)
	defer first.Close()
	limits := filepath.Join(h.dir, "conf.d")
	if err := os.Mkdir(limits, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(limits, "limits.toml"), []byte("milter.max_sessions = 1\nmilter.on_failure = \"tempfail\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := h.reload(t.Context()); len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	if st := h.status(); st.Sessions.Limit != 1 || len(st.Config.Files) != 2 {
		t.Errorf("limit %d, files %v", st.Sessions.Limit, st.Config.Files)
	}
	second := h.begin(t)
	defer second.Close()
	if a := ask(t, second); a.Action != "tempfail" || a.Status != "" && a.Status == "4.7.25" {
		t.Errorf("a session too many: %v", a)
	}
	if a := ask(t, first); a.Status != "4.7.25" {
		t.Errorf("the session before, judged on: %v", a)
	}
}

// TestHangup: SIGHUP is a reload.
func TestHangup(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	old := h.status().Policy
	h.write(t, judging(dns, 7))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	deadline, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for h.status().Policy == old {
		select {
		case <-again.C:
		case <-deadline.Done():
			t.Fatal("SIGHUP is no reload")
		}
	}
}

// TestReloadOneAfterTheOther: many at once, and one who does not wait.
func TestReloadOneAfterTheOther(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if r := h.reload(context.Background()); len(r.Errors) > 0 {
				t.Error(r.Errors)
			}
		})
	}
	all.Wait()
	h.turn <- struct{}{} // as somebody who takes long
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if r := h.reload(gone); len(r.Errors) != 1 || !strings.Contains(r.Errors[0], "too many reloads") {
		t.Errorf("%+v", r)
	}
	<-h.turn
}

// TestTwoDaemonsAtDefaultPlaces: neither asked for them, both serve.
func TestTwoDaemonsAtDefaultPlaces(t *testing.T) {
	dns := startDNS(t, badZone, "")
	for _, name := range []string{"a.sock", "b.sock"} {
		socket := filepath.Join(t.TempDir(), name)
		path := filepath.Join(t.TempDir(), "m.toml")
		text := fmt.Sprintf(stateless+"mode = \"monitor\"\ndns.servers = [%q]\nmilter.listen = [%q]\n", dns.Addr(), "unix:"+socket)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, report := config.Load(path)
		if cfg == nil {
			t.Fatal(report)
		}
		runDaemon(t, newDaemon(cfg, io.Discard))
		miltertest.Play(t, func() net.Conn { return dial(t, socket) }, "connect 127.0.0.1\nhelo here.example\nmail <a@here.example>\nquit\n")
	}
}
