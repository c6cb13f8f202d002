package store

import "time"

// A Status is how a Store is.
type Status struct {
	Path string
	Kept bool // changes are on disk within a second, and nothing is missing there

	Err    error     // what keeps it from that, or from being compacted; nil: nothing
	Remedy string    // what to do about it
	Since  time.Time // when it began

	Errors    uint64    // failed tries since the start, for a metric
	LastWrite time.Time // as of then all is on disk; zero: never yet
	Bytes     int64     // of the files in use
	SetAside  int       // files state.*.corrupt-*, with damage, for the operator to look at
	Spaces    []SpaceStatus
}

// A SpaceStatus is what a space holds.
type SpaceStatus struct {
	Name    string
	Records int // its keys
}

// Status gives the status. It waits for no disk.
func (s *Store) Status() Status {
	s.mu.Lock()
	st := s.status
	s.mu.Unlock()
	st.Path, st.Errors = s.o.Dir, s.Errors()
	for _, sp := range s.spaces {
		st.Spaces = append(st.Spaces, SpaceStatus{sp.name, sp.Len()})
	}
	return st
}

// Errors counts the failures of the disk since the start.
func (s *Store) Errors() uint64 { return s.failures.Load() }

// publish makes the keeper's state the Status.
func (k *keeper) publish() {
	st := Status{
		Kept: k.j != nil && !k.whole, Err: k.trouble.err, Since: k.trouble.since,
		LastWrite: k.lastWrite, SetAside: k.aside,
	}
	if st.Err != nil {
		st.Remedy = remedy(st.Err, k.o.Dir)
	}
	for _, e := range k.known {
		st.Bytes += e.size
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = st
}
