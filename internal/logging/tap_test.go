package logging

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestTap(t *testing.T) {
	var out bytes.Buffer
	tap := new(Tap)
	logger := slog.New(tap.Over(New(&out, Options{Level: slog.LevelError, NoStamp: true}).Handler(), "verdict")).With("id", "a b")
	logger.Info("verdict", "unseen", 1)
	w, err := tap.Watch()
	if err != nil {
		t.Fatal(err)
	}
	logger.Info("verdict", "helo", "x\ny", "from", "<>")
	logger.Info("other")
	if l := <-w.Lines; !strings.HasSuffix(string(l.JSON()), `,"id":"a b","helo":"x\ny","from":"<>"}`) || !strings.HasPrefix(string(l.JSON()), `{"time":"20`) {
		t.Errorf("got %s", l.JSON())
	}
	w.End()
	w.End()
	if l, open := <-w.Lines; open {
		t.Errorf("%s was given", l.JSON())
	}
	logger.Error("verdict", "unseen", 2)
	if got := out.String(); strings.Contains(got, "unseen=1") || !strings.Contains(got, "unseen=2") {
		t.Errorf("the log has\n%s", got)
	}
}

// TestTapWaitsForNobody: who logs goes on while nobody reads, and all of it is in the
// log; who does not keep up is dropped, and his place is free.
func TestTapWaitsForNobody(t *testing.T) {
	var out bytes.Buffer
	tap := new(Tap)
	logger := slog.New(tap.Over(New(&out, Options{NoStamp: true}).Handler(), "verdict"))
	var sleepers []*Watcher
	for range MaxWatchers {
		w, err := tap.Watch()
		if err != nil {
			t.Fatal(err)
		}
		sleepers = append(sleepers, w)
	}
	if _, err := tap.Watch(); !errors.Is(err, ErrWatched) {
		t.Errorf("one too many: %v", err)
	}
	const lines = 4 * watchRoom
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range lines / 4 {
				logger.Info("verdict", "x", 1)
			}
		})
	}
	all.Wait()
	if n := strings.Count(out.String(), "\n"); n != lines {
		t.Errorf("%d lines of the log, want %d", n, lines)
	}
	for _, w := range sleepers {
		n := 0
		for range w.Lines {
			n++
		}
		if n != watchRoom {
			t.Errorf("a watcher who slept was given %d lines, and there is room for %d", n, watchRoom)
		}
	}
	if w, err := tap.Watch(); err != nil {
		t.Error("no place is free")
	} else {
		w.End()
	}
}

func BenchmarkTapOfNobody(b *testing.B) {
	logger := slog.New(new(Tap).Over(Discard().Handler(), "verdict"))
	b.ReportAllocs()
	for b.Loop() {
		logger.Info("verdict", "id", "0dzl1rikxpq7", "action", "reject")
	}
}
