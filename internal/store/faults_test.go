package store

import (
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// faults are what may become of a disk, in all places where it may.
var faults = []struct {
	name   string
	err    error
	ops    []string
	remedy string // a part of it
}{
	{"full", syscall.ENOSPC, []string{"write", "create"}, "make room"},
	{"full, and new files can be made", syscall.ENOSPC, []string{"write"}, "make room"},
	{"over quota", syscall.EDQUOT, []string{"write"}, "quota"},
	{"mounted for reading", syscall.EROFS, []string{"write", "create", "remove", "rename", "sync"}, "mount it"},
	{"not ours", syscall.EACCES, []string{"create", "lock", "check", "list"}, "own"},
	{"gone", syscall.ENOENT, []string{"create", "lock", "check", "list"}, "make the directory"},
	{"broken", syscall.EIO, []string{"write", "sync", "syncdir", "create", "rename", "remove", "lock", "check", "list"}, "look at the disk"},
	{"broken in its syncs", syscall.EIO, []string{"sync"}, "look at the disk"},
	{"broken in its names", syscall.EIO, []string{"syncdir", "rename"}, "look at the disk"},
}

// TestFaultsUnderWay: the disk fails while the daemon runs, for ten minutes. It is
// told once, memory goes on, nothing that was on disk goes; and when the disk is
// back, all is on it within a minute, what changed meanwhile too.
func TestFaultsUnderWay(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newMemDisk()
				s := beginSmall(t, d, 2000)
				want := map[uint64]uint64{}
				set := func(key, value uint64) {
					s.numbers.set(key, value)
					want[key] = value
				}
				for key := range uint64(50) {
					set(key, 1)
				}
				if err := s.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				errorsBefore := s.Errors()
				d.setFail(failWith(fault.err, fault.ops...))
				for i := range uint64(600) {
					set(i%60, i+1)
					time.Sleep(time.Second)
				}
				st := s.Status()
				if st.Kept || !errors.Is(st.Err, fault.err) || !strings.Contains(st.Remedy, fault.remedy) || s.Errors() == errorsBefore {
					t.Errorf("status %+v", st)
				}
				if told := s.log.count("level=ERROR"); told == 0 || told > 2 { // journals that grow, then nothing is kept
					t.Errorf("told %d times:\n%s", told, s.log)
				}
				if tries := s.Errors() - errorsBefore; tries > 40 {
					t.Errorf("%d tries in ten minutes", tries)
				}
				if n := len(d.afterKill().names()); n > 10 {
					t.Errorf("%d files", n)
				}
				crashed := begin(t, d.afterKill())
				for key := range uint64(50) {
					if crashed.numbers.now[key] < 1 {
						t.Errorf("key %d was on disk before", key)
					}
				}
				if crashed.loaded.Lost {
					t.Errorf("lost:\n%s", crashed.log)
				}
				crashed.end(t)

				d.setFail(nil)
				time.Sleep(lastRetry + 2*DefaultInterval)
				synctest.Wait()
				if st := s.Status(); !st.Kept || st.Err != nil || s.log.count("state is kept again") != 1 {
					t.Errorf("when it is back: %+v\n%s", st, s.log)
				}
				next := begin(t, d.afterCut(rand.New(rand.NewPCG(1, 1))))
				next.want(t, "when it is back", want)
				next.end(t)
				s.end(t)
			})
		})
	}
}

// TestFaultsAtTheStart: memory works, and the state that is there is not touched.
func TestFaultsAtTheStart(t *testing.T) {
	for _, fault := range faults {
		for _, stop := range []bool{false, true} {
			t.Run(fault.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d, want := disc(t)
					before := d.afterKill()
					d.setFail(failWith(fault.err, fault.ops...))
					s := begin(t, d)
					hidden := s.hidden
					if hidden && !errors.Is(fault.err, fs.ErrNotExist) != s.loaded.Lost {
						t.Errorf("%+v", s.loaded)
					}
					s.numbers.set(77, 7)
					time.Sleep(time.Minute)
					if st := s.Status(); st.Kept || !errors.Is(st.Err, fault.err) {
						t.Errorf("status %+v", st)
					}
					if told := s.log.count("level=ERROR"); told != 1 {
						t.Errorf("told %d times:\n%s", told, s.log)
					}
					for name, f := range before.files {
						if string(d.files[name].data) != string(f.data) {
							t.Errorf("%s has changed", name)
						}
					}
					if stop { // while the disk fails
						if err := s.Close(t.Context()); !errors.Is(err, fault.err) {
							t.Errorf("Close: %v", err)
						}
						d.setFail(nil)
						next := begin(t, d)
						delete(next.numbers.now, 77) // a sync that fails may have synced
						next.want(t, "at the next start", want)
						next.end(t)
						return
					}
					d.setFail(nil)
					time.Sleep(2 * lastRetry)
					synctest.Wait()
					if _, known := s.numbers.copy()[1]; !known { // nothing was read: it is for the next start
						if st := s.Status(); st.Kept || !strings.Contains(st.Remedy, "restart") {
							t.Errorf("status %+v", st)
						}
						s.Close(t.Context())
					} else {
						want[77] = 7
						s.end(t)
					}
					next := begin(t, d)
					next.want(t, "at the next start", want)
					next.end(t)
				})
			})
		}
	}
}

// TestAStopTriesOnceMore: the disk is back, and the store has not noticed yet.
func TestAStopTriesOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		d.setFail(failWith(syscall.ENOSPC, "write", "create"))
		s.numbers.set(1, 1)
		time.Sleep(10 * time.Minute)
		d.setFail(nil)
		s.end(t)
		s = begin(t, d)
		s.want(t, "at the next start", map[uint64]uint64{1: 1})
		s.end(t)
	})
}

// TestASnapshotThatDoesNotFit: the journal goes on up to its bound, then all that
// was on disk stays as it is.
func TestASnapshotThatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := beginSmall(t, d, 20_000)
		d.setFail(func(op, name string) error {
			if op == "write" && strings.HasSuffix(name, ".tmp") {
				return &fs.PathError{Op: op, Path: name, Err: syscall.ENOSPC}
			}
			return nil
		})
		for i := range uint64(3000) {
			for key := range uint64(10) {
				s.numbers.set(key, i)
			}
			time.Sleep(time.Second)
			if names, _ := d.List(); len(names) > 5 {
				t.Fatal(d.names())
			}
		}
		synctest.Wait()
		if st := s.Status(); st.Kept || st.Bytes > 3*20_000 || s.log.count("its journals grow") != 1 || s.log.count("in memory only") != 1 {
			t.Errorf("%+v\n%s", st, s.log)
		}
		d.setFail(nil)
		want := s.numbers.copy()
		s.end(t)
		s = begin(t, d)
		s.want(t, "at the next start", want)
		s.end(t)
	})
}

// TestTheDirectoryIsReplaced under the daemon by one with state that it has not
// read: that is not overwritten, nor removed.
func TestTheDirectoryIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		backup, want := disc(t)
		d.mu.Lock()
		d.files = backup.files
		for _, f := range d.files {
			f.disk = d
		}
		d.mu.Unlock()
		s.numbers.set(9, 9)
		time.Sleep(time.Hour)
		if st := s.Status(); st.Kept || !strings.Contains(st.Err.Error(), "not read") && !errors.Is(st.Err, fs.ErrNotExist) {
			t.Errorf("%+v", st)
		}
		if s.Close(t.Context()) == nil {
			t.Error("Close: no error")
		}
		s = begin(t, d)
		s.want(t, "the backup", want)
		s.end(t)
	})
}

// TestALongRecord is told, and what it held is written with all there is.
func TestALongRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := &site{numbers: newNumbers(), log: &logbook{}}
		s.Store, _ = open(Options{Dir: "/state", Logger: slog.New(slog.NewTextHandler(s.log, nil)), maxRecord: 100 * 16}, d)
		s.Add("numbers", s.numbers)
		s.Start()
		want := map[uint64]uint64{}
		for key := range uint64(101) {
			s.numbers.set(key, key)
			want[key] = key
		}
		if err := s.Sync(t.Context()); !errors.Is(err, errTooLong) || s.log.count("report it") != 1 {
			t.Errorf("%v\n%s", err, s.log)
		}
		time.Sleep(2 * firstRetry)
		synctest.Wait()
		next := begin(t, d.afterKill())
		next.want(t, "two seconds later", want)
		next.end(t)
		s.end(t)
	})
}

// TestSyncWaitsForTheWhole: after a failure a journal alone is not enough to
// promise anything, since it goes when its snapshot fails.
func TestSyncWaitsForTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		d.setFail(failWith(syscall.EIO, "write"))
		s.numbers.set(1, 1)
		if s.Sync(t.Context()) == nil {
			t.Fatal("no error of a disk that fails")
		}
		time.Sleep(firstRetry)
		d.setFail(failWith(syscall.EIO, "rename"))
		if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("while the snapshot fails: %v", err)
		}
		d.setFail(nil)
		time.Sleep(lastRetry)
		if err := s.Sync(t.Context()); err != nil {
			t.Errorf("when it is back: %v", err)
		}
		next := begin(t, d.afterKill())
		next.want(t, "then", map[uint64]uint64{1: 1})
		next.end(t)
		s.end(t)
	})
}
