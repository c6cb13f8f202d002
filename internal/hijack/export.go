package hijack

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

// A record begins with its version and, in seconds of Unix time, since when the state
// is. Then come accounts: the key, and the numbers of the cell in the order of
// cell.numbers, each in as many bytes as it needs (encoding/binary's uvarint). last is the first of
// them; where it is 0 the account was forgotten, and nothing follows.
const (
	version    = 1
	recordHead = 1 + 4
)

// recordKeys is how many accounts go into one record at most: their shard is locked for so
// long, well below a millisecond.
const recordKeys = 1024

// numbers calls do for each number of a cell, with the most that it may be.
func (c *cell) numbers(do func(n uint64, most uint64) uint64) {
	u32 := func(p *uint32) { *p = uint32(do(uint64(*p), math.MaxUint32)) }
	u16 := func(p *uint16) { *p = uint16(do(uint64(*p), math.MaxUint16)) }
	f32 := func(p *float32) { *p = math.Float32frombits(uint32(do(uint64(math.Float32bits(*p)), math.MaxUint32))) }
	for i := range parts {
		c.networks[i] = do(c.networks[i], math.MaxUint64)
		u32(&c.senders[i])
		u32(&c.countries[i])
		u32(&c.taken[i])
		u16(&c.unknown[i])
	}
	f32(&c.mean)
	f32(&c.square)
	f32(&c.peak)
	for i := range habits {
		u16(&c.usual[i])
		c.most[i] = uint8(do(uint64(c.most[i]), math.MaxUint8))
	}
	u32(&c.today)
	u32(&c.listed)
	u32(&c.since)
	u32(&c.over)
	u16(&c.first)
	u16(&c.day)
	c.flags = uint8(do(uint64(c.flags&suspect), suspect)) | c.flags&onChanged
}

// ExportChanged appends to dst one record with all that changed since the last call,
// nothing if nothing did. It is called by one goroutine.
func (w *Watch) ExportChanged(dst []byte) []byte {
	begin := len(dst)
	for i := range w.shards {
		sh := &w.shards[i]
		sh.mu.Lock()
		if len(sh.changed) > 0 && len(dst) == begin {
			dst = w.appendHead(dst)
		}
		for _, k := range sh.changed {
			c := sh.find(k)
			if c == nil {
				dst = append(binary.LittleEndian.AppendUint64(dst, uint64(k)), 0)
				continue
			}
			c.flags &^= onChanged
			dst = c.append(dst)
		}
		sh.changed = sh.changed[:0]
		sh.mu.Unlock()
	}
	return dst
}

// ExportAll yields records with all there is. One is overwritten by the next.
func (w *Watch) ExportAll() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		buf := w.appendHead(nil)
		if !yield(buf) { // also where there is nothing else: since when the state is
			return
		}
		for i := range w.shards {
			for at, more := 0, true; more; {
				buf = w.appendHead(buf[:0])
				buf, at, more = w.shards[i].appendFrom(buf, at)
				if len(buf) > recordHead && !yield(buf) {
					return
				}
			}
		}
	}
}

func (w *Watch) appendHead(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(b, version), w.began.Load())
}

// appendFrom appends cells from a place on, and gives the place to go on from. Those
// that change their places meanwhile were changed, and are exported for that.
func (s *shard) appendFrom(b []byte, at int) ([]byte, int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := 0; at < len(s.cells); at++ {
		if s.tags[at] == 0 {
			continue
		}
		if n++; n > recordKeys {
			return b, at, true
		}
		b = s.cells[at].append(b)
	}
	return b, at, false
}

func (c *cell) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, c.id)
	b = binary.AppendUvarint(b, uint64(max(c.last, 1)))
	c.numbers(func(n, _ uint64) uint64 {
		b = binary.AppendUvarint(b, n)
		return n
	})
	return b
}

// Import takes in a record; it is called by one goroutine, before the first Note. Of one that gives an error nothing is taken. What it says
// of an account replaces what is known.
func (w *Watch) Import(record []byte, now time.Time) error {
	if len(record) < recordHead {
		return ErrDamaged
	}
	if record[0] != version {
		return ErrVersion
	}
	began := binary.LittleEndian.Uint32(record[1:])
	at, last := w.at(now), uint32(0)
	for pass := range 2 { // the first only looks
		r := reader{data: record[recordHead:]}
		for len(r.data) > 0 {
			c := r.cell()
			if r.bad {
				return ErrDamaged
			}
			if last = max(last, c.last); pass == 1 {
				c.bring(at)
				w.put(&c)
			}
		}
	}
	w.began.Store(min(began, at))
	if last > w.loaded { // Note sees how long ago that is
		w.loaded = last
		w.last.Store(last)
	}
	return nil
}

// put lays a cell over what is known; one without a last time was forgotten.
func (w *Watch) put(c *cell) {
	k := Key(c.id)
	sh := w.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.at(k)
	if c.last == 0 {
		if i >= 0 {
			sh.drop(i)
		}
		return
	}
	var to *cell
	if i >= 0 {
		to = &sh.cells[i]
	} else {
		to = sh.insert(k, c.last)
	}
	c.flags |= to.flags & onChanged
	*to = *c
}

// A reader takes an account after the other off a record. After the first that is none,
// bad is set.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.data)
	if r.bad || size <= 0 || n > most {
		r.bad = true
		return 0
	}
	r.data = r.data[size:]
	return n
}

// cell takes one.
func (r *reader) cell() (c cell) {
	if len(r.data) < 8 {
		r.bad = true
		return c
	}
	c.id = binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	r.bad = r.bad || c.id == 0
	if c.last = uint32(r.number(math.MaxUint32)); c.last == 0 {
		return c
	}
	c.numbers(func(_, most uint64) uint64 { return r.number(most) })
	for _, f := range [...]float32{c.mean, c.square, c.peak} {
		r.bad = r.bad || !(f >= 0 && f <= math.MaxFloat32)
	}
	r.bad = r.bad || c.first > c.day || c.day > uint16(c.last/daySeconds)
	for _, at := range [...]uint32{c.listed, c.since, c.over} {
		r.bad = r.bad || at > c.last
	}
	return c
}

// bring takes what is of the future, by a clock that was stepped back since, as of now.
func (c *cell) bring(now uint32) {
	if c.last > now {
		c.rewind(now)
	}
}
