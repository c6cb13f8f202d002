package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const hostile = "x\r\nmsg=verdict action=continue \x00\x1b[31m\u202e\xff\" =y"

func TestLogfmtValueCannotForgeALine(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{NoStamp: true}).Info("verdict", "helo", hostile)
	line := out.String()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Fatalf("not one line: %q", line)
	}
	if !strings.HasPrefix(line, `msg=verdict helo="x\r\n`) || strings.ContainsFunc(line, func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) || r == utf8.RuneError }) {
		t.Errorf("hostile text is not escaped: %q", line)
	}
}

func TestJSONIsOneObjectALine(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{JSON: true}).Info("verdict", "helo", hostile)
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%q: %v", out.String(), err)
	}
	for _, key := range []string{"time", "level", "msg", "helo"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %q in %s", key, out.String())
		}
	}
}

func TestJSONIsASCIIAndTheSameText(t *testing.T) {
	const evil = "\u009b2J \u202e \u0085 \x7f é 😀 \u2028"
	var out bytes.Buffer
	New(&out, Options{JSON: true}).Info("verdict", "helo", evil)
	for _, b := range out.Bytes() {
		if b >= 0x7f {
			t.Fatalf("byte %#x stands raw: %q", b, out.String())
		}
	}
	var got struct{ Helo string }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Helo != evil {
		t.Errorf("got %q (%v), want %q", got.Helo, err, evil)
	}
}

func TestStampLeadsUnlessUnderJournald(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{}).Info("start")
	if !strings.HasPrefix(out.String(), "time=") || !strings.Contains(out.String(), " level=INFO msg=start") {
		t.Errorf("got %q, want time and level to lead", out.String())
	}
}

func TestUnderJournaldLooksAtTheFile(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	stat := info.Sys().(*syscall.Stat_t)
	for stream, want := range map[string]bool{"": false, "1:2": false, fmt.Sprintf("%d:%d", stat.Dev, stat.Ino): true} {
		t.Setenv("JOURNAL_STREAM", stream)
		if got := UnderJournald(f); got != want {
			t.Errorf("JOURNAL_STREAM=%q: %v, want %v", stream, got, want)
		}
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	New(&out, Options{Level: slog.LevelWarn}).Info("start")
	if out.Len() > 0 {
		t.Errorf("an info line at level warn: %q", out.String())
	}
}

func TestClip(t *testing.T) {
	if got := Clip(strings.Repeat("a", 1000)); len(got) != maxValue+3 || !strings.HasSuffix(got, "...") {
		t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-5:])
	}
	if got := Clip("short"); got != "short" {
		t.Errorf("got %q", got)
	}
}

func TestWriterKeepsOrderAndLosesNothing(t *testing.T) {
	var out bytes.Buffer // read only after Close
	w := NewWriter(&out)
	var want strings.Builder
	for range 10_000 {
		want.WriteString("a line\n")
		io.WriteString(w, "a line\n")
	}
	w.Close(time.Minute)
	if out.String() != want.String() || w.Lost() != 0 {
		t.Errorf("%d bytes written, want %d; lost %d", out.Len(), want.Len(), w.Lost())
	}
}

// A stuck is a writer that waits until it is let go: a full pipe behind stderr.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }

func TestWriterNeverWaits(t *testing.T) {
	s := stuck{make(chan struct{})}
	w := NewWriter(s)
	line := bytes.Repeat([]byte("x"), 1<<10)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 4000 { // 16 MB in all, while nothing is read
				w.Write(line)
			}
		})
	}
	wg.Wait()
	if w.Lost() == 0 {
		t.Error("16 MB into a stuck writer, and nothing counted as lost")
	}
	w.Close(time.Millisecond) // gives up: nobody reads
	close(s.free)
	<-w.drained
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWriterCountsFailedWrites(t *testing.T) {
	w := NewWriter(failing{})
	for range 10 {
		io.WriteString(w, "a line\n")
	}
	w.Close(time.Minute)
	if w.Lost() != 10 {
		t.Errorf("lost %d, want 10", w.Lost())
	}
}

func TestWriteAfterCloseIsCounted(t *testing.T) {
	w := NewWriter(io.Discard)
	w.Close(time.Minute)
	io.WriteString(w, "late\n")
	if w.Lost() != 1 {
		t.Errorf("lost %d, want 1", w.Lost())
	}
}
