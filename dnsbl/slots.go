package dnsbl

import (
	"crypto/sha256"
	"math"
	"sync"
	"sync/atomic"
)

// A slot is a list in the cache's records: its number, and from when on what it
// said may be used.
type slot struct {
	n     uint16        // 0: it is not kept
	heeds atomic.Uint64 // generation and tick of its beginning, 32 bits each
}

const (
	maxSlot    = 1<<14 - 1 // 2 octets of a uvarint
	unheeded   = math.MaxUint64
	generation = 32 // bits to shift by
)

// heed notes the generation that the list is in. What was written until the moment
// of a new one is not used any more: it may be the madness that the list was
// stopped for.
func (s *slot) heed(now uint32, in uint32) {
	for {
		old := s.heeds.Load()
		if old != unheeded && uint32(old>>generation) == in {
			return
		}
		since := uint64(now)
		if old == unheeded {
			since = 0
		}
		if s.heeds.CompareAndSwap(old, uint64(in)<<generation|since) {
			return
		}
	}
}

// trusts reports whether what was written then may be used.
func (s *slot) trusts(written uint32) bool {
	h := s.heeds.Load()
	return h == unheeded || written > uint32(h)
}

// slots are the lists that a cache knows.
type slots struct {
	mu    sync.Mutex
	byID  map[[sha256.Size]byte]*slot
	inRow atomic.Pointer[[]*slot] // by their number, less 1
}

func newSlots() *slots {
	s := &slots{byID: map[[sha256.Size]byte]*slot{}}
	s.inRow.Store(&[]*slot{})
	return s
}

// of gives a list its slot: the same for the same id, zone and key, as long as the
// cache lives. Its number is 0 when there were more lists than numbers. What is
// remembered tells no key.
func (s *slots) of(id, zone string) *slot {
	sum := sha256.Sum256([]byte(id + "\x00" + zone))
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byID[sum]; known != nil {
		return known
	}
	list := &slot{}
	list.heeds.Store(unheeded)
	row := *s.inRow.Load()
	if len(row) < maxSlot {
		list.n = uint16(len(row) + 1)
		row = append(row, list) // readers of the shorter row do not look behind its end
		s.inRow.Store(&row)
		s.byID[sum] = list
	}
	return list
}

// trusts reports whether an entry of a record written then may be used.
func (s *slots) trusts(n uint16, written uint32) bool {
	row := *s.inRow.Load()
	return int(n) <= len(row) && row[n-1].trusts(written)
}
