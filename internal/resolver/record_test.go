package resolver

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func sameData(t *testing.T, want, got data) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return // cmp is slow where fuzzing is not
	}
	opts := []cmp.Option{cmp.AllowUnexported(data{}), cmpopts.EquateComparable(netip.Addr{})}
	if d := cmp.Diff(want, got, opts...); d != "" {
		t.Errorf("-packed +unpacked\n%s", d)
	}
}

func TestPackedRecord(t *testing.T) {
	subjects := []subject{
		{name: "example.test"},
		{name: strings.Repeat(`\000.`, 120) + "test"},
		{addr: netip.MustParseAddr("192.0.2.7")},
		{addr: netip.MustParseAddr("2001:db8::7")},
	}
	contents := []struct {
		kind kind
		data data
	}{
		{kindA, data{outcome: Found, addrs: addrs("192.0.2.7", "0.0.0.0")}},
		{kindAAAA, data{outcome: Found, addrs: addrs("2001:db8::7", "::ffff:192.0.2.7"), partial: true}},
		{kindMX, data{outcome: Found, mx: []MX{{0, ""}, {65535, "mx.example.test"}}}},
		{kindTXT, data{outcome: Found, texts: []string{"", "v=spf1 -all", strings.Repeat("\x00", 5000)}}},
		{kindPTR, data{outcome: Found, names: []string{"a.test", strings.Repeat("a.", 120) + "test"}}},
		{kindA, data{outcome: NoData}},
		{kindMX, data{outcome: NoName}},
		{kindTXT, data{outcome: Failed, reason: ServFail}},
		{kindPTR, data{outcome: Failed, reason: NoServer}},
	}
	for _, s := range subjects {
		b := appendSubject(nil, s)
		for i, c := range contents {
			b = appendPart(b, pack(c.kind, c.data, uint32(i)))
		}
		parts, ok := partsOf(string(b), s)
		if !ok {
			t.Fatalf("%v: not found in its own record", s)
		}
		for _, other := range subjects {
			if _, ok := partsOf(string(b), other); ok != (other == s) {
				t.Errorf("%v: taken for %v", s, other)
			}
		}
		for i, c := range contents {
			p, rest, ok := nextPart(parts)
			if parts = rest; !ok || p.kind != c.kind || p.expiry != uint32(i) {
				t.Fatalf("part %d: %v %+v", i, ok, p)
			}
			got, ok := unpack(p)
			if !ok {
				t.Fatalf("part %d does not unpack", i)
			}
			sameData(t, c.data, got)
		}
		if parts != "" {
			t.Errorf("%q is left over", parts)
		}
	}
}

func TestPackedForward(t *testing.T) {
	for _, f := range []forward{
		{place: 9, outcome: Found, addrs: addrs("192.0.2.7", "192.0.2.8"), expiry: 77},
		{place: 0, outcome: NoData, expiry: 1<<32 - 1},
		{place: 1, outcome: NoName},
	} {
		got, ok := unpackForward(packForward(f), 4)
		opts := []cmp.Option{cmp.AllowUnexported(forward{}), cmpopts.EquateComparable(netip.Addr{})}
		if d := cmp.Diff(f, got, opts...); !ok || d != "" {
			t.Errorf("%v: -packed +unpacked\n%s", ok, d)
		}
	}
}

// A part of a kind that comes later must not hide the others, nor be lost.
func TestUnknownPartsAreKept(t *testing.T) {
	r := newTest(t, Config{})
	answerWith(r, func(f *flight) (data, uint32) { return data{outcome: NoData}, 300 })
	s := subject{name: "a.test"}
	list := part{kind: 20, outcome: Found, expiry: 1 << 20, payload: "a list answer"}
	r.cache.update(s, func(b []byte, _ string) []byte { return appendPart(b, list) })
	for _, qtype := range []uint16{1, 28, 15} {
		r.Lookup(t.Context(), "a.test", qtype)
	}
	parts, _ := r.cache.get(s)
	if good, _ := find(parts, 20); good != list {
		t.Errorf("got %+v", good)
	}
	if good, _ := find(parts, kindMX); good.outcome != NoData {
		t.Errorf("MX: %+v", good)
	}
}

// FuzzRecord takes any bytes for a record. What unpacks must pack and unpack to
// the same.
func FuzzRecord(f *testing.F) {
	b := appendSubject(nil, subject{name: "a.test"})
	b = appendPart(b, pack(kindA, data{outcome: Found, addrs: addrs("192.0.2.7")}, 7))
	b = appendPart(b, pack(kindMX, data{outcome: Found, mx: []MX{{1, "b.test"}}}, 7))
	b = appendPart(b, pack(kindTXT, data{outcome: Found, texts: []string{"x", ""}}, 7))
	b = appendPart(b, pack(kindTXT, data{outcome: Failed, reason: Timeout}, 7))
	f.Add(b)
	b = appendSubject(nil, subject{addr: netip.MustParseAddr("2001:db8::1")})
	b = appendPart(b, pack(kindPTR, data{outcome: Found, names: []string{"a.test"}}, 7))
	b = appendPart(b, packForward(forward{outcome: Found, addrs: addrs("2001:db8::1")}))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		record := string(b)
		for _, s := range []subject{{name: "a.test"}, {addr: netip.MustParseAddr("192.0.2.7")}, {addr: netip.MustParseAddr("2001:db8::1")}} {
			if parts, ok := partsOf(record, s); ok {
				record = parts
				break
			}
		}
		for parts := record; ; {
			p, rest, ok := nextPart(parts)
			if !ok {
				break
			}
			if len(rest) >= len(parts) {
				t.Fatal("no step forward")
			}
			parts = rest
			if again, _, ok := nextPart(string(appendPart(nil, p))); !ok || again != p {
				t.Fatalf("%+v became %+v", p, again)
			}
			if fw, ok := unpackForward(p, 4); ok {
				if again, ok := unpackForward(packForward(fw), 4); !ok || again.place != fw.place || len(again.addrs) != len(fw.addrs) {
					t.Fatalf("%+v became %+v", fw, again)
				}
			}
			d, ok := unpack(p)
			if !ok {
				continue
			}
			again, ok := unpack(pack(p.kind, d, p.expiry))
			if !ok {
				t.Fatalf("%+v does not unpack again", d)
			}
			sameData(t, d, again)
		}
	})
}
