package records

import (
	"bytes"
	"testing"
	"time"
)

func block(t testing.TB, rs ...Record) []byte {
	var p packer
	for i := range rs {
		p.add(&rs[i])
	}
	b, err := p.seal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzScan reads any file. Each byte of it is in a block, lost, or in the torn end;
// a whole block behind whatever it is is found; what is unpacked keeps to its bounds.
func FuzzScan(f *testing.F) {
	good := block(f, Record{ID: "lzbg2hifo8cf", When: time.UnixMilli(1e12), Keys: []Key{{Client, "192.0.2.1"}}, Body: []byte("{}")})
	f.Add(good)
	f.Add(append(bytes.Clone(good), good[:50]...))
	f.Add(append([]byte("mpr1"), good...))
	f.Add([]byte("mpr2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		blocks := func(data []byte) (sum int64, s *scanner, last []byte) {
			s = newScanner(bytes.NewReader(data), int64(len(data)))
			for {
				h, _, at, ok := s.next()
				if !ok {
					return sum, s, last
				}
				last = data[at : at+int64(h.size())]
				sum += int64(len(last))
				if all, err := unpack(last); err == nil && len(all) > h.raw {
					t.Fatalf("%d records in %d bytes", len(all), h.raw)
				}
			}
		}
		sum, s, _ := blocks(data)
		if sum+s.lost+s.tail != int64(len(data)) {
			t.Fatalf("%d bytes in blocks, %d lost, %d at the end, of %d", sum, s.lost, s.tail, len(data))
		}
		if _, _, last := blocks(append(bytes.Clone(data), good...)); s.tail < headSize && !bytes.Equal(last, good) {
			t.Fatal("a whole block at the end is not found")
		}
	})
}

// FuzzUnpack reads any packed records: what it gives is packed to the same bytes again.
func FuzzUnpack(f *testing.F) {
	r := Record{ID: "lzbg2hifo8cf", When: time.UnixMilli(1e12), Keys: []Key{{Client, "192.0.2.1"}, {Rcpt, ""}}, Body: []byte("{}")}
	f.Add(r.append(nil))
	f.Add(r.append(r.append(nil)))
	f.Add([]byte{9, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := data
		for len(rest) > 0 {
			r, next, err := nextRecord(rest)
			if err != nil {
				return
			}
			if used := rest[:len(rest)-len(next)]; len(r.ID) < 256 && inBounds(&r) && !bytes.Equal(r.append(nil), used) {
				t.Fatalf("%q is packed as %q", used, r.append(nil))
			}
			rest = next
		}
	})
}

func inBounds(r *Record) bool {
	for _, k := range r.Keys {
		if len(k.Value) > maxValue {
			return false
		}
	}
	return true
}
