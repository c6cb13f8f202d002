package store

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// A numbers is a Space: numbers by number.
type numbers struct {
	mu      sync.Mutex
	now     map[uint64]uint64
	changed map[uint64]bool
	batch   int    // keys in a record of All
	onAsk   func() // called by Changed
}

func newNumbers() *numbers {
	return &numbers{now: map[uint64]uint64{}, changed: map[uint64]bool{}, batch: 100}
}

func (n *numbers) set(key, value uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now[key], n.changed[key] = value, true
}

func (n *numbers) copy() map[uint64]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.now)
}

func (n *numbers) Len() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.now)
}

func (n *numbers) Changed(dst []byte) []byte {
	if n.onAsk != nil {
		n.onAsk()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for key := range n.changed {
		dst = appendNumber(dst, key, n.now[key])
	}
	clear(n.changed)
	return dst
}

func (n *numbers) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var record []byte
		in := 0
		for key, value := range n.copy() {
			record = appendNumber(record, key, value)
			if in++; in == n.batch {
				if !yield(record) {
					return
				}
				record, in = record[:0], 0
			}
		}
		if in > 0 {
			yield(record)
		}
	}
}

var errBadNumber = errors.New("no pairs of numbers")

func (n *numbers) Load(record []byte) error {
	if len(record) == 0 || len(record)%16 != 0 {
		return errBadNumber
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for ; len(record) > 0; record = record[16:] {
		n.now[binary.LittleEndian.Uint64(record)] = binary.LittleEndian.Uint64(record[8:])
	}
	return nil
}

func appendNumber(dst []byte, key, value uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, key), value)
}

// A logbook takes log lines.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logbook) count(text string) int { return strings.Count(l.String(), text) }

// A site is a store with its one space, "numbers".
type site struct {
	*Store
	numbers *numbers
	loaded  Loaded
	log     *logbook
}

// begin opens and starts a store on the disk.
func begin(t testing.TB, d disk) *site { return beginSmall(t, d, 0) }

// beginSmall begins one whose journals may become so large.
func beginSmall(t testing.TB, d disk, room int64) *site {
	t.Helper()
	s := &site{numbers: newNumbers(), log: &logbook{}}
	var err error
	s.Store, err = open(Options{Dir: "/state", Logger: slog.New(slog.NewTextHandler(s.log, nil)), minJournals: room}, d)
	if err != nil {
		t.Fatal(err)
	}
	s.Add("numbers", s.numbers)
	s.loaded = s.Start()
	return s
}

func (s *site) end(t testing.TB) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Fatalf("Close: %v\n%s", err, s.log)
	}
}

func (s *site) want(t testing.TB, what string, want map[uint64]uint64) {
	t.Helper()
	if got := s.numbers.copy(); !maps.Equal(got, want) {
		t.Fatalf("%s: holds %d keys, want %d; %v\n%s", what, len(got), len(want), differ(got, want), s.log)
	}
}

func differ(got, want map[uint64]uint64) (lines []string) {
	for key := range want {
		if got[key] != want[key] && len(lines) < 5 {
			lines = append(lines, string(slog.AnyValue([]uint64{key, got[key], want[key]}).String()))
		}
	}
	return lines
}
