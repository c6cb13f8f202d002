package store

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"time"
)

// When the journals hold more than the snapshot, and more than this, a new one
// is written. Beyond twice that, if it cannot be, nothing is written any more.
const (
	minJournals = 16 << 20 // bytes
	maxJournals = 32       // files: each start begins one
	smallPart   = 256      // a journal that is such a part of it goes on beside the snapshot
)

// A writing is a snapshot under way.
type writing struct{ abort atomic.Bool }

var errAborted = errors.New("the snapshot was given up")

// A snapshotResult is what came of one.
type snapshotResult struct {
	entry   *entry
	gone    []string // files that were removed or set aside
	aside   int      // how many were set aside
	err     error    // of the snapshot
	cleanup error    // of removing what is older
}

// compact has a snapshot written if one is needed.
func (k *keeper) compact() {
	if k.j == nil || k.snap != nil || !k.snapAt.over(time.Now()) {
		return
	}
	if !k.whole && (k.closing || !k.stale()) {
		return
	}
	if k.j.size > k.o.minJournals/smallPart && k.tried != k.j.seq {
		if !k.j.synced { // of files with nothing to be read, only the last is beyond suspicion
			return
		}
		j, err := k.create()
		if err != nil {
			k.fail(err)
			return
		}
		k.retired = append(k.retired, k.j.f)
		k.j = j
		k.startSync()
	}
	k.snap = &writing{}
	seq, w := k.j.seq, k.snap
	var older []entry
	for _, e := range k.known {
		if e.seq < seq {
			older = append(older, *e)
		}
	}
	go func() { k.written <- k.snapshot(seq, w, older) }()
}

// journals gives bytes and number of the journals that a start would read.
func (k *keeper) journals() (bytes int64, n int) {
	for _, e := range k.known {
		if e.sort == journal && e.seq >= k.base {
			bytes += e.size
			n++
		}
	}
	return bytes, n
}

// room is how large the journals may become before a snapshot is due.
func (k *keeper) room() int64 {
	if e := k.known[nameOf(k.base, "snapshot")]; e != nil {
		return max(k.o.minJournals, e.size)
	}
	return k.o.minJournals
}

func (k *keeper) stale() bool {
	bytes, n := k.journals()
	return bytes > k.room() || n > maxJournals
}

func (k *keeper) onWritten(r snapshotResult) {
	k.snap = nil
	for _, name := range r.gone {
		delete(k.known, name)
	}
	k.aside += r.aside
	if r.cleanup != nil {
		k.failures.Add(1)
		k.o.Logger.Warn("old files of the state cannot be removed, the next snapshot tries again", "path", k.o.Dir, "error", r.cleanup.Error())
	}
	switch {
	case r.err == nil:
		k.known[r.entry.name] = r.entry
		k.base = r.entry.seq
		k.snapAt = backoff{}
		if k.j != nil {
			k.kept()
		}
	case errors.Is(r.err, errAborted):
	case k.j == nil:
	case k.whole:
		k.fail(r.err)
	default:
		k.tried = r.entry.seq
		k.snapAt.failed(time.Now())
		if bytes, _ := k.journals(); bytes > 2*k.room() {
			k.fail(r.err)
			return
		}
		k.note(r.err, "the state cannot be written anew, its journals grow")
	}
}

// kept is told when the files hold everything.
func (k *keeper) kept() {
	k.whole, k.attempt = false, false
	k.reopenAt = backoff{}
	k.release()
	if k.trouble.err != nil {
		k.o.Logger.Info("state is kept again, all of it was written anew", "path", k.o.Dir, "after", time.Since(k.trouble.since).Round(time.Second).String())
		k.trouble = trouble{}
	}
}

// snapshot writes all there is to a new file, gives it its name when it is on
// disk, and removes what it is in place of.
func (k *keeper) snapshot(seq uint64, w *writing, older []entry) snapshotResult {
	r := snapshotResult{entry: &entry{stateFile: stateFile{nameOf(seq, "snapshot"), snapshot, seq}, own: true}}
	tmp := nameOf(seq, "snapshot.tmp")
	if r.err = k.disk.Remove(tmp); r.err != nil && !errors.Is(r.err, fs.ErrNotExist) {
		return r
	}
	r.entry.size, r.err = k.writeAll(tmp, w)
	if r.err == nil && w.abort.Load() {
		r.err = errAborted
	}
	if r.err == nil {
		r.err = k.disk.Rename(tmp, r.entry.name)
	}
	if r.err != nil {
		k.disk.Remove(tmp) // it gives back the room; if it fails, the next try does
		return r
	}
	// From here on the snapshot counts for a start. Nothing is removed before a
	// loss of power cannot undo that.
	if r.err = k.disk.Sync(); r.err == nil {
		k.cleanup(older, &r)
	}
	return r
}

// cleanup removes files that are of no use any more, but for those with damage.
func (k *keeper) cleanup(older []entry, r *snapshotResult) {
	for _, e := range older {
		var err error
		if e.damage == "" {
			err = k.disk.Remove(e.name)
		} else if err = k.disk.Rename(e.name, asideName(e.name, time.Now())); err == nil {
			r.aside++
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			r.cleanup = errors.Join(r.cleanup, err)
			continue
		}
		r.gone = append(r.gone, e.name)
	}
}

// writeAll writes all spaces to a new file, and gives its size.
func (k *keeper) writeAll(name string, w *writing) (int64, error) {
	f, err := k.disk.Create(name)
	if err != nil {
		return 0, err
	}
	out := &slowly{f: f}
	b := bufio.NewWriterSize(out, 256<<10)
	err = k.writeFrames(b, w)
	err = errors.Join(err, b.Flush())
	if err == nil {
		err = f.Sync()
	}
	return out.size, errors.Join(err, f.Close())
}

func (k *keeper) writeFrames(out io.Writer, w *writing) error {
	m := newMark(newSalt())
	var frame []byte
	write := func(name string, record []byte) (err error) {
		if len(record) > k.o.maxRecord {
			return errTooLong
		}
		frame = appendFrame(frame[:0], m, name, record)
		_, err = out.Write(frame)
		return err
	}
	l := label{kind: labelSnapshot, secret: k.secret}
	err := write("", l.append(nil))
	for _, sp := range k.spaces {
		for record := range sp.All() {
			if err == nil && w.abort.Load() {
				err = errAborted
			}
			if err != nil {
				return err
			}
			l.frames++
			err = write(sp.name, record)
		}
	}
	if err != nil {
		return err
	}
	l.kind = labelEnd
	return write("", l.append(nil))
}

// slowly writes to a file and syncs it every few megabytes: all at once would
// hold up the sync of the journal, and that of the mail queue beside it.
type slowly struct {
	f            file
	size, synced int64
}

const syncEvery = 4 << 20

func (s *slowly) Write(b []byte) (int, error) {
	n, err := s.f.Write(b)
	s.size += int64(n)
	if err == nil && s.size-s.synced >= syncEvery {
		s.synced = s.size
		err = s.f.Sync()
	}
	return n, err
}
