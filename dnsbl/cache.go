package dnsbl

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// A Cache holds what lists said, packed, up to a number of bytes, and forgets
// first what was not used for longest, a page at a time. It outlives reloads: each
// Set finds in it the answers of the lists that it still asks. It is safe for
// concurrent use.
//
// A record is found by a 64-bit hash of its subject under a secret seed, and says
// by 32 bits of a second one whether it is about that subject; nobody outside can
// find two subjects that share both. An LRU with one element on the heap for each
// entry takes 110 bytes beside it, and a client has up to six records: too much.
// So records lie one behind the other in pages, and the order of least use is
// that of the pages: a record that is used in the older half moves to the newest.
type Cache struct {
	seed, check maphash.Seed
	epoch       time.Time
	shards      []shard
	slots       *slots
}

type shard struct {
	mu       sync.Mutex
	limit    int
	pageSize int
	first    uint16   // number of pages[0]; numbers wrap around
	pages    [][]byte // the oldest first; len is what is used
	index    index
	_        [64]byte // so that two shards do not share a cache line
}

func (s *shard) nth(p place) int { return int(p.page() - s.first) }

// In a page a record has a head: its hash, the check, and the length of what follows.
const (
	headBytes  = 8 + 4 + 2
	pageHead   = 1 // so that no record lies at 0
	manyShards = 16
	fullPage   = 64 << 10
	maxRecord  = 2 << 10
)

// defaultCache is the bound where none is given: 150,000 clients with all that
// 20 lists say of their names too.
const defaultCache = 32 << 20

// NewCache makes a cache of at most limit bytes; 0 is 32 MiB.
func NewCache(limit int64) *Cache {
	if limit <= 0 {
		limit = defaultCache
	}
	n := manyShards
	if limit < 4<<20 {
		n = 1 // a test's cache
	}
	c := &Cache{
		seed: maphash.MakeSeed(), check: maphash.MakeSeed(), shards: make([]shard, n),
		epoch: time.Now().Add(-2 * keepStale), slots: newSlots(),
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = int(min(limit/int64(n), 2<<30)) // half of the page numbers
		s.pageSize = min(max(s.limit/8, 2*maxRecord), fullPage)
		s.index.slots = make([]place, 64)
	}
	return c
}

// now is a time in ticks.
func (c *Cache) now(t time.Time) uint32 { return uint32(max(t.Sub(c.epoch), 2*keepStale) / tick) }

// time is the end of a tick.
func (c *Cache) time(ticks uint32) time.Time { return c.epoch.Add(time.Duration(ticks+1) * tick) }

// A key finds the record of a subject.
type key struct {
	hash  uint64
	check uint32
}

func (c *Cache) keyOf(addr netip.Addr, name string) key {
	if addr.IsValid() {
		a := addr.As16() // IPv4 in its mapped form, which no subject of IPv6 has; no name is of such octets
		return key{maphash.Bytes(c.seed, a[:]), uint32(maphash.Bytes(c.check, a[:]))}
	}
	return key{maphash.String(c.seed, name), uint32(maphash.String(c.check, name))}
}

func (c *Cache) shard(k key) *shard { return &c.shards[k.hash>>56%uint64(len(c.shards))] }

// get appends the record of a subject to buf; nothing if there is none.
func (c *Cache) get(buf []byte, k key) []byte {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	record, p := s.find(k)
	if record == nil {
		return buf
	}
	buf = append(buf, record...)
	if s.old(p) {
		s.add(k, buf[len(buf)-len(record):])
	}
	return buf
}

// put merges what was asked at that tick or later into the record of a subject. Of a
// whole name it also says how much of it is the registered domain.
func (c *Cache) put(k key, fresh []kept, registered int, written uint32) {
	var buf [256]byte
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, p := s.find(k)
	record := merge(buf[:0], old, fresh, registered, written, c.slots)
	if len(record) > maxRecord {
		record = merge(buf[:0], nil, fresh, registered, written, c.slots)
	}
	if len(record) <= len(old) && !s.old(p) {
		copy(old, record)
		clear(old[len(record):]) // no entry begins with 0
		return
	}
	s.add(k, record)
}

// bytes is what the shard takes.
func (s *shard) bytes() int { return len(s.pages)*s.pageSize + len(s.index.slots)*4 }

// crowded reports whether a new page costs an old one.
func (s *shard) crowded() bool {
	return len(s.pages) > 0 && s.bytes()+s.pageSize > s.limit
}

// old reports whether a record must move to live on.
func (s *shard) old(p place) bool { return s.nth(p) < len(s.pages)/2 && s.crowded() }

// find is the record of a subject, in its page, and its place; nil if there is none.
func (s *shard) find(k key) ([]byte, place) {
	p := s.index.slots[s.lookup(k.hash)]
	if p == 0 {
		return nil, 0
	}
	head := s.pages[s.nth(p)][p.at():]
	if binary.BigEndian.Uint32(head[8:]) != k.check {
		return nil, 0
	}
	return head[headBytes : headBytes+int(binary.BigEndian.Uint16(head[12:]))], p
}

// add writes a record into the newest page, and points the index there. What is
// there of the subject in another place is forgotten with its page.
func (s *shard) add(k key, record []byte) {
	size := headBytes + len(record)
	if len(record) > maxRecord {
		return
	}
	last := len(s.pages) - 1
	if last < 0 || len(s.pages[last])+size > s.pageSize {
		for s.crowded() {
			s.drop()
		}
		s.pages = append(s.pages, make([]byte, pageHead, s.pageSize))
		last = len(s.pages) - 1
	}
	page := s.pages[last]
	at := len(page)
	page = binary.BigEndian.AppendUint64(page, k.hash)
	page = binary.BigEndian.AppendUint32(page, k.check)
	page = binary.BigEndian.AppendUint16(page, uint16(len(record)))
	s.pages[last] = append(page, record...)
	s.point(k.hash, placeOf(s.first+uint16(last), at))
}

// drop forgets the oldest page.
func (s *shard) drop() {
	page := s.pages[0]
	for at := pageHead; at < len(page); {
		s.unpoint(placeOf(s.first, at))
		at += headBytes + int(binary.BigEndian.Uint16(page[at+12:]))
	}
	s.pages[0] = nil
	s.pages = s.pages[1:]
	s.first++
}

// Size counts the subjects that something is known of, and the bytes that takes.
func (c *Cache) Size() (subjects int, bytes int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		subjects += s.index.n
		bytes += int64(s.bytes())
		s.mu.Unlock()
	}
	return subjects, bytes
}
