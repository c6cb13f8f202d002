package store

import (
	"errors"
	"time"
)

// An openJournal is the one that is written to now.
type openJournal struct {
	*entry
	f      file
	mark   mark
	synced bool // once at least: its first frame outlives a loss of power
}

func (j *openJournal) write(b []byte) error {
	n, err := j.f.Write(b)
	j.size += int64(n)
	return err
}

// create begins a journal.
func (k *keeper) create() (*openJournal, error) {
	k.seq++
	j := &openJournal{
		entry: &entry{stateFile: stateFile{nameOf(k.seq, "journal"), journal, k.seq}, own: true},
		mark:  newMark(newSalt()),
	}
	var err error
	if j.f, err = k.disk.Create(j.name); err != nil {
		return nil, err
	}
	l := label{kind: labelJournal, base: k.base, secret: k.secret}
	b := appendFrame(nil, j.mark, "", l.append(nil))
	if err = j.write(b); err != nil {
		j.f.Close()
		k.disk.Remove(j.name)
		return nil, err
	}
	k.known[j.name] = j.entry
	k.unsynced, k.unnamed = true, true
	return j, nil
}

// A syncResult is how a sync went.
type syncResult struct {
	era  int
	j    *openJournal
	from time.Time // what was written before is on disk
	err  error
}

// startSync syncs what was written, unless a sync is under way: its end begins
// the next. It has a goroutine of its own, so that a slow disk holds up only
// itself and owners are asked all the same.
func (k *keeper) startSync() {
	if k.syncing || !k.unsynced && len(k.waiting) == 0 {
		return
	}
	names := k.unnamed
	k.syncing, k.unsynced, k.unnamed = true, false, false
	k.covered, k.waiting = k.waiting, nil
	before, f := k.retired, k.j.f
	k.retired = nil
	r := syncResult{era: k.era, j: k.j, from: k.collected}
	go func() {
		for _, f := range before {
			r.err = errors.Join(r.err, f.Sync(), f.Close())
		}
		r.err = errors.Join(r.err, f.Sync())
		if names {
			r.err = errors.Join(r.err, k.disk.Sync())
		}
		k.synced <- r
	}()
}

// release answers those whose changes are on disk for good.
func (k *keeper) release() {
	if k.attempt {
		return
	}
	k.publish()
	for _, c := range k.held {
		c <- nil
	}
	k.held = nil
}

func (k *keeper) onSynced(r syncResult) {
	k.syncing = false
	switch {
	case r.era != k.era: // of files that are given up
	case r.err != nil:
		k.fail(r.err)
		return
	default:
		k.lastWrite, r.j.synced = r.from, true
		k.held, k.covered = append(k.held, k.covered...), nil
		k.release()
	}
	if k.j != nil {
		k.startSync()
	}
}
