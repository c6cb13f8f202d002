package ratelimit

import "time"

// A Row is what one machine has counted of one counter, as it tells a store that
// machines share.
type Row struct {
	ID      uint64
	Window  time.Duration // whole seconds
	Pending uint32        // reserved and not settled
	// Counts are of sub-buckets, each of them a 25th of the window: the newest, which
	// is filling, first. There are at most 26.
	Counts []uint32
	Phase  time.Duration // how long the newest has been filling

	Fresh uint32 // of Counts: what was counted while the store was away
	Clear bool   // it holds no matter what the store knows
}

// row gives the Row of a counter; one that the Table does not have is empty.
func (t *Table) row(id uint64, window time.Duration, now time.Time) Row {
	t.clock.see(now)
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := t.clock.last.Load()
	if c := s.find(id); c != nil {
		return s.row(c, at)
	}
	return Row{ID: id, Window: window}
}

func (s *shard) row(c *cell, at int64) Row {
	r := s.load(c, c.bucket(at))
	n := len(r)
	for n > 0 && r[n-1] == 0 {
		n--
	}
	row := Row{ID: c.id, Window: time.Duration(c.window()) * time.Second, Pending: c.pend}
	row.Counts = append(row.Counts, r[:n]...)
	row.Phase = time.Duration(at%width(c.window())) * time.Millisecond
	return row
}

// rows gives all counters that hold something or have something pending, in
// portions; each is made under one lock.
func (t *Table) rows(now time.Time, each func([]Row) error) error {
	for i := range t.shards {
		s := &t.shards[i]
		for from, moves := 0, -1; ; {
			portion, next, m := t.portion(s, from, moves, now)
			if len(portion) > 0 {
				if err := each(portion); err != nil {
					return err
				}
			}
			if next == 0 {
				break
			}
			from, moves = next, m
		}
	}
	return nil
}

// portion gives the rows of some cells of a shard, and where to go on; 0 is the
// end. When cells have changed their places since, it begins anew, with all.
func (t *Table) portion(s *shard, from, moves int, now time.Time) (rows []Row, next, m int) {
	t.clock.see(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := t.clock.last.Load()
	end := min(from+exportSteps, len(s.cells))
	if from > 0 && moves != s.moves {
		from, end = 0, len(s.cells)
	}
	for ; from < end; from++ {
		if c := &s.cells[from]; !c.free() && (c.pend > 0 || s.live(c, at) > 0) {
			rows = append(rows, s.row(c, at))
		}
	}
	if end == len(s.cells) {
		return rows, 0, 0
	}
	return rows, end, s.moves
}
