package ratelimit

// How many places are looked at for a new cell.
const (
	sweepSteps = 4   // to free what holds nothing: more than one comes in, so this keeps up
	evictSteps = 64  // to choose the one that goes
	evictMost  = 999 // the same, while all are at their limit
)

// sweep frees cells that hold nothing, a few at a time.
func (s *shard) sweep(t int64) {
	for range min(sweepSteps, len(s.cells)) {
		if i := s.turn(); s.empty(&s.cells[i], t) {
			s.drop(i)
			s.stats.Empty++
		}
	}
}

// turn gives the next place round the shard.
func (s *shard) turn() int {
	s.hand = s.next(s.hand)
	return s.hand
}

func (s *shard) empty(c *cell, t int64) bool {
	return !c.free() && c.pend == 0 && s.live(c, t) == 0
}

// evict frees the cell that is missed least among some: one that holds nothing,
// or else the one that holds the fewest, or else one that is at its limit. Cells
// with something pending stay: they are no more than the mail under way, and
// the shard then grows above its limit by so many.
func (s *shard) evict(t int64) {
	best, bestHas, bestFull := -1, uint64(0), true
	for n := range s.cells {
		if best >= 0 && n >= evictSteps && !bestFull || n >= evictMost {
			break
		}
		i := s.turn()
		c := &s.cells[i]
		if c.free() || c.pend > 0 {
			continue
		}
		has := s.live(c, t)
		full := has > 0 && c.mode&atLimit != 0
		if best < 0 || bestFull && !full || full == bestFull && has < bestHas {
			best, bestHas, bestFull = i, has, full
		}
		if has == 0 {
			break
		}
	}
	if best < 0 {
		return
	}
	switch {
	case bestHas == 0:
		s.stats.Empty++
	case bestFull:
		s.stats.EvictedMax++
		fallthrough
	default:
		s.stats.Evicted++
	}
	s.drop(best)
}
