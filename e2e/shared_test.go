//go:build e2e

package e2e

import (
	"fmt"
	"net"
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

// TestALimitIsSharedOverTLS, by an authority that SSL_CERT_FILE names. A server that shows
// another certificate afterwards is not believed: mail goes on, and its remedy is told.
func TestALimitIsSharedOverTLS(t *testing.T) { // not parallel, for it sets the environment
	const host = "localhost"
	dir := t.TempDir()
	if err := mtatest.WriteCertificate(dir, host); err != nil {
		t.Fatal(err)
	}
	authority := filepath.Join(t.TempDir(), "authority.pem")
	pem, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(authority, pem, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", authority)
	_, port, err := net.SplitHostPort(freePort(t, "127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	r := startRedis(t, "--bind", "127.0.0.1", "--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-ca-cert-file", filepath.Join(dir, "cert.pem"), "--tls-auth-clients", "no", "--requirepass", "hushhush")
	h := openLimited(t, postfix, outgoing(2, "24h")+fmt.Sprintf("state.redis = %q\n", "rediss://:hushhush@"+net.JoinHostPort(host, port)))
	h.shared(t, func(s *admin.Shared) bool { return s.Up && s.MemoryUp })
	c := h.login(t, bad4)
	for i := range 3 {
		if d := send(t, c, "joe@example.net", "jo@example.net"); d.Accepted() != (i < 2) {
			t.Errorf("message %d: %v", i+1, d)
		}
	}
	if err := mtatest.WriteCertificate(dir, host); err != nil {
		t.Fatal(err)
	}
	_ = r.cmd.Process.Kill()
	<-r.gone
	r.start(t)
	h.shared(t, func(s *admin.Shared) bool {
		return !s.Up && strings.Contains(s.Remedy, "trust the server's certificate")
	})
	if d := send(t, c, "joe@example.net", "jo@example.net"); d.Accepted() {
		t.Errorf("what was counted is forgotten: %v", d)
	}
	quit(t, c)
}

// TestABlockHoldsOnAllMachines, and so does its end, whichever machine was told; one that
// was made while the server was away holds there afterwards, though the server comes back
// empty, and on a machine that joins then. What strangers write there blocks nobody.
func TestABlockHoldsOnAllMachines(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	settings := outgoing(100_000, "24h") + fmt.Sprintf("state.redis = %q\n", "unix:"+r.socket)
	one, other := openLimited(t, postfix, settings), openLimited(t, postfix, settings)
	together := func(n int) func(*admin.Shared) bool {
		return func(s *admin.Shared) bool { return s.Up && s.MemoryUp && len(s.Machines) == n }
	}
	one.shared(t, together(2))
	other.shared(t, together(2))
	joe := accounts[postfix]
	becomes := func(h *house, blocked bool) {
		t.Helper()
		c := h.login(t, bad4)
		defer quit(t, c)
		again := time.NewTicker(500 * time.Millisecond) // until it has heard
		defer again.Stop()
		for began := time.Now(); ; <-again.C {
			d := send(t, c, "joe@example.net", "jo@example.net")
			if d.Accepted() != blocked {
				if blocked && !strings.Contains(d.Last().Text, "is blocked; ask the postmaster") {
					t.Fatalf("%v", d)
				}
				return
			}
			if time.Since(began) > wait {
				t.Fatalf("joe's mail is taken: %v; the log:\n%s", !blocked, h.daemon.log)
			}
		}
	}
	one.control(t, "accounts", "block", joe, "--reason", "ticket 77")
	becomes(other, true)
	other.control(t, "accounts", "blocked").has(t, `(?m)joe@mx\.test.*ticket 77`)
	if !strings.Contains(other.daemon.log.String(), `msg="account blocked on another machine" by="uid 0" account=joe@mx.test`) {
		t.Errorf("not told:\n%s", other.daemon.log)
	}
	other.control(t, "accounts", "release", joe)
	becomes(one, false)

	_ = r.cmd.Process.Kill()
	<-r.gone
	for _, h := range []*house{one, other} {
		h.shared(t, func(s *admin.Shared) bool { return !s.Up && !s.MemoryUp })
	}
	one.control(t, "accounts", "block", joe, "--json").has(t, `the store that machines share cannot be asked now`)
	becomes(one, true)
	becomes(other, false)
	r.start(t)
	becomes(other, true)
	third := openLimited(t, postfix, settings)
	becomes(third, true)

	cli := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(filepath.Join(os.Getenv("E2E_REDIS"), "redis-cli"), append([]string{"-s", r.socket}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, record := range []string{"rubbish\xff", `{"v":1,"rows":[{"account":"JO\u0000"},{"account":"jo","changed":"9999-12-31T23:59:59Z"}]}`, strings.Repeat("[", 100_000)} {
		cli("XADD", "mailprofiled:{memory}:blocks", "*", "m", "stranger", "r", record)
	}
	third.control(t, "accounts", "release", joe)
	becomes(other, false)
	becomes(one, false)
	one.control(t, "accounts", "blocked").has(t, `(?i)no account is blocked|none`)
}
