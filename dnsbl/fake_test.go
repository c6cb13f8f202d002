package dnsbl

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A zoneFile is an Asker that answers from a map: names to addresses. It counts
// what it is asked. What is not in it does not exist.
type zoneFile struct {
	ttl  time.Duration
	now  func() time.Time
	hold chan struct{} // not nil: each question waits for it, or for its context

	mu    sync.Mutex
	a     map[string][]string
	txt   map[string][]string
	fail  map[string]string // by the end of the name: the reason
	stale bool
	asked map[string]int
}

func newZoneFile() *zoneFile {
	return &zoneFile{ttl: 10 * time.Minute, now: time.Now, a: map[string][]string{}, txt: map[string][]string{}, fail: map[string]string{}, asked: map[string]int{}}
}

func (z *zoneFile) A(ctx context.Context, name string) Reply {
	z.mu.Lock()
	z.asked[name]++
	hold := z.hold
	z.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return Reply{Reason: Budget}
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	for end, reason := range z.fail {
		if strings.HasSuffix(name, end) {
			return Reply{Reason: reason}
		}
	}
	r := Reply{Outcome: None, Expires: z.now().Add(z.ttl), Stale: z.stale}
	for _, a := range z.a[name] {
		r.Outcome = Found
		r.Addrs = append(r.Addrs, netip.MustParseAddr(a))
	}
	return r
}

func (z *zoneFile) TXT(_ context.Context, name string) Reply {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked["TXT "+name]++
	if z.txt[name] == nil {
		return Reply{Outcome: None}
	}
	return Reply{Outcome: Found, Texts: z.txt[name]}
}

// set adds answers to a name.
func (z *zoneFile) set(name string, answers ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.a[name] = answers
}

// failing makes all questions below end fail, or with "" no longer.
func (z *zoneFile) failing(end, reason string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if reason == "" {
		delete(z.fail, end)
		return
	}
	z.fail[end] = reason
}

// questions gives what was asked since the last call, and how often.
func (z *zoneFile) questions() map[string]int {
	z.mu.Lock()
	defer z.mu.Unlock()
	asked := z.asked
	z.asked = map[string]int{}
	return asked
}

// A doorman is a Watch that lets lists count by hand, and keeps what it saw.
type doorman struct {
	mu   sync.Mutex
	out  map[string]bool
	gone map[string]Absence
	gen  uint32
	seen []Answer
}

func (d *doorman) Generation(string) uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gen
}

func (d *doorman) Absence(id string) Absence {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone[id]
}

func (d *doorman) Counts(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.out[id]
}

func (d *doorman) Saw(a *Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, *a)
}

func (d *doorman) saw() []Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

// find gives lists of the catalogue, those that need a key with the key "k3y".
func find(t testing.TB, ids ...string) []List {
	t.Helper()
	lists := make([]List, len(ids))
	for i, id := range ids {
		l, ok := Find(id)
		if !ok {
			t.Fatalf("%s is not in the catalogue", id)
		}
		if l.NeedsKey() {
			var err error
			if l, err = l.WithKey("k3y"); err != nil {
				t.Fatal(err)
			}
		}
		lists[i] = l
	}
	return lists
}

func atConnect(addr string) Subject { return Subject{Addr: netip.MustParseAddr(addr), Stage: Connect} }

// said writes an answer as its tests name it.
func said(a Answer) string {
	words := []string{a.List.ID, [...]string{"unknown", "clear", "hit"}[a.State]}
	for _, m := range a.Matches {
		word := m.Addr.String()
		if m.Code == nil {
			word += "?"
		}
		words = append(words, word)
	}
	if a.Reason != "" {
		words = append(words, a.Reason)
	}
	if a.Stale {
		words = append(words, "stale")
	}
	return strings.Join(words, " ")
}

func saidAll(answers []Answer) string {
	words := make([]string, len(answers))
	for i, a := range answers {
		words[i] = said(a)
	}
	return strings.Join(words, "; ")
}
