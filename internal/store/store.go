package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// SecretSize is the length of a Store's secret in bytes.
const SecretSize = 32

// DefaultInterval is how often owners are asked for what has changed: twice in
// the second that may be lost.
const DefaultInterval = 500 * time.Millisecond

// A Space is some state as its owner keeps it, in memory and bounded. A record
// holds any number of the owner's keys, at most 1 GiB, and is opaque here; it
// carries a version of its own. It says how things are, not how they changed: to
// read one twice, or one that is older than the next, does no harm.
//
// Changed is called by one goroutine, All by another, at the same time.
type Space interface {
	// Changed appends to dst one record with all that changed since the last call,
	// nothing if nothing did. What it has given is not asked for again: if it
	// cannot be written, All makes up for it.
	Changed(dst []byte) []byte

	// All yields records with all there is. One may be overwritten by the next.
	All() iter.Seq[[]byte]

	// Load takes in a record, which is valid for the call only. A later one
	// replaces what an earlier one says of the same key. Of a record that gives an
	// error nothing is taken.
	Load(record []byte) error

	// Len is how many keys there are, for Status.
	Len() int
}

// A Loser is a Space that wants to know, before anything is written, that some of
// the state is missing that was there: perhaps of its own.
type Loser interface{ Lost() }

// Options are those of a Store.
type Options struct {
	Dir      string       // [state] path
	Logger   *slog.Logger // for what an operator should know; nil: nobody is told
	Interval time.Duration

	// For tests; 0 are the constants of these names.
	minJournals int64
	maxRecord   int
}

// A Store keeps spaces in a directory. Its methods are safe for concurrent use,
// but for Add and Start.
type Store struct {
	o      Options
	disk   disk
	secret [SecretSize]byte
	spaces []space

	found  []stateFile      // by Open, for Start
	sizes  map[string]int64 // of those
	hidden bool             // they could not be listed

	asked chan chan error // Sync
	stop  func()
	ended chan struct{} // the goroutine has
	final error         // of its last writing; to be read when it has ended
	k     keeper        // what that goroutine alone uses, once it runs

	failures atomic.Uint64
	mu       sync.Mutex
	status   Status
}

type space struct {
	name string
	Space
}

// Open locks the directory, and makes it if only that is missing. The one error
// is ErrLocked: another daemon would be disturbed. With any other trouble there
// is a Store all the same, which works in memory, says so when it starts, and
// tries again.
func Open(o Options) (*Store, error) { return open(o, &osDisk{dir: o.Dir}) }

func open(o Options, d disk) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Interval <= 0 {
		o.Interval = DefaultInterval
	}
	if o.minJournals <= 0 {
		o.minJournals = minJournals
	}
	if o.maxRecord <= 0 {
		o.maxRecord = maxRecord
	}
	s := &Store{o: o, disk: d, asked: make(chan chan error), ended: make(chan struct{})}
	// Other errors of the lock are met again in Start. What can be read without it
	// is read: nothing is written before it is held.
	if err := d.Lock(); errors.Is(err, ErrLocked) {
		return nil, err
	}
	var err error
	s.sizes, err = d.List()
	s.hidden = err != nil && !errors.Is(err, fs.ErrNotExist)
	s.found = sortFiles(s.sizes)
	if secret, ok := s.findSecret(); ok {
		s.secret = secret
	} else {
		rand.Read(s.secret[:]) // it never fails
	}
	return s, nil
}

// Secret gives random bytes that live as long as the state: the same after each
// start, others where there is no state. Who keys hashes in it by them can read
// them the next time, too.
func (s *Store) Secret() [SecretSize]byte { return s.secret }

// Add gives the store a space to keep, by a name of 1 to 32 bytes that is always
// the same. All are added before Start.
func (s *Store) Add(name string, sp Space) {
	if name == "" || len(name) > maxName {
		panic(fmt.Sprintf("store: bad name of a space: %q", name))
	}
	s.spaces = append(s.spaces, space{name, sp})
}

// Start reads the state into the spaces, begins a journal, and starts the
// goroutine that writes; Close ends it. It is called once.
func (s *Store) Start() Loaded {
	s.k = keeper{Store: s, known: map[string]*entry{}, unread: map[string]error{},
		synced: make(chan syncResult, 1), written: make(chan snapshotResult, 1)}
	loaded := s.k.load()
	if loaded.Lost {
		for _, sp := range s.spaces {
			if l, ok := sp.Space.(Loser); ok {
				l.Lost()
			}
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.k.reopen()
	s.k.publish()
	go s.k.run(ctx)
	return loaded
}

// Sync returns when all that has changed by now is on disk, or cannot be.
func (s *Store) Sync(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case s.asked <- answer:
	case <-s.ended:
		return errors.New("the store is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what has changed, tries once more to write the whole state if the
// disk has failed before, and lets others into the directory. The error tells
// what is not on disk. When ctx ends before, a disk hangs: Close returns, and the
// store's goroutines end with the process only.
//
// A Store that was not started is just unlocked.
func (s *Store) Close(ctx context.Context) error {
	if s.stop == nil {
		return s.disk.Unlock()
	}
	s.stop()
	select {
	case <-s.ended:
		return s.final
	case <-ctx.Done():
		return fmt.Errorf("the disk of %s does not answer: %w", s.o.Dir, ctx.Err())
	}
}

// newSalt is of a new file.
func newSalt() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint32(b[:])
}
