package harvest

import (
	"encoding/binary"
	"errors"
	"iter"
	"net/netip"
	"time"
)

// This file lets the state be kept over restarts: whoever is after addresses must not
// have them told again because the daemon was updated.

// recordVersion begins each record. Then come entries: what they are of (peerEntry,
// trapEntry), the number of bits and the 16 octets of the network's first address, and
//
//   - of a peer when its newer half began and when all began, both in milliseconds of
//     Unix time, 0 for one that is forgotten and has nothing behind that; and for each
//     half its level, how many unknown and known names it holds, and their hashes;
//   - of a trap when the client last wrote to one, 0 for never.
//
// An entry replaces all that is known of its network. Numbers are little endian.
const recordVersion = 1

const (
	peerEntry = 1
	trapEntry = 2
)

// Errors of Import.
var (
	ErrVersion = errors.New("a record of another version")
	ErrDamaged = errors.New("a damaged record")
)

// recordEntries is how many entries a record has at most: some 100 KB where each holds
// all it can.
const recordEntries = 32

// A change is what an entry is of.
type change struct {
	kind byte
	key  netip.Prefix
}

// touch notes a change, where they are asked for. It is called under mu.
func (w *Watch) touch(kind byte, key netip.Prefix) {
	if w.changed != nil {
		w.changed[change{kind, key}] = struct{}{}
	}
}

// ExportChanged appends to dst one record with all that changed since the last call,
// nothing if nothing did.
func (w *Watch) ExportChanged(dst []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changed) == 0 {
		return dst
	}
	dst = append(dst, recordVersion)
	for c := range w.changed {
		dst = w.appendEntry(dst, c)
	}
	clear(w.changed)
	return dst
}

// ExportAll yields records with all there is. One is overwritten by the next.
func (w *Watch) ExportAll() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		w.mu.Lock()
		var all []change
		for _, key := range w.peers.Keys() { // the longest unseen first, as they are to be forgotten
			all = append(all, change{peerEntry, key})
		}
		for _, key := range w.trapped.Keys() {
			all = append(all, change{trapEntry, key})
		}
		w.mu.Unlock()
		var buf []byte
		for len(all) > 0 {
			n := min(len(all), recordEntries)
			w.mu.Lock()
			buf = append(buf[:0], recordVersion)
			for _, c := range all[:n] {
				buf = w.appendEntry(buf, c)
			}
			w.mu.Unlock()
			if all = all[n:]; !yield(buf) {
				return
			}
		}
	}
}

func (w *Watch) appendEntry(b []byte, c change) []byte {
	id := c.key.Addr().As16()
	b = append(append(b, c.kind, byte(c.key.Bits())), id[:]...)
	if c.kind == trapEntry {
		last, _ := w.trapped.Peek(c.key)
		return appendTime(b, last)
	}
	p, ok := w.peers.Peek(c.key)
	if !ok {
		return appendTime(b, time.Time{})
	}
	b = appendTime(appendTime(b, p.began), p.first)
	for i := range p.halves {
		h := &p.halves[i]
		b = binary.LittleEndian.AppendUint16(append(b, h.level), uint16(len(h.unknown)))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(h.known)))
		for _, names := range [...][]uint32{h.unknown, h.known} {
			for _, name := range names {
				b = binary.LittleEndian.AppendUint32(b, name)
			}
		}
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.LittleEndian.AppendUint64(b, 0)
	}
	return binary.LittleEndian.AppendUint64(b, uint64(max(1, t.UnixMilli())))
}

// Len is how many entries ExportAll has.
func (w *Watch) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peers.Len() + w.trapped.Len()
}

// An entry is one of a record.
type entry struct {
	change
	peer *peer     // nil: forgotten
	last time.Time // of a trap; zero: never
}

// Import takes in a record. Of one that gives an error nothing is taken. What is of the
// future, by a clock that was set back since, is taken as of now.
func (w *Watch) Import(record []byte, now time.Time) error {
	if len(record) == 0 {
		return ErrDamaged
	}
	if record[0] != recordVersion {
		return ErrVersion
	}
	in := reader{data: record[1:], now: now}
	var all []entry
	for len(in.data) > 0 && !in.bad {
		all = append(all, in.entry())
	}
	if in.bad {
		return ErrDamaged
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range all {
		w.put(e, now)
	}
	for w.names > maxNames {
		w.peers.RemoveOldest()
	}
	return nil
}

func (w *Watch) put(e entry, now time.Time) {
	switch {
	case e.kind == trapEntry && (e.last.IsZero() || now.Sub(e.last) >= w.set.Trap):
		w.trapped.Remove(e.key)
	case e.kind == trapEntry:
		w.trapped.Add(e.key, e.last)
	case e.peer == nil || now.Sub(e.peer.began) >= w.set.Window:
		w.peers.Remove(e.key)
	default:
		w.peers.Remove(e.key) // whose names are counted out
		w.peers.Add(e.key, e.peer)
		w.names += e.peer.held()
	}
}

// A reader takes a record apart. Once bad, it gives zeros.
type reader struct {
	data []byte
	now  time.Time
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.data) < n {
		r.bad = true
		return make([]byte, n)
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uint16() int { return int(binary.LittleEndian.Uint16(r.take(2))) }

func (r *reader) time() time.Time {
	ms := binary.LittleEndian.Uint64(r.take(8))
	switch {
	case ms == 0:
		return time.Time{}
	case ms > uint64(r.now.UnixMilli()):
		return r.now
	}
	return time.UnixMilli(int64(ms))
}

func (r *reader) entry() (e entry) {
	e.kind = r.take(1)[0]
	bits := int(r.take(1)[0])
	var id [16]byte
	copy(id[:], r.take(len(id)))
	addr := netip.AddrFrom16(id).Unmap()
	e.key = netip.PrefixFrom(addr, bits)
	r.bad = r.bad || e.key != e.key.Masked() || !(addr.Is4() && (bits == 24 || bits == 32) || addr.Is6() && bits == 64) || e.kind != peerEntry && e.kind != trapEntry
	if e.kind == trapEntry {
		e.last = r.time()
		return e
	}
	p := &peer{began: r.time()}
	if p.began.IsZero() {
		return e
	}
	p.first = r.time()
	r.bad = r.bad || p.first.IsZero() || p.first.After(p.began)
	for i := range p.halves {
		h := &p.halves[i]
		h.level = r.take(1)[0]
		unknown, known := r.uint16(), r.uint16()
		r.bad = r.bad || h.level > 31 || unknown+known > mostHeld
		h.unknown, h.known = r.names(unknown, h.level), r.names(known, h.level)
	}
	e.peer = p
	return e
}

// names takes hashes, in their order.
func (r *reader) names(n int, level uint8) []uint32 {
	if r.bad || n == 0 {
		return nil
	}
	all := make([]uint32, n)
	for i := range all {
		all[i] = binary.LittleEndian.Uint32(r.take(4))
		r.bad = r.bad || i > 0 && all[i] <= all[i-1] || all[i]&(1<<level-1) != 0
	}
	return all
}
