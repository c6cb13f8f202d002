package store

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A keeper is what the store's goroutine works with. After Start nobody else
// touches it.
type keeper struct {
	*Store

	known  map[string]*entry // all files of the state in the directory that we may write beside
	unread map[string]error  // files that could not be opened at the start
	seq    uint64            // the highest number of a file so far
	base   uint64            // the newest snapshot, 0 for none
	aside  int               // files that were set aside
	looked time.Time         // when they were counted

	j       *openJournal // nil: state is not kept now
	attempt bool         // it is of no use before its snapshot is written
	retired []file       // journals before it, to be synced and closed
	closing bool         // Close was called
	whole   bool         // the files do not hold all: a snapshot is needed
	buf     []byte

	syncing  bool
	unsynced bool // something was written since the last sync began
	unnamed  bool // a file was made since then
	synced   chan syncResult
	waiting  []chan error // want to know of the next sync
	covered  []chan error // of the one under way
	held     []chan error // synced, in a journal that is of no use before its snapshot

	snap     *writing // nil: no snapshot is being written
	tried    uint64   // the number of a snapshot that failed
	written  chan snapshotResult
	snapAt   backoff // when to write one
	reopenAt backoff // when to try the disk again

	era       int // of the files in use: it ends with a failure
	trouble   trouble
	collected time.Time // what changed before then has been written, if not synced
	lastWrite time.Time
}

// run is the store's goroutine.
func (k *keeper) run(ctx context.Context) {
	defer close(k.ended)
	tick := time.NewTicker(k.o.Interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			k.turn()
		case answer := <-k.asked:
			k.waiting = append(k.waiting, answer)
			k.turn()
		case r := <-k.synced:
			k.onSynced(r)
		case r := <-k.written:
			k.onWritten(r)
		case <-ctx.Done():
		}
		k.publish()
	}
	k.final = k.finish()
	k.publish()
}

// turn writes what has changed.
func (k *keeper) turn() {
	if k.j == nil {
		k.drain()
		k.reopen()
	}
	if k.j == nil {
		k.answer(k.trouble.err)
		return
	}
	if err := k.collect(); err != nil {
		k.fail(err)
		return
	}
	k.startSync()
	if !k.unsynced && !k.syncing && !k.attempt && k.j.synced { // nothing has changed since
		k.lastWrite = k.collected
	}
	k.compact()
	k.recount()
}

// recount counts the files that were set aside, while there are some, once a minute: the
// operator takes them away.
func (k *keeper) recount() {
	now := time.Now()
	if k.aside == 0 || now.Sub(k.looked) < time.Minute {
		return
	}
	k.looked = now
	names, err := k.disk.List()
	if err != nil {
		return // it is asked again, and who writes there tells of it
	}
	k.aside = 0
	for name := range names {
		if isAside(name) {
			k.aside++
		}
	}
}

// drain takes what has changed while it cannot be written, so that the owners'
// lists do not grow.
func (k *keeper) drain() {
	for _, sp := range k.spaces {
		k.buf = sp.Changed(k.buf[:0])
	}
	k.shrink()
}

// collect writes what has changed to the journal.
func (k *keeper) collect() error {
	if err := k.disk.Check(k.j.name, k.j.f); err != nil {
		return err
	}
	begun := time.Now()
	b := k.buf[:0]
	var tooLong error
	for _, sp := range k.spaces {
		begin := len(b)
		b = beginFrame(b, k.j.mark, sp.name)
		empty := len(b)
		if b = sp.Changed(b); len(b) == empty {
			b = b[:begin]
			continue
		}
		if len(b)-empty > k.o.maxRecord {
			b, tooLong = b[:begin], errTooLong
			continue
		}
		b = endFrame(b, begin)
	}
	k.buf = b
	defer k.shrink()
	if tooLong != nil {
		return tooLong
	}
	k.collected = begun
	if len(b) == 0 {
		return nil
	}
	k.unsynced = true
	return k.j.write(b)
}

// keepBuffer is how much memory is kept from one turn to the next.
const keepBuffer = 1 << 20

func (k *keeper) shrink() {
	if cap(k.buf) > keepBuffer {
		k.buf = nil
	}
}

// reopen begins a journal, at the start and after a failure, unless it is too
// soon for that.
func (k *keeper) reopen() {
	if !k.reopenAt.over(time.Now()) || k.snap != nil {
		return
	}
	if err := k.tryReopen(); err != nil {
		k.fail(err)
	}
}

func (k *keeper) tryReopen() error {
	if err := k.disk.Lock(); err != nil {
		return err
	}
	names, err := k.disk.List()
	if err != nil {
		return err
	}
	for _, f := range sortFiles(names) {
		k.seq = max(k.seq, f.seq)
		if f.sort == snapshot || f.sort == journal {
			if e := k.known[f.name]; e == nil || !e.own && e.size != names[f.name] {
				return &foreignError{k.o.Dir, f.name, k.unread[f.name]}
			}
		}
		if f.sort == partial { // by a process that has ended
			k.disk.Remove(f.name) // else it is in nobody's way
		}
	}
	for name := range k.known {
		if _, ok := names[name]; !ok {
			delete(k.known, name)
		}
	}
	if err := k.setUnbornAside(); err != nil {
		return err
	}
	j, err := k.create()
	if err != nil {
		return err
	}
	k.j, k.attempt, k.snapAt = j, k.whole, backoff{}
	k.compact()
	return nil
}

// setUnbornAside is for a journal that was lost with the power before its first sync. It
// is beyond suspicion as long as it is the last: so it goes before there is another.
func (k *keeper) setUnbornAside() error {
	for name, e := range k.known {
		if !e.unborn {
			continue
		}
		if err := k.disk.Rename(name, asideName(name, time.Now())); err != nil {
			return err
		}
		delete(k.known, name)
		k.aside++
		if err := k.disk.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// fail ends the use of the files after an error: from then on state is in
// memory only, until all of it has been written anew.
func (k *keeper) fail(err error) {
	k.note(err, "state is not kept, it is in memory only")
	k.era++
	k.whole = true
	k.reopenAt.failed(time.Now())
	if k.snap != nil {
		k.snap.abort.Store(true)
	}
	for _, f := range k.retired {
		f.Close()
	}
	k.retired = nil
	if k.j != nil {
		k.j.f.Close()
		if k.attempt && k.disk.Remove(k.j.name) == nil { // many tries, one file
			delete(k.known, k.j.name)
		}
		k.j = nil
	}
	k.unsynced = false
	k.answer(err)
}

// note counts an error, and tells of it if it is another than before.
func (k *keeper) note(err error, what string) {
	k.failures.Add(1)
	if k.trouble.same(what, err, k.o.Dir) {
		return
	}
	since := time.Now()
	if k.trouble.err != nil {
		since = k.trouble.since
	}
	k.trouble = trouble{what, err, since}
	k.o.Logger.Error(what, "path", k.o.Dir, "error", err.Error(), "remedy", remedy(err, k.o.Dir))
}

// answer tells all who wait for a sync.
func (k *keeper) answer(err error) {
	k.publish() // whoever has the answer finds the Status like it
	for _, c := range slices.Concat(k.held, k.covered, k.waiting) {
		c <- err
	}
	k.held, k.covered, k.waiting = nil, nil, nil
}

// finish is the last turn: it writes all that has changed, and closes. Its error
// is why it could not.
func (k *keeper) finish() error {
	if k.snap != nil && !k.whole {
		k.snap.abort.Store(true) // the journals have it all
	}
	k.closing = true
	k.settle()
	k.reopenAt = backoff{}
	k.turn()
	k.settle()
	err := k.trouble.err // unless it is only that the journals grow
	if k.j != nil {
		err = k.j.f.Close()
	}
	k.answer(errors.New("the store is closed"))
	return errors.Join(err, k.disk.Unlock())
}

// settle waits for what is under way.
func (k *keeper) settle() {
	for k.syncing || k.snap != nil {
		select {
		case r := <-k.synced:
			k.onSynced(r)
		case r := <-k.written:
			k.onWritten(r)
		}
	}
}
