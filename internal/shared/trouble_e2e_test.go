//go:build e2e

package shared

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailprofiled/ratelimit"
)

// TestTroubleIsToldWithItsRemedy, and mail is counted all the same.
func TestTroubleIsToldWithItsRemedy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		change func(*Options, *redisServer)
		remedy string
	}{
		{"a wrong password", []string{"--requirepass", "right"}, func(o *Options, _ *redisServer) { o.Password = "hush" }, "user and password"},
		{"no password", []string{"--requirepass", "right"}, nil, "user and password"},
		{"no such user", nil, func(o *Options, _ *redisServer) { o.User, o.Password = "jo", "hush" }, "user and password"},
		{"a user that may do nothing", []string{"--user", "jo", "on", ">hush", "+@connection"}, func(o *Options, _ *redisServer) { o.User, o.Password = "jo", "hush" }, "let the user of state.redis run"},
		{"full", []string{"--maxmemory", "1"}, nil, "raise its maxmemory"},
		{"no such database", nil, func(o *Options, _ *redisServer) { o.DB = 99 }, "database of state.redis"},
		{"a replica", []string{"--replicaof", "127.0.0.1 1"}, nil, "takes counts"},
		{"not there", nil, func(o *Options, _ *redisServer) { o.Address += ".not" }, "start the server"},
		{"stopped", nil, func(_ *Options, r *redisServer) { _ = r.cmd.Process.Signal(syscall.SIGSTOP) }, "does not answer in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t, tt.args...)
			o := r.options("a")
			if tt.change != nil {
				tt.change(&o, r)
			}
			m := boot(t, o, 3, false)
			if sent := burst(2, 5, -1, nil, m); sent != 3 {
				t.Errorf("%d went through, want 3", sent)
			}
			<-m.store.Asked()
			st := m.store.Status()
			if st.Up || !strings.Contains(st.Remedy, tt.remedy) || strings.Contains(st.Err.Error()+m.log.String(), "hush") {
				t.Errorf("%+v", st)
			}
		})
	}
}

// TestABoundedUserIsEnough is the one of docs/state.md.
func TestABoundedUserIsEnough(t *testing.T) {
	r := startRedis(t)
	r.cli(t, append([]string{"ACL", "SETUSER", "mailprofiled"}, aclOfTheManual(t)...)...)
	o := r.options("a")
	o.User, o.Password = "mailprofiled", "hush"
	m := boot(t, o, 3, true)
	if sent := burst(2, 5, -1, nil, m); sent != 3 {
		t.Errorf("%d went through, want 3", sent)
	}
	m.rules.Reset(m.f, &ratelimit.Subject{Account: "joe"}, time.Now())
	if st := m.f.Stats(); m.standing() != 0 || st.Failures > 0 || m.store.Status().Warning != "" {
		t.Errorf("%+v, %+v", st, m.store.Status())
	}
}

// TestFullInMidBurst: the server takes no more, and later does again.
func TestFullInMidBurst(t *testing.T) {
	r := startRedis(t)
	a, b := boot(t, r.options("a"), 20, true), boot(t, r.options("b"), 20, true)
	met(t, a, b)
	sent := burst(4, 10, 8, func() { r.cli(t, "CONFIG", "SET", "maxmemory", "1") }, a, b)
	if sent > 20 || sent < 8 {
		t.Fatalf("%d went through", sent)
	}
	r.cli(t, "CONFIG", "SET", "maxmemory", "0")
	for _, m := range []*machine{a, b} {
		m.wait(t, "back", func() bool { return m.f.Stats().Up })
	}
	if sent += burst(4, 30, -1, nil, a, b); sent != 20 {
		t.Errorf("%d went through in all, want 20", sent)
	}
}

// TestFailingOver: a replica that has not heard of the last mails takes the server's
// place, behind the same address.
func TestFailingOver(t *testing.T) {
	first := startRedis(t)
	second := startRedis(t)
	o := func(name string) Options {
		opts := first.options(name)
		opts.Address = first.dir + "/now"
		return opts
	}
	if err := os.Symlink(first.socket, first.dir+"/now"); err != nil {
		t.Fatal(err)
	}
	a, b := boot(t, o("a"), 30, true), boot(t, o("b"), 30, true)
	met(t, a, b)
	sent := burst(4, 5, -1, nil, a, b)
	// What the replica has: all of before, and nothing of what follows.
	for _, key := range strings.Fields(first.cli(t, "KEYS", "*")) {
		first.copyTo(t, second, key)
	}
	sent += burst(4, 3, 3, func() { _ = first.cmd.Process.Kill() }, a)
	if err := os.Remove(first.dir + "/now"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(second.socket, first.dir+"/now"); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*machine{a, b} {
		m.wait(t, "back", func() bool { return m.f.Stats().Up })
	}
	met(t, a, b)
	if sent += burst(6, 30, -1, nil, b, a); sent != 30 {
		t.Errorf("%d went through, want 30", sent)
	}
}

// TestFlushed: what the server forgets while it answers is brought anew.
func TestFlushed(t *testing.T) {
	r := startRedis(t)
	a, b := boot(t, r.options("a"), 20, true), boot(t, r.options("b"), 20, true)
	met(t, a, b)
	sent := burst(4, 3, -1, nil, a, b)
	r.cli(t, "FLUSHALL")
	if sent += burst(4, 20, -1, nil, a, b); sent > 20 {
		t.Errorf("%d went through", sent)
	}
	for _, m := range []*machine{a, b} {
		m.wait(t, "back", func() bool { return m.f.Stats().Up })
	}
	met(t, a, b)
	if sent += burst(4, 30, -1, nil, a, b); sent != 20 {
		t.Errorf("%d went through in all, want 20", sent)
	}
}

// TestLateCallsDoNothing: what an epoch before has asked for may be answered when the
// machine is back already.
func TestLateCallsDoNothing(t *testing.T) {
	r := startRedis(t)
	old := joined(t, r, "a")
	charges := []ratelimit.Charge{{ID: 7, Window: time.Hour, Max: 10, Amount: 3}}
	ctx := context.Background()
	if ok, err := old.Take(ctx, charges, time.Now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	again := joined(t, r, "a")
	if _, err := again.Look(ctx, charges); err != nil || charges[0].Used != 0 {
		t.Errorf("%v: what the process before had pending counts %d", err, charges[0].Used)
	}
	link := old.link.Load()
	for what, err := range map[string]error{
		"settle": obeyed(old.exec(ctx, link, old.scripts.settle, []string{"", "", keyCounter + "7"}, []string{"a", link.epoch, "1", "3600", "3"})),
		"put":    old.put(ctx, link, []ratelimit.Row{{ID: 7, Window: time.Hour, Counts: []uint32{5}}}),
	} {
		if err != errStale {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := again.Look(ctx, charges); err != nil || charges[0].Used != 0 {
		t.Errorf("%v: %d used", err, charges[0].Used)
	}
}

// TestASilentMachineKeepsItsPart for an hour: it may be counting by itself.
func TestASilentMachineKeepsItsPart(t *testing.T) {
	r := startRedis(t)
	a := joined(t, r, "a")
	gone := joined(t, r, "b")
	a.beat1(t)
	charges := []ratelimit.Charge{{ID: 7, Window: time.Hour, Max: 10, Amount: 2}}
	ctx := context.Background()
	if ok, err := gone.Take(ctx, charges, time.Now()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	holds := func() (n int) {
		for n = 0; ; n++ {
			one := []ratelimit.Charge{{ID: 7, Window: time.Hour, Max: 10, Amount: 1}}
			if ok, err := a.Take(ctx, one, time.Now()); err != nil {
				t.Fatal(err)
			} else if !ok {
				if part, is := one[0].Part(); is && part >= 10 {
					t.Errorf("held to %d", part)
				}
				return n
			}
		}
	}
	seen := func(ago time.Duration) {
		at := time.Now().Add(-ago).UnixMilli()
		r.cli(t, "ZADD", keySeen, strconv.FormatInt(at, 10), "b")
		a.beat1(t)
	}
	seen(10 * time.Second)
	if n := holds(); n != 5 {
		t.Errorf("%d go through while b is silent, want 5: b has used 2 of its 5", n)
	}
	seen(2 * time.Hour)
	if n := holds(); n != 5 {
		t.Errorf("%d more go through when it is gone for good, want 5: what it had pending has ended", n)
	}
}
