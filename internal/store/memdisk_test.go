package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"sync"
)

// A memDisk is a disk that fails when it is told to, and that loses power: then
// what was not synced is there in part.
type memDisk struct {
	mu     sync.Mutex
	files  map[string]*memFile // as the system shows them
	synced map[string]*memFile // names as they are on the platter
	undone []func()            // changes of names since, in order: what they do to synced
	locked bool
	ops    int // changes so far

	fail func(op, name string) error // asked before each operation
	cut  int                         // power goes before the operation of that number, counted from 1; 0: never
	dead bool
}

type memFile struct {
	disk   *memDisk
	name   string
	data   []byte
	synced int // bytes on the platter
}

var errDead = errors.New("no power")

func newMemDisk() *memDisk {
	return &memDisk{files: map[string]*memFile{}, synced: map[string]*memFile{}}
}

// setFail changes what fails.
func (d *memDisk) setFail(fail func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = fail
}

// failWith makes all operations of a kind fail; "" is all.
func failWith(err error, ops ...string) func(op, name string) error {
	return func(op, name string) error {
		for _, o := range ops {
			if o == op {
				return &fs.PathError{Op: op, Path: "/state/" + name, Err: err}
			}
		}
		return nil
	}
}

// begin takes the lock of an operation, or gives its error.
func (d *memDisk) begin(op, name string, change bool) error {
	d.mu.Lock()
	if change {
		if d.ops++; d.ops == d.cut {
			d.dead = true
		}
	}
	if d.dead {
		d.mu.Unlock()
		return errDead
	}
	if d.fail != nil {
		if err := d.fail(op, name); err != nil {
			d.mu.Unlock()
			return err
		}
	}
	return nil
}

// afterCut gives the disk as the next boot finds it: of what was not synced,
// some.
func (d *memDisk) afterCut(rnd *rand.Rand) *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, undone := range d.undone[:rnd.IntN(len(d.undone)+1)] {
		undone()
	}
	next := newMemDisk()
	for name, f := range d.synced {
		n := f.synced + rnd.IntN(len(f.data)-f.synced+1)
		data := bytes.Clone(f.data[:n])
		if rest := len(f.data) - n; rest > 0 && rnd.IntN(3) == 0 { // the size came to the platter before the bytes
			data = append(data, make([]byte, rnd.IntN(rest+1))...)
		}
		next.put(name, data)
	}
	return next
}

// afterKill gives the disk as the next process finds it.
func (d *memDisk) afterKill() *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := newMemDisk()
	for name, f := range d.files {
		next.put(name, bytes.Clone(f.data))
	}
	return next
}

func (d *memDisk) put(name string, data []byte) {
	f := &memFile{d, name, data, len(data)}
	d.files[name], d.synced[name] = f, f
}

func (d *memDisk) Lock() error {
	if err := d.begin("lock", lockName, false); err != nil {
		return err
	}
	defer d.mu.Unlock()
	d.locked = true
	return nil
}

func (d *memDisk) Unlock() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = false
	return nil
}

func (d *memDisk) List() (map[string]int64, error) {
	if err := d.begin("list", "", false); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	all := map[string]int64{}
	for name, f := range d.files {
		all[name] = int64(len(f.data))
	}
	return all, nil
}

func (d *memDisk) Open(name string) (io.ReadCloser, error) {
	if err := d.begin("open", name, false); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(&memReader{d, name, bytes.NewReader(f.data)}), nil
}

type memReader struct {
	disk *memDisk
	name string
	*bytes.Reader
}

func (r *memReader) Read(p []byte) (int, error) {
	if err := r.disk.begin("read", r.name, false); err != nil {
		return 0, err
	}
	defer r.disk.mu.Unlock()
	return r.Reader.Read(p[:min(len(p), 100)])
}

func (d *memDisk) Create(name string) (file, error) {
	if err := d.begin("create", name, true); err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	f := &memFile{disk: d, name: name}
	d.files[name] = f
	d.undone = append(d.undone, func() { d.synced[name] = f })
	return f, nil
}

func (d *memDisk) Rename(name, newName string) error {
	if err := d.begin("rename", name, true); err != nil {
		return err
	}
	defer d.mu.Unlock()
	f := d.files[name]
	if f == nil {
		return fs.ErrNotExist
	}
	if d.files[newName] != nil {
		return fs.ErrExist
	}
	move := func(files map[string]*memFile) func() {
		return func() {
			delete(files, name)
			files[newName] = f
		}
	}
	move(d.files)()
	d.undone = append(d.undone, move(d.synced))
	return nil
}

func (d *memDisk) Remove(name string) error {
	if err := d.begin("remove", name, true); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if d.files[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.files, name)
	d.undone = append(d.undone, func() { delete(d.synced, name) })
	return nil
}

func (d *memDisk) Sync() error {
	if err := d.begin("syncdir", "", true); err != nil {
		return err
	}
	defer d.mu.Unlock()
	d.synced, d.undone = maps.Clone(d.files), nil
	return nil
}

func (d *memDisk) Check(name string, f file) error {
	if err := d.begin("check", name, false); err != nil {
		return err
	}
	defer d.mu.Unlock()
	if d.files[name] != f {
		return &fs.PathError{Op: "lstat", Path: "/state/" + name, Err: fs.ErrNotExist}
	}
	return nil
}

func (f *memFile) Write(b []byte) (int, error) {
	if err := f.disk.begin("write", f.name, true); err != nil {
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		n := 0
		if !f.disk.dead { // a full disk takes some of it
			n = len(b) / 2
			f.data = append(f.data, b[:n]...)
		} else if len(b) > 0 {
			f.data = append(f.data, b...) // it is on its way when the power goes
		}
		return n, err
	}
	defer f.disk.mu.Unlock()
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *memFile) Sync() error {
	if err := f.disk.begin("sync", f.name, true); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	f.synced = len(f.data)
	return nil
}

func (f *memFile) Close() error { return nil }

// names gives the files, sorted by the order of reading.
func (d *memDisk) names() (names []string) {
	all, _ := d.List()
	for _, f := range sortFiles(all) {
		names = append(names, f.name)
	}
	return names
}
