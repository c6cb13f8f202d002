package logging

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// maxBuffered bounds the bytes that wait to be written: some ten thousand lines.
const maxBuffered = 4 << 20

// A Writer hands lines to a slow writer without ever waiting for it. Write
// never blocks and never fails: a line for which there is no room, and the
// lines of a write that fails, are counted in Lost. Safe for concurrent use.
type Writer struct {
	out  io.Writer
	lost atomic.Uint64

	mu      sync.Mutex
	buf     []byte
	lines   uint64 // in buf
	closed  bool
	wake    chan struct{} // holds a token while there is something to do
	closing chan struct{} // closed by Close
	drained chan struct{} // closed when the last line is out
}

// NewWriter returns a Writer in front of out, and starts the goroutine that
// writes; Close ends it.
func NewWriter(out io.Writer) *Writer {
	w := &Writer{out: out, wake: make(chan struct{}, 1), closing: make(chan struct{}), drained: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one line. It always reports success.
func (w *Writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	fits := !w.closed && len(w.buf)+len(line) <= maxBuffered
	if fits {
		w.buf = append(w.buf, line...)
		w.lines++
	}
	w.mu.Unlock()
	if !fits {
		w.lost.Add(1)
		return len(line), nil
	}
	w.signal()
	return len(line), nil
}

// Lost returns how many lines could not be written so far.
func (w *Writer) Lost() uint64 { return w.lost.Load() }

// Close takes no more lines, and waits until those it has are written, at most
// for the given time: a log nobody reads must not hold up the end.
func (w *Writer) Close(wait time.Duration) {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.closing)
	}
	w.mu.Unlock()
	w.signal()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.drained:
	case <-timer.C:
	}
}

func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (w *Writer) run() {
	defer close(w.drained)
	var spare []byte
	for range w.wake {
		w.mu.Lock()
		full, lines, closed := w.buf, w.lines, w.closed
		w.buf, w.lines = spare[:0], 0
		w.mu.Unlock()
		if len(full) > 0 {
			if _, err := w.out.Write(full); err != nil {
				w.lost.Add(lines)
			}
		}
		spare = full
		if closed {
			return // nothing is added once closed is set
		}
		w.gather()
	}
}

// gatherTime is how long lines wait for others after a write: under load one
// write then takes many, alone a line goes out at once. It is also what a
// daemon that is killed may lose.
const gatherTime = 2 * time.Millisecond

func (w *Writer) gather() {
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.closing:
	}
}
