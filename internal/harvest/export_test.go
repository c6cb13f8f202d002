package harvest

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"
)

var secret = Secret{1, 2, 3}

// again gives what another process knows by all that was exported.
func again(t testing.TB, now time.Time, records ...[]byte) *Watch {
	t.Helper()
	w := NewKept(usual, secret)
	for _, r := range records {
		if err := w.Import(r, now); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func exported(w *Watch) (all [][]byte) {
	for r := range w.ExportAll() {
		all = append(all, bytes.Clone(r))
	}
	return all
}

// TestAHarvestOutlivesARestart, whether its end is known by changes or by all there is;
// the nineteen names of before count, and the same name counts once.
func TestAHarvestOutlivesARestart(t *testing.T) {
	for _, whole := range []bool{false, true} {
		w := NewKept(usual, secret)
		var records [][]byte
		for i := range 19 {
			w.Unknown(client, fmt.Sprint("x", i), noon)
			w.Known(client, fmt.Sprint("user", i), noon)
			if !whole && i%5 == 0 {
				records = append(records, w.ExportChanged(nil))
			}
		}
		w.Trap(client, noon)
		if whole {
			records = exported(w)
		} else if records = append(records, w.ExportChanged(nil)); len(w.ExportChanged(nil)) > 0 {
			t.Error("what was told is told again")
		}
		later := noon.Add(time.Hour)
		v := again(t, later, records...)
		v.Unknown(client, "x0", later)
		if sign, ok := v.Fishing(client, later); ok {
			t.Errorf("%v: the same name again: %s", whole, sign)
		}
		v.Unknown(client, "x19", later)
		if sign, ok := v.Fishing(client, later); !ok || sign != "20 of 39 names tried from 192.0.2.7 do not exist, in 1h0m0s" {
			t.Errorf("%v: %q, %v", whole, sign, ok)
		}
		if _, ok := v.Trapped(client, later); !ok {
			t.Errorf("%v: the trap is forgotten", whole)
		}
		for _, r := range records {
			if bytes.Contains(r, []byte("x1")) && bytes.Contains(r, []byte("user")) {
				t.Errorf("%v: a name stands in %q", whole, r)
			}
		}
	}
}

func TestWhatIsOverIsNotTakenIn(t *testing.T) {
	w := NewKept(usual, secret)
	for i := range 25 {
		w.Unknown(client, fmt.Sprint("x", i), noon)
	}
	w.Trap(client, noon)
	records := exported(w)
	for _, tt := range []struct {
		name      string
		now       time.Time
		peers     int
		trapped   int
		fishing   bool
		forgotten bool
	}{
		{"at once", noon, 2, 1, true, false},
		{"after the window", noon.Add(usual.Window), 0, 1, false, false},
		{"after the traps", noon.Add(usual.Trap), 0, 0, false, false},
		{"by a clock that was set back", noon.Add(-time.Hour), 2, 1, true, false},
		{"forgotten by the operator", noon, 0, 0, false, true},
	} {
		all := records
		if tt.forgotten {
			w.ExportChanged(nil)
			w.Forget(client)
			all = append(all[:len(all):len(all)], w.ExportChanged(nil))
		}
		v := again(t, tt.now, all...)
		_, fishing := v.Fishing(client, tt.now)
		if s := v.Stats(tt.now); s.Peers != tt.peers || s.Marked != tt.trapped || fishing != tt.fishing || v.Len() != tt.peers+tt.trapped {
			t.Errorf("%s: %+v, %v", tt.name, s, fishing)
		}
	}
}

func TestImportIsBounded(t *testing.T) {
	w := NewKept(usual, secret)
	for i := range maxNames/mostHeld/2 + 100 { // more than it would hold itself
		p := &peer{began: noon, first: noon}
		for n := range uint32(mostHeld) {
			p.halves[0].unknown, p.halves[1].known = append(p.halves[0].unknown, n), append(p.halves[1].known, n)
		}
		w.peers.Add(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 32), p)
		w.names += p.held()
	}
	if w.names <= maxNames {
		t.Fatalf("only %d names", w.names)
	}
	v := again(t, noon, exported(w)...)
	held := 0
	for _, p := range v.peers.Values() {
		held += p.held()
	}
	if v.names != held || v.names > maxNames || v.names < maxNames*9/10 {
		t.Errorf("%d names counted, %d held, %d before", v.names, held, w.names)
	}
}

func TestRecordsThatAreNone(t *testing.T) {
	w := NewKept(usual, secret)
	for i := range 25 {
		w.Unknown(client, fmt.Sprint("x", i), noon)
	}
	whole := exported(w)[0]
	for name, record := range map[string][]byte{
		"nothing": {}, "cut off": whole[:len(whole)-1], "an address that is no network's first": append([]byte{1, 1, 24}, make([]byte, 40)...), "a kind that is none": bytes.Replace(whole, []byte{1, 1}, []byte{1, 9}, 1),
	} {
		v := NewKept(usual, secret)
		if err := v.Import(record, noon); !errors.Is(err, ErrDamaged) || v.Len() > 0 {
			t.Errorf("%s: %v, %d taken", name, err, v.Len())
		}
	}
	if err := w.Import([]byte{2}, noon); !errors.Is(err, ErrVersion) {
		t.Error(err)
	}
}

// FuzzImport holds that whatever a disk gives back is taken whole or not at all, that the
// bounds hold, and that what was taken is given again as it is.
func FuzzImport(f *testing.F) {
	w := NewKept(usual, secret)
	for i := range 600 {
		w.Unknown(client, fmt.Sprint("x", i), noon.Add(time.Duration(i)*time.Minute))
		w.Known(client, fmt.Sprint("u", i), noon)
	}
	w.Unknown(netip.MustParseAddr("2001:db8::1"), "x", noon)
	w.Trap(client, noon)
	for _, r := range exported(w) {
		f.Add(r)
	}
	w.Forget(client)
	f.Add(w.ExportChanged(nil))
	f.Fuzz(func(t *testing.T, record []byte) {
		one := NewKept(usual, secret)
		if err := one.Import(record, noon); err != nil {
			if one.Len() > 0 || one.names > 0 {
				t.Fatalf("%v, and %d are taken", err, one.Len())
			}
			return
		}
		held := 0
		for _, p := range one.peers.Values() {
			held += p.held()
		}
		if held != one.names || held > maxNames {
			t.Fatalf("%d names counted, %d held", one.names, held)
		}
		two := again(t, noon, exported(one)...)
		for _, key := range one.peers.Keys() {
			a, _ := one.peers.Peek(key)
			b, ok := two.peers.Peek(key)
			if !ok {
				t.Fatalf("%v is lost", key)
			}
			u1, k1, s1, f1 := a.fishing(noon, &usual)
			u2, k2, s2, f2 := b.fishing(noon, &usual)
			if u1 != u2 || k1 != k2 || s1 != s2 || f1 != f2 {
				t.Fatalf("%v: %d of %d in %v, then %d of %d in %v", key, u1, k1, s1, u2, k2, s2)
			}
		}
		if one.trapped.Len() != two.trapped.Len() {
			t.Fatal("traps are lost")
		}
	})
}
