package ratelimit

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// TestSipHash has vectors of the reference implementation: the hash of 00, 01, ...
// under the key 00 01 ... 0f.
func TestSipHash(t *testing.T) {
	var key Secret
	for i := range key {
		key[i] = byte(i)
	}
	want := map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5}
	data := make([]byte, 64)
	for i := range data {
		data[i] = byte(i)
	}
	for n, sum := range want {
		if got := key.sum(data[:n]); got != sum {
			t.Errorf("of %d bytes: %#x, want %#x", n, got, sum)
		}
	}
}

func TestACellIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(cell{}); size != 32 {
		t.Errorf("a cell has %d bytes, want 32: two in a cache line", size)
	}
	if size := unsafe.Sizeof(sighting{}); size != 12 {
		t.Errorf("a sighting has %d bytes, want 12", size)
	}
}

// TestCellsHoldAnyCounts packs and unpacks counts of all sizes, one after another
// in the same cell.
func TestCellsHoldAnyCounts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 7))
	var s shard
	c := cell{mode: 3600}
	for range 20_000 {
		var want ring
		most := uint(1 + rnd.IntN(32))
		for i := range want {
			if rnd.IntN(26) < int(c.pend%27) {
				want[i] = rnd.Uint32() >> (32 - most)
			}
		}
		c.pend++
		b := rnd.Int64N(1 << 40)
		s.save(&c, b, &want)
		if got := s.load(&c, b); got != want {
			t.Fatalf("%v comes back as %v", want, got)
		}
		var sum, left uint64
		later := rnd.Int64N(30)
		for i, n := range want {
			sum += uint64(n)
			if int64(i)+later < slots {
				left += uint64(n)
			}
		}
		if got := s.live(&c, b*width(3600)); got != sum {
			t.Fatalf("%v adds up to %d", want, got)
		}
		if got := s.live(&c, (b+later)*width(3600)); got != left {
			t.Fatalf("%v adds up to %d after %d sub-buckets, want %d", want, got, later, left)
		}
	}
	for class := 1; class < len(blockSizes); class++ {
		if b := s.slabs[class]; b.used == 0 || int(b.used)-len(b.free) > 1 {
			t.Errorf("class %d: %d blocks were used, %d are free", class, b.used, len(b.free))
		}
	}
}

// TestAddIsSaveOfOneMore compares the short way of adding with the long one.
func TestAddIsSaveOfOneMore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 7))
	var s shard
	c, b, want := cell{mode: 3600}, int64(1000), ring{}
	for range 50_000 {
		if later := max(0, rnd.Int64N(4)-2); later > 0 || rnd.IntN(300) == 0 {
			if rnd.IntN(50) == 0 {
				later += 30
			}
			b += later
			old := want
			want = ring{}
			for i, n := range old {
				if int64(i)+later < slots {
					want[int64(i)+later] = n
				}
			}
		}
		n := 1 + rnd.Uint32N(3)
		if rnd.IntN(1000) == 0 {
			n = 1 + rnd.Uint32()>>(32-uint(1+rnd.IntN(31)))
		}
		want[0] = saturated(uint64(want[0]) + uint64(n))
		s.add(&c, b*width(3600), n)
		if got := s.load(&c, b); got != want {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func TestCountsAreSaturated(t *testing.T) {
	table := NewTable(Options{}, noon)
	c := charge(1, MaxMax, math.MaxUint32, time.Hour)
	c[0].Report = true
	for range 3 {
		table.Take(context.Background(), c, noon)
		table.Settle(context.Background(), c, Keep, noon)
	}
	table.Take(context.Background(), c, noon)
	if c[0].Amount, c[0].Report = 1, false; table.Look(c, noon) || c[0].Used != math.MaxUint32 || c[0].Wait == 0 {
		t.Errorf("%+v", c[0])
	}
}

func TestWhatIsUnknownIsSettled(t *testing.T) {
	table := NewTable(Options{}, noon)
	c := charge(1, 10, 4, time.Hour)
	table.Settle(context.Background(), c, GiveBack, noon)
	if n := table.Stats().Keys; n != 0 {
		t.Errorf("giving back made %d counters", n)
	}
	table.Settle(context.Background(), c, Keep, noon)
	if table.Look(c, noon); c[0].Used != 4 {
		t.Errorf("%d are counted, want 4", c[0].Used)
	}
}

func TestReset(t *testing.T) {
	table := NewTable(Options{Track: true}, noon)
	c := charge(1, 10, 4, time.Hour)
	table.Settle(context.Background(), c, Keep, noon)
	table.Take(context.Background(), c, noon)
	kept := table.ExportChanged(nil, noon)
	table.Reset(c)
	if table.Look(c, noon); c[0].Used != 4 {
		t.Errorf("%d are counted after a reset, want the 4 that are pending", c[0].Used)
	}
	kept = table.ExportChanged(kept, noon)
	other := NewTable(Options{}, noon)
	importAll(t, other, kept, noon)
	if other.Look(c, noon); c[0].Used != 0 {
		t.Errorf("%d are counted after a reset and a restart", c[0].Used)
	}
}

// TestAmountsAboveTheMaximumNeverFit: there is no time to come again.
func TestAmountsAboveTheMaximumNeverFit(t *testing.T) {
	table := NewTable(Options{}, noon)
	for range 2 {
		c := charge(1, 3, 4, time.Hour)
		if table.Look(c, noon) || !c[0].Over || c[0].Wait != 0 {
			t.Errorf("%+v", c[0])
		}
		table.Settle(context.Background(), charge(1, 3, 1, time.Hour), Keep, noon)
	}
}

// TestTheShardAgainstAMap enters, finds and drops cells at random.
func TestTheShardAgainstAMap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 7))
	s := shard{limit: math.MaxInt, scatter: newScatter()}
	want := map[uint64]uint32{}
	var ids []uint64
	for n := range 30_000 {
		id := rnd.Uint64N(1<<12) * 0x9e3779b97f4a7c15
		if rnd.IntN(4) == 0 {
			id = id&math.MaxUint32 | 7<<40 // in a row with others
		}
		c := s.find(id)
		if has, ok := want[id]; ok != (c != nil) || ok && c.pend != has {
			t.Fatalf("%x: %+v, want %d, %v", id, c, has, ok)
		}
		if c == nil {
			c = s.insert(id, 60, 0)
			c.pend = uint32(n + 1)
			want[id] = uint32(n + 1)
			ids = append(ids, id)
		} else if n%3 > 0 {
			for i := range s.cells {
				if &s.cells[i] == c {
					s.drop(i)
					break
				}
			}
			delete(want, id)
		}
	}
	if s.used != len(want) {
		t.Errorf("%d cells, want %d", s.used, len(want))
	}
	for _, id := range ids {
		if c := s.find(id); (c != nil) != (want[id] != 0) {
			t.Errorf("%x: %+v, want %d", id, c, want[id])
		}
	}
}

// TestASnapshotHeapsUpNowhere: it is in the order of a table's places, and is
// entered into one that grows meanwhile. The distance of cells from home tells.
func TestASnapshotHeapsUpNowhere(t *testing.T) {
	table := NewTable(Options{}, noon)
	for i := range uint64(20_000) {
		table.Settle(context.Background(), charge(spread(i)&^(shards-1), 5, 1, time.Hour), Keep, noon)
	}
	other := NewTable(Options{}, noon)
	var worst float64
	for frame := range table.ExportAll(noon) {
		importAll(t, other, frame, noon)
		s, sum := &other.shards[0], 0
		for i := range s.cells {
			if c := &s.cells[i]; !c.free() {
				sum += s.gap(s.home(c.id), i)
			}
		}
		worst = max(worst, float64(sum)/float64(s.used))
	}
	if worst > 20 {
		t.Errorf("cells were %.0f places from home on average", worst)
	}
}

// spread makes IDs that are all over the shards.
func spread(n uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	return secret.sum(b[:])
}

// TestAFullTable fills it with counters that hold more, among some that are at
// their limit: those stay.
func TestAFullTable(t *testing.T) {
	const keys, full = 64 * shards, 8 * shards
	table := NewTable(Options{Keys: keys}, noon)
	for i := range uint64(full) {
		c := charge(spread(i), 1, 1, time.Hour)
		table.Take(context.Background(), c, noon)
		table.Settle(context.Background(), c, Keep, noon)
	}
	for i := range uint64(4 * keys) {
		c := charge(spread(full+i), 5, 2, time.Hour)
		table.Take(context.Background(), c, noon)
		table.Settle(context.Background(), c, Keep, noon)
	}
	for i := range uint64(full) {
		if table.Look(charge(spread(i), 1, 1, time.Hour), noon) {
			t.Errorf("the full counter %d was given anew", i)
		}
	}
	s := table.Stats()
	if s.Keys > keys || s.Room != keys || s.EvictedMax > 0 || s.Evicted != uint64(full+4*keys-s.Keys) {
		t.Errorf("%+v", s)
	}
}

// TestAFullTableOfFullCounters has no better choice, and says so.
func TestAFullTableOfFullCounters(t *testing.T) {
	const keys = 4 * shards
	table := NewTable(Options{Keys: keys}, noon)
	for i := range uint64(4 * keys) {
		c := charge(spread(i), 1, 1, time.Hour)
		if ok, _ := table.Take(context.Background(), c, noon); !ok {
			t.Fatalf("counter %d is not empty", i)
		}
		table.Settle(context.Background(), c, Keep, noon)
	}
	if s := table.Stats(); s.Keys > keys || s.EvictedMax != s.Evicted || s.EvictedMax != uint64(4*keys-s.Keys) {
		t.Errorf("%+v", s)
	}
}

// TestWhatIsPendingStays: a table full of mail under way grows.
func TestWhatIsPendingStays(t *testing.T) {
	table := NewTable(Options{Keys: shards}, noon)
	for i := range uint64(1000) {
		table.Take(context.Background(), charge(spread(i), 1, 1, time.Hour), noon)
	}
	for i := range uint64(1000) {
		if table.Look(charge(spread(i), 1, 1, time.Hour), noon) {
			t.Errorf("reservation %d is forgotten", i)
		}
	}
}

// TestOldCountersAreSweptAway: a stream of new counters reuses the room of those
// that hold nothing any more.
func TestOldCountersAreSweptAway(t *testing.T) {
	table := NewTable(Options{}, noon)
	const each = 4000
	for minute := range 20 {
		now := noon.Add(time.Duration(minute) * 2 * time.Minute)
		for i := range uint64(each) {
			table.Settle(context.Background(), charge(spread(uint64(minute)*each+i), 5, 1, time.Minute), Keep, now)
		}
	}
	s := table.Stats()
	if s.Keys > 3*each || s.Evicted != 0 {
		t.Errorf("%d live counters take the room of %d: %+v", each, s.Keys, s)
	}
}
