package resolver

import (
	"hash/maphash"
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// entryBytes is what the LRU keeps for one entry beside the record: its list
	// element (80 bytes) and its share of the map (17 bytes a slot, 7/16 to 7/8
	// of the slots in use).
	entryBytes = 80 + 40

	// mostKept is the size up to which a shard keeps the buffer of its records.
	mostKept = 4 << 10

	// manyShards is for caches of a size that several sessions use at once.
	manyShards = 16
)

// A cache holds packed records up to a number of bytes, and forgets first what
// was not used for longest. It is safe for concurrent use.
//
// The LRU counts entries, not bytes, so each shard keeps its own account and
// removes the oldest. A record is found by a 64-bit hash of its subject under a
// secret seed, which is shorter than the subject and needs no pointer; the
// record itself says what it is about, so a collision costs a question and
// gives no wrong answer. Records do not expire here: the parts do, and an
// expired one may still be served stale.
type cache struct {
	seed   maphash.Seed
	shards []shard
}

type shard struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[uint64, string]
	bytes int64
	limit int64
	buf   []byte   // where records are put together
	_     [64]byte // so that two shards do not share a cache line
}

// newCache makes a cache of at most limit bytes.
func newCache(limit int64) *cache {
	n := manyShards
	if limit < 1<<20 {
		n = 1 // a test's cache: the bound must not be finer than its records
	}
	c := &cache{seed: maphash.MakeSeed(), shards: make([]shard, n)}
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = limit / int64(n)
		// The error is for a size below 1; the number of entries is not what bounds us.
		s.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ uint64, record string) { s.bytes -= cost(record) })
	}
	return c
}

// cost is what a record takes of the bound: the allocator's size for its bytes
// (its classes are at most an eighth apart) and the LRU's for its entry.
func cost(record string) int64 {
	step := 16
	for step*16 <= len(record) {
		step *= 2
	}
	return int64((len(record)+step-1)/step*step) + entryBytes
}

func (c *cache) hash(s subject) uint64 {
	if !s.addr.IsValid() {
		return maphash.String(c.seed, s.name)
	}
	// As16 gives IPv4 its mapped form, which no subject of IPv6 has.
	a := s.addr.As16()
	return maphash.Bytes(c.seed, a[:])
}

func (c *cache) shard(hash uint64) *shard {
	return &c.shards[hash>>32%uint64(len(c.shards))]
}

// get gives the parts of what is known about s.
func (c *cache) get(s subject) (parts string, ok bool) {
	hash := c.hash(s)
	sh := c.shard(hash)
	sh.mu.Lock()
	record, ok := sh.lru.Get(hash)
	sh.mu.Unlock()
	if !ok {
		return "", false
	}
	return partsOf(record, s)
}

// update replaces what is known about s by what edit makes of it. edit gets a
// buffer that holds the subject already, appends parts to it, and must neither
// block nor use the cache. If it returns nil all stays as it is.
func (c *cache) update(s subject, edit func(b []byte, parts string) []byte) {
	hash := c.hash(s)
	sh := c.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	old, had := sh.lru.Peek(hash)
	parts, _ := partsOf(old, s)
	edited := edit(appendSubject(sh.buf[:0], s), parts)
	if edited == nil {
		return
	}
	if cap(edited) <= mostKept {
		sh.buf = edited
	}
	record := string(edited)
	if had {
		sh.bytes -= cost(old)
	}
	sh.bytes += cost(record)
	sh.lru.Add(hash, record)
	for sh.bytes > sh.limit {
		if _, _, ok := sh.lru.RemoveOldest(); !ok {
			break
		}
	}
}

// size counts the entries and their bytes.
func (c *cache) size() (entries int, bytes int64) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		entries += sh.lru.Len()
		bytes += sh.bytes
		sh.mu.Unlock()
	}
	return entries, bytes
}
