//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/mtatest"
)

// A redis is a redis-server that keeps nothing on disk, on a socket of its own.
type redis struct {
	socket string
	args   []string
	log    *mtatest.Log
	cmd    *exec.Cmd
	gone   chan struct{}
}

// startRedis starts one; it ends with the test.
func startRedis(t *testing.T, args ...string) *redis {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &redis{socket: filepath.Join(dir, "redis.sock"), args: args, log: new(mtatest.Log)}
	r.start(t)
	return r
}

// start runs it, for a second time too, and returns when it answers.
func (r *redis) start(t *testing.T) {
	t.Helper()
	mark := r.log.Len()
	cmd := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-server"),
		append([]string{"--port", "0", "--unixsocket", r.socket, "--dir", filepath.Dir(r.socket), "--save", "", "--appendonly", "no"}, r.args...)...)
	cmd.Stdout, cmd.Stderr = r.log, r.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = cmd.Wait() // it is made to end
	}()
	r.cmd, r.gone = cmd, gone
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-gone })
	if _, err := r.log.Wait(waiting(t), mark, mtatest.Containing("ready to accept connections at")); err != nil {
		t.Fatal(err)
	}
}

// shared waits until a daemon's limits are shared as they should be, and gives how.
func (h *house) shared(t *testing.T, so func(*admin.Shared) bool) *admin.Shared {
	t.Helper()
	daemon, ctx := admin.Dial(config.ControlSocket(h.daemon.configPath())), waiting(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		st, err := daemon.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Shared != nil && so(st.Shared) {
			return st.Shared
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("not so: %+v", st.Shared)
		}
	}
}

// TestMachinesShareALimit: two daemons, each behind its own Postfix, count joe's mail
// together. The server is killed in mid-burst and comes back empty: at no time more
// than the maximum is delivered, in the end all of it, and both know.
func TestMachinesShareALimit(t *testing.T) {
	t.Parallel()
	const most, before, sessions = 24, 7, 8
	r := startRedis(t)
	var houses []*house
	for range 2 {
		houses = append(houses, openLimited(t, postfix, outgoing(most, "24h")+fmt.Sprintf("state.redis = %q\n", "unix:"+r.socket)))
	}
	together := func(s *admin.Shared) bool { return s.Up && len(s.Machines) == len(houses) }
	for _, h := range houses {
		h.shared(t, together)
	}
	var clients []*mtatest.Client
	for i := range sessions {
		clients = append(clients, houses[i%2].login(t, []netip.Addr{bad4, bad6}[i/2%2]))
	}
	var mu sync.Mutex
	sent := 0
	burst := func(each int, then func()) {
		t.Helper()
		var all sync.WaitGroup
		var errs [sessions]error
		for i, c := range clients {
			all.Go(func() {
				for range each {
					d, err := c.SendMail("joe@example.net", "jo@example.net")
					switch {
					case err != nil:
						errs[i] = err
						return
					case d.Accepted():
						mu.Lock()
						if sent++; sent == before {
							then()
						}
						mu.Unlock()
					case len(d.Rcpts) != 1 || !strings.HasPrefix(d.Rcpts[0].String(), "450 4.7.28 24 messages in 24 hours "):
						errs[i] = fmt.Errorf("%v", d)
						return
					}
				}
			})
		}
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Fatalf("session %d: %v; the dialogue:\n%s", i+1, err, clients[i].Transcript())
			}
		}
	}
	burst(6, func() { _ = r.cmd.Process.Kill() })
	if sent > most || sent < before {
		t.Fatalf("%d were delivered, want %d at most", sent, most)
	}
	for _, h := range houses {
		h.shared(t, func(s *admin.Shared) bool { return !s.Up && s.Error != "" })
		h.control(t, "status").has(t, `(?m)^! limits are not shared, since .*start the server`)
	}
	<-r.gone
	r.start(t)
	for _, h := range houses {
		h.shared(t, together)
	}
	burst(8, nil)
	for _, c := range clients {
		quit(t, c)
	}
	if sent != most {
		t.Errorf("%d were delivered in all, want %d", sent, most)
	}
	for _, h := range houses {
		h.control(t, "accounts", "show", accounts[postfix]).has(t, `(?m)^outgoing +24 +24 messages +24h +tempfail `)
		h.control(t, "limits").has(t, `(?m)^counted together with 1 other machine at unix:///`)
		for _, text := range []string{`msg="limits are shared`, `msg="the shared store is away`} {
			if !strings.Contains(h.daemon.log.String(), text) {
				t.Errorf("the log does not say %s", text)
			}
		}
	}
	// One that is stopped in order has no part any more.
	houses[1].daemon.signal(t, syscall.SIGTERM)
	houses[1].daemon.ended(t)
	houses[0].shared(t, func(s *admin.Shared) bool { return len(s.Machines) == 1 })
}

// TestAWrongPasswordStopsNoMail, and is told without being shown.
func TestAWrongPasswordStopsNoMail(t *testing.T) {
	t.Parallel()
	r := startRedis(t, "--requirepass", "right")
	file := filepath.Join(filepath.Dir(r.socket), "password")
	if err := os.WriteFile(file, []byte("hushhush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := openLimited(t, postfix, outgoing(2, "24h")+fmt.Sprintf("state.redis = %q\n", "unix://:file:"+file+"@"+r.socket))
	c := h.login(t, bad4)
	for i := range 3 {
		if d := send(t, c, "joe@example.net", "jo@example.net"); d.Accepted() != (i < 2) {
			t.Errorf("message %d: %v", i+1, d)
		}
	}
	quit(t, c)
	h.shared(t, func(s *admin.Shared) bool {
		return strings.Contains(s.Remedy, "correct user and password in state.redis")
	})
	status := h.control(t, "status")
	status.has(t, `(?m)^! limits are not shared, .*WRONGPASS`)
	for _, text := range []string{string(status), h.daemon.log.String(), string(h.control(t, "status", "--json"))} {
		if strings.Contains(text, "hushhush") {
			t.Errorf("the password is shown: %s", text)
		}
	}
}
