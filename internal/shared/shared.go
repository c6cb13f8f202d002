package shared

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/ratelimit"
)

// A Key is what names in the store are hashed with, on all machines alike.
type Key = ratelimit.Secret

// Options say where the store is, and who asks.
type Options struct {
	Network  string // tcp or unix
	Address  string // host:port, or a path
	TLS      *tls.Config
	User     string
	Password string
	DB       int

	Machine string // its name: as no other has it, and the same after a restart; without spaces
	Key     Key    // offered to the store: the first machine's is taken
	Memory  Memory // of the last run
	Logger  *slog.Logger

	// Adopt is told the key of the store, before it is asked for the first time and
	// whenever it is another. Rules that were made with another one are of no use.
	// It may be nil.
	Adopt func(Key)
}

// A Memory is what a machine knows of the store, to be kept over a restart.
type Memory struct {
	Key      Key
	Known    bool     // Key is that of the store
	Life     string   // of the store, when all of this machine's counters were in it; "" for not all
	Machines []string // who shared it
}

// A Store is a ratelimit.Shared. It is safe for concurrent use.
type Store struct {
	o       Options
	peers   *ratelimit.Peers
	scripts *scripts
	link    atomic.Pointer[link] // nil: there is none
	lost    chan error           // why a link is of no use any more; with room for one

	onceAsked sync.Once
	first     chan struct{} // closed when it was asked for once

	mu     sync.Mutex
	memory Memory
	status Status

	cancel context.CancelFunc
	ended  chan struct{}
	calls  atomic.Uint64
	errors atomic.Uint64
}

// ErrAway says that the store cannot be asked now.
var ErrAway = errors.New("the shared store is away")

// New returns a Store that is away until Start.
func New(o Options) *Store {
	s := &Store{o: o, peers: ratelimit.NewPeers(o.Machine), scripts: newScripts(serverClock), lost: make(chan error, 1), memory: o.Memory, first: make(chan struct{})}
	s.peers.Set(o.Memory.Machines)
	s.status.Since = time.Now()
	return s
}

// Asked gives a channel that is closed when the server has been asked for the first
// time, whether it answered or not.
func (s *Store) Asked() <-chan struct{} { return s.first }

// Peers gives what the store tells of the other machines.
func (s *Store) Peers() *ratelimit.Peers { return s.peers }

// Memory gives what is to be kept over a restart.
func (s *Store) Memory() Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memory
	m.Machines = s.peers.Names()
	return m
}

// A Status is how a Store is.
type Status struct {
	Up       bool
	Since    time.Time // of Up, or of being away
	Err      error     // why it is away; nil: it was not asked yet
	Remedy   string
	Warning  string    // what is wrong with a server that answers
	Machines []Machine // that share it, with this one; as of the last time it answered
	Errors   uint64    // failed calls since the start
	Calls    uint64
}

// A Machine is one of those that share a store.
type Machine struct {
	Name   string
	Silent time.Duration // since it was last heard of
}

// Away reports whether it may be counting by itself.
func (m Machine) Away() bool { return m.Silent > silentAfter }

// Status gives the status. It waits for nothing.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Errors, st.Calls = s.errors.Load(), s.calls.Load()
	return st
}

// Start begins to ask the server: to f it brings what was counted while it was away.
// It does not wait. Close ends it.
func (s *Store) Start(f *ratelimit.Fallback) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan struct{})
	go s.run(ctx, f)
}

// Close tells the others that this machine is gone, if it can, and ends. It waits
// for the Store's goroutines.
func (s *Store) Close() {
	if s.cancel != nil {
		s.cancel()
		<-s.ended
	}
}
