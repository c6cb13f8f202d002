package logging

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Tap lets a few watch the lines of one message as they are logged. Who logs never
// waits for them: a watcher who does not keep up is dropped. The zero Tap is ready,
// and safe for concurrent use.
type Tap struct {
	n   atomic.Int32 // watchers: who logs asks for no more where there is none
	mu  sync.Mutex
	all []*Watcher
}

// The bounds of a Tap.
const (
	MaxWatchers = 8
	watchRoom   = 256 // lines that wait for a watcher
)

// A Line is one that was logged.
type Line struct {
	Time  time.Time
	Attrs []slog.Attr // of the record, in their order; not to be changed
}

// JSON is the line as one object, its time first, in ASCII.
func (l *Line) JSON() []byte {
	var b bytes.Buffer
	r := slog.NewRecord(l.Time, slog.LevelInfo, "", 0)
	r.AddAttrs(l.Attrs...)
	h := slog.NewJSONHandler(ASCII(&b), &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}})
	_ = h.Handle(context.Background(), r) // into memory
	return bytes.TrimSpace(b.Bytes())
}

// A Watcher is given lines.
type Watcher struct {
	// Lines gives them. It is closed when the watcher did not keep up.
	Lines <-chan Line
	lines chan Line
	tap   *Tap
}

// ErrWatched says that there are as many watchers as there can be.
var ErrWatched = errors.New("as many watch already as can; try again later")

// Watch begins to give lines. End ends it.
func (t *Tap) Watch() (*Watcher, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= MaxWatchers {
		return nil, ErrWatched
	}
	lines := make(chan Line, watchRoom)
	w := &Watcher{Lines: lines, lines: lines, tap: t}
	t.all = append(t.all, w)
	t.n.Store(int32(len(t.all)))
	return w, nil
}

// End gives the place back. It may be called again.
func (w *Watcher) End() {
	w.tap.mu.Lock()
	defer w.tap.mu.Unlock()
	w.tap.drop(w)
}

// drop lets a watcher go. The caller holds mu.
func (t *Tap) drop(w *Watcher) {
	if i := slices.Index(t.all, w); i >= 0 {
		t.all = slices.Delete(t.all, i, i+1)
		t.n.Store(int32(len(t.all)))
		close(w.lines)
	}
}

// give hands a line to all who watch.
func (t *Tap) give(l Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range slices.Clone(t.all) {
		select {
		case w.lines <- l:
		default:
			t.drop(w)
		}
	}
}

// Over gives a handler that logs to h, and shows the records of a message to who
// watches, also where h is of a level that leaves them out.
func (t *Tap) Over(h slog.Handler, message string) slog.Handler { return &tapped{t, h, message, nil} }

type tapped struct {
	tap     *Tap
	to      slog.Handler
	message string
	attrs   []slog.Attr
}

func (h *tapped) Enabled(ctx context.Context, level slog.Level) bool {
	return h.to.Enabled(ctx, level) || h.tap.n.Load() > 0
}

func (h *tapped) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message && h.tap.n.Load() > 0 {
		l := Line{Time: r.Time, Attrs: slices.Clone(h.attrs)}
		r.Attrs(func(a slog.Attr) bool {
			l.Attrs = append(l.Attrs, a)
			return true
		})
		h.tap.give(l)
	}
	if !h.to.Enabled(ctx, r.Level) {
		return nil
	}
	return h.to.Handle(ctx, r)
}

func (h *tapped) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &tapped{h.tap, h.to.WithAttrs(attrs), h.message, append(slices.Clone(h.attrs), attrs...)}
}

// WithGroup names no group to who watches: our lines have none.
func (h *tapped) WithGroup(name string) slog.Handler {
	return &tapped{h.tap, h.to.WithGroup(name), h.message, h.attrs}
}
