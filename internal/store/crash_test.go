package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestLossOfPower: whenever the power goes, what Sync has promised is there at
// the next start, in each key as it was then or later; and again, when the power
// goes while that start tidies up.
func TestLossOfPower(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			d := newMemDisk()
			synced := map[uint64]uint64{}
			var value uint64
			for boot := range 12 {
				d.cut = 1 + rnd.IntN(80)
				s := beginSmall(t, d, 2000)
				got := s.numbers.copy()
				for key, v := range synced {
					if got[key] < v || got[key] > value {
						t.Fatalf("seed %d, boot %d: key %d is %d, was synced as %d of %d\n%v\n%s", seed, boot, key, got[key], v, value, d.names(), s.log)
					}
				}
				if s.loaded.Lost {
					t.Fatalf("seed %d, boot %d: lost\n%s", seed, boot, s.log)
				}
				synced = got // a start may have synced nothing more, but what it read is there
				if s.Sync(t.Context()) != nil {
					synced = map[uint64]uint64{}
				}
				for !d.isDead() {
					for range 1 + rnd.IntN(30) {
						value++
						s.numbers.set(rnd.Uint64N(40), value)
					}
					now := s.numbers.copy()
					if s.Sync(t.Context()) == nil {
						synced = now
					}
					time.Sleep(time.Duration(rnd.IntN(800)) * time.Millisecond)
				}
				s.Close(t.Context())
				d = d.afterCut(rnd)
			}
		})
	}
}

// TestPowerGoesAgainAtTheStart: a journal that was lost with the power before its first
// sync is no loss of state, nor is it one at the start after next, if the power goes once
// more while the next one tidies up.
func TestPowerGoesAgainAtTheStart(t *testing.T) {
	for cut := 1; ; cut++ {
		done := false
		for seed := range uint64(20) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := disc(t)
				d = d.with("state.00000002.journal", make([]byte, 300))
				d.cut = cut
				s := begin(t, d)
				time.Sleep(5 * time.Second)
				s.Close(t.Context())
				done = !d.isDead()
				next := begin(t, d.afterCut(rand.New(rand.NewPCG(seed, 1))))
				if s.loaded.Lost || next.loaded.Lost || next.numbers.Len() != 4 {
					t.Errorf("cut %d, seed %d: lost %v, then %v; %d keys, want 4\n%s%s", cut, seed, s.loaded.Lost, next.loaded.Lost, next.numbers.Len(), s.log, next.log)
				}
				next.end(t)
			})
		}
		if done {
			break
		}
	}
}

func (d *memDisk) isDead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dead
}

// disc makes a disk with a snapshot and a journal of a few records, and gives
// what they hold.
func disc(t *testing.T) (*memDisk, map[uint64]uint64) {
	t.Helper()
	d := newMemDisk()
	s, err := open(Options{Dir: "/state"}, d)
	if err != nil {
		t.Fatal(err)
	}
	n := newNumbers()
	n.batch = 1
	s.Add("numbers", n)
	k := &keeper{Store: s, known: map[string]*entry{}}
	k.j, err = k.create()
	for key := range uint64(3) {
		n.set(1+key, 10*key)
	}
	clear(n.changed) // these are in the snapshot alone
	r := k.snapshot(1, &writing{}, nil)
	for key := range uint64(3) {
		n.set(2+key, 200+key)
		err = errors.Join(err, k.collect())
	}
	if err := errors.Join(err, r.err, d.Unlock()); err != nil {
		t.Fatal(err)
	}
	return d, n.now
}

// with gives a copy of the disk with another content of a file.
func (d *memDisk) with(name string, data []byte) *memDisk {
	next := d.afterKill()
	next.put(name, data)
	return next
}

// TestTornWrites cuts the journal at each byte of its last frames: what stands
// before is read, the rest is told, and the next start finds nothing to tell.
func TestTornWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, want := disc(t)
		const name = "state.00000001.journal"
		whole := d.files[name].data
		frame := frameOver + len("numbers") + 16
		before := maps.Clone(want)
		before[4] = 0
		delete(before, 4)
		for cut := 1; cut < frame; cut++ {
			for _, torn := range [][]byte{whole[:len(whole)-cut], append(bytes.Clone(whole[:len(whole)-cut]), make([]byte, cut+7)...)} {
				d := d.with(name, torn)
				s := begin(t, d)
				s.want(t, fmt.Sprintf("%d bytes torn off", cut), before)
				if s.loaded.Lost || s.log.count("level=WARN") != 1 || s.log.count("level=ERROR") != 0 {
					t.Errorf("%d bytes torn off: %+v\n%s", cut, s.loaded, s.log)
				}
				s.end(t)
				s = begin(t, d)
				s.want(t, "after the start that has cut it", before)
				if s.log.count("level=WARN") != 0 {
					t.Errorf("%d bytes torn off, told again:\n%s", cut, s.log)
				}
				s.end(t)
			}
		}
	})
}

// TestFlippedBits: each is found and told, costs no more than the frame it is
// in, and the file is kept; or it harms nothing.
func TestFlippedBits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, want := disc(t)
		for _, name := range d.names() {
			whole := d.files[name].data
			for bit := range 8 * len(whole) {
				flipped := bytes.Clone(whole)
				flipped[bit/8] ^= 1 << (bit % 8)
				d := d.with(name, flipped)
				s := begin(t, d)
				got := s.numbers.copy()
				told := s.log.count("level=ERROR") + s.log.count("level=WARN")
				missing := 0
				for key := range want {
					if got[key] != want[key] {
						missing++
					}
				}
				s.end(t)
				kept := false
				for aside, f := range d.files {
					kept = kept || isAside(aside) && bytes.Equal(f.data, flipped)
				}
				switch {
				case missing > 1 || len(got) > len(want):
					t.Errorf("%s, bit %d: %v, want %v", name, bit, got, want)
				case missing > 0 && told == 0:
					t.Errorf("%s, bit %d: a record is missing and nothing was told", name, bit)
				case told != 1:
					t.Errorf("%s, bit %d: told %d times\n%s", name, bit, told, s.log)
				case s.log.count("level=ERROR") > 0 && (!s.loaded.Lost || !kept):
					t.Errorf("%s, bit %d: lost %v, kept %v", name, bit, s.loaded.Lost, kept)
				}
				if bit%8 != bit/8%8 {
					continue // the next start is alike for all bits of a byte
				}
				if s = begin(t, d); s.log.count("level=ERROR")+s.log.count("level=WARN") > 0 {
					t.Errorf("%s, bit %d: told at the next start again\n%s", name, bit, s.log)
				}
				s.end(t)
			}
		}
	})
}

// TestDamage: what else may have become of the files.
func TestDamage(t *testing.T) {
	const snap, jour = "state.00000001.snapshot", "state.00000001.journal"
	tests := []struct {
		name   string
		change func(*memDisk)
		told   string // in the log
		lost   bool
		keys   int // that are read, of 4
		aside  int
	}{
		{"nothing", func(*memDisk) {}, "", false, 4, 0},
		{"all is gone", func(d *memDisk) { clear(d.files) }, "", false, 0, 0},
		{"the snapshot is gone", func(d *memDisk) { delete(d.files, snap) }, "", false, 3, 0},
		{"the snapshot is empty", func(d *memDisk) { d.put(snap, nil) }, "its end is missing", true, 3, 1},
		{"the snapshot ends early", func(d *memDisk) { d.put(snap, d.files[snap].data[:len(d.files[snap].data)-frameOver-labelSize]) }, "its end is missing", true, 4, 1},
		{"the snapshot is zeros", func(d *memDisk) { clear(d.files[snap].data) }, "its end is missing", true, 3, 1},
		{"the snapshot begins with zeros", func(d *memDisk) { clear(d.files[snap].data[:60]) }, "are not what was written", true, 4, 1},
		{"the journal is zeros", func(d *memDisk) { clear(d.files[jour].data) }, "nothing in it can be read", false, 3, 1},
		{"the journal is empty", func(d *memDisk) { d.put(jour, nil) }, "", false, 3, 0},
		{"something before it", func(d *memDisk) { d.put(jour, append([]byte("mps1"), d.files[jour].data...)) }, "4 of its bytes", true, 4, 1},
		{"a later version", func(d *memDisk) { d.put(snap, laterVersion()) }, "version of the format", true, 3, 1},
		{"of another machine", func(d *memDisk) {
			other, _ := disc(t)
			d.put("state.00000000.journal", other.files[jour].data)
			d.put(snap, d.files[snap].data[:len(d.files[snap].data)-1])
		}, "belongs to other state", true, 4, 2},
		{"a snapshot that was never finished", func(d *memDisk) { d.put("state.00000003.snapshot.tmp", []byte("mps1")) }, "", false, 4, 0},
		{"an older journal that was not removed yet", func(d *memDisk) {
			other := d.afterKill()
			d.put("state.00000000.journal", other.files[jour].data)
		}, "", false, 4, 0},
		{"the disk fails while it is read", func(d *memDisk) { d.fail = failAt("read", snap, 4) }, "the disk fails at byte", true, 4, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := disc(t)
				test.change(d)
				s := begin(t, d)
				if test.told != "" && s.log.count(test.told) != 1 || test.told == "" && s.log.count("level=ERROR")+s.log.count("level=WARN") > 0 {
					t.Errorf("told:\n%swant %q", s.log, test.told)
				}
				if s.loaded.Lost != test.lost || s.numbers.Len() != test.keys {
					t.Errorf("lost %v, %d keys; want %v, %d", s.loaded.Lost, s.numbers.Len(), test.lost, test.keys)
				}
				want := s.numbers.copy()
				s.end(t)
				d.fail = nil
				s = begin(t, d)
				s.want(t, "at the next start", want)
				if s.loaded.Lost || s.Status().SetAside != test.aside {
					t.Errorf("at the next start: %+v, %d set aside, want %d; %v", s.loaded, s.Status().SetAside, test.aside, d.names())
				}
				names, _ := d.List()
				for name := range names { // the operator takes them away
					if isAside(name) {
						d.Remove(name)
					}
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := s.Status().SetAside; n != 0 {
					t.Errorf("%d set aside after they were taken away", n)
				}
				s.end(t)
			})
		})
	}
}

// failAt makes an operation on a file fail from the nth time on.
func failAt(op, name string, nth int) func(op, name string) error {
	n := 0
	return func(o, file string) error {
		if o == op && file == name {
			if n++; n >= nth {
				return &fs.PathError{Op: op, Path: name, Err: syscall.EIO}
			}
		}
		return nil
	}
}

func laterVersion() []byte {
	m := newMark(7)
	m[3] = '2'
	b := appendFrame(nil, m, "", make([]byte, labelSize))
	return b
}

// TestTheSnapshotIsMissing: journals that go on from one tell that it was there.
func TestTheSnapshotIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := disc(t)
		begin(t, d).end(t) // its journal goes on from snapshot 1
		delete(d.files, "state.00000001.snapshot")
		s := begin(t, d)
		if !s.loaded.Lost || s.log.count("a snapshot of the state is missing") != 1 {
			t.Errorf("%+v\n%s", s.loaded, s.log)
		}
		s.end(t)
	})
}

// TestAFileThatMayNotBeRead is left alone, and so is all beside it.
func TestAFileThatMayNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, want := disc(t)
		d.setFail(func(op, name string) error {
			if op == "open" && strings.HasSuffix(name, ".snapshot") {
				return &fs.PathError{Op: op, Path: name, Err: syscall.EACCES}
			}
			return nil
		})
		before := d.names()
		s := begin(t, d)
		s.numbers.set(9, 9)
		time.Sleep(time.Hour)
		if st := s.Status(); !s.loaded.Lost || st.Kept || !strings.HasSuffix(st.Remedy, "restart the daemon") {
			t.Errorf("%+v, status %+v", s.loaded, st)
		}
		if s.log.count("level=ERROR") != 1 {
			t.Errorf("log:\n%s", s.log)
		}
		if err := s.Close(t.Context()); !errors.Is(err, syscall.EACCES) {
			t.Errorf("Close: %v", err)
		}
		if names := d.names(); !slices.Equal(names, before) {
			t.Errorf("%v, before %v", names, before)
		}
		d.setFail(nil)
		s = begin(t, d)
		s.want(t, "when it may be read again", want)
		s.end(t)
	})
}

// A loser is told of a loss.
type loser struct {
	*numbers
	told int
}

func (l *loser) Lost() { l.told++ }

// TestOwnersAreToldOfALoss, once, before the state is written anew; of none they hear nothing.
func TestOwnersAreToldOfALoss(t *testing.T) {
	for _, missing := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := disc(t)
			begin(t, d).end(t)
			if missing {
				delete(d.files, "state.00000001.snapshot")
			}
			s, err := open(Options{Dir: "state"}, d)
			if err != nil {
				t.Fatal(err)
			}
			owner := &loser{numbers: newNumbers()}
			s.Add("numbers", owner)
			if loaded := s.Start(); loaded.Lost != missing {
				t.Fatalf("lost %v, want %v", loaded.Lost, missing)
			}
			if told := owner.told == 1; told != missing {
				t.Errorf("told %d times of a loss, which was there: %v", owner.told, missing)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
