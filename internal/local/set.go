package local

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// A Set is the operator's word as a whole. All methods are safe for concurrent
// use, and none but Refresh waits for a file that is being read. The zero Set
// holds no rules.
type Set struct {
	seed    maphash.Seed
	rules   []rule
	inline  inline
	sources []*source
	tables  atomic.Pointer[tables]

	refreshing sync.Mutex // one at a time
}

// tables are the files in use, in the order of Set.sources. A Refresh makes new
// ones, so that whoever asks sees one state of things.
type tables struct {
	lists []*list
	asks  [Points + 1][fields]bool // whether a rule with this action has an entry held against this field
	any   [fields]bool             // whether any rule has
	sift  sieve                    // of all names
}

// A rule is a Rule ready to be asked.
type rule struct {
	Rule
	until int64 // Unix seconds
	use   *use  // shared with the Set before
	since time.Time
	asks  [fields]bool // of what stands in the rule itself
	files []int        // indexes of sources
}

// publish makes the tables of these lists the ones in use.
func (s *Set) publish(lists []*list) {
	t := &tables{lists: lists}
	t.sift.join(s.inline.names.sift)
	for _, l := range lists {
		t.sift.join(l.names.sift)
	}
	for i := range s.rules {
		r := &s.rules[i]
		for f := range Field(fields) {
			asks := r.asks[f]
			for _, file := range r.files {
				asks = asks || lists[file].asks(f)
			}
			if asks {
				t.asks[r.Action][f], t.any[f] = true, true
			}
		}
	}
	s.tables.Store(t)
}

// Asks reports whether a rule with this action looks at this field, at present.
// It tells whether a fact has to be found out, and what its absence leaves open:
// a client whose names could not be looked up may be one that is let in by name.
func (s *Set) Asks(a Action, f Field) bool {
	t := s.tables.Load()
	return t != nil && int(a) < len(t.asks) && int(f) < fields && t.asks[a][f]
}

// Wants reports whether any rule looks at this field, at present.
func (s *Set) Wants(f Field) bool {
	t := s.tables.Load()
	return t != nil && int(f) < fields && t.any[f]
}

// FirstInFile gives the first line of a file in use that is held against this
// field, such as one that no fact is known for. It walks through the whole file.
func (s *Set) FirstInFile(f Field) (file string, line int, ok bool) {
	t := s.tables.Load()
	if t == nil {
		return "", 0, false
	}
	for i, l := range t.lists {
		if !l.asks(f) {
			continue
		}
		for e, kind := range l.names.kind {
			if at := int(l.names.line[e] &^ excluded); kind&tree(f) != 0 && (line == 0 || at < line) {
				line = at
			}
		}
		return s.sources[i].path, max(1, line), true
	}
	return "", 0, false
}

// Digest is a SHA-256 over the contents of all files in use, in the order in
// which rules name them first. It changes with any byte of them, and not with
// their paths.
func (s *Set) Digest() []byte {
	sum := sha256.New()
	if t := s.tables.Load(); t != nil {
		for _, l := range t.lists {
			sum.Write(l.digest[:])
		}
	}
	return sum.Sum(nil)
}

// Usage tells how each rule is doing, in the order given to Load.
func (s *Set) Usage(now time.Time) []Use {
	all := make([]Use, len(s.rules))
	files := make([]FileUse, len(s.sources))
	t := s.tables.Load()
	for i, src := range s.sources {
		files[i] = src.usage(t.lists[i], now.Unix())
	}
	for i := range s.rules {
		r := &s.rules[i]
		all[i] = Use{Rule: r.Rule, Expired: r.until <= now.Unix(), Hits: r.use.hits.Load(), Last: r.use.time(), Since: r.since}
		for _, f := range r.files {
			all[i].Files = append(all[i].Files, files[f])
		}
	}
	return all
}

func (s *source) usage(l *list, now int64) FileUse {
	f := FileUse{
		File: s.path, Format: s.format,
		Entries: l.entries, Bad: l.bad, Expired: l.expired(now),
		Hits: s.use.hits.Load(), Last: s.use.time(), Since: s.since,
		Loaded: l.loaded,
	}
	if said := s.trouble.Load(); said != nil {
		f.Trouble = *said
	}
	f.unused(l, now)
	return f
}
