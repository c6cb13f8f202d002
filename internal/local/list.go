package local

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"hash/maphash"
	"io/fs"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"
)

// A list is one version of one file, ready to be asked. It is not changed after
// it was read, but for the counters in uses. A line stands for one entry; all is
// kept by line number.
type list struct {
	version fs.FileInfo // that was read
	loaded  time.Time   // when

	v4    nets[addr4]
	v6    nets6
	names names
	dates []dated // of the lines that have one, by line
	ends  int64   // Unix seconds from which no entry holds
	notes notes
	uses  *lineUses // nil for a large file

	lines, entries, bad int
	digest              [sha256.Size]byte
	problems            []Problem
	guessed             lineCount // entries whose guessed type can be forged
}

// never is a date that does not come.
const never = math.MaxInt64

// A dated line holds until a moment, in Unix seconds.
type dated struct {
	line uint32
	ends int64
}

// A lineCount is the first line of a kind, and how many there are.
type lineCount struct{ first, count int }

func (c *lineCount) add(line int) {
	if c.count++; c.count == 1 {
		c.first = line
	}
}

// until gives the moment from which a line holds no more.
func (l *list) until(line uint32) int64 {
	if len(l.dates) == 0 {
		return never
	}
	i, ok := slices.BinarySearchFunc(l.dates, line, func(d dated, line uint32) int { return cmp.Compare(d.line, line) })
	if !ok {
		return never
	}
	return l.dates[i].ends
}

// expired counts the entries that hold no more.
func (l *list) expired(now int64) int {
	if l.ends <= now {
		return l.entries
	}
	n := 0
	for _, d := range l.dates {
		if d.ends <= now {
			n++
		}
	}
	return n
}

// find4 gives the line that holds an address. Of several lines the one that
// holds longest speaks for an address, so if that one has expired, so have all.
func (l *list) find4(a addr4, now int64) (line uint32, ok bool) {
	line, ok = l.v4.find(a)
	return line, ok && now < l.ends && now < l.until(line)
}

func (l *list) find6(a addr6, now int64) (line uint32, ok bool) {
	line, ok = l.v6.find(a)
	return line, ok && now < l.ends && now < l.until(line)
}

// findName gives the line that names q or a domain it is in: the longest name
// decides, and with it an exclusion before the first line.
func (l *list) findName(q *query, f Field, now int64) (line uint32, ok bool) {
	if l.names.all&tree(f) == 0 || l.ends <= now {
		return 0, false
	}
	for i := range q.count {
		name, hash, want := q.at(i, f)
		for from := uint32(hash); ; {
			this, at, found := l.names.next(name, hash, want, from)
			if !found {
				break
			}
			if this&excluded != 0 {
				return 0, false
			}
			if !ok && now < l.until(this) {
				line, ok = this, true
			}
			from = at
		}
		if ok {
			return line, true
		}
	}
	return 0, false
}

// asks reports whether any entry is held against a field.
func (l *list) asks(f Field) bool {
	if f == Client {
		return len(l.v4.pieces) > 0 || len(l.v6.upper.pieces) > 0
	}
	return l.names.all&tree(f) != 0
}

// notes keeps what stands beside entries: texts that follow each other and are
// the same once.
type notes struct {
	line  []uint32
	which []uint32 // text of that line
	start []uint32 // of each text in all; one more for the end of the last
	all   string
}

func (n *notes) of(line uint32) string {
	i, ok := slices.BinarySearch(n.line, line)
	if !ok {
		return ""
	}
	w := n.which[i]
	return n.all[n.start[w]:n.start[w+1]]
}

const (
	maxNote  = 120     // bytes of one note
	maxNotes = 8 << 20 // bytes of all notes of a file: what comes behind has none
)

// A noteBuilder collects notes.
type noteBuilder struct {
	notes
	text strings.Builder
	last string
}

// add takes the note of a line; lines come in order.
func (n *noteBuilder) add(line uint32, note []byte) {
	if len(note) == 0 || n.text.Len()+maxNote > maxNotes {
		return
	}
	if len(n.start) == 0 || string(note) != n.last {
		n.last = string(note)
		n.start = append(n.start, uint32(n.text.Len()))
		n.text.WriteString(shown(n.last))
	}
	n.line = append(n.line, line)
	n.which = append(n.which, uint32(len(n.start)-1))
}

func (n *noteBuilder) build() notes {
	if len(n.line) == 0 {
		return notes{}
	}
	return notes{
		line: tight(n.line), which: tight(n.which),
		start: tight(append(n.start, uint32(n.text.Len()))),
		all:   strings.Clone(n.text.String()),
	}
}

// shown makes a short printable line of a note.
func shown(note string) string {
	note = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(note, "?"))
	if len(note) <= maxNote {
		return note
	}
	cut := maxNote - len("...")
	for cut > 0 && note[cut]&0xc0 == 0x80 { // not in the middle of a rune
		cut--
	}
	return note[:cut] + "..."
}

// A builder makes a list of the lines of a file.
type builder struct {
	*list
	file  string
	seed  maphash.Seed
	now   int64
	at    uint32 // the line at hand, from 1
	span4 []span[addr4]
	span6 []span[addr6]
	note  noteBuilder
	keys  []lineKey // of the first entries
	wide  lineCount
	odd   lineCount // bad lines that are no text
	first *mistake  // the first bad line's

	// Of the formats of rbldnsd.
	text     []byte // the note of entries that have none
	maxRange uint64 // addresses in a range; 0: any number
}

// took notes that the line at hand is an entry, with its keyOf.
func (b *builder) took(key uint64) {
	b.entries++
	if len(b.keys) <= maxTracked {
		b.keys = append(b.keys, lineKey{b.at, key})
	}
}

// keyOf tells an entry from others by how it is written, as long as that is
// wanted. To be taken before the text is changed.
func (b *builder) keyOf(text []byte) uint64 {
	if len(b.keys) > maxTracked {
		return 0
	}
	return maphash.Bytes(b.seed, bytes.ToLower(text))
}

// failed notes that the line at hand cannot be read.
func (b *builder) failed(m *mistake, text []byte) {
	if b.bad++; b.bad <= maxListed {
		b.problems = append(b.problems, Problem{File: b.file, Line: int(b.at), What: m.what, Remedy: m.remedy})
	}
	if b.first == nil {
		b.first = m
	}
	if slices.ContainsFunc(text, func(c byte) bool { return c < ' ' && c != '\t' && c != '\r' }) {
		b.odd.add(int(b.at))
	}
}

// maxListed bounds the bad lines of a file that are named one by one.
const maxListed = 20

// build makes the tables.
func (b *builder) build() *list {
	b.v4, b.v6 = newNets(b.span4), newNets6(b.span6)
	b.span4, b.span6 = nil, nil
	b.names.build(b.seed, func(line, than uint32) bool { return b.until(line&^excluded) > b.until(than&^excluded) })
	b.dates = tight(b.dates)
	b.list.notes = b.note.build()
	b.uses = newLineUses(b.keys, b.lines)
	return b.list
}

// ranked orders the lines of the plain format that hold the same address: the
// one that holds longest, then the smallest network.
func ranked(ends int64, size int) uint32 {
	const days = 1<<24 - 1
	day := int64(days)
	if ends != never {
		day = min(max(ends/86400, 0), days-1)
	}
	return uint32(day)<<8 | uint32(size)
}

// addPlain takes an entry of the plain format.
func (b *builder) addPlain(e entry, ends int64) {
	switch {
	case !e.net.IsValid():
		b.names.add(e.name, e.kind, b.at)
	case e.net.Addr().Is4():
		first, last := range4(e.net)
		b.span4 = append(b.span4, span[addr4]{first, last, b.at, ranked(ends, e.net.Bits())})
	default:
		first, last := range6(e.net)
		b.span6 = append(b.span6, span[addr6]{first, last, b.at, ranked(ends, e.net.Bits())})
	}
	if ends != never {
		b.dates = append(b.dates, dated{b.at, ends})
	}
	if e.wide {
		b.wide.add(int(b.at))
	}
	if e.guessed {
		b.guessed.add(int(b.at))
	}
}

func sortProblems(all []Problem) {
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].File != all[j].File {
			return all[i].File < all[j].File
		}
		return all[i].Line < all[j].Line
	})
}
