package ratelimit

import (
	"bytes"
	"context"
	"testing"
	"time"
)

func seeds() [][]byte {
	table := NewTable(Options{Track: true}, noon)
	accounts := NewAccounts(AccountOptions{Track: true}, secret, noon)
	now := noon
	for i := range uint64(20) {
		now = now.Add(time.Duration(i) * time.Minute)
		for j := range i {
			table.Settle(context.Background(), charge(spread(j), 100, uint32(1+i*i*i*i*i), time.Hour<<(j%8)), Keep, now)
		}
		accounts.Age(string(rune('a'+i)), time.Time{}, now)
	}
	return [][]byte{table.ExportChanged(nil, now), accounts.ExportChanged(nil, now.Add(-day)), snapshot(table, now.Add(day))}
}

// FuzzImport reads any bytes as a journal, into a Table and Accounts.
func FuzzImport(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed[:len(seed)/4])
	}
	f.Add(appendFrame(nil, FrameCounters, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, accounts := NewTable(Options{}, noon), NewAccounts(AccountOptions{}, secret, noon)
		for len(data) > 0 {
			frame, rest, err := NextFrame(data)
			if err != nil {
				break
			}
			if len(rest) >= len(data) || !bytes.Equal(appendFrame(nil, frame.Kind, frame.body), data[:len(data)-len(rest)]) {
				t.Fatalf("a frame of %x leaves %x", data, rest)
			}
			table.Import(frame, noon)
			accounts.Import(frame, noon)
			data = rest
		}
		importAll(t, table, snapshot(table, noon), noon)
	})
}

// FuzzBody reads any bytes as the body of a frame whose sum is right.
func FuzzBody(f *testing.F) {
	for _, seed := range seeds() {
		for data := seed; len(data) > 0; {
			frame, rest, err := NextFrame(data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(frame.body)
			data = rest
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		framed := appendFrame(nil, FrameCounters, body)
		frame, rest, err := NextFrame(framed)
		if err != nil || len(rest) > 0 || !bytes.Equal(frame.body, body) {
			t.Fatalf("%x comes back as %x, %x, %v", body, frame.body, rest, err)
		}
		checkImport(t, frame)
		checkImport(t, Frame{FrameAccounts, body})
	})
}

func checkImport(t *testing.T, f Frame) {
	table, accounts := NewTable(Options{}, noon), NewAccounts(AccountOptions{}, secret, noon)
	if n, err := table.Import(f, noon); err != nil && (n != 0 || table.Stats().Keys != 0) {
		t.Fatalf("%d counters are taken of a frame with %v", table.Stats().Keys, err)
	}
	if n, err := accounts.Import(f, noon); err != nil && (n != 0 || accounts.Stats().Keys != 0) {
		t.Fatalf("%d accounts are taken of a frame with %v", accounts.Stats().Keys, err)
	}
	first := snapshot(table, noon)
	again := NewTable(Options{}, noon)
	importAll(t, again, first, noon)
	if table.Stats().Keys < again.Stats().Keys {
		t.Fatalf("%d counters, %d after import", table.Stats().Keys, again.Stats().Keys)
	}
	for i := range table.shards {
		for _, c := range table.shards[i].cells {
			if c.free() {
				continue
			}
			window := time.Duration(c.window()) * time.Second
			a, b := charge(c.id, 1, 1, window), charge(c.id, 1, 1, window)
			table.Look(a, noon)
			again.Look(b, noon)
			if a[0].Used != b[0].Used || a[0].Wait != b[0].Wait {
				t.Fatalf("%+v, after import %+v", a[0], b[0])
			}
			if a[0].Wait > window+window/subs {
				t.Fatalf("shut out for %v by a window of %v", a[0].Wait, window)
			}
		}
	}
	for frame := range accounts.ExportAll(noon) {
		if _, err := accounts.Import(Frame{FrameAccounts, frame[3 : len(frame)-4]}, noon); err != nil && len(frame) < 128 {
			t.Fatal(err)
		}
	}
}
