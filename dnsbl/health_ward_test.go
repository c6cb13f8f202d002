package dnsbl

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const testEvery = 10 * time.Minute

// A fakeAsker answers from a function and notes what it was asked.
type fakeAsker struct {
	mu     sync.Mutex
	answer func(name string) Reply
	asked  []string
}

func (f *fakeAsker) A(ctx context.Context, name string) Reply {
	f.mu.Lock()
	f.asked = append(f.asked, name)
	reply := f.answer(name)
	f.mu.Unlock()
	if reply.Took > 0 {
		select {
		case <-ctx.Done():
			return Reply{Reason: "timeout"}
		case <-time.After(reply.Took):
		}
	}
	return reply
}

func (f *fakeAsker) TXT(context.Context, string) Reply { return Reply{Outcome: None} }

func (f *fakeAsker) set(answer func(name string) Reply) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// names are what was asked since the last call.
func (f *fakeAsker) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := f.asked
	f.asked = nil
	return names
}

func found(addrs ...string) Reply {
	r := Reply{Outcome: Found}
	for _, a := range addrs {
		r.Addrs = append(r.Addrs, netip.MustParseAddr(a))
	}
	return r
}

func noRecord() Reply { return Reply{Outcome: None} }

func timedOut() Reply { return Reply{Reason: "timeout", Took: time.Minute} }

// sound answers as lists in good health behind an honest resolver do.
func sound(name string) Reply {
	if strings.HasPrefix(name, "2.0.0.127.") || strings.HasPrefix(name, "test.") {
		return found("127.0.0.2")
	}
	return noRecord()
}

// below answers names below a zone by its own rule, and all else soundly.
func below(zone string, answer func(name string) Reply) func(string) Reply {
	return func(name string) Reply {
		if strings.HasSuffix(name, "."+zone) {
			return answer(name)
		}
		return sound(name)
	}
}

func always(r Reply) func(string) Reply { return func(string) Reply { return r } }

func code(t testing.TB, answer, match, meaning string, kind Kind, points float64) Code {
	t.Helper()
	c, err := NewCode(answer, match, meaning, kind, points)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// healthLists are three lists of addresses, one of domains and one that speaks for clients.
func healthLists(t testing.TB) []List {
	t.Helper()
	block := func(id string) List {
		return List{ID: id, Zone: id + ".example.org", Group: id, Family: "block", Asks: IP4, Stages: StagesOf(Connect),
			Listed: []string{"127.0.0.2"}, Unlisted: []string{"127.0.0.1"},
			Codes: []Code{code(t, "127.0.0.2", "", "spam source", Listed, 5),
				code(t, "127.255.255.254", "", "query came through a public resolver", Error, 0)}}
	}
	domains := List{ID: "domains", Zone: "domains.example.org", Group: "domains", Family: "block", Asks: Domain, Stages: StagesOf(Helo),
		Listed: []string{"TEST"}, Unlisted: []string{"INVALID"},
		Codes: []Code{code(t, "127.0.0.2", "", "spam domain", Listed, 5),
			code(t, "127.0.1.255", "", "an IP address was asked of a domain list", Error, 0)}}
	poison := code(t, "127.0.10.Y", "pattern:127.0.10.*", "over the limit: no trust", Info, 0)
	poison.Suspect = true
	white := List{ID: "white", Zone: "white.example.org", Group: "white", Family: "allow", Asks: IP4 | IP6, Stages: StagesOf(Connect),
		Listed: []string{"127.0.0.2"}, Unlisted: []string{"127.0.0.1"},
		Codes: []Code{code(t, "127.0.5.3", "", "trusted", Allow, -5), poison, code(t, "127.0.0.255", "", "too many queries", Error, 0)}}
	lists := []List{block("a"), block("b"), block("c"), domains, white}
	for i := range lists {
		lists[i].compile()
	}
	return lists
}

// A ward is a Health with all that surrounds it, in a bubble of synctest.
type ward struct {
	*Health
	t     *testing.T
	asker *fakeAsker
	lists []List

	mu      sync.Mutex
	lines   bytes.Buffer
	changes []Change
	stop    context.CancelFunc
	done    chan struct{}
}

func (w *ward) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.Write(p)
}

func newWard(t *testing.T) *ward {
	w := &ward{t: t, asker: &fakeAsker{answer: sound}, lists: healthLists(t)}
	w.Health = NewHealth(HealthOptions{Logger: slog.New(slog.NewTextHandler(w, nil)), Changed: func(c Change) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changes = append(w.changes, c)
	}})
	w.Use(w.lists, w.asker, testEvery)
	return w
}

// run starts the loop, waits for the first tests, and forgets what they said.
func (w *ward) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.stop, w.done = cancel, make(chan struct{})
	go func() { defer close(w.done); w.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-w.done })
	w.pass(0)
}

// allUp runs and wants all lists up after the first tests.
func (w *ward) allUp() {
	w.t.Helper()
	w.run()
	for _, l := range w.lists {
		w.want(l.ID, Up)
	}
	w.forget()
}

func (w *ward) forget() {
	w.asker.names()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines.Reset()
	w.changes = nil
}

// pass lets time go by.
func (w *ward) pass(d time.Duration) {
	<-time.After(d) // by the clock of the bubble
	synctest.Wait()
}

func (w *ward) standing(id string) Standing {
	w.t.Helper()
	for _, s := range w.Snapshot() {
		if s.List == id {
			return s
		}
	}
	w.t.Fatalf("no list %s", id)
	return Standing{}
}

func (w *ward) want(id string, want Condition) {
	w.t.Helper()
	s := w.standing(id)
	if s.Condition != want {
		w.t.Fatalf("%s is %v (%s), want %v\n%s", id, s.Condition, s.Reason, want, w.log())
	}
	if w.Counts(id) != (want == Up) || s.Counts != (want == Up) {
		w.t.Fatalf("%s is %v, and counts: %t, %t", id, want, w.Counts(id), s.Counts)
	}
}

func (w *ward) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lines.String()
}

// wantLines wants as many changes as there are texts, each line with its text.
func (w *ward) wantLines(texts ...string) {
	w.t.Helper()
	log := w.log()
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := strings.Split(strings.TrimSuffix(log, "\n"), "\n")
	if log == "" {
		lines = nil
	}
	ok := len(lines) == len(texts) && len(w.changes) == len(texts)
	for i := range min(len(lines), len(texts)) {
		ok = ok && strings.Contains(lines[i], texts[i])
	}
	if !ok {
		w.t.Fatalf("log and %d changes:\n%s\nwant lines with %q", len(w.changes), log, texts)
	}
}

// visit asks a list about a client as a Set does, and tells of the answer.
func (w *ward) visit(id string, client netip.Addr) Answer {
	w.t.Helper()
	for i := range w.lists {
		l := &w.lists[i]
		if l.ID != id {
			continue
		}
		a := Answer{List: l}
		if !w.Counts(id) {
			return a // not asked
		}
		name, ok := l.testQuestion(client.String())
		if !ok {
			w.t.Fatalf("%s cannot be asked about %v", id, client)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		reply := w.asker.A(ctx, name)
		a.Took = time.Since(began)
		switch reply.Outcome {
		case Failed:
			a.Reason = reply.Reason
		case None:
			a.State = Clear
		default:
			a.State, a.Reason, a.Matches = l.read(nil, reply.Addrs)
		}
		w.Saw(&a)
		return a
	}
	w.t.Fatalf("no list %s", id)
	return Answer{}
}

// client is an address of a network of its own.
func client(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, byte(18 + n>>8), byte(n), 7}) }
