package store

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestACleanStopKeepsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		want := map[uint64]uint64{}
		var secret [SecretSize]byte
		for round := range uint64(5) {
			s := begin(t, d)
			if s.loaded.Lost || s.loaded.Fresh != (round == 0) {
				t.Errorf("round %d: %+v", round, s.loaded)
			}
			s.want(t, "after the start", want)
			if round > 0 && s.Secret() != secret {
				t.Error("another secret")
			}
			secret = s.Secret()
			for key := range uint64(1000) {
				s.numbers.set(key+round*500, round)
				want[key+round*500] = round
			}
			s.end(t)
		}
		if s := begin(t, d); s.log.count("level=ERROR")+s.log.count("level=WARN") > 0 {
			t.Error(s.log)
		} else {
			s.end(t)
		}
	})
}

// TestOwnersAreAskedTwiceASecond is what the promise of one second stands on.
func TestOwnersAreAskedTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		s.numbers.set(1, 1)
		time.Sleep(DefaultInterval + time.Nanosecond)
		synctest.Wait()
		next := begin(t, d.afterKill())
		next.want(t, "half a second later", map[uint64]uint64{1: 1})
		next.end(t)
		if st := s.Status(); !st.Kept || time.Since(st.LastWrite) > time.Second || st.Err != nil {
			t.Errorf("status %+v", st)
		}
		s.end(t)
	})
}

// TestASlowDiskHoldsUpOnlyItself: a sync that hangs does not keep owners from
// being asked, nor what they say from being written.
func TestASlowDiskHoldsUpOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &hangingDisk{memDisk: newMemDisk(), hang: make(chan struct{})}
		s := begin(t, d)
		want := map[uint64]uint64{}
		for key := range uint64(10) {
			s.numbers.set(key, key)
			want[key] = key
			time.Sleep(DefaultInterval)
		}
		synctest.Wait()
		next := begin(t, d.afterKill())
		next.want(t, "while a sync hangs", want)
		next.end(t)
		if st := s.Status(); !st.LastWrite.IsZero() {
			t.Errorf("%v on disk", st.LastWrite)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		close(d.hang)
		<-s.ended
	})
}

// A hangingDisk does not come back from a sync of a file.
type hangingDisk struct {
	*memDisk
	hang chan struct{}
}

func (d *hangingDisk) Create(name string) (file, error) {
	f, err := d.memDisk.Create(name)
	if err != nil {
		return nil, err
	}
	return &hangingFile{f, d.hang}, nil
}

func (d *hangingDisk) Check(name string, f file) error {
	return d.memDisk.Check(name, f.(*hangingFile).file)
}

type hangingFile struct {
	file
	hang chan struct{}
}

func (f *hangingFile) Sync() error {
	<-f.hang
	return f.file.Sync()
}

func TestSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		s.numbers.set(1, 1)
		if err := s.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		next := begin(t, d.afterKill())
		next.want(t, "right after Sync", map[uint64]uint64{1: 1})
		next.end(t)
		d.setFail(failWith(syscall.EIO, "sync"))
		s.numbers.set(2, 2)
		if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("on a disk that fails: %v", err)
		}
		if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("while it is left alone: %v", err)
		}
		d.setFail(nil)
		s.end(t)
		if s.Sync(t.Context()) == nil {
			t.Error("after Close: no error")
		}
	})
}

// TestCompaction: however long it runs, what is on disk is bounded, and a start
// reads no more than twice what there is.
func TestCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		const room, keys = 100_000, 1000
		s := beginSmall(t, d, room)
		want := map[uint64]uint64{}
		var most int64
		for round := range uint64(60) {
			for key := range uint64(keys) {
				s.numbers.set(key, round)
				want[key] = round
			}
			time.Sleep(time.Second)
			synctest.Wait()
			most = max(most, s.Status().Bytes)
		}
		const one = 17 * keys // a round, and all there is
		if most > room+8*one {
			t.Errorf("%d bytes on disk for %d", most, one)
		}
		if n := len(d.names()); n > 4 {
			t.Errorf("%d files: %v", n, d.names())
		}
		next := begin(t, d.afterKill())
		next.want(t, "after the crash", want)
		next.end(t)
		s.end(t)
		if s.log.count("level=WARN")+s.log.count("level=ERROR") > 0 {
			t.Error(s.log)
		}
	})
}

// TestManyStarts: each begins a journal, and they do not pile up.
func TestManyStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		want := map[uint64]uint64{}
		for start := range uint64(3 * maxJournals) {
			s := begin(t, d)
			s.want(t, "after a crash", want)
			s.numbers.set(start, start)
			want[start] = start
			time.Sleep(2 * DefaultInterval)
			synctest.Wait()
			next := d.afterKill()
			s.end(t)
			d = next
		}
		if n := len(d.names()); n > maxJournals+2 {
			t.Errorf("%d files", n)
		}
	})
}

func TestSpaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		start := func(names ...string) (*site, map[string]*numbers) {
			s := &site{log: &logbook{}}
			s.Store, _ = open(Options{Dir: "/state"}, d)
			all := map[string]*numbers{}
			for _, name := range names {
				all[name] = newNumbers()
				s.Add(name, all[name])
			}
			s.loaded = s.Start()
			return s, all
		}
		s, all := start("limits", "accounts")
		all["limits"].set(1, 10)
		all["accounts"].set(1, 20)
		s.end(t)

		s, all = start("accounts", "limits", "servers")
		if all["limits"].now[1] != 10 || all["accounts"].now[1] != 20 || s.loaded.Lost {
			t.Errorf("limits %v, accounts %v, %+v", all["limits"].now, all["accounts"].now, s.loaded)
		}
		all["servers"].set(1, 30)
		if st := s.Status(); len(st.Spaces) != 3 || st.Spaces[0] != (SpaceStatus{"accounts", 1}) {
			t.Errorf("status: %+v", st)
		}
		s.end(t)

		// An older version, which knows no servers, does not do away with them.
		s, _ = start("limits", "accounts")
		if s.loaded.Lost {
			t.Errorf("lost: %+v", s.loaded)
		}
		s.end(t)
		if names := d.names(); !slices.ContainsFunc(names, isAside) {
			t.Errorf("%v: nothing was set aside", names)
		}
		if bad := func() (r any) {
			defer func() { r = recover() }()
			s.Add(strings.Repeat("x", 33), newNumbers())
			return nil
		}(); bad == nil {
			t.Error("a name of 33 bytes was taken")
		}
	})
}

func TestCloseWithoutStart(t *testing.T) {
	d := newMemDisk()
	s, err := open(Options{}, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil || d.locked {
		t.Errorf("%v, locked %v", err, d.locked)
	}
}

// TestLastWriteGoesOn while nothing changes, so that whoever waits for what he has changed
// before does not wait for ever; and it names no time at which something had changed that is
// not on disk.
func TestLastWriteGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newMemDisk()
		s := begin(t, d)
		for key := range uint64(20) {
			time.Sleep(time.Duration(key) * 37 * time.Millisecond)
			s.numbers.set(key, key)
			changed := time.Now()
			for !s.Status().LastWrite.After(changed) {
				time.Sleep(10 * time.Millisecond)
			}
			if waited := time.Since(changed); waited > 3*DefaultInterval {
				t.Errorf("change %d: it took %v", key, waited)
			}
			next := begin(t, d.afterKill())
			if got := next.numbers.copy()[key]; got != key {
				t.Errorf("change %d is not on disk", key)
			}
			next.end(t)
		}
		s.end(t)
	})
}
