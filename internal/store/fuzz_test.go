package store

import (
	"bytes"
	"testing"
)

// FuzzReader reads any file. Each frame that it gives stands in the file as it
// was given; each byte is in a frame, or counted as damage; and where good frames
// follow what is damaged, they are found.
func FuzzReader(f *testing.F) {
	m := newMark(0x01020304)
	good := appendFrame(nil, m, "limits", []byte("record"))
	l := label{kind: labelJournal, base: 3}
	first := appendFrame(nil, m, "", l.append(nil))
	f.Add(append(bytes.Clone(first), good...))
	f.Add(append(bytes.Clone(good), good[:len(good)-3]...))
	f.Add(append(append(bytes.Clone(first), "mps1mps1"...), good...))
	f.Add(laterVersion())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		own := newReader(bytes.NewReader(data), int64(len(data)))
		var frames int64
		for {
			name, record, ok := own.next()
			if !ok {
				break
			}
			frame := appendFrame(nil, own.mark, name, record)
			if !bytes.Contains(data, frame) {
				t.Fatalf("%q %q is no frame of the file", name, record)
			}
			frames += int64(len(frame))
		}
		if sum := frames + own.lost + own.tail; sum != int64(len(data)) {
			t.Fatalf("%d bytes in frames, %d lost, %d at the end, of %d", frames, own.lost, own.tail, len(data))
		}
		if own.known || len(data) == 0 {
			return
		}
		// Nothing of it is a frame: then whole ones behind it are found.
		all := append(bytes.Clone(data), good...)
		r := newReader(bytes.NewReader(all), int64(len(all)))
		name, record, ok := r.next()
		if !ok || name != "limits" || string(record) != "record" {
			t.Fatalf("after %d bytes: %q %q %v", len(data), name, record, ok)
		}
		if r.damaged != 1 || r.lost != int64(len(data)) {
			t.Fatalf("%d places, %d bytes", r.damaged, r.lost)
		}
	})
}
