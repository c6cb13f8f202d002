//go:build e2e

package shared

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/memory"
)

// Words are a source that tells words, and hears those of others.
type words struct {
	mu         sync.Mutex
	say, heard []string
}

func (w *words) News(dst []byte, _ int) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.say) == 0 {
		return dst
	}
	dst = append(dst, w.say[0]...)
	w.say = w.say[1:]
	return dst
}

func (w *words) Hear(record []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(record) == 0 || strings.HasPrefix(string(record), "rubbish") {
		return errors.New("that is no word")
	}
	w.heard = append(w.heard, string(record))
	return nil
}

func (w *words) tell(all ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say = append(w.say, all...)
}

func (w *words) got(want []string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Equal(w.heard, want)
}

// A teller is a machine with a board about words.
type teller struct {
	words
	board *Board
	log   *logged
}

func boardAt(t testing.TB, o Options) *teller {
	t.Helper()
	w := &teller{log: new(logged)}
	o.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	w.board = NewBoard(o, nil, func() bool { return true }, Topic{Name: "words", Source: &w.words, Every: time.Millisecond, Record: 4096, Keep: 1000})
	w.board.Start()
	t.Cleanup(w.board.Close)
	return w
}

// in waits until the machine has told and heard what there was.
func (w *teller) in(t testing.TB) {
	t.Helper()
	w.wait(t, "in", func() bool { return w.board.Status().Up })
}

// wait waits until something is so, at most a minute.
func (w *teller) wait(t testing.TB, what string, so func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for end := time.After(time.Minute); !so(); {
		select {
		case <-again.C:
		case <-end:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("not %s: %+v\nheard: %q\n%s", what, w.board.Status(), w.heard, w.log)
		}
	}
}

func (w *teller) hears(t testing.TB, want ...string) {
	t.Helper()
	w.wait(t, fmt.Sprintf("heard %q", want), func() bool { return w.got(want) })
}

// TestMachinesTellEachOther, also what was said while the store was away or full: in its
// order, and twice at most where the store took it and could not say so. What nobody can
// read is counted, and told of once.
func TestMachinesTellEachOther(t *testing.T) {
	for _, tt := range []struct {
		name string
		away func(t *testing.T, r *redisServer)
		back func(t *testing.T, r *redisServer)
	}{
		{"always there", func(*testing.T, *redisServer) {}, func(*testing.T, *redisServer) {}},
		{"full", func(t *testing.T, r *redisServer) { r.cli(t, "CONFIG", "SET", "maxmemory", "1") },
			func(t *testing.T, r *redisServer) { r.cli(t, "CONFIG", "SET", "maxmemory", "0") }},
		{"killed", func(t *testing.T, r *redisServer) { _ = r.cmd.Process.Kill(); <-r.gone },
			func(t *testing.T, r *redisServer) { r.start(t) }},
		{"stopped for a while", func(t *testing.T, r *redisServer) { r.signal(t, syscall.SIGSTOP) },
			func(t *testing.T, r *redisServer) { r.signal(t, syscall.SIGCONT) }},
		{"may not tell for a while", func(t *testing.T, r *redisServer) { r.cli(t, "ACL", "SETUSER", "default", "-xadd") },
			func(t *testing.T, r *redisServer) { r.cli(t, "ACL", "SETUSER", "default", "+xadd") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := startRedis(t)
			a, b := boardAt(t, r.options("a")), boardAt(t, r.options("b"))
			a.in(t) // for a machine that has heard nothing yet hears its own words too
			b.in(t)
			a.tell("one", "two")
			b.hears(t, "one", "two")
			a.hears(t) // nothing: not what it said itself
			r.cli(t, "XADD", prefixMemory+"words", "*", fieldMachine, "c", fieldRecord, "rubbish")
			r.cli(t, "XADD", prefixMemory+"words", "*", "other", "fields")
			a.wait(t, "told of rubbish", func() bool { return a.board.Status().Damaged == 2 })
			tt.away(t, r)
			if tt.name != "always there" {
				a.tell("three")
				a.wait(t, "away", func() bool { return !a.board.Status().Up })
			}
			tt.back(t, r)
			if tt.name == "always there" {
				a.tell("three")
			}
			a.tell("four")
			b.wait(t, "heard the rest", func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return slices.Equal(slices.Compact(slices.Clone(b.heard)), []string{"one", "two", "three", "four"})
			})
			if n := strings.Count(a.log.String(), "cannot be taken in"); n != 1 {
				t.Errorf("told %d times of rubbish:\n%s", n, a.log)
			}
		})
	}
}

// TestABoardInTroubleTellsItsRemedy, and ends all the same, at once.
func TestABoardInTroubleTellsItsRemedy(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		change func(*Options, *redisServer)
		remedy string
	}{
		{"a wrong password", []string{"--requirepass", "right"}, func(o *Options, _ *redisServer) { o.Password = "hush" }, "user and password"},
		{"a user that may do nothing", []string{"--user", "jo", "on", ">hush", "+@connection"}, func(o *Options, _ *redisServer) { o.User, o.Password = "jo", "hush" }, "let the user of state.redis run"},
		{"full", []string{"--maxmemory", "1"}, nil, "raise its maxmemory"},
		{"a replica", []string{"--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "yes"}, nil, "takes counts"},
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
			a := boardAt(t, o)
			a.tell("one")
			a.wait(t, "told", func() bool { return strings.Contains(a.log.String(), tt.remedy) })
			if st := a.board.Status(); st.Up || st.Err == nil || strings.Contains(st.Err.Error()+a.log.String(), "hush") {
				t.Errorf("%+v\n%s", st, a.log)
			}
			closed := make(chan struct{})
			go func() { a.board.Close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(time.Minute):
				t.Error("it does not end")
			}
		})
	}
}

// TestAUserOfTheManualMayTell: what docs/state.md allows is enough.
func TestAUserOfTheManualMayTell(t *testing.T) {
	r := startRedis(t)
	r.cli(t, append([]string{"ACL", "SETUSER", "mailprofiled"}, aclOfTheManual(t)...)...)
	o := r.options("a")
	o.User, o.Password = "mailprofiled", "hush"
	a, b := boardAt(t, o), boardAt(t, r.options("b"))
	a.in(t)
	b.in(t)
	a.tell("one")
	b.tell("two")
	b.hears(t, "one")
	a.hears(t, "two")
}

// BenchmarkBoard tells what it costs to tell and to hear of a server that changed,
// through a real store: encoding, the store, and taking in.
func BenchmarkBoard(b *testing.B) {
	r := startRedis(b)
	now := time.Unix(1_800_000_000, 0)
	secret := memory.Secret{1}
	from := memory.NewServers(memory.Options{Settings: memory.DefaultSettings(), Secret: secret}, now)
	to := memory.NewServers(memory.Options{Settings: memory.DefaultSettings(), Secret: secret}, now)
	from.Share()
	o := r.options("a")
	told := NewBoard(o, nil, nil, Topic{Name: "servers", Source: counted{from, now}, Record: 256 << 10, Keep: 10_000})
	o.Machine = "b"
	heard := NewBoard(o, nil, nil, Topic{Name: "servers", Source: counted{to, now}, Record: 256 << 10, Keep: 10_000})
	l, err := connect(b.Context(), &o)
	if err != nil {
		b.Fatal(err)
	}
	defer l.close()
	const visits = 10_000
	event := memory.Event{Visit: true, Taken: 1, Helo: "h.example", From: "f.example"}
	ours, theirs := cpuOf("self"), cpuOf(strconv.Itoa(r.cmd.Process.Pid))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range visits {
			sub := from.Subject(netip.AddrFrom4([4]byte{192, byte(i >> 8), byte(i), 7}), "")
			from.Note(&sub, &event, now)
		}
		b.StartTimer()
		if err := told.tell(b.Context(), l); err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			if more, err = heard.hear(b.Context(), l); err != nil {
				b.Fatal(err)
			}
		}
	}
	if got := to.Stats(now).Keys; got != 2*visits {
		b.Fatalf("%d keys were heard of, want %d", got, 2*visits)
	}
	n := float64(b.N) * visits
	b.ReportMetric((cpuOf("self")-ours)/n*1e6, "our-cpu-us/visit") // with noting it here
	b.ReportMetric((cpuOf(strconv.Itoa(r.cmd.Process.Pid))-theirs)/n*1e6, "redis-cpu-us/visit")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/n, "us/visit")
}

// counted are servers as they are told of.
type counted struct {
	*memory.Servers
	now time.Time
}

func (c counted) Hear(record []byte) error { return c.Servers.Hear(record, c.now) }

// aclOfTheManual gives the rule of docs/state.md, for the password "hush".
func aclOfTheManual(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/state.md")
	if err != nil {
		text, err = os.ReadFile("docs/state.md") // e2e/run starts it in the root
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rule, ok := strings.Cut(string(text), "ACL SETUSER mailprofiled ")
	rule, _, ends := strings.Cut(rule, "`")
	if !ok || !ends {
		t.Fatal("docs/state.md has no rule")
	}
	return strings.Fields(strings.Replace(rule, "PASSWORD", "hush", 1))
}
