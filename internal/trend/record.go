package trend

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
	"unicode/utf8"
)

// A record holds buckets as they are, all numbers as varints (binary.AppendUvarint):
//
//	version (1)
//	how many names, and each: its length in bytes, and these
//	how many buckets, and each: its span, its number, how many counts, and each:
//	the name's place above, the count
//
// It is what internal/store keeps.
const version = 1

// maxName is the longest name, in bytes.
const maxName = 255

// tellEvery is how often Changed gives what has changed: a look at the last
// seconds is worth less than the writing of it twice a second.
const tellEvery = 10 * time.Second

// Flush has the next Changed give all that has changed: the end has come.
func (t *Trend) Flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flush = true
}

// Changed appends a record of the buckets that have changed, nothing if none has or
// the last record was given just now.
func (t *Trend) Changed(dst []byte, now time.Time) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.pending || !t.flush && now.Sub(t.told).Abs() < tellEvery {
		return dst
	}
	t.told, t.pending, t.flush = now, false, false
	return t.append(dst, func(b *bucket) bool {
		is := b.changed
		b.changed = false
		return is
	})
}

// All yields one record with all there is.
func (t *Trend) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		t.mu.Lock()
		record := t.append(nil, func(b *bucket) bool { return b.at > 0 })
		t.mu.Unlock()
		yield(record)
	}
}

// Len is how many buckets count something.
func (t *Trend) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for s := range t.rings {
		for i := range t.rings[s] {
			if t.rings[s][i].at > 0 {
				n++
			}
		}
	}
	return n
}

// append appends a record of those buckets that want is true of.
func (t *Trend) append(dst []byte, want func(*bucket) bool) []byte {
	var all []*bucket
	var of []Span
	for s := range t.rings {
		for i := range t.rings[s] {
			if b := &t.rings[s][i]; want(b) {
				all, of = append(all, b), append(of, Span(s))
			}
		}
	}
	var index [MaxNames]int // place to index in the record, and 1 more
	var names []string
	for _, b := range all {
		for place, n := range b.counts {
			if n > 0 && index[place] == 0 {
				names = append(names, t.names[place])
				index[place] = len(names)
			}
		}
	}
	dst = binary.AppendUvarint(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = binary.AppendUvarint(dst, uint64(len(name)))
		dst = append(dst, name...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	for i, b := range all {
		dst = binary.AppendUvarint(dst, uint64(of[i]))
		dst = binary.AppendUvarint(dst, uint64(b.at))
		counted := 0
		for _, n := range b.counts {
			if n > 0 {
				counted++
			}
		}
		dst = binary.AppendUvarint(dst, uint64(counted))
		for place, n := range b.counts {
			if n > 0 {
				dst = binary.AppendUvarint(dst, uint64(index[place]-1))
				dst = binary.AppendUvarint(dst, uint64(n))
			}
		}
	}
	return dst
}

var errRecord = errors.New("a record of trends that cannot be read")

// Load takes in a record: its buckets stand in place of those that there are, but for
// newer ones. Of one that cannot be read nothing is taken.
func (t *Trend) Load(record []byte, now time.Time) error {
	names, buckets, err := parse(record)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range buckets {
		b := &buckets[i]
		there := &t.rings[b.span][b.at%rings[b.span].buckets]
		if there.at > b.at {
			continue
		}
		own := bucket{at: b.at}
		for _, c := range b.counts {
			place := t.place(names[c.name], now)
			own.counts[place] = add(own.counts[place], uint64(c.n))
		}
		*there = own
	}
	return nil
}

// A parsed is a bucket of a record.
type parsed struct {
	span   Span
	at     int64
	counts []count
}

type count struct {
	name int
	n    uint32
}

func parse(record []byte) (names []string, buckets []parsed, err error) {
	r := &reader{rest: record}
	if v := r.number(1 << 32); v != version {
		return nil, nil, fmt.Errorf("%w: version %d", errRecord, v)
	}
	for range r.number(MaxNames) {
		name := string(r.bytes(int(r.number(maxName))))
		if name == "" || !utf8.ValidString(name) {
			r.bad = true
		}
		names = append(names, name)
	}
	total := int64(0)
	for _, ring := range rings {
		total += ring.buckets
	}
	for range r.number(uint64(total)) {
		b := parsed{span: Span(r.number(uint64(spans) - 1)), at: int64(r.number(1 << 40))}
		for range r.number(MaxNames) {
			c := count{int(r.number(MaxNames)), uint32(r.number(1<<32 - 1))}
			if c.name >= len(names) {
				r.bad = true
			}
			b.counts = append(b.counts, c)
			if r.bad {
				break
			}
		}
		if b.at < 1 {
			r.bad = true
		}
		buckets = append(buckets, b)
		if r.bad {
			break
		}
	}
	if r.bad || len(r.rest) > 0 {
		return nil, nil, errRecord
	}
	return names, buckets, nil
}

// A reader reads numbers. When one is missing or too large it is bad, and gives 0.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most || r.bad {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) || r.bad {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
