package memory

import (
	"encoding/binary"
	"iter"
	"math"
	"time"
)

// retriesVersion begins each record. Then come the names of findings, each with its
// length before it, and entries: kind, id, until when it passes, since when it waits,
// both in milliseconds of Unix time and 0 for not at all; and if it waits the bits of
// findings, flags, and its mails with their first times. An entry
// replaces all that is known of a key.
const retriesVersion = 1

// ExportChanged appends to dst one record with all that changed since the last call,
// nothing if nothing did.
func (r *Retries) ExportChanged(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.changed) == 0 {
		return dst
	}
	dst = r.appendHead(dst)
	for k := range r.changed {
		dst = r.appendEntry(dst, k)
	}
	clear(r.changed)
	return dst
}

// ExportAll yields records with all there is. One is overwritten by the next.
func (r *Retries) ExportAll() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var buf []byte
		for keys := r.keys(); len(keys) > 0; {
			n := min(len(keys), recordKeys/8) // a waiter may have hundreds of mails
			buf = r.appendAll(buf[:0], keys[:n])
			if keys = keys[n:]; !yield(buf) {
				return
			}
		}
	}
}

func (r *Retries) keys() []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.passed.Keys()
	for k := range r.waiting {
		if !r.passed.Contains(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func (r *Retries) appendAll(b []byte, keys []Key) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b = r.appendHead(b)
	for _, k := range keys {
		b = r.appendEntry(b, k)
	}
	return b
}

func (r *Retries) appendHead(b []byte) []byte {
	return r.appendNames(append(b, retriesVersion))
}

func (r *Retries) appendNames(b []byte) []byte {
	b = append(b, byte(len(r.stats.names)))
	for _, name := range r.stats.names {
		name = name[:min(len(name), math.MaxUint8)]
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

func (r *Retries) appendEntry(b []byte, k Key) []byte {
	b = append(append(b, byte(k.kind)), k.id[:]...)
	until, _ := r.passed.Peek(k)
	w := r.waiting[k]
	b = appendTime(b, until)
	if w == nil {
		return appendTime(b, time.Time{})
	}
	b = appendTime(b, w.since)
	b = binary.LittleEndian.AppendUint64(b, w.why)
	b = binary.LittleEndian.AppendUint16(append(b, w.flags()), uint16(len(w.list)))
	for _, d := range w.list {
		b = appendTime(binary.LittleEndian.AppendUint64(b, d.mail), d.first)
	}
	return b
}

// The flags of a waiter.
const (
	flagShadow  = 1
	flagForeign = 2
)

func (w *waiter) flags() (f byte) {
	if w.shadow {
		f |= flagShadow
	}
	if w.foreign {
		f |= flagForeign
	}
	return f
}

func (w *waiter) set(f byte) { w.shadow, w.foreign = f&flagShadow != 0, f&flagForeign != 0 }

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.LittleEndian.AppendUint64(b, 0)
	}
	return binary.LittleEndian.AppendUint64(b, uint64(max(1, t.UnixMilli())))
}

func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }

// time takes a time, and reports false for none.
func (r *reader) time() (time.Time, bool) {
	n := r.uint64()
	if n > math.MaxInt64/2 {
		r.bad = true
	}
	return time.UnixMilli(int64(n)), n != 0 && !r.bad
}

// A retryEntry is one key of a record.
type retryEntry struct {
	key    Key
	until  time.Time
	passes bool
	waiter *waiter // nil: it does not wait
}

// Import takes in a record. Of one that gives an error nothing is taken. What has
// ended by now is left out.
func (r *Retries) Import(record []byte, now time.Time) error {
	if len(record) < 2 {
		return ErrDamaged
	}
	if record[0] != retriesVersion {
		return ErrVersion
	}
	in := reader{data: record[1:]}
	names := in.names()
	var all []retryEntry
	for len(in.data) > 0 && !in.bad {
		all = append(all, in.retryEntry())
	}
	if in.bad || len(names) > maxReasons {
		return ErrDamaged
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	bits := r.bits(names)
	for i := range all {
		r.put(&all[i], bits, now)
	}
	return nil
}

// names are those of findings.
func (r *reader) names() (names []string) {
	for range int(r.byte()) {
		names = append(names, string(r.take(int(r.byte()))))
	}
	return names
}

// bits gives the bits of findings by those that a record has.
func (r *Retries) bits(names []string) []int {
	bits := make([]int, min(len(names), maxReasons))
	for i := range bits {
		bits[i] = r.stats.bit(names[i])
	}
	return bits
}

// reasons are findings of a record as bits of ours.
func reasons(of uint64, bits []int) (why uint64) {
	for i, bit := range bits {
		why |= of >> i & 1 << bit
	}
	return why
}

func (r *reader) retryEntry() (e retryEntry) {
	e.key.kind = Kind(r.byte())
	copy(e.key.id[:], r.take(len(e.key.id)))
	r.bad = r.bad || e.key.kind < Address || e.key.kind > SPFDomain
	e.until, e.passes = r.time()
	since, waits := r.time()
	if !waits {
		return e
	}
	w := &waiter{since: since, why: r.uint64()}
	w.set(r.byte())
	w.list = r.deferrals()
	e.waiter = w
	return e
}

// deferrals are mails with their first times, one at least.
func (r *reader) deferrals() (list []deferral) {
	n := int(r.uint16())
	if n == 0 || n > maxPerKey || len(r.data) < 16*n {
		r.bad = true
		return nil
	}
	for range n {
		d := deferral{mail: r.uint64()}
		d.first, _ = r.time()
		list = append(list, d)
	}
	return list
}

// put lays an entry over what is known.
func (r *Retries) put(e *retryEntry, bits []int, now time.Time) {
	if old := r.waiting[e.key]; old != nil {
		if !old.shadow && !old.foreign {
			r.stats.unsaid(old.why)
		}
		r.leave(e.key, old)
	}
	r.passed.Remove(e.key)
	if e.passes && now.Before(e.until) {
		r.pass(e.key, e.until)
	}
	w := e.waiter
	if w == nil || now.Sub(w.list[len(w.list)-1].first) > r.win.Within {
		return
	}
	for i := range w.list { // of a clock that was stepped back since
		w.list[i].first = earlier(w.list[i].first, now)
	}
	w.since, w.queued = earlier(w.since, now), now
	w.why = reasons(w.why, bits)
	r.enter(e.key, w)
	r.queue = append(r.queue, turn{e.key, now})
	if !w.shadow && !w.foreign {
		r.stats.deferred(w.why)
	}
	for r.open > maxDeferred || len(r.waiting) > maxWaiting {
		r.forgetFirst()
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
