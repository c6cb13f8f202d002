// Package harvest sees who is fishing for addresses: who tries names that do not
// exist, one after the other, to learn which do.
//
// For each client address, and for each network of one (/24, /64), it counts the
// distinct names that do not exist and the distinct ones that do, across sessions,
// from minutes to days. Both matter: a list with some dead addresses has many names
// that exist beside them, and a colleague with a typo has one name, however often.
// Bounces are told apart: whoever's address was forged gets many, from servers that
// do nothing wrong.
//
// It also remembers who wrote to a trap, an address that never existed.
//
// Names are kept as hashes under the key of the state directory, 32 bits of each. What a
// client is to be told for it is for others to decide, and so is what keeps the records
// of ExportChanged.
package harvest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Settings are what is taken for a harvest.
type Settings struct {
	Names  int           // from so many distinct names that do not exist, at least 1 ...
	Share  float64       // ... if they are at least this part of all distinct names, 0 to 1 ...
	Window time.Duration // ... tried within this time, and within half of it for sure
	Trap   time.Duration // how long it is remembered who wrote to a trap
}

// The bounds of a Watch: some 40 MB when all are reached.
const (
	maxPeers   = 50_000    // clients and networks with names that do not exist
	maxNames   = 2_000_000 // of all of them
	maxTrapped = 50_000
)

// A Watch counts. It is safe for concurrent use, and bounded: the least recently seen
// go first.
type Watch struct {
	secret Secret

	mu      sync.Mutex
	set     Settings
	peers   *simplelru.LRU[netip.Prefix, *peer]
	names   int // of all peers
	trapped *simplelru.LRU[netip.Prefix, time.Time]
	changed map[change]struct{} // since they were last exported; nil: nobody asks
	stats   Stats
}

// A Secret keys the hashes of names. A process and the one after it need the same, or
// names that were tried before count as new ones.
type Secret [32]byte

// Stats are what was seen since the start.
type Stats struct {
	Unknown uint64 // recipients that do not exist, but for those of bounces
	Bounced uint64 // of bounces
	Trapped uint64 // recipients that are traps
	Peers   int    // clients and networks with names that do not exist
	Fishing int    // of these: now taken for a harvest
	Marked  int    // clients that wrote to a trap, as far as remembered
}

// New returns a Watch that has seen nothing, for a process of its own.
func New(s Settings) *Watch {
	var secret Secret
	rand.Read(secret[:]) // it never fails
	return newWatch(s, secret)
}

// NewKept returns one whose changes somebody asks for, to keep them.
func NewKept(s Settings, secret Secret) *Watch {
	w := newWatch(s, secret)
	w.changed = make(map[change]struct{})
	return w
}

func newWatch(s Settings, secret Secret) *Watch {
	w := &Watch{secret: secret, set: s}
	// The sizes are positive constants, the only thing NewLRU can refuse.
	w.peers, _ = simplelru.NewLRU(maxPeers, func(_ netip.Prefix, p *peer) { w.names -= p.held() })
	w.trapped, _ = simplelru.NewLRU[netip.Prefix, time.Time](maxTrapped, nil)
	return w
}

// Apply changes what is taken for a harvest from now on.
func (w *Watch) Apply(s Settings) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = s
}

// Unknown notes that a client wrote to a name that does not exist.
func (w *Watch) Unknown(client netip.Addr, name string, now time.Time) {
	h := w.hash(name)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Unknown++
	for _, key := range keysOf(client) {
		if !key.IsValid() {
			continue
		}
		p, ok := w.peers.Get(key)
		if !ok {
			p = new(peer)
			w.peers.Add(key, p)
		}
		w.note(p, now, h, false)
		w.touch(peerEntry, key)
	}
	for w.names > maxNames {
		w.peers.RemoveOldest()
	}
}

// Known notes that a client wrote to a name that exists. Of one that has tried no
// other nothing is kept.
func (w *Watch) Known(client netip.Addr, name string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h, hashed := uint32(0), false
	for _, key := range keysOf(client) {
		p, ok := w.peers.Peek(key)
		if !ok {
			continue
		}
		if !hashed {
			h, hashed = w.hash(name), true
		}
		w.note(p, now, h, true)
		w.touch(peerEntry, key)
	}
}

// Bounced notes that a bounce came for a name that does not exist.
func (w *Watch) Bounced() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Bounced++
}

func (w *Watch) note(p *peer, now time.Time, h uint32, exists bool) {
	before := p.held()
	p.note(now, w.set.Window/2, h, exists)
	w.names += p.held() - before
}

// Fishing reports whether a client, or its network, is after addresses, and by what
// sign, for the operator.
func (w *Watch) Fishing(client netip.Addr, now time.Time) (sign string, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keysOf(client) {
		p, there := w.peers.Peek(key)
		if !there {
			continue
		}
		if unknown, known, since, ok := p.fishing(now, &w.set); ok {
			return fmt.Sprintf("%d of %d names tried from %s do not exist, in %s", unknown, unknown+known, shown(key), since.Round(time.Second)), true
		}
	}
	return "", false
}

// Trap notes that a client wrote to a trap.
func (w *Watch) Trap(client netip.Addr, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Trapped++
	if key := keysOf(client)[0]; key.IsValid() {
		w.trapped.Add(key, now)
		w.touch(trapEntry, key)
	}
}

// Trapped gives when a client last wrote to a trap, as long as that is remembered.
func (w *Watch) Trapped(client netip.Addr, now time.Time) (last time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok = w.trapped.Peek(keysOf(client)[0])
	if !ok || now.Sub(last) >= w.set.Trap {
		return time.Time{}, false
	}
	return last, true
}

// Forget has nothing been seen of a client and its network; false where nothing was.
func (w *Watch) Forget(client netip.Addr) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	any := false
	for _, key := range keysOf(client) {
		if w.peers.Remove(key) {
			w.touch(peerEntry, key)
			any = true
		}
		if w.trapped.Remove(key) {
			w.touch(trapEntry, key)
			any = true
		}
	}
	return any
}

// Stats tells what was seen.
func (w *Watch) Stats(now time.Time) Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.stats
	s.Peers, s.Marked = w.peers.Len(), 0
	for _, p := range w.peers.Values() {
		if _, _, _, ok := p.fishing(now, &w.set); ok {
			s.Fishing++
		}
	}
	for _, last := range w.trapped.Values() {
		if now.Sub(last) < w.set.Trap {
			s.Marked++
		}
	}
	return s
}

// hash is that of a name; one too long for a mailbox is cut.
func (w *Watch) hash(name string) uint32 {
	var room [len(w.secret) + maxName]byte
	b := append(append(room[:0], w.secret[:]...), name[:min(len(name), maxName)]...)
	sum := sha256.Sum256(b)
	return binary.LittleEndian.Uint32(sum[:])
}

// maxName is the longest mail address (RFC 5321 section 4.5.3.1), and some more.
const maxName = 400

// keysOf are what a client is counted by: its address and its /24, or its /64, since
// whoever has one address there has them all (and so twice the same is once).
func keysOf(client netip.Addr) [2]netip.Prefix {
	client = client.Unmap().WithZone("")
	switch {
	case client.Is4():
		network, _ := client.Prefix(24)
		return [2]netip.Prefix{netip.PrefixFrom(client, 32), network}
	case client.Is6():
		network, _ := client.Prefix(64)
		return [2]netip.Prefix{network}
	}
	return [2]netip.Prefix{}
}

func shown(key netip.Prefix) string {
	if key.IsSingleIP() {
		return key.Addr().String()
	}
	return key.String()
}
