package dnsbl

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

func numbered(i int) netip.Addr {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x2d000000+uint32(i))
	return netip.AddrFrom4(a)
}

// TestTheCacheKeepsItsBound writes far more than fits, in records of many sizes.
func TestTheCacheKeepsItsBound(t *testing.T) {
	for _, limit := range []int64{1 << 16, 1 << 18, 4 << 20} {
		c := NewCache(limit)
		rng := rand.New(rand.NewPCG(1, uint64(limit)))
		now := c.now(time.Now())
		for i := range 12_000 {
			fresh := make([]kept, 1+rng.IntN(40))
			for k := range fresh {
				fresh[k] = entry0(uint16(k+1), now+9)
			}
			c.put(c.keyOf(numbered(rng.IntN(20_000)), ""), fresh, 0, now)
			if i%1000 == 0 {
				if _, bytes := c.Size(); bytes > limit {
					t.Fatalf("%d bytes, the limit is %d", bytes, limit)
				}
			}
		}
		subjects, bytes := c.Size()
		if bytes > limit || limit < 4<<20 && bytes < limit/2 || subjects < 100 {
			t.Errorf("limit %d: %d subjects in %d bytes", limit, subjects, bytes)
		}
	}
}

// TestTheCacheIsRight compares with a map: what is found is what was put last.
func TestTheCacheIsRight(t *testing.T) {
	c := NewCache(1 << 17)
	rng := rand.New(rand.NewPCG(7, 7))
	now := c.now(time.Now())
	for i := range 200 {
		c.slots.of(fmt.Sprint(i), "")
	}
	last := map[int]uint32{}
	found := 0
	for range 60_000 {
		i := rng.IntN(8_000)
		k := c.keyOf(numbered(i), "")
		if rng.IntN(2) == 0 {
			last[i] = now + 1 + rng.Uint32N(1000)
			fresh := []kept{entry0(uint16(1+i%50), last[i])}
			for n := range rng.IntN(5) {
				fresh = append(fresh, kept{slot: uint16(100 + n), holds: loopbacks, expires: now + 5, payload: []byte{1, 0, 0, byte(n)}})
			}
			c.put(k, fresh, 0, now)
			continue
		}
		all := entries(c.get(nil, k))
		for _, e := range all {
			if e.slot < 100 && (e.slot != uint16(1+i%50) || e.expires != last[i]) {
				t.Fatalf("subject %d has slot %d until %d, want slot %d until %d", i, e.slot, e.expires, 1+i%50, last[i])
			}
		}
		if len(all) > 0 {
			found++
		}
	}
	if found < 2000 {
		t.Errorf("found %d of some 30,000", found)
	}
}

// TestWhatIsUsedStays writes a flood past a subject that is read now and then.
func TestWhatIsUsedStays(t *testing.T) {
	c := NewCache(1 << 18)
	now := c.now(time.Now())
	used, unused := c.keyOf(netip.Addr{}, "used.example"), c.keyOf(netip.Addr{}, "unused.example")
	c.put(used, []kept{entry0(1, now+9)}, 0, now)
	c.put(unused, []kept{entry0(1, now+9)}, 0, now)
	for i := range 20_000 {
		c.put(c.keyOf(numbered(i), ""), []kept{entry0(1, now+9)}, 0, now)
		if i%500 == 0 && len(c.get(nil, used)) == 0 {
			t.Fatalf("forgotten after %d others", i)
		}
	}
	if len(c.get(nil, unused)) != 0 {
		t.Error("what is not used stays")
	}
}

func TestAnswersThatAreRenewedTakeNoMoreRoom(t *testing.T) {
	c := NewCache(1 << 20)
	now := c.now(time.Now())
	k := c.keyOf(numbered(1), "")
	for i := range uint32(10_000) {
		c.put(k, []kept{entry0(1, now+i+9)}, 0, now+i)
	}
	if _, bytes := c.Size(); bytes > 2*fullPage+1024 {
		t.Errorf("one subject takes %d bytes", bytes)
	}
}

func TestSlots(t *testing.T) {
	c := NewCache(0)
	a, b := c.slots.of("a", "bl.example"), c.slots.of("b", "bl.example")
	if a == b || a.n == b.n || a.n == 0 || b.n == 0 || c.slots.of("a", "bl.example") != a {
		t.Errorf("slots %d and %d", a.n, b.n)
	}
	if c.slots.of("a", "key.bl.example") == a {
		t.Error("a list under another key is the same list")
	}
	for i := range maxSlot + 9 {
		if s := c.slots.of(fmt.Sprint(i), ""); s.n > maxSlot {
			t.Fatalf("slot %d does not fit a record", s.n)
		}
	}
	if c.slots.of("a", "bl.example") != a || c.slots.of("one more", "").n != 0 {
		t.Error("a full table takes more, or forgot the first")
	}
}

func TestSlotsHeedGenerations(t *testing.T) {
	s := newSlots().of("a", "bl.example")
	s.heed(100, 7)
	if !s.trusts(50) {
		t.Error("the first generation that is seen is a new one")
	}
	s.heed(200, 7)
	if !s.trusts(150) {
		t.Error("the same generation is a new one")
	}
	s.heed(300, 8)
	if s.trusts(250) || s.trusts(300) || !s.trusts(301) {
		t.Error("a new generation does not begin at its tick")
	}
}

// TestMergingTrustsNobodyTwice holds that a record's new time does not renew what
// an old one holds of a list that was stopped in between.
func TestMergingTrustsNobodyTwice(t *testing.T) {
	c := NewCache(0)
	mad, sane := c.slots.of("mad", ""), c.slots.of("sane", "")
	mad.heed(1000, 1)
	k := c.keyOf(numbered(1), "")
	c.put(k, []kept{entry0(mad.n, 9000), entry0(sane.n, 9000)}, 0, 1001)
	mad.heed(1002, 2)
	c.put(k, []kept{entry0(c.slots.of("third", "").n, 9000)}, 0, 1003)
	for _, e := range entries(c.get(nil, k)) {
		if e.slot == mad.n {
			t.Error("what the list said in its madness has a new time")
		}
	}
}
