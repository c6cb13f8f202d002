package store

import (
	"errors"
	"fmt"
	"time"
)

// Loaded is what a start has read.
type Loaded struct {
	Records int   // of all spaces; each holds any number of keys
	Bytes   int64 // of the files
	Took    time.Duration

	Fresh bool // there was no state
	Lost  bool // some is missing that was there: by damage, or because it could not be read
}

// An entry is a file of the state that this process has read or made. Others
// it leaves alone.
type entry struct {
	stateFile
	size   int64
	own    bool   // made by this process
	damage string // what is wrong with it: then it is set aside, not removed
	unborn bool   // all of its damage is that the power went before its first sync
}

// load reads the newest snapshot and the journals that are not older, into the
// spaces.
func (k *keeper) load() Loaded {
	began := time.Now()
	l := Loaded{Fresh: true, Lost: k.hidden}
	var newest uint64 // snapshot
	for _, f := range k.found {
		k.seq = max(k.seq, f.seq)
		switch f.sort {
		case snapshot:
			newest = f.seq
		case other:
			k.countAside(f)
		}
	}
	// After a crash between the two, what is older than a snapshot may be there
	// still. It is of use only if the snapshot has damage.
	obsolete := newest > 0 && k.found[0].seq < newest && k.sound(newest)
	for _, f := range k.found {
		switch {
		case f.sort == snapshot || f.sort == journal:
			l.Fresh = false
			k.take(f, &l, obsolete && f.seq < newest)
		}
	}
	k.base = newest
	l.Took = time.Since(began)
	return l
}

func (k *keeper) countAside(f stateFile) {
	if isAside(f.name) {
		k.aside++
	}
}

// sound reports whether the snapshot is without damage.
func (k *keeper) sound(seq uint64) bool {
	c, err := k.read(stateFile{nameOf(seq, "snapshot"), snapshot, seq}, nil)
	return err == nil && c.damage() == ""
}

// take reads a file into the spaces, but for one that is obsolete, and notes how
// it is.
func (k *keeper) take(f stateFile, l *Loaded, obsolete bool) {
	into := k.apply
	if obsolete {
		into = nil
	}
	c, err := k.read(f, into)
	if err != nil { // it is not known: nothing is written beside it
		k.unread[f.name] = err
		l.Lost = true
		return
	}
	e := &entry{stateFile: f, size: k.sizes[f.name], damage: c.damage()}
	k.known[f.name] = e
	if e.damage != "" {
		k.o.Logger.Error("a file of the state has damage, it is kept as "+f.name+".corrupt-DATE when what could be read has been written anew",
			"path", k.o.Dir, "file", f.name, "damage", e.damage)
	}
	if c.r.tail > 0 && e.damage == "" {
		k.o.Logger.Warn("the end of a journal was not written whole, it is left out",
			"path", k.o.Dir, "file", f.name, "at", e.size-c.r.tail, "bytes", c.r.tail)
	}
	if e.damage != "" || c.r.tail > 0 {
		k.whole = true
	}
	if obsolete {
		return
	}
	l.Records += c.frames
	l.Bytes += e.size
	// The last journal may have been lost with the power before its first sync.
	e.unborn = c.unreadable() && f == k.found[len(k.found)-1]
	l.Lost = l.Lost || e.damage != "" && !c.stray && !e.unborn
	if c.label.base > 0 && !k.has(c.label.base) {
		l.Lost, k.whole = true, true
		k.o.Logger.Error("a snapshot of the state is missing", "path", k.o.Dir, "file", nameOf(c.label.base, "snapshot"))
	}
}

// has reports whether there is a snapshot of that number, or a newer one.
func (k *keeper) has(base uint64) bool {
	for _, f := range k.found {
		if f.sort == snapshot && f.seq >= base {
			return true
		}
	}
	return false
}

// apply gives a record to its space.
func (k *keeper) apply(name string, record []byte) error {
	for _, sp := range k.spaces {
		if sp.name == name {
			if err := sp.Load(record); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%s: %w", name, errUnknown)
}

// errUnknown is of a record of a later version of the daemon.
var errUnknown = errors.New("this version knows no such state")

// A content is what a file turned out to hold.
type content struct {
	sort    sort
	size    int64
	r       *reader
	label   label
	labeled bool
	end     bool // of a snapshot: all of it is there
	foreign bool // its secret is another
	frames  int  // that were taken
	refused int  // that were not
	reason  error
	stray   bool // no damage but records of a space that nobody knows
}

// read reads a file, and gives its records to apply unless that is nil. An error
// is of opening it.
func (k *keeper) read(f stateFile, apply func(string, []byte) error) (*content, error) {
	src, err := k.disk.Open(f.name)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	c := &content{sort: f.sort, size: k.sizes[f.name]}
	c.r = newReader(src, c.size)
	for {
		name, record, ok := c.r.next()
		switch {
		case !ok:
			return c, nil
		case name == "":
			c.takeLabel(record, &k.secret)
		case c.foreign:
		case apply == nil:
			c.frames++
		default:
			c.take(apply(name, record))
		}
	}
}

func (c *content) takeLabel(record []byte, secret *[SecretSize]byte) {
	l, ok := parseLabel(record)
	switch {
	case !ok:
		c.take(fmt.Errorf("a label of %d bytes", len(record)))
		return
	case l.secret != *secret:
		c.foreign = true
	}
	if !c.labeled {
		c.label, c.labeled = l, true
	}
	c.end = l.kind == labelEnd && l.frames == uint64(c.frames+c.refused)
}

func (c *content) take(err error) {
	if err == nil {
		c.frames++
		return
	}
	c.refused++
	if c.reason == nil || errors.Is(c.reason, errUnknown) {
		c.reason = err
	}
}

// unreadable reports whether there is nothing in a journal but what was not
// written whole, and more than is written when one begins.
func (c *content) unreadable() bool {
	return c.sort == journal && c.r.tail == c.size && c.size > frameOver+labelSize
}

// damage says what is wrong with a file, "" for nothing. A journal whose end is
// torn has no damage.
func (c *content) damage() string {
	switch r := c.r; {
	case r.err != nil:
		return fmt.Sprintf("the disk fails at byte %d: %v", c.size-r.tail, r.err)
	case r.version:
		return "it is of a version of the format that this program does not know"
	case c.foreign:
		return "it belongs to other state"
	case r.damaged > 0:
		return fmt.Sprintf("%d of its bytes, in %d places, are not what was written", r.lost+r.tail, r.damaged)
	case c.sort == snapshot && (!c.end || r.tail > 0):
		return fmt.Sprintf("its last %d bytes are not what was written, or its end is missing", r.tail)
	case c.unreadable():
		return "nothing in it can be read"
	case c.refused > 0:
		c.stray = errors.Is(c.reason, errUnknown)
		return fmt.Sprintf("%d of %d records are of no use: %v", c.refused, c.refused+c.frames, c.reason)
	}
	return ""
}

// findSecret looks for the secret of the state, in the newest files first.
func (s *Store) findSecret() (secret [SecretSize]byte, ok bool) {
	for i := len(s.found) - 1; i >= 0; i-- {
		f := s.found[i]
		if f.sort != snapshot && f.sort != journal {
			continue
		}
		if secret, ok = s.secretOf(f); ok {
			return secret, true
		}
	}
	return secret, false
}

func (s *Store) secretOf(f stateFile) (secret [SecretSize]byte, ok bool) {
	src, err := s.disk.Open(f.name)
	if err != nil {
		return secret, false
	}
	defer src.Close()
	r := newReader(src, s.sizes[f.name])
	for {
		name, record, more := r.next()
		if !more {
			return secret, false
		}
		if l, ok := parseLabel(record); ok && name == "" {
			return l.secret, true
		}
	}
}
