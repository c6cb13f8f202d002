package ratelimit

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// SharedTimeout is how long a shared store may take: a later answer counts as none.
const SharedTimeout = 50 * time.Millisecond

// A Shared is a store that several machines count in. Who implements it sees to it
// that after an error Fallback.Away is called, and Fallback.Return when it is back.
type Shared interface {
	Store

	// Look sets Over, Used and Wait as Take would, and reserves nothing.
	Look(ctx context.Context, charges []Charge) (bool, error)

	// Reset forgets what the counters hold, of all machines. What is pending still
	// counts.
	Reset(ctx context.Context, charges []Charge) error
}

// A Fallback is a Store that asks a shared one, and counts locally while that is
// away: then each machine uses no more of a maximum than its part (Peers.Part),
// together with what it has used itself in the window before. So what all machines
// let through stays within the maximum, also over the moment when the store goes.
//
// Of what is counted in the shared store, the local Table holds this machine's own
// part. While the store is away it alone goes on; what it changed then is brought to
// the store before that is asked again.
type Fallback struct {
	shared  Shared
	local   *Table
	peers   *Peers
	timeout time.Duration

	up       atomic.Bool
	inflight atomic.Int64 // calls of the shared store, with what they change here

	mu      sync.Mutex        // while away: held over each change of the Table
	changed map[uint64]change // since it is away; nil stands for all counters
	lost    bool              // too many to note

	failures atomic.Uint64
	locally  atomic.Uint64
}

// A change is what the shared store must be told of a counter.
type change struct {
	window time.Duration
	fresh  uint32
	clear  bool
}

// maxChanges is how many changed counters are noted; beyond, all are told.
const maxChanges = 1 << 20

// NewFallback returns a Store for these; the shared one is away until Return. The
// Table is the machine's own.
func NewFallback(shared Shared, local *Table, peers *Peers) *Fallback {
	return &Fallback{shared: shared, local: local, peers: peers, timeout: SharedTimeout, changed: map[uint64]change{}}
}

// SetTimeout sets how long the shared store may take, SharedTimeout unless told
// otherwise. It is to be called before f is used.
func (f *Fallback) SetTimeout(d time.Duration) { f.timeout = d }

// FallbackStats are of a Fallback since it was made.
type FallbackStats struct {
	Up       bool
	Failures uint64 // calls of the shared store that failed or came too late
	Locally  uint64 // decisions made without it
}

// Stats gives its counts.
func (f *Fallback) Stats() FallbackStats {
	return FallbackStats{Up: f.up.Load(), Failures: f.failures.Load(), Locally: f.locally.Load()}
}

// enter begins a call of the shared store, if that is there; leave ends it.
func (f *Fallback) enter() bool {
	f.inflight.Add(1)
	if f.up.Load() {
		return true
	}
	f.inflight.Add(-1)
	return false
}

func (f *Fallback) leave() { f.inflight.Add(-1) }

// Take implements Store. It never gives an error.
func (f *Fallback) Take(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	for {
		if f.enter() {
			ok, err := f.takeShared(ctx, charges, now)
			f.leave()
			if err == nil {
				return ok, nil
			}
		}
		if ok, done := f.takeLocal(charges, now); done {
			return ok, nil
		}
	}
}

func (f *Fallback) takeShared(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	// The caller's end is not waited for, and not obeyed: what has become of a call
	// that was given up would not be known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
	defer cancel()
	ok, err := f.shared.Take(ctx, charges, now)
	if err != nil {
		f.failed(charges, 0)
		return false, err
	}
	if ok {
		copies := slices.Clone(charges)
		for i := range copies {
			copies[i].Report = true
		}
		f.local.take(copies, now, true)
	}
	return ok, nil
}

// failed has the store be away, and notes that it is not known what it did.
func (f *Fallback) failed(charges []Charge, fresh uint32) {
	f.failures.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up.Store(false)
	f.note(charges, fresh, false)
}

// takeLocal decides by the machine's own part. It does nothing, and says so, when
// the shared store has come back.
func (f *Fallback) takeLocal(charges []Charge, now time.Time) (ok, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.up.Load() {
		return false, false
	}
	f.locally.Add(1)
	if ok = f.partly(charges, now, true); ok {
		f.note(charges, 0, false)
	}
	return ok, true
}

// partly decides by what this machine may use of each maximum.
func (f *Fallback) partly(charges []Charge, now time.Time, reserve bool) bool {
	parts := slices.Clone(charges)
	for i := range parts {
		parts[i].Max = f.peers.Part(parts[i].ID, charges[i].Max, now)
	}
	ok := f.local.take(parts, now, reserve)
	for i := range parts {
		c, p := &charges[i], &parts[i]
		c.Over, c.Used, c.Wait = p.Over, p.Used, p.Wait
		c.SetPart(p.Max)
	}
	return ok
}

// note has counters told to the shared store when it is back.
func (f *Fallback) note(charges []Charge, fresh uint32, clear bool) {
	for i := range charges {
		c := &charges[i]
		was := f.changed[c.ID]
		if was.window == 0 && len(f.changed) >= maxChanges {
			f.lost = true
			return
		}
		f.changed[c.ID] = change{c.Window, saturated(uint64(was.fresh) + uint64(fresh)*uint64(c.Amount)), was.clear || clear}
	}
}

// Settle implements Store. It never gives an error: what the shared store does not
// hear of now it is told later.
func (f *Fallback) Settle(ctx context.Context, charges []Charge, outcome Outcome, now time.Time) error {
	fresh := uint32(0)
	if outcome == Keep {
		fresh = 1
	}
	for {
		if f.enter() {
			f.local.Settle(ctx, charges, outcome, now)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
			err := f.shared.Settle(ctx, charges, outcome, now)
			cancel()
			if err != nil {
				f.failed(charges, fresh)
			}
			f.leave()
			return nil
		}
		f.mu.Lock()
		if !f.up.Load() {
			f.local.Settle(ctx, charges, outcome, now)
			f.note(charges, fresh, false)
			f.mu.Unlock()
			return nil
		}
		f.mu.Unlock()
	}
}

// Look sets Over, Used and Wait as Take would, and reserves nothing.
func (f *Fallback) Look(charges []Charge, now time.Time) bool {
	if f.enter() {
		ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
		ok, err := f.shared.Look(ctx, charges)
		cancel()
		f.leave()
		if err == nil {
			return ok
		}
		f.failed(nil, 0)
	}
	return f.partly(charges, now, false)
}

// Reset forgets what the counters hold, of all machines; while the store is away, of
// this one. What is pending still counts.
func (f *Fallback) Reset(charges []Charge) {
	for {
		if f.enter() {
			f.local.Reset(charges)
			ctx, cancel := context.WithTimeout(context.Background(), f.timeout)
			if f.shared.Reset(ctx, charges) != nil {
				f.failed(charges, 0)
			}
			cancel()
			f.leave()
			return
		}
		f.mu.Lock()
		if !f.up.Load() {
			f.local.Reset(charges)
			f.note(charges, 0, true)
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
	}
}

// Away has the machine count by itself from now on. It does not wait.
func (f *Fallback) Away() { f.up.Store(false) }

// Return brings to the shared store what was counted here while it was away, by put,
// and then has it asked again. With all it brings whatever this machine has counted:
// the store may have lost it. An error of put or ctx leaves the store away, and
// nothing is lost: it may be called again. One goroutine at a time may.
func (f *Fallback) Return(ctx context.Context, all bool, put func(context.Context, []Row) error, now func() time.Time) error {
	if err := f.quiet(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	f.lost = f.lost || all
	f.mu.Unlock()
	for {
		f.mu.Lock()
		changed, everything := f.changed, f.lost
		if len(changed) == 0 && !everything {
			f.up.Store(true)
			f.mu.Unlock()
			return nil
		}
		f.changed, f.lost = map[uint64]change{}, false
		f.mu.Unlock()
		if err := f.bring(ctx, changed, everything, put, now); err != nil {
			f.again(changed, everything)
			return err
		}
	}
}

// quiet waits until no call of before is under way: each ends within its time.
func (f *Fallback) quiet(ctx context.Context) error {
	f.up.Store(false)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for f.inflight.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// rowsAtOnce is how many rows are put in one call.
const rowsAtOnce = 256

func (f *Fallback) bring(ctx context.Context, changed map[uint64]change, everything bool, put func(context.Context, []Row) error, now func() time.Time) error {
	if everything {
		err := f.local.rows(now(), func(rows []Row) error {
			for len(rows) > 0 {
				n := min(len(rows), rowsAtOnce)
				if err := put(ctx, rows[:n]); err != nil {
					return err
				}
				rows = rows[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	var rows []Row
	for id, c := range changed {
		row := f.local.row(id, c.window, now())
		row.Fresh, row.Clear = c.fresh, c.clear
		if rows = append(rows, row); len(rows) == rowsAtOnce {
			if err := put(ctx, rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return put(ctx, rows)
}

// again notes once more what could not be brought.
func (f *Fallback) again(changed map[uint64]change, everything bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost = f.lost || everything
	for id, c := range changed {
		is := f.changed[id]
		f.changed[id] = change{c.window, saturated(uint64(is.fresh) + uint64(c.fresh)), is.clear || c.clear}
	}
}
