package records

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"
)

// A keeper is what the goroutine of a Log works with. Nobody else touches it.
type keeper struct {
	*Log
	dir  directory
	pack packer

	closed []segment // on disk, oldest first
	open   *segment  // is written to; nil: none
	f      *os.File  // of that
	seq    uint64    // the highest number of a file so far
	listed bool      // closed are all that were there

	memory [][]byte // blocks that are on no disk, oldest first
	bytes  int64    // of those

	err      error // of the disk, until it is over
	since    time.Time
	wait     time.Duration // until the next try after an error
	retryAt  time.Time
	stuck    map[uint64]bool // segments that could not be removed
	lastSync time.Time
	unsynced bool
	unnamed  bool // a file was made or removed since the last sync
	syncing  bool
	retired  []*os.File // to be synced and closed
	synced   chan error
}

// load lists what was kept before.
func (k *keeper) load() {
	if k.o.Dir == "" {
		return
	}
	if err := k.list(); err != nil {
		k.fail(err)
	}
}

// list takes up what is in the directory.
func (k *keeper) list() error {
	all, err := k.dir.list()
	if err != nil {
		return err
	}
	k.closed, k.listed = all, true
	for i := range all {
		k.seq = max(k.seq, all[i].seq)
	}
	return nil
}

// run is the goroutine.
func (k *keeper) run(ctx context.Context) {
	defer close(k.ended)
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case s := <-k.queue:
			k.take(s)
			continue
		case <-tick.C:
			k.turn()
		case answer := <-k.asked:
			k.drain()
			k.turn()
			k.publish() // whoever is answered reads a Status that is not older
			answer <- k.view()
		case err := <-k.synced:
			k.onSynced(err)
		case <-ctx.Done():
		}
		k.publish()
	}
	k.finish()
	k.publish()
}

// drain takes what waits.
func (k *keeper) drain() {
	for {
		select {
		case s := <-k.queue:
			k.take(s)
		default:
			return
		}
	}
}

// take packs one record.
func (k *keeper) take(s Source) {
	r, ok := k.record(s)
	if !ok {
		return
	}
	if !r.fits() {
		k.lost.Add(1)
		return
	}
	k.kept.Add(1)
	if k.pack.add(&r); k.pack.full() {
		k.write()
	}
}

// record has the source make its record. A panic there costs that record alone.
func (k *keeper) record(s Source) (r Record, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			k.lost.Add(1)
			k.o.Logger.Error("panic", "in", "record", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			ok = false
		}
	}()
	return s.Record()
}

// turn writes what is there, and does what time asks for.
func (k *keeper) turn() {
	now := time.Now()
	k.write()
	if k.err != nil && !now.Before(k.retryAt) {
		k.save()
	}
	if k.open != nil && k.worn(now) {
		k.retire()
	}
	k.prune(now)
	k.startSync(false)
}

// write makes a block and writes it, or keeps it in memory.
func (k *keeper) write() {
	count := k.pack.count
	b, err := k.pack.seal()
	if err != nil { // a bug: the level is one that there is
		k.lost.Add(uint64(count))
		return
	}
	if b == nil {
		return
	}
	k.memory, k.bytes = append(k.memory, b), k.bytes+int64(len(b))
	if k.o.Dir != "" && k.err == nil {
		k.save()
	}
	for k.bytes > memoryRoom {
		h, _ := parseHead(k.memory[0])
		if k.o.Dir != "" {
			k.lost.Add(uint64(h.count))
		}
		k.bytes -= int64(len(k.memory[0]))
		k.memory = slices.Delete(k.memory, 0, 1)
	}
}

// save writes the blocks in memory to disk.
func (k *keeper) save() {
	for len(k.memory) > 0 {
		b := k.memory[0]
		k.makeRoom(int64(len(b)))
		if err := k.append(b); err != nil {
			k.fail(err)
			return
		}
		k.bytes -= int64(len(b))
		k.memory = slices.Delete(k.memory, 0, 1)
	}
	if k.memory = nil; k.err != nil && k.open != nil { // else nothing shows yet that it is over
		k.o.Logger.Info("records are kept on disk again", "path", k.o.Dir)
		k.err, k.wait = nil, 0
	}
}

// append writes a block to the open segment, or to a new one.
func (k *keeper) append(b []byte) error {
	if k.open != nil && k.open.size > 0 && k.open.size+int64(len(b)) > k.segmentSize() {
		k.retire()
	}
	if k.open == nil {
		if err := k.create(b); err != nil {
			return err
		}
	} else if err := k.dir.check(k.open, k.f); err != nil {
		return err
	}
	n, err := k.f.Write(b)
	k.open.size += int64(n)
	k.unsynced = true
	return err
}

// create begins a segment with the block b.
func (k *keeper) create(b []byte) error {
	if !k.listed {
		if err := k.list(); err != nil {
			return err
		}
	}
	h, _ := parseHead(b)
	k.seq++
	s := &segment{seq: k.seq, begin: time.UnixMilli(h.newest)}
	f, err := k.dir.create(s)
	if err != nil {
		return err
	}
	k.open, k.f, k.unnamed = s, f, true
	return nil
}

// segmentSize is how much goes into one file.
func (k *keeper) segmentSize() int64 { return max(k.bounds.Load().size/16, blockRaw) }

// worn reports whether the open segment has been written to for long enough.
func (k *keeper) worn(now time.Time) bool {
	return now.Sub(k.open.begin) > max(k.bounds.Load().keep/30, time.Second)
}

// retire closes the open segment, when it is synced.
func (k *keeper) retire() {
	k.open.ended = time.Now()
	k.closed = append(k.closed, *k.open)
	k.retired = append(k.retired, k.f)
	k.open, k.f = nil, nil
	k.startSync(true)
}

// prune removes what is too old, or too much.
func (k *keeper) prune(now time.Time) {
	old := now.Add(-k.bounds.Load().keep)
	for len(k.closed) > 0 && k.lastOf(0).Before(old) {
		if !k.dropOldest() {
			break
		}
	}
	for len(k.memory) > 0 {
		if h, _ := parseHead(k.memory[0]); !time.UnixMilli(h.newest).Before(old) {
			break
		}
		k.bytes -= int64(len(k.memory[0]))
		k.memory = slices.Delete(k.memory, 0, 1)
	}
	k.makeRoom(0)
}

// lastOf tells as of when nothing was written to a closed segment any more: by its
// file's time, or by that of the next one, whatever a copy made of the former.
func (k *keeper) lastOf(i int) time.Time {
	last := k.closed[i].ended
	next := k.open
	if i+1 < len(k.closed) {
		next = &k.closed[i+1]
	}
	if next != nil && next.begin.Before(last) {
		last = next.begin
	}
	return last
}

// makeRoom removes the oldest segments until there is room for so many bytes more.
func (k *keeper) makeRoom(more int64) {
	for len(k.closed) > 0 && k.total()+more > k.bounds.Load().size {
		if !k.dropOldest() {
			return
		}
	}
}

func (k *keeper) total() int64 {
	var sum int64
	for i := range k.closed {
		sum += k.closed[i].size
	}
	if k.open != nil {
		sum += k.open.size
	}
	return sum
}

// dropOldest removes the oldest segment. One that cannot be removed stays, and that is
// told once.
func (k *keeper) dropOldest() bool {
	s := &k.closed[0]
	if err := k.dir.remove(s); err != nil {
		if !k.stuck[s.seq] {
			k.failures.Add(1)
			k.o.Logger.Error("old records cannot be removed", "file", k.dir.file(s), "error", err.Error(), "remedy", remedy(err, k.o.Dir))
			if k.stuck == nil {
				k.stuck = map[uint64]bool{}
			}
			k.stuck[s.seq] = true
		}
		return false
	}
	k.unnamed = true
	k.closed = slices.Delete(k.closed, 0, 1)
	return true
}

// fail ends the use of the open file after an error: what comes is in memory only until
// a new file can be written.
func (k *keeper) fail(err error) {
	k.failures.Add(1)
	if k.f != nil {
		k.f.Close()
		k.open.ended = time.Now()
		k.closed = append(k.closed, *k.open)
		k.open, k.f = nil, nil
	}
	if k.err == nil {
		k.since = time.Now()
		k.o.Logger.Error("records are not kept on disk, they are in memory only", "path", k.o.Dir, "error", err.Error(), "remedy", remedy(err, k.o.Dir))
	}
	k.err = err
	k.wait = min(max(2*k.wait, firstRetry), lastRetry)
	k.retryAt = time.Now().Add(k.wait)
}

// startSync has what was written outlive a loss of power. A slow disk holds up only
// that: it has a goroutine of its own.
func (k *keeper) startSync(now bool) {
	if k.syncing || !k.unsynced && !k.unnamed && len(k.retired) == 0 || !now && time.Since(k.lastSync) < syncEvery {
		return
	}
	before, names, f := k.retired, k.unnamed, k.f
	k.retired, k.unsynced, k.unnamed = nil, false, false
	k.syncing, k.lastSync = true, time.Now()
	go func() {
		var err error
		for _, f := range before {
			err = errors.Join(err, f.Sync(), f.Close())
		}
		if f != nil {
			if e := f.Sync(); !errors.Is(e, os.ErrClosed) { // it has failed meanwhile, and that is told
				err = errors.Join(err, e)
			}
		}
		if names {
			err = errors.Join(err, k.dir.sync())
		}
		k.synced <- err
	}()
}

func (k *keeper) onSynced(err error) {
	k.syncing = false
	if err != nil {
		k.fail(err)
	}
}

// finish is the last turn.
func (k *keeper) finish() {
	k.drain()
	k.write()
	if k.err != nil {
		k.save()
	}
	if k.syncing {
		k.onSynced(<-k.synced)
	}
	if k.startSync(true); k.syncing {
		k.onSynced(<-k.synced)
	}
	k.final = k.err
	if k.f != nil {
		k.final = errors.Join(k.final, k.f.Close())
	}
}

// publish makes the keeper's state the Status.
func (k *keeper) publish() {
	st := Status{Kept: k.o.Dir != "" && k.err == nil, Err: k.err, Since: k.since, Bytes: k.total()}
	if k.err != nil {
		st.Remedy = remedy(k.err, k.o.Dir)
	}
	if k.o.Dir == "" {
		st.Bytes = k.bytes
	}
	switch {
	case len(k.closed) > 0:
		st.Oldest = k.closed[0].begin
	case k.open != nil:
		st.Oldest = k.open.begin
	case len(k.memory) > 0:
		h, _ := parseHead(k.memory[0])
		st.Oldest = time.UnixMilli(h.newest)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status = st
}
