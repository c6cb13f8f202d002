//go:build e2e

package shared

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailprofiled/ratelimit"
)

// A machine is one of those that share a server, as a daemon is.
type machine struct {
	name  string
	store *Store
	f     *ratelimit.Fallback
	rules *ratelimit.Rules
	log   *logged
}

// patience is how long a server may take here, where the machine may be busy.
const patience = 500 * time.Millisecond

// logged keeps what was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// boot starts a machine, which ends with the test. It waits until it is in, if it is to.
func boot(t testing.TB, o Options, most int, in bool) *machine {
	t.Helper()
	m := &machine{name: o.Machine, log: new(logged)}
	o.Logger = slog.New(slog.NewTextHandler(m.log, nil))
	var err error
	limit := ratelimit.Limit{Name: "it", Per: ratelimit.PerAccount, Max: most, Window: time.Hour, Action: ratelimit.TempFail}
	if m.rules, err = ratelimit.NewRules([]ratelimit.Limit{limit}, o.Key, nil); err != nil {
		t.Fatal(err)
	}
	m.store = New(o)
	m.f = ratelimit.NewFallback(m.store, ratelimit.NewTable(ratelimit.Options{}, time.Now()), m.store.Peers())
	m.f.SetTimeout(patience)
	m.store.Start(m.f)
	t.Cleanup(m.store.Close)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s:\n%s", m.name, m.log)
		}
	})
	if in {
		m.wait(t, "in", func() bool { return m.f.Stats().Up })
	}
	return m
}

// wait waits until something is so.
func (m *machine) wait(t testing.TB, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !so(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: never %s: %+v", m.name, what, m.store.Status())
		}
	}
}

// met waits until machines know of each other.
func met(t testing.TB, all ...*machine) {
	t.Helper()
	for _, m := range all {
		m.wait(t, "with all others", func() bool { n, _ := m.store.Peers().Count(); return n == len(all) })
	}
}

// send sends a mail of an account, and reports whether it went through.
func (m *machine) send(account string) bool {
	tx := ratelimit.Begin(m.rules, m.f)
	now := time.Now()
	if d := tx.Mail(context.Background(), &ratelimit.Subject{Account: account}, now); d.Refused() {
		return false
	}
	tx.Commit(context.Background(), now)
	return true
}

// burst lets sessions at machines send what they can, and gives how many mails went
// through. midway is called once when there were so many.
func burst(sessions, each, when int, midway func(), machines ...*machine) (sent int) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for range each {
				if !machines[rnd.IntN(len(machines))].send("joe") {
					continue
				}
				mu.Lock()
				if sent++; sent == when {
					midway()
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return sent
}

// TestTheSumOverTheLossOfTheServer: it is killed or stopped in mid-burst, also where
// one machine alone has used most of the maximum; it comes back empty or as it was.
// All machines together never let more than the maximum through, and in the end all
// of it.
func TestTheSumOverTheLossOfTheServer(t *testing.T) {
	const most = 60
	for _, tt := range []struct {
		name string
		end  syscall.Signal
		when int // mails before it goes
		by   int // how many of the machines send them
	}{
		{"killed, all machines send", syscall.SIGKILL, 25, 3},
		{"killed, one machine has used nearly all", syscall.SIGKILL, 55, 1},
		{"killed, two machines have used most", syscall.SIGKILL, 45, 2},
		{"stopped, all machines send", syscall.SIGSTOP, 25, 3},
		{"stopped, one machine has used nearly all", syscall.SIGSTOP, 55, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			var all []*machine
			for i := range 3 {
				all = append(all, boot(t, r.options(fmt.Sprint("mx", i)), most, true))
			}
			met(t, all...)
			sent := burst(8, 30, tt.when, func() { r.signal(t, tt.end) }, all[:tt.by]...)
			sent += burst(8, 30, -1, nil, all...)
			if sent > most || sent < tt.when {
				t.Fatalf("%d went through, max is %d", sent, most)
			}
			for _, m := range all {
				m.wait(t, "aware of it", func() bool { return !m.f.Stats().Up && m.store.Status().Err != nil })
			}
			if tt.end == syscall.SIGKILL {
				<-r.gone
				r.start(t)
			} else {
				r.signal(t, syscall.SIGCONT)
			}
			for _, m := range all {
				m.wait(t, "back", func() bool { return m.f.Stats().Up })
			}
			if sent += burst(8, 60, -1, nil, all...); sent != most {
				t.Errorf("%d went through in all, want %d", sent, most)
			}
			for _, m := range all {
				m.wait(t, "told of all of it", func() bool { return m.standing() == most })
				for _, text := range []string{"is away", "limits are shared"} {
					if !strings.Contains(m.log.String(), text) {
						t.Errorf("the log of %s does not say %q", m.name, text)
					}
				}
			}
		})
	}
}

// standing is how much of the limit joe has used.
func (m *machine) standing() int {
	return m.rules.Standing(m.f, &ratelimit.Subject{Account: "joe"}, time.Now())[0].Used
}

// TestExactlyTheMaximum: sessions race at several machines.
func TestExactlyTheMaximum(t *testing.T) {
	r := startRedis(t)
	var all []*machine
	for i := range 3 {
		all = append(all, boot(t, r.options(fmt.Sprint("mx", i)), 47, true))
	}
	if sent := burst(12, 20, -1, nil, all...); sent != 47 {
		t.Errorf("%d went through, want 47", sent)
	}
	for _, m := range all {
		if st := m.f.Stats(); st.Failures > 0 {
			t.Errorf("%s: %+v, %+v", m.name, st, m.store.Status())
		}
	}
}
