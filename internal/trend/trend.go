package trend

import (
	"sync"
	"time"
)

// MaxNames is how many things are told apart. All three rings of them take less
// than 160 KB.
const MaxNames = 160

// Other is the name of all that found no place among MaxNames.
const Other = "other"

// A Span is how far back one looks.
type Span int

// The spans there are.
const (
	Hour Span = iota
	Day
	Week
	spans
)

// rings tell how a span is divided.
var rings = [spans]struct {
	width   int64 // of a bucket, in seconds
	buckets int64
}{
	Hour: {60, 60},
	Day:  {15 * 60, 96},
	Week: {2 * 60 * 60, 84},
}

// Width is the time of one bucket.
func (s Span) Width() time.Duration { return time.Duration(rings[s].width) * time.Second }

// String gives "1h", "24h" or "7d".
func (s Span) String() string { return [...]string{"1h", "24h", "7d"}[s] }

// Spans gives all of them, the shortest first.
func Spans() []Span { return []Span{Hour, Day, Week} }

// A bucket counts what happened in one stretch of time.
type bucket struct {
	at      int64 // which one: seconds since 1970 by the width; 0 is none
	counts  [MaxNames]uint32
	changed bool // since the last Changed
}

// A Trend remembers. It is safe for concurrent use; New makes one.
type Trend struct {
	mu      sync.Mutex
	rings   [spans][]bucket
	names   [MaxNames]string // "" is a free place; the first is Other's
	places  map[string]int
	last    map[string]uint64 // the counters, as they were
	told    time.Time         // of the last record that Changed gave
	pending bool              // some bucket has changed
	flush   bool
}

// New makes a Trend that knows of nothing.
func New() *Trend {
	t := &Trend{places: map[string]int{Other: 0}, last: map[string]uint64{}}
	t.names[0] = Other
	for s := range t.rings {
		t.rings[s] = make([]bucket, rings[s].buckets)
	}
	return t
}

// Note takes the counters as they are now, and counts by how much each has grown
// since the last Note. One that has shrunk began anew.
func (t *Trend) Note(now time.Time, counters map[string]uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var at [spans]*bucket
	for s := range t.rings {
		at[s] = t.bucket(Span(s), now)
	}
	for name, n := range counters {
		grown := n - t.last[name]
		if n < t.last[name] {
			grown = n
		}
		if grown == 0 {
			continue
		}
		t.last[name] = n
		place := t.place(name, now)
		for _, b := range at {
			b.counts[place] = add(b.counts[place], grown)
			b.changed = true
		}
		t.pending = true
	}
}

// add stops at the end of its numbers.
func add(n uint32, more uint64) uint32 { return uint32(min(uint64(n)+more, 1<<32-1)) }

// number tells which bucket a time belongs to.
func number(s Span, now time.Time) int64 { return max(1, now.Unix()/rings[s].width) }

// bucket gives that of a time, empty where it holds another one.
func (t *Trend) bucket(s Span, now time.Time) *bucket {
	n := number(s, now)
	b := &t.rings[s][n%rings[s].buckets]
	if b.at != n {
		*b = bucket{at: n}
	}
	return b
}

// place gives the place of a name. When all are taken, those of names that did not
// happen within a week are free.
func (t *Trend) place(name string, now time.Time) int {
	if i, ok := t.places[name]; ok {
		return i
	}
	if len(name) == 0 || len(name) > maxName {
		return 0
	}
	if len(t.places) == MaxNames {
		t.clear(now)
	}
	for i, taken := range t.names {
		if taken == "" {
			t.names[i], t.places[name] = name, i
			return i
		}
	}
	return 0
}

// clear frees the places of names that no bucket counts which is still looked at.
func (t *Trend) clear(now time.Time) {
	var used [MaxNames]bool
	used[0] = true
	for s := range t.rings {
		for i := range t.rings[s] {
			b := &t.rings[s][i]
			if !t.within(Span(s), b, now) {
				continue
			}
			for place, n := range b.counts {
				used[place] = used[place] || n > 0
			}
		}
	}
	for place := range used {
		if used[place] {
			continue
		}
		delete(t.places, t.names[place])
		t.names[place] = ""
		for s := range t.rings { // of buckets that are past, or not come yet
			for i := range t.rings[s] {
				t.rings[s][i].counts[place] = 0
			}
		}
	}
}

// within reports whether a bucket is of the span that ends now.
func (t *Trend) within(s Span, b *bucket, now time.Time) bool {
	n := number(s, now)
	return b.at > n-rings[s].buckets && b.at <= n
}

// A Series is what happened in a span, the oldest bucket first.
type Series struct {
	Span  Span
	Start time.Time           // of the first bucket
	Sums  map[string]uint64   // of all buckets, by name; none of which it is 0
	Each  map[string][]uint32 // by bucket; for those in Sums
}

// Look gives what happened in the span that ends now. Its last bucket is not full
// yet.
func (t *Trend) Look(s Span, now time.Time) *Series {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := rings[s]
	last := number(s, now)
	out := &Series{Span: s, Start: time.Unix((last-r.buckets+1)*r.width, 0).UTC(), Sums: map[string]uint64{}, Each: map[string][]uint32{}}
	for i := range r.buckets {
		n := last - r.buckets + 1 + i
		if n < 1 {
			continue
		}
		b := &t.rings[s][n%r.buckets]
		if b.at != n {
			continue
		}
		for place, count := range b.counts {
			if count == 0 {
				continue
			}
			name := t.names[place]
			if out.Each[name] == nil {
				out.Each[name] = make([]uint32, r.buckets)
			}
			out.Each[name][i] = count
			out.Sums[name] += uint64(count)
		}
	}
	return out
}
