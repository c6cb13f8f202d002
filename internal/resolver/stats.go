package resolver

import (
	"net/netip"
	"sync/atomic"
	"time"
)

// Stats are the counters of a resolver since it was made, and its state now.
type Stats struct {
	Queries    []QueryCount  // questions that were asked and answered, or failed; zero counts left out
	Durations  []uint64      // how many of them took at most DurationBounds of the same place; the last one: longer
	Total      time.Duration // time of all of them
	Hits       uint64        // questions answered from the cache, stale ones included
	StaleHits  uint64        // answers served past their expiry
	TurnedAway uint64        // questions not asked because too many were out
	InFlight   int           // questions out now
	Entries    int           // subjects in the cache: names and addresses
	Bytes      int64         // memory they take, by our account
	Servers    []ServerStats // in the configured order
}

// A QueryCount counts questions of one type and result.
type QueryCount struct {
	Type   string // A, AAAA, MX, TXT, PTR
	Result string // found, none, failed, refused
	N      uint64
}

// ServerStats is what is known of one server.
type ServerStats struct {
	Addr     netip.AddrPort
	Up       bool
	RTT      time.Duration // smoothed; 0 before the first answer
	Queries  uint64        // sent to it, repeats included
	Failures uint64        // of these: no answer in time, an error code, or nonsense
}

// DurationBounds are the upper bounds of Stats.Durations.
var DurationBounds = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

var (
	typeNames   = [...]string{kindA: "A", kindAAAA: "AAAA", kindMX: "MX", kindTXT: "TXT", kindPTR: "PTR"}
	resultNames = [...]string{"found", "none", "failed", "refused"}
)

// counts are the counters behind Stats.
type counts struct {
	queries    [len(typeNames)][len(resultNames)]atomic.Uint64
	durations  [len(DurationBounds) + 1]atomic.Uint64
	total      atomic.Int64
	hits       atomic.Uint64
	stale      atomic.Uint64
	turnedAway atomic.Uint64
}

// hit counts an answer from the cache.
func (c *counts) hit(stale bool) {
	c.hits.Add(1)
	if stale {
		c.stale.Add(1)
	}
}

// asked counts a question that went out.
func (c *counts) asked(k kind, o Outcome, reason string, took time.Duration) {
	result := 0
	switch {
	case o == Failed && reason == Refused:
		result = 3
	case o == Failed:
		result = 2
	case o != Found:
		result = 1
	}
	c.queries[k][result].Add(1)
	c.total.Add(int64(took))
	i := 0
	for i < len(DurationBounds) && took > DurationBounds[i] {
		i++
	}
	c.durations[i].Add(1)
}

// Stats gives the counters as they are now.
func (r *Resolver) Stats() Stats {
	c := &r.counts
	s := Stats{
		Total: time.Duration(c.total.Load()),
		Hits:  c.hits.Load(), StaleHits: c.stale.Load(), TurnedAway: c.turnedAway.Load(),
		InFlight:  r.flights.count(),
		Durations: make([]uint64, len(c.durations)),
	}
	s.Entries, s.Bytes = r.cache.size()
	for i := range c.durations {
		s.Durations[i] = c.durations[i].Load()
	}
	for k := range c.queries {
		for result := range c.queries[k] {
			if n := c.queries[k][result].Load(); n > 0 {
				s.Queries = append(s.Queries, QueryCount{typeNames[k], resultNames[result], n})
			}
		}
	}
	for _, srv := range r.servers.all {
		s.Servers = append(s.Servers, srv.stats())
	}
	return s
}

func (s *server) stats() ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ServerStats{
		Addr: s.addr, Up: !s.down, RTT: s.rtt,
		Queries: s.queries.Load(), Failures: s.failures.Load(),
	}
}
