package maillog

import (
	"net/netip"
	"strings"
	"time"
)

// A Use says what an Entry was good for.
type Use uint8

// The uses.
const (
	Foreign Use = iota // of another program
	Passed             // of a mail server, and not about a visit
	Used
)

// The bounds of an Assembler.
const (
	maxOpen  = 20_000           // visits that are held; the oldest goes first
	maxPeers = 20_000           // connections and notes about clients that are remembered
	hold     = 2 * time.Minute  // how long after its beginning a visit waits for more lines
	noteAge  = 10 * time.Minute // how long what a policy server said of a client holds
)

// An Assembler puts entries together into visits. It is used by one goroutine.
type Assembler struct {
	now    time.Time // of the newest entry
	open   []*Visit  // in the order of their beginning
	given  int       // how many at the front of open are given
	queues bounded[string, *Visit]
	conns  bounded[string, *conn]
	notes  bounded[netip.Addr, *note]
}

// A conn is one connection to a Postfix server process.
type conn struct {
	peer    peer
	helo    string // the last that a line told
	account string // that has logged in (Sendmail)
	attempt *Visit // what was turned away before a queue id was given
	ptr     string // a name of ptrIP that does not lead back, said before the connection
	ptrIP   netip.Addr
	state   Name // of ptr
}

// A note is what a policy server or postscreen said of a client: of its mail from
// one sender, or where from is "", of all.
type note struct {
	when            time.Time
	helo, from, spf string
}

// NewAssembler returns an Assembler.
func NewAssembler() *Assembler {
	return &Assembler{queues: newBounded[string, *Visit](maxOpen), conns: newBounded[string, *conn](maxPeers), notes: newBounded[netip.Addr, *note](maxPeers)}
}

// Entry takes the next entry.
func (a *Assembler) Entry(e *Entry) Use {
	if e.Time.After(a.now) {
		a.now = e.Time
	}
	if _, part, ok := cutLast(e.Program, '/'); ok && postfixParts[part] {
		return a.postfix(e, part)
	}
	if isSendmail(e) {
		return a.sendmail(e)
	}
	if strings.Contains(e.Text, "Received-SPF: ") && a.spf(e) {
		return Used
	}
	return Foreign
}

func cutLast(s string, sep byte) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// begin opens a visit at an entry.
func (a *Assembler) begin(e *Entry, mta string) *Visit {
	v := &Visit{Time: e.Time, MTA: mta, Host: keep(e.Host)}
	a.open = append(a.open, v)
	return v
}

// Next gives a visit that nothing more is to come of, or that was held long enough.
func (a *Assembler) Next() (*Visit, bool) { return a.next(false) }

// Rest gives those that are left, when there are no more entries.
func (a *Assembler) Rest() (*Visit, bool) { return a.next(true) }

func (a *Assembler) next(all bool) (*Visit, bool) {
	for a.given < len(a.open) {
		v := a.open[a.given]
		if !v.done && !all && a.now.Sub(v.Time) < hold && len(a.open)-a.given < maxOpen {
			return nil, false
		}
		a.open[a.given] = nil
		if a.given++; a.given > 1024 && a.given > len(a.open)/2 {
			a.open = append(a.open[:0], a.open[a.given:]...)
			a.given = 0
		}
		if v.out {
			continue
		}
		v.out, v.done = true, true
		if a.worth(v) {
			return v, true
		}
	}
	return nil, false
}

// worth reports whether a visit is one to be judged: of a client elsewhere, and
// not only a connection.
func (a *Assembler) worth(v *Visit) bool {
	if !v.Client.IsValid() || v.Client.IsLoopback() || v.From == "" && v.Queue == "" && v.Outcome == NoAnswer {
		return false
	}
	if n, ok := a.notes.get(v.Client); ok && n.fits(v) {
		if v.Helo == "" {
			v.Helo = n.helo
		}
		if v.SPF == "" {
			v.SPF = n.spf
		}
	}
	return true
}

// fits reports whether what was said of a client was said about this visit.
func (n *note) fits(v *Visit) bool {
	apart := v.Time.Sub(n.when)
	return apart <= noteAge && apart >= -noteAge && (n.from == "" || strings.EqualFold(n.from, v.From))
}

// drop takes a visit out that another one stands for.
func (v *Visit) drop() { v.out, v.done = true, true }

// A bounded is a map that forgets what was put first.
type bounded[K comparable, V any] struct {
	max   int
	m     map[K]placed[V]
	order []turn[K]
	next  uint64
}

// A placed value knows its turn: a key may be put again after it was taken out.
type placed[V any] struct {
	value V
	turn  uint64
}

type turn[K comparable] struct {
	key  K
	turn uint64
}

func newBounded[K comparable, V any](limit int) bounded[K, V] {
	return bounded[K, V]{max: limit, m: make(map[K]placed[V])}
}

func (b *bounded[K, V]) get(k K) (V, bool) {
	p, ok := b.m[k]
	return p.value, ok
}

func (b *bounded[K, V]) put(k K, v V) {
	b.next++
	b.m[k] = placed[V]{v, b.next}
	b.order = append(b.order, turn[K]{k, b.next})
	if len(b.order) > 2*b.max {
		b.trim()
	}
}

func (b *bounded[K, V]) remove(k K) { delete(b.m, k) }

// trim forgets what was put before the last max.
func (b *bounded[K, V]) trim() {
	old := b.order[:len(b.order)-b.max]
	for _, t := range old {
		if b.m[t.key].turn == t.turn {
			delete(b.m, t.key)
		}
	}
	b.order = append([]turn[K](nil), b.order[len(old):]...)
}
