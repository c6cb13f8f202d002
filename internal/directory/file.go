package directory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/internal/ownfile"
)

// settled is how long it has been left alone before a version with fewer addresses is
// taken: whoever writes a file anew in its place may stop for breath, and whoever is
// moved from one file to another is in neither for a moment.
const settled = time.Minute

// A File is a Source of text tables and compiled maps, taken together, which follows
// them. Whoever asks is never held up by a Refresh. It is safe for concurrent use.
type File struct {
	specs  []FileSpec
	loaded atomic.Pointer[loaded]
	doubt  atomic.Pointer[doubted] // why a No of theirs is not believed; nil: it is
	said   atomic.Pointer[string]  // of the version that was not taken, or of the one in use that is in doubt; nil: nothing

	mu      sync.Mutex // of Refresh
	refused []fs.FileInfo
	seen    []fs.FileInfo // the last that was looked at,
	since   time.Time     // for the first time then
	restive time.Time     // since when they were not left alone; zero: they are
	fewer   time.Time     // since when they have fewer addresses; zero: they do not
	later   time.Time     // not before then is a version with fewer addresses looked at again
	before  int           // addresses that were there before the one in doubt
}

// loaded is one version of all files.
type loaded struct {
	table *table
	infos []fs.FileInfo // of each file
	state []FileState
	at    time.Time
}

// A FileState is one file in use.
type FileState struct {
	Spec    FileSpec
	Format  Format    // that it was read as
	Entries int       // lines that say something
	Bad     int       // lines left out
	Loaded  time.Time // when this version was read
	Trouble string    // why the version on disk is not the one in use, or is in doubt; "" where it is and is not
	Doubted bool      // the version in use has nobody refused
}

// A FileChange is a new version that was taken in.
type FileChange struct {
	Users, Before int // addresses
	Took          time.Duration
}

// OpenFile reads the files. Without a File they cannot be used, and the problems say
// why; with one they tell of lines that were left out.
func OpenFile(specs []FileSpec, now time.Time) (*File, []Problem) {
	l, problems := load(specs, now)
	if l == nil {
		return nil, problems
	}
	f := &File{specs: specs}
	f.loaded.Store(l)
	return f, problems
}

// Immediately implements [Immediate].
func (f *File) Immediately() {}

// Lookup answers out of memory: it does not wait.
func (f *File) Lookup(_ context.Context, a Address) Entry {
	e := f.loaded.Load().table.lookup(a)
	if e.Result == No {
		if d := f.doubt.Load(); d != nil {
			return Fail(d)
		}
	}
	return e
}

// Doubt has nobody refused by the files, which had so many addresses before: until a new
// version is taken that has not lost too many of these.
func (f *File) Doubt(before int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.lost(before, f.Users())
	f.before = before
	f.say(p.String())
	f.doubt.Store(&doubted{errors.New(p.What)})
}

// Doubted reports whether a No of theirs is not believed.
func (f *File) Doubted() bool { return f.doubt.Load() != nil }

// lost words what a version lacks.
func (f *File) lost(before, users int) Problem {
	return Problem{
		File: f.specs[0].Path, What: fmt.Sprintf("of %d addresses only %d are left", before, users),
		Remedy: "if that is meant, \"mailprofiled reload\" takes it in",
	}
}

// Close does nothing: there is nothing open.
func (f *File) Close() error { return nil }

// SpeaksFor reports whether the files say of a domain who exists there.
func (f *File) SpeaksFor(domain string) bool { return f.loaded.Load().table.speaksFor(domain) }

// Users is how many addresses they have.
func (f *File) Users() int { return f.loaded.Load().table.users }

// say has Files tell what is wrong, "" for nothing.
func (f *File) say(text string) {
	if text == "" {
		f.said.Store(nil)
		return
	}
	f.said.Store(&text)
}

// Files tells how each of them is. It does not wait for a Refresh that is under way: a
// compiled map may take its time.
func (f *File) Files() []FileState {
	l := f.loaded.Load()
	states := make([]FileState, len(l.state))
	copy(states, l.state)
	said := f.said.Load()
	for i := range states {
		states[i].Loaded, states[i].Doubted = l.at, f.Doubted()
		if said != nil {
			states[i].Trouble = *said
		}
	}
	return states
}

// What a new version may lack without being asked for: whoever is missing is refused.
const (
	mostLost = 0.5 // of all addresses; or
	muchLost = 0.1 // of them, and so many
	manyLost = 100
)

// LostTooMany reports whether it does.
func LostTooMany(before, now int) bool {
	lost := before - now
	return float64(lost) > mostLost*float64(before) || lost >= manyLost && float64(lost) > muchLost*float64(before)
}

// Refresh looks at the files, and takes them in if one has changed and all have been
// left alone for two seconds, or a minute where there are fewer addresses; it costs a
// stat for each otherwise. Files that are never left alone are taken in once a minute. A
// version that cannot be used, or that has lost more than half of the addresses, or a
// tenth that is a hundred, changes nothing and is told once: a reload takes the latter.
func (f *File) Refresh(now time.Time) (*FileChange, []Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.loaded.Load()
	infos := make([]fs.FileInfo, len(f.specs))
	changed := false
	for i, spec := range f.specs {
		info, err := os.Stat(spec.onDisk())
		if err != nil {
			return nil, f.refuse(nil, []Problem{unreadable(spec.onDisk(), err)})
		}
		changed = changed || !ownfile.Same(info, old.infos[i])
		infos[i] = info
	}
	if !changed {
		f.refused, f.restive, f.fewer = nil, time.Time{}, time.Time{}
		if !f.Doubted() {
			f.say("")
		}
		return nil, nil
	}
	fresh := !sameVersions(infos, f.seen)
	still := f.still(infos, now)
	if sameVersions(infos, f.refused) || still < ownfile.Quiet && now.Sub(f.restive) < settled || !fresh && now.Before(f.later) {
		return nil, nil
	}
	began := time.Now()
	next, problems := load(f.specs, now)
	if next == nil {
		return nil, f.refuse(infos, problems)
	}
	before, users := old.table.users, next.table.users
	if f.Doubted() {
		before = f.before
	}
	switch {
	case LostTooMany(before, users):
		return nil, f.refuse(infos, []Problem{f.lost(before, users)})
	case users < before && still < settled:
		if f.fewer.IsZero() {
			f.fewer = now
		}
		if now.Sub(f.fewer) < settled { // else it is written anew all the time
			f.later = now.Add(settled - max(still, 0))
			return nil, nil
		}
	}
	f.loaded.Store(next)
	f.doubt.Store(nil)
	f.refused, f.restive, f.fewer = nil, time.Time{}, time.Time{}
	f.say("")
	return &FileChange{Users: users, Before: before, Took: time.Since(began)}, problems
}

// still is how long the files have been left alone, by their times, and where those
// are of a clock that is ahead by ours.
func (f *File) still(infos []fs.FileInfo, now time.Time) time.Duration {
	if !sameVersions(infos, f.seen) {
		f.seen, f.since, f.later = infos, now, time.Time{}
	}
	still := time.Duration(math.MaxInt64)
	for _, info := range infos {
		age := now.Sub(info.ModTime())
		if age < 0 {
			age = now.Sub(f.since)
		}
		still = min(still, age)
	}
	switch {
	case still >= ownfile.Quiet:
		f.restive = time.Time{}
	case f.restive.IsZero():
		f.restive = now
	}
	return still
}

// refuse notes a version that is not taken, and gives what is new to say of it.
func (f *File) refuse(infos []fs.FileInfo, problems []Problem) []Problem {
	f.refused = infos
	first := problems[len(problems)-1].String()
	if said := f.said.Load(); said != nil && *said == first {
		return nil
	}
	f.say(first)
	problems[len(problems)-1].What += " (the version before stays in use)"
	return problems
}

func sameVersions(a, b []fs.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !ownfile.Same(a[i], b[i]) {
			return false
		}
	}
	return true
}

// load reads all files into one table. It is nil where one cannot be used. What changes
// meanwhile is read again.
func load(specs []FileSpec, now time.Time) (*loaded, []Problem) {
	for range 2 {
		if l, problems, changed := loadOnce(specs, now); !changed {
			return l, problems
		}
	}
	l, problems, _ := loadOnce(specs, now)
	return l, problems
}

func loadOnce(specs []FileSpec, now time.Time) (l *loaded, problems []Problem, changed bool) {
	return loadInto(newTable(), specs, now)
}

// loadInto reads them into a table that is empty.
func loadInto(t *table, specs []FileSpec, now time.Time) (l *loaded, problems []Problem, changed bool) {
	l = &loaded{table: t, at: now}
	fine := true
	for _, spec := range specs {
		info, rd, ok, err := loadFile(spec, l.table)
		switch {
		case err != nil:
			problems = append(problems, unreadable(spec.onDisk(), err))
			fine, changed = false, changed || errors.Is(err, ownfile.ErrChanged)
			continue
		case !ok:
			fine = false
		}
		problems = append(problems, rd.said...)
		l.infos = append(l.infos, info)
		l.state = append(l.state, FileState{Spec: spec, Format: rd.format, Entries: rd.good, Bad: rd.bad})
	}
	if !fine {
		return nil, problems, changed
	}
	return l, problems, false
}

// Settle waits until the files have been left alone for two seconds: half a file, taken
// in at a start or a reload, would have the other half refused. It waits ten seconds at
// most. Files that are not there are not waited for.
func Settle(ctx context.Context, specs []FileSpec) {
	ctx, cancel := context.WithTimeout(ctx, 5*ownfile.Quiet)
	defer cancel()
	for {
		wait := time.Duration(0)
		for _, spec := range specs {
			if info, err := os.Stat(spec.onDisk()); err == nil {
				if age := time.Since(info.ModTime()); age >= 0 && age < ownfile.Quiet {
					wait = max(wait, ownfile.Quiet-age)
				}
			}
		}
		if wait == 0 {
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// loadFile reads one file into a table.
func loadFile(spec FileSpec, t *table) (fs.FileInfo, *reading, bool, error) {
	in, info, err := ownfile.Open(spec.onDisk())
	if err != nil {
		return nil, nil, false, err
	}
	defer in.Close()
	head := make([]byte, 64)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, false, err
	}
	if spec.Kind == "" {
		spec.Kind = compiledKind(spec.Path, head[:n])
	}
	rd, ok, err := readSpec(spec, in, t)
	if err != nil {
		return nil, nil, false, err
	}
	after, err := os.Stat(spec.onDisk())
	if err != nil {
		return nil, nil, false, err
	}
	if !ownfile.Same(info, after) {
		return nil, nil, false, ownfile.ErrChanged
	}
	return info, rd, ok, nil
}

// readSpec reads the text of a file, or what a compiled map gives back.
func readSpec(spec FileSpec, in io.Reader, t *table) (rd *reading, ok bool, err error) {
	if spec.Kind != "" {
		err = dump(spec, func(text io.Reader) (err error) {
			rd, ok, err = readText(spec, text, t)
			return err
		})
		return rd, ok, err
	}
	return readText(spec, in, t)
}

func readText(spec FileSpec, text io.Reader, t *table) (*reading, bool, error) {
	in := bufio.NewReaderSize(text, 64<<10)
	format := spec.Format
	if format == "" {
		head, err := in.Peek(64 << 10)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		format = guess(spec.Path, head, spec.Kind != "")
	}
	return read(in, spec.Path, format, t)
}

// unreadable words an error of reading for the operator.
func unreadable(path string, err error) Problem {
	p := ownfile.Unreadable(path, err, "make it, or take it out of directory.files")
	if errors.Is(err, errNoTool) {
		p.What, p.Remedy = err.Error(), "install it, or name the text that the map was made of"
	}
	return p
}
