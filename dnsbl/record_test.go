package dnsbl

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"testing"
)

// entries unpacks all of a record.
func entries(record []byte) (all []kept) {
	base, rest := entriesOf(record)
	for {
		e, more, ok := next(base, rest)
		if !ok {
			return all
		}
		all, rest = append(all, e), more
	}
}

func entry0(slot uint16, expires uint32) kept { return kept{slot: slot, expires: expires} }

func TestRecordsAreMerged(t *testing.T) {
	const now, hour = 5000, 720 // ticks
	fail := kept{slot: 1, holds: trouble, expires: now + 2, payload: []byte{1}}
	lapsed := kept{slot: 1, holds: trouble, expires: now, payload: []byte{1}}
	good, older, gone := entry0(1, now+100), entry0(1, now-hour), entry0(1, now-hour-1)
	lists := newSlots()
	for i := range 400 {
		lists.of(strconv.Itoa(i), "")
	}
	for _, c := range []struct {
		name             string
		old, fresh, want []kept
	}{
		{"the first", nil, []kept{good}, []kept{good}},
		{"other lists stay", []kept{entry0(300, now+9)}, []kept{good}, []kept{entry0(300, now+9), good}},
		{"a good answer replaces a good one", []kept{older}, []kept{good}, []kept{good}},
		{"and trouble", []kept{older, fail}, []kept{good}, []kept{good}},
		{"trouble stands beside a good one", []kept{older}, []kept{fail}, []kept{older, fail}},
		{"and replaces trouble", []kept{older, lapsed}, []kept{fail}, []kept{older, fail}},
		{"trouble lapses", []kept{lapsed}, []kept{entry0(2, now+9)}, []kept{entry0(2, now+9)}},
		{"what expired over an hour ago goes", []kept{gone}, []kept{entry0(2, now+9)}, []kept{entry0(2, now+9)}},
		{"what expires at the far end stays", []kept{entry0(3, now-hour+maxTicks)}, []kept{good}, []kept{entry0(3, now-hour+maxTicks), good}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := merge(nil, nil, c.old, 7, now-hour, lists)
			if c.old != nil && len(entries(before)) != len(c.old) {
				before = merge(nil, nil, c.old, 7, now, lists)
			}
			record := merge(nil, before, c.fresh, 7, now, lists)
			got := entries(append(record, 0, 0, 0))
			if !slices.EqualFunc(got, c.want, sameEntry) || registeredOf(record) != 7 {
				t.Errorf("%v and %v make %v, want %v", c.old, c.fresh, got, c.want)
			}
		})
	}
}

func sameEntry(a, b kept) bool {
	return a.slot == b.slot && a.holds == b.holds && a.expires == b.expires && bytes.Equal(a.payload, b.payload)
}

func TestAnswersArePacked(t *testing.T) {
	for _, c := range []struct {
		name, addrs string
		size        int // of the payload
	}{
		{"nothing", "", 0},
		{"one code", "127.0.0.2", 4},
		{"several codes", "127.0.0.2 127.0.0.4 127.255.255.254", 10},
		{"what no list answers", "127.0.0.2 10.0.0.1", 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			addrs := addrsOf(t, c.addrs)
			holds, payload, ok := pack(addrs)
			if !ok || len(payload) != c.size {
				t.Errorf("%q packs into %d octets, %v; want %d", c.addrs, len(payload), ok, c.size)
			}
			if got := unpack(nil, kept{holds: holds, payload: payload}); !slices.Equal(got, addrs) {
				t.Errorf("%q comes back as %v", c.addrs, got)
			}
		})
	}
	many := make([]netip.Addr, maxAddrs+1)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{127, 0, 0, byte(i)})
	}
	if _, _, ok := pack(many); ok {
		t.Error("an answer of any size is kept")
	}
	if _, payload, ok := pack(many[1:]); !ok || len(payload) != 1+3*maxAddrs {
		t.Error("the largest answer is not kept")
	}
	if _, _, ok := pack(addrsOf(t, "2001:db8::7")); ok {
		t.Error("IPv6 is kept as an A record")
	}
}

func TestReasonsArePacked(t *testing.T) {
	for _, reason := range troubles {
		if got := troubleName(troubleOf(reason)); got != reason {
			t.Errorf("%q comes back as %q", reason, got)
		}
	}
	if troubleName(troubleOf("whatever")) != "failed" || troubleName(255) != "failed" {
		t.Error("an unknown reason is not just failed")
	}
}

// FuzzRecord reads any octets as a record: it must end, and what it reads must
// survive being written again.
func FuzzRecord(f *testing.F) {
	f.Add(merge(nil, nil, []kept{entry0(1, 6000), {slot: 300, holds: loopbacks, expires: 6001, payload: []byte{1, 0, 0, 2}}}, 11, 5000, newSlots()))
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0xff, 0xff, 200})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		all := entries(record)
		if len(all)*3 > len(record) {
			t.Fatalf("%d entries in %d octets", len(all), len(record))
		}
		base, _ := entriesOf(record)
		again := []byte{0, 0, 0, 0, 0}
		copy(again, record)
		for _, e := range all {
			if e.slot > maxSlot || e.expires < base || e.expires-base > maxTicks {
				return // of octets that no cache writes
			}
			again = appendEntry(again[:len(again):len(again)], base, e)
		}
		if len(all) > 0 && !slices.EqualFunc(entries(again), all, sameEntry) {
			t.Fatalf("%v comes back as %v", all, entries(again))
		}
	})
}
