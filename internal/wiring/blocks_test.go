package wiring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/ratelimit"
)

// TestBlocksAreKept: what the store is given, as it changes or as a whole, brings all of
// it back, whatever is in it.
func TestBlocksAreKept(t *testing.T) {
	now := time.Now().Round(0).UTC()
	b := new(ratelimit.Blocks)
	b.Track()
	for i := range 2*blockRows + 7 {
		if _, err := b.Add(ratelimit.Block{Account: fmt.Sprint("user", i), Auto: i%2 == 0}, now); err != nil {
			t.Fatal(err)
		}
	}
	full := ratelimit.Block{Account: `jo "the <one>"@example.net`, Until: now.Add(time.Hour), Reject: true, By: "uid 0", Owner: "jö", Reason: "ticket \u2028 1"}
	if _, err := b.Add(full, now); err != nil {
		t.Fatal(err)
	}
	b.Release("user3", "uid 7", now.Add(time.Second))
	space := blockSpace{b}
	changed := [][]byte{space.Changed(nil)}
	if again := space.Changed([]byte("x")); string(again) != "x" {
		t.Errorf("told twice: %q", again)
	}
	var all [][]byte
	for record := range space.All() {
		all = append(all, append([]byte(nil), record...))
	}
	if len(all) != 3 {
		t.Errorf("%d records", len(all))
	}
	for what, records := range map[string][][]byte{"changed": changed, "all": all} {
		back := new(ratelimit.Blocks)
		for _, record := range records {
			if err := (blockSpace{back}).Load(record); err != nil {
				t.Fatal(err)
			}
		}
		if back.Len() != b.Len() || space.Len() != b.Len() {
			t.Errorf("%s: %d of %d are back", what, back.Len(), b.Len())
		}
		for _, account := range []string{full.Account, "user3", "user4"} {
			want, _ := b.Last(account)
			got, _ := back.Last(account)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", what, diff)
			}
		}
	}
}

// TestBlocksLoadWhatIsRight: one row that is wrong frees nobody else.
func TestBlocksLoadWhatIsRight(t *testing.T) {
	for _, tt := range []struct {
		name, record string
		held         int
		fails        bool
	}{
		{"no JSON", `{`, 1, true},
		{"a version that is not known", `{"v":2,"rows":[{"account":"jo","since":"2026-11-24T12:00:00Z"}]}`, 1, true},
		{"none", `{"v":1,"rows":[]}`, 1, false},
		{"one of two is wrong", `{"v":1,"rows":[{"account":"Jo","since":"2026-11-24T12:00:00Z"},{"account":"jo","since":"2026-11-24T12:00:00Z"}]}`, 2, false},
		{"all are wrong", `{"v":1,"rows":[{"account":"Jo","since":"2026-11-24T12:00:00Z"}]}`, 1, true},
	} {
		b := new(ratelimit.Blocks)
		if _, err := b.Add(ratelimit.Block{Account: "there"}, noon); err != nil {
			t.Fatal(err)
		}
		err := blockSpace{b}.Load([]byte(tt.record))
		if n, _ := b.Held(noon); (err != nil) != tt.fails || n != tt.held {
			t.Errorf("%s: %v, and %d hold", tt.name, err, n)
		}
	}
}

// FuzzBlocksLoad: whatever is on disk, what is taken of it can be kept and loaded again.
func FuzzBlocksLoad(f *testing.F) {
	f.Add([]byte(`{"v":1,"rows":[{"account":"jo","since":"2026-11-24T12:00:00Z","until":"2026-11-25T12:00:00+02:00","reject":true,"by":"uid 0","reason":"x"}]}`))
	f.Add([]byte(`{"v":1,"rows":[{"account":"jo","since":"2026-11-24T12:00:00Z","released":"2026-11-24T13:00:00Z"},{"account":"Jo"}]}`))
	f.Add([]byte(`{"v":1,"rows":null}`))
	f.Add([]byte(strings.Repeat(`[`, 100)))
	f.Fuzz(func(t *testing.T, record []byte) {
		b, heard := new(ratelimit.Blocks), new(ratelimit.Blocks)
		_ = heardBlocks{heard, func(x *ratelimit.Block) { // in the store of all machines strangers may have written
			if err := x.Check(); err != nil {
				t.Errorf("%+v was taken: %v", x, err)
			}
		}}.Hear(record)
		for text := range (blockSpace{heard}).All() {
			if err := (blockSpace{new(ratelimit.Blocks)}).Load(text); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
		}
		if (blockSpace{b}).Load(record) != nil {
			return
		}
		back := new(ratelimit.Blocks)
		for text := range (blockSpace{b}).All() {
			if err := (blockSpace{back}).Load(text); err != nil {
				t.Fatalf("%v: %q", err, text)
			}
		}
		for _, row := range b.All() {
			got, ok := back.Last(row.Account)
			if !ok || !got.Since.Equal(row.Since) || !got.Until.Equal(row.Until) || !got.Released.Equal(row.Released) || got.Reason != row.Reason || got.Reject != row.Reject {
				t.Errorf("%+v has come back as %+v, %v", row, got, ok)
			}
		}
	})
}
