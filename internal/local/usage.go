package local

import (
	"sync/atomic"
	"time"
)

// A use counts how often something matched, and when last. It is safe for
// concurrent use.
type use struct {
	hits atomic.Uint64
	last atomic.Int64 // Unix seconds; 0: never
}

func (u *use) add(now int64) {
	u.hits.Add(1)
	// A plain store on most hits would have all processors fight for it.
	if u.last.Load() < now {
		u.last.Store(now)
	}
}

func (u *use) time() time.Time {
	if last := u.last.Load(); last != 0 {
		return time.Unix(last, 0).UTC()
	}
	return time.Time{}
}

// maxTracked is the number of entries up to which a file is taken for one kept by
// hand, where the use of each entry is counted. Of larger ones only the use as a
// whole is known: nobody weeds a million lines one by one.
const maxTracked = 10_000

// A lineKey tells an entry from others when its file is read again and lines
// have moved.
type lineKey struct {
	line uint32
	key  uint64
}

// lineUses counts the use of each entry of a small file: 24 bytes for each line.
type lineUses struct {
	keys []lineKey // by line
	uses []use     // by line
}

// newLineUses returns nil for a file that is too large.
func newLineUses(keys []lineKey, lines int) *lineUses {
	if len(keys) > maxTracked || lines > 8*maxTracked {
		return nil
	}
	return &lineUses{keys: tight(keys), uses: make([]use, lines+1)}
}

func (l *lineUses) add(line uint32, now int64) {
	if l != nil {
		l.uses[line].add(now)
	}
}

// carry takes over what is known of the entries of an older version.
func (l *lineUses) carry(old *lineUses) {
	if l == nil || old == nil {
		return
	}
	lines := make(map[uint64]uint32, len(old.keys))
	for _, k := range old.keys {
		lines[k.key] = k.line
	}
	for _, k := range l.keys {
		if line, ok := lines[k.key]; ok {
			l.uses[k.line].hits.Store(old.uses[line].hits.Load())
			l.uses[k.line].last.Store(old.uses[line].last.Load())
		}
	}
}

// A Use tells how a rule is doing.
type Use struct {
	Rule    Rule
	Expired bool
	Hits    uint64    // visits and recipients that it matched, others matching too or not
	Last    time.Time // zero: never
	Since   time.Time // since when this is counted
	Files   []FileUse
}

// A FileUse tells how a file of a rule is doing.
type FileUse struct {
	File    string // path
	Format  Format
	Entries int
	Bad     int // lines that cannot be read
	Expired int // entries that hold no more
	Hits    uint64
	Last    time.Time // zero: never
	Since   time.Time // since when this is counted
	Loaded  time.Time // when this version was read
	Trouble string    // why the version on disk is not the one in use; "" if it is
	// Tracked tells whether the use of each entry is known: not in a file of
	// more than 10,000. Unused are the lines of those that hold and never
	// matched, UnusedLines the first 100 of them.
	Tracked     bool
	Unused      int
	UnusedLines []int
}

const maxUnusedLines = 100

// unused fills in the lines that never matched.
func (f *FileUse) unused(l *list, now int64) {
	if f.Tracked = l.uses != nil; !f.Tracked {
		return
	}
	for _, k := range l.uses.keys {
		if l.uses.uses[k.line].hits.Load() > 0 || l.until(k.line) <= now {
			continue
		}
		if f.Unused++; f.Unused <= maxUnusedLines {
			f.UnusedLines = append(f.UnusedLines, int(k.line))
		}
	}
}
