package memory

import (
	"encoding/binary"
	"errors"
	"iter"
	"math"
	"time"
)

// Errors of taking in what was exported.
var (
	ErrDamaged = errors.New("the record is damaged")
	ErrVersion = errors.New("the record is of another version")
)

// A record begins with its version and, in seconds of Unix time, since when the memory
// learns. Then come entries: kind, id, first, last, a mask of the counts that are not
// nothing and those counts, sketches, day, today and flags, and the name of an
// operator. Numbers have the least byte first. An entry without times was forgotten.
const (
	serversVersion = 1
	recordHead     = 1 + 4
)

// recordKeys is how many keys go into one record at most: their shard is locked for so
// long, well below a millisecond.
const recordKeys = 2048

// ExportChanged appends to dst one record with all that changed since the last call,
// nothing if nothing did. It is called by one goroutine.
func (s *Servers) ExportChanged(dst []byte) []byte {
	begin := len(dst)
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		if len(sh.changed) > 0 && len(dst) == begin {
			dst = s.appendHead(dst)
		}
		for _, k := range sh.changed {
			if c := sh.find(k); c != nil {
				c.flags &^= onChanged
				dst = sh.appendCell(dst, c)
			} else {
				dst = appendForgotten(dst, k)
			}
		}
		sh.changed = sh.changed[:0]
		sh.mu.Unlock()
	}
	return dst
}

// ExportAll yields records with all there is. One is overwritten by the next.
func (s *Servers) ExportAll() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		buf := s.appendHead(nil)
		if !yield(buf) { // also where there is nothing else: since when it learns
			return
		}
		for i := range s.shards {
			for at, more := 0, true; more; {
				buf = s.appendHead(buf[:0])
				buf, at, more = s.shards[i].appendFrom(buf, at)
				if len(buf) > recordHead && !yield(buf) {
					return
				}
			}
		}
	}
}

func (s *Servers) appendHead(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(b, serversVersion), s.began.Load())
}

// appendFrom appends cells from a place on, and gives the place to go on from. Those
// that change their places meanwhile were changed, and are exported for that.
func (s *shard) appendFrom(b []byte, at int) ([]byte, int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; at < len(s.cells); at++ {
		if s.cells[at].kind == 0 {
			continue
		}
		if n++; n > recordKeys {
			return b, at, true
		}
		b = s.appendCell(b, &s.cells[at])
	}
	return b, at, false
}

func (s *shard) appendCell(b []byte, c *cell) []byte {
	b = append(append(b, byte(c.kind)), c.id[:]...)
	b = binary.LittleEndian.AppendUint32(b, c.first)
	b = binary.LittleEndian.AppendUint32(b, c.last)
	mask := uint16(0)
	for i, n := range c.n {
		if n != 0 {
			mask |= 1 << i
		}
	}
	b = binary.LittleEndian.AppendUint16(b, mask)
	for _, n := range c.n {
		if n != 0 {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(n))
		}
	}
	for _, bits := range [...]uint32{c.helo[0], c.helo[1], c.from[0], c.from[1]} {
		b = binary.LittleEndian.AppendUint32(b, bits)
	}
	b = binary.LittleEndian.AppendUint16(b, c.day)
	b = append(b, c.today, c.flags&^onChanged)
	if c.kind == Operator {
		name := s.names[c.id]
		b = append(append(b, byte(len(name))), name...)
	}
	return b
}

func appendForgotten(b []byte, k Key) []byte {
	b = append(append(b, byte(k.kind)), k.id[:]...)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}

// An entry is one key of a record.
type entry struct {
	cell cell // without times where it was forgotten
	name string
}

// Import takes in a record. Of one that gives an error nothing is taken. What it says
// of a key replaces what is known.
func (s *Servers) Import(record []byte, now time.Time) error {
	if len(record) < recordHead {
		return ErrDamaged
	}
	if record[0] != serversVersion {
		return ErrVersion
	}
	began := binary.LittleEndian.Uint32(record[1:])
	at := seconds(now)
	for pass := range 2 { // the first only looks
		r := reader{data: record[recordHead:]}
		for len(r.data) > 0 {
			e := r.entry(at)
			if r.bad {
				return ErrDamaged
			}
			if pass == 1 {
				s.put(&e, at)
			}
		}
	}
	s.began.Store(min(began, at))
	return nil
}

// put lays an entry over what is known.
func (s *Servers) put(e *entry, now uint32) {
	k := e.cell.key()
	sh := s.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.at(k)
	if e.cell.first == 0 {
		if i >= 0 {
			sh.drop(i)
		}
		return
	}
	var c *cell
	if i >= 0 {
		c = &sh.cells[i]
	} else {
		c = sh.insert(k, now, s.halving())
	}
	e.cell.flags |= c.flags & onChanged
	*c = e.cell
	sh.name(k, e.name)
}

// A reader takes an entry after the other off a record. After the first that is none,
// bad is set.
type reader struct {
	data []byte
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

func (r *reader) uint32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }
func (r *reader) uint16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) byte() byte     { return r.take(1)[0] }

// entry takes one. What is of the future, by a clock that was stepped back since, is
// taken as of now.
func (r *reader) entry(now uint32) (e entry) {
	c := &e.cell
	c.kind = Kind(r.byte())
	copy(c.id[:], r.take(len(c.id)))
	c.first, c.last = r.uint32(), r.uint32()
	r.bad = r.bad || c.kind < Address || c.kind > Operator || c.first > c.last
	if c.first == 0 {
		return e
	}
	c.first, c.last = min(c.first, now), min(c.last, now)
	mask := r.uint16()
	r.bad = r.bad || mask>>counts != 0
	for i := range c.n {
		if mask>>i&1 != 0 && !r.bad {
			c.n[i] = math.Float32frombits(r.uint32())
			r.bad = r.bad || !(c.n[i] > 0 && c.n[i] < math.MaxFloat32)
		}
	}
	for _, bits := range [...]*uint32{&c.helo[0], &c.helo[1], &c.from[0], &c.from[1]} {
		*bits = r.uint32()
	}
	c.day, c.today, c.flags = r.uint16(), r.byte(), r.byte()&met
	if c.kind == Operator {
		e.name = string(r.take(int(r.byte())))
	}
	return e
}
