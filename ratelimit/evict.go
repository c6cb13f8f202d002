package ratelimit

// How many cells are looked at for a new one.
const (
	sweepSteps = 2  // to free what holds nothing; two for one keeps up with any inflow
	evictSteps = 64 // to choose the one that goes
)

// sweep frees cells that hold nothing, a few at a time.
func (s *shard) sweep(t int64) {
	for range min(sweepSteps, s.used) {
		if n := s.turn(); s.empty(s.cell(n), t) {
			s.drop(n)
			s.stats.Empty++
		}
	}
}

// turn gives the next cell round the shard.
func (s *shard) turn() uint32 {
	if s.hand >= s.used {
		s.hand = 0
	}
	s.hand++
	return s.hand - 1
}

func (s *shard) empty(c *cell, t int64) bool {
	return !c.free() && c.pend == 0 && s.live(c, t) == 0
}

// evict frees the cell that is missed least among some: one that holds nothing,
// or else the one that holds the fewest, or else one that is at its limit. Cells
// with something pending stay: they are no more than the mail under way, and
// the shard then grows above its limit by so many.
func (s *shard) evict(t int64) {
	best, bestHas, bestFull := uint32(0), ^uint64(0), true
	for i := range s.used {
		if i >= evictSteps && (!bestFull || i >= 16*evictSteps && bestHas != ^uint64(0)) {
			break
		}
		n := s.turn()
		c := s.cell(n)
		if c.free() || c.pend > 0 {
			continue
		}
		has, full := s.live(c, t), c.mode&atLimit != 0
		if has == 0 {
			full = false
		}
		if bestFull && !full || full == bestFull && has < bestHas {
			best, bestHas, bestFull = n, has, full
		}
		if has == 0 {
			break
		}
	}
	switch {
	case bestHas == ^uint64(0):
		return
	case bestHas == 0:
		s.stats.Empty++
	case bestFull:
		s.stats.EvictedMax++
		s.stats.Evicted++
	default:
		s.stats.Evicted++
	}
	s.drop(best)
}
