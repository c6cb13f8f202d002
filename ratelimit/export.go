package ratelimit

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
	"time"
)

// ExportChanged appends frames with all counters that changed since the last
// call, or since the Table was made with Options.Track. What is only pending is
// no change, and is not in them: a reservation ends with its process. If the
// frames cannot be written, ExportAll makes up for it.
//
// Whoever writes them away each second loses, with the process, what ended in
// the last second. It is to be called by one goroutine at a time.
func (t *Table) ExportChanged(dst []byte, now time.Time) []byte {
	var body []byte
	for i := range t.shards {
		for more := true; more; {
			body, more = t.changes(&t.shards[i], body[:0], now)
			if len(body) > 0 {
				dst = appendFrame(dst, FrameCounters, body)
			}
		}
	}
	return dst
}

// changes appends the body of a frame with some changed cells of a shard, nothing
// if there are none, and reports whether there are more.
func (t *Table) changes(s *shard, body []byte, now time.Time) ([]byte, bool) {
	e := epoch{t.clock.see(now), t.clock.ahead(now)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.changed) == 0 {
		return body, false
	}
	e.at = t.clock.last.Load() // nothing in this shard is of a later time
	body = e.append(body)
	from := max(0, len(s.changed)-exportSteps)
	for _, id := range s.changed[from:] {
		if c := s.find(id); c != nil && c.mode&listed != 0 {
			c.mode &^= listed
			body = s.append(body, c, e.at)
		}
	}
	if s.changed = s.changed[:from]; from == 0 && cap(s.changed) > exportSteps {
		s.changed = nil // a burst's memory is not kept
	}
	return body, from > 0
}

// ExportAll yields frames with all counters that hold something: a snapshot,
// after which the frames of ExportChanged before it are not needed any more. A
// frame is overwritten by the next.
func (t *Table) ExportAll(now time.Time) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var frame []byte
		for i := range t.shards {
			w := walk{shard: &t.shards[i], steps: exportSteps}
			for more := true; more; {
				more = t.walk(&w, now)
				if frame = appendFrame(frame[:0], FrameCounters, w.body); !yield(frame) {
					return
				}
			}
		}
	}
}

// A walk goes through the cells of a shard, some under each lock. When cells have
// changed their places meanwhile, it begins anew and goes through all at once.
type walk struct {
	shard              *shard
	from, steps, moves int
	body               []byte
}

// walk makes the next body, and reports whether there are more.
func (t *Table) walk(w *walk, now time.Time) bool {
	e := epoch{t.clock.see(now), t.clock.ahead(now)}
	s := w.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	e.at = t.clock.last.Load()
	w.body = e.append(w.body[:0])
	if w.from > 0 && w.moves != s.moves {
		w.from, w.steps = 0, len(s.cells)
	}
	w.moves = s.moves
	end := min(len(s.cells), w.from+w.steps)
	for ; w.from < end; w.from++ {
		if c := &s.cells[w.from]; !c.free() && s.live(c, e.at) > 0 {
			w.body = s.append(w.body, c, e.at)
		}
	}
	return end < len(s.cells)
}

// append appends a cell: ID, window in seconds, which sub-buckets of the time at
// have counts, and those.
func (s *shard) append(b []byte, c *cell, at int64) []byte {
	r := s.load(c, c.bucket(at))
	var set uint64
	for i, n := range r {
		if n > 0 {
			set |= 1 << i
		}
	}
	b = binary.LittleEndian.AppendUint64(b, c.id)
	b = binary.AppendUvarint(b, uint64(c.window()))
	b = binary.AppendUvarint(b, set)
	for _, n := range r {
		if n > 0 {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	return b
}

// Import takes in a frame of ExportChanged or ExportAll, and gives how many
// counters it holds. What it says of a counter replaces what the Table holds, but
// for what is pending: import before mail is counted. Nothing is taken of a frame
// that gives an error.
//
// What has ended since is left out. What is of the future, because the clock was
// ahead or is behind now, counts as of now.
func (t *Table) Import(f Frame, now time.Time) (int, error) {
	if f.Kind != FrameCounters {
		return 0, ErrKind
	}
	if _, err := readCounters(f.body, func(epoch, uint64, int64, *ring) {}); err != nil {
		return 0, err
	}
	ahead := t.clock.ahead(now)
	return readCounters(f.body, func(e epoch, id uint64, window int64, r *ring) {
		s := t.shard(id)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.put(id, window, r, e, ahead, t.clock.last.Load())
	})
}

func readCounters(body []byte, each func(epoch, uint64, int64, *ring)) (int, error) {
	rd := reader{data: body}
	e := rd.epoch()
	n := 0
	var r ring // one for all: it escapes by each
	for ; len(rd.data) > 0; n++ {
		id := rd.id()
		window := int64(rd.number(uint64(MaxWindow / time.Second)))
		set := rd.number(1<<slots - 1)
		r = ring{}
		for ; set != 0 && !rd.bad; set &= set - 1 {
			count := uint32(rd.number(math.MaxUint32))
			if count == 0 {
				rd.fail()
			}
			r[bits.TrailingZeros64(set)] = count
		}
		if window == 0 {
			rd.fail()
		}
		if !rd.bad {
			each(e, id, window, &r)
		}
	}
	if rd.bad {
		return 0, ErrDamaged
	}
	return n, nil
}

// put sets the counts of a counter, which are as of e, at time at of a clock that
// the wall clock is so far ahead of.
func (s *shard) put(id uint64, window int64, r *ring, e epoch, ahead, at int64) {
	w := width(window)
	b, current := e.at/w+ceilDiv(e.ahead-ahead, w), at/w
	if b > current {
		r.fold(b - current)
		b = current
	}
	c := s.find(id)
	if c == nil {
		if *r == (ring{}) || current-b >= slots {
			return
		}
		c = s.insert(id, window, at)
	}
	if current-b >= slots {
		*r = ring{}
	}
	c.mode &^= atLimit
	s.save(c, b, r) // not touched: whoever has given it has it
}

// fold takes the newest sub-buckets, which are of the future, for the one after
// them, and moves up the others.
func (r *ring) fold(future int64) {
	old := *r
	*r = ring{}
	for i, n := range old {
		to := max(0, int64(i)-future)
		r[to] = saturated(uint64(r[to]) + uint64(n))
	}
}

// ceilDiv divides and rounds up; b is positive.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
