package mtatest

import (
	"context"
	"fmt"
	"strings"
	"sync"
)

// A Log collects the lines of one process and lets others wait for one. It is an
// io.Writer, may be used from many goroutines, and its zero value is ready.
type Log struct {
	mu    sync.Mutex
	part  []byte
	lines []string
	more  chan struct{} // closed and replaced at each new line
}

// Write takes bytes as they come; a line ends at LF.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part = append(l.part, p...)
	before := len(l.lines)
	for {
		line, rest, found := strings.Cut(string(l.part), "\n")
		if !found {
			break
		}
		l.lines = append(l.lines, strings.TrimSuffix(line, "\r"))
		l.part = append(l.part[:0], rest...)
	}
	if len(l.lines) > before {
		l.wake()
	}
	return len(p), nil
}

// wake tells the waiters that there is something new. The caller holds mu.
func (l *Log) wake() {
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// Len is how many lines there are: a mark for Since and Wait.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// Since gives the lines from the mark on.
func (l *Log) Since(mark int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines[min(mark, len(l.lines)):]...)
}

// String is the whole log.
func (l *Log) String() string { return strings.Join(l.Since(0), "\n") }

// Wait returns the first line from the mark on that match accepts, waiting for
// it until ctx ends. The error then quotes the last lines.
func (l *Log) Wait(ctx context.Context, mark int, match func(line string) bool) (string, error) {
	lines, err := l.WaitN(ctx, mark, 1, match)
	if err != nil {
		return "", err
	}
	return lines[0], nil
}

// WaitN is Wait for n lines; they come in their order.
func (l *Log) WaitN(ctx context.Context, mark, n int, match func(line string) bool) ([]string, error) {
	var got []string
	for {
		fresh, more := l.next(mark)
		for _, line := range fresh {
			if match(line) {
				if got = append(got, line); len(got) == n {
					return got, nil
				}
			}
		}
		mark += len(fresh)
		select {
		case <-more:
		case <-ctx.Done():
			return got, fmt.Errorf("%d of %d log lines came: %w; the log ends:\n%s", len(got), n, ctx.Err(), l.tail(20))
		}
	}
}

// next gives the lines from mark on and a channel that closes when there are more.
func (l *Log) next(mark int) ([]string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more == nil {
		l.more = make(chan struct{})
	}
	return l.lines[min(mark, len(l.lines)):len(l.lines):len(l.lines)], l.more
}

func (l *Log) tail(n int) string {
	lines := l.Since(0)
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Containing accepts the lines that hold every one of the parts.
func Containing(parts ...string) func(line string) bool {
	return func(line string) bool {
		for _, part := range parts {
			if !strings.Contains(line, part) {
				return false
			}
		}
		return true
	}
}
