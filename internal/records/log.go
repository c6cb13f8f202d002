package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Source can make a record. It is asked once, on the Log's goroutine.
type Source interface {
	// Record is false when there is nothing to keep after all.
	Record() (Record, bool)
}

// Options are those of a Log. Zero values have defaults, but for Keep and Size.
type Options struct {
	Dir    string        // "" for none: all is in memory
	Keep   time.Duration // what is older is not found, and removed
	Size   int64         // bytes on disk, at most
	Logger *slog.Logger  // for what an operator should know; nil: nobody is told
	Queue  int           // sources that wait, at most; 1,024
}

// How the goroutine works.
const (
	writeEvery = 500 * time.Millisecond // kill -9 costs at most so much
	syncEvery  = 10 * time.Second       // and a loss of power so much
	queueRoom  = 1024
	memoryRoom = 8 << 20 // of packed blocks, where there is no disk

	firstRetry, lastRetry = time.Second, time.Minute
)

// A Log keeps records. Its methods are safe for concurrent use.
type Log struct {
	o         Options
	queue     chan Source
	asked     chan chan view
	stop      context.CancelFunc
	ended     chan struct{}
	searching chan struct{} // holds a token while somebody does

	bounds     atomic.Pointer[bounds]
	kept, lost atomic.Uint64
	failures   atomic.Uint64
	mu         sync.Mutex
	status     Status
	final      error // of the last writing; to be read when it has ended
	closing    sync.RWMutex
	closed     bool
}

type bounds struct {
	keep time.Duration
	size int64
}

// Open lists what is there and starts the goroutine that writes; Close ends it. There is
// always a Log: what is wrong with the directory stands in its Status.
func Open(o Options) *Log {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Queue <= 0 {
		o.Queue = queueRoom
	}
	l := &Log{
		o: o, queue: make(chan Source, o.Queue), asked: make(chan chan view),
		ended: make(chan struct{}), searching: make(chan struct{}, 1),
	}
	l.Set(o.Keep, o.Size)
	k := &keeper{Log: l, dir: directory{o.Dir}, synced: make(chan error, 1)}
	k.load()
	k.publish()
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	go k.run(ctx)
	return l
}

// Set changes the bounds.
func (l *Log) Set(keep time.Duration, size int64) { l.bounds.Store(&bounds{keep, size}) }

// Put takes a source, if there is room for it. It waits for nothing.
func (l *Log) Put(s Source) {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		l.lost.Add(1)
		return
	}
	select {
	case l.queue <- s:
	default:
		l.lost.Add(1)
	}
}

// Close writes what is there. When ctx ends before, a disk hangs: then the goroutine ends with the process only.
func (l *Log) Close(ctx context.Context) error {
	l.closing.Lock()
	l.closed = true
	l.closing.Unlock()
	l.stop()
	select {
	case <-l.ended:
		return l.final
	case <-ctx.Done():
		return fmt.Errorf("the disk of %s does not answer: %w", l.o.Dir, ctx.Err())
	}
}

// A Status is how a Log is.
type Status struct {
	Path string // "" for memory only
	Kept bool   // what comes is on disk within a second

	Err    error // why not; nil: nothing is wrong
	Remedy string
	Since  time.Time // of Err
	Errors uint64    // failed tries since the start

	Records uint64    // that were kept since the start
	Lost    uint64    // that were not
	Bytes   int64     // on disk, or in memory
	Oldest  time.Time // as of when there are records; zero for none
}

// Status gives the status. It waits for no disk.
func (l *Log) Status() Status {
	l.mu.Lock()
	s := l.status
	l.mu.Unlock()
	s.Path, s.Records, s.Lost, s.Errors = l.o.Dir, l.kept.Load(), l.lost.Load(), l.failures.Load()
	return s
}

// errClosed is of a Log that was.
var errClosed = errors.New("records are not kept any more: the daemon is stopping")
