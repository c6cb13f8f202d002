package local

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strconv"
	"strings"
)

// A Format is how a file is written.
type Format string

// The formats. Those of rbldnsd(8) are read as rbldnsd 1.0 reads them, and a
// line that it leaves out with a warning is a bad one here; from $-lines only
// $TIMESTAMP and $MAXRANGE4 are followed, the answers of DNS (:127.0.0.2:) mean
// nothing, and texts are kept as notes.
const (
	Plain   Format = ""        // see parsePlain
	IP4Set  Format = "ip4set"  // addresses, ranges and networks; an exclusion beats listings of the same octets
	IP4Trie Format = "ip4trie" // networks; the smallest one speaks
	DNSet   Format = "dnset"   // domains, held against sender domain and confirmed names
)

// parsers reads one line each, without its end.
var parsers = map[Format]func(b *builder, line []byte) (isEntry bool, bad *mistake){
	Plain:   parsePlain,
	IP4Set:  func(b *builder, line []byte) (bool, *mistake) { return parseRbldnsd(b, line, parseIP4Set) },
	IP4Trie: func(b *builder, line []byte) (bool, *mistake) { return parseRbldnsd(b, line, parseIP4Trie) },
	DNSet:   func(b *builder, line []byte) (bool, *mistake) { return parseRbldnsd(b, line, parseDNSet) },
}

// cutFormat splits "/path" or "format:/path".
func cutFormat(text string) (Format, string, *mistake) {
	const remedy = "write file:/path, or file:ip4set:/path, file:ip4trie:/path, file:dnset:/path for a file of rbldnsd"
	if strings.HasPrefix(text, "/") {
		return Plain, text, nil
	}
	name, path, ok := strings.Cut(text, ":")
	switch _, known := parsers[Format(name)]; {
	case ok && known && name != "" && strings.HasPrefix(path, "/"):
		return Format(name), path, nil
	case ok && !known && strings.HasPrefix(path, "/"):
		return "", "", &mistake{"file format " + quote(name) + " is not known", remedy}
	case text == "" || ok && path == "":
		return "", "", &mistake{"no file is named", remedy}
	}
	return "", "", &mistake{quote(text) + " is a relative path: it would depend on where the daemon is started", remedy}
}

// The limits of what is read.
const (
	maxLine = 4096    // octets; a longer line is a bad one
	maxFile = 1 << 30 // octets
	giveUp  = 1000    // bad lines; with few good ones among them the rest is not read
)

// parse reads a file. A file of which more lines are bad than good is not a list
// of this format: a mistaken download, a wrong path. It gives no list then, but
// still what is wrong; otherwise bad lines are left out, and named in
// list.problems, at most maxListed one by one. The error is that of r.
func parse(r io.Reader, file string, format Format, seed maphash.Seed, now int64) (*list, []Problem, error) {
	b := &builder{list: &list{ends: never}, file: file, seed: seed, now: now}
	take := parsers[format]
	in := bufio.NewReaderSize(r, 64<<10)
	if bad := foreign(in); bad != nil {
		return nil, []Problem{{File: file, Line: 1, What: bad.what, Remedy: bad.remedy}}, nil
	}
	for {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errLong) {
			return nil, nil, err
		}
		b.at++
		b.lines++
		if errors.Is(err, errLong) {
			b.failed(&mistake{"a line of more than " + strconv.Itoa(maxLine) + " octets", "one entry a line"}, line)
		} else if _, bad := take(b, line); bad != nil {
			b.failed(bad, line)
		}
		if b.bad > giveUp && b.bad > 2*b.entries {
			break
		}
	}
	if b.bad > b.entries {
		return nil, b.refused(), nil
	}
	b.summary()
	return b.build(), nil, nil
}

var errLong = errors.New("line too long")

// readLine gives a line without its end. With errLong it gives the beginning of
// one that is too long; the rest of it has been read. The last line may lack
// its end.
func readLine(in *bufio.Reader) ([]byte, error) {
	line, err := in.ReadSlice('\n')
	switch {
	case err == nil:
		line = line[:len(line)-1]
	case errors.Is(err, io.EOF) && len(line) > 0:
	case errors.Is(err, bufio.ErrBufferFull):
		start := bytes.Clone(line[:maxLine])
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		return start, errLong
	default:
		return nil, err
	}
	if len(line) > maxLine {
		return line[:maxLine], errLong
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

// foreign knows the files of other kinds by their beginning. A byte order mark of
// UTF-8 is taken off.
func foreign(in *bufio.Reader) *mistake {
	start, _ := in.Peek(6)
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3)
	case bytes.HasPrefix(start, []byte("\x1f\x8b")), bytes.HasPrefix(start, []byte("BZh")), bytes.HasPrefix(start, []byte("\xfd7zXZ")),
		bytes.HasPrefix(start, []byte("\x28\xb5\x2f\xfd")), bytes.HasPrefix(start, []byte("PK\x03\x04")):
		return &mistake{"a compressed file", "unpack it before it is put there"}
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return &mistake{"text in UTF-16", "save it as UTF-8"}
	}
	return nil
}

// refused says what is wrong with a file that is no list of its format.
func (b *builder) refused() []Problem {
	if b.odd.count > 0 {
		return []Problem{{File: b.file, Line: b.odd.first, What: "binary data, not a list", Remedy: "see what has been put there"}}
	}
	what := fmt.Sprintf("not a list as it should be: of its first %d lines %d cannot be read, and %d are entries", b.lines, b.bad, b.entries)
	remedy := "see that it is the right file, and its format; one [type:]value a line, # before a comment"
	if b.lines == 1 {
		what, remedy = "the only line cannot be read", ""
	}
	b.more()
	return append([]Problem{{File: b.file, What: what, Remedy: remedy}}, b.problems...)
}

// summary adds what is said once for a whole file.
func (b *builder) summary() {
	b.more()
	if b.wide.count > 0 {
		b.problems = append(b.problems, Problem{File: b.file, Line: b.wide.first, Warning: true,
			What: "a very large network" + andMore(b.wide.count), Remedy: "see that the prefix length is meant"})
	}
	sortProblems(b.problems)
}

// more says how many bad lines were not named.
func (b *builder) more() {
	if n := b.bad - maxListed; n > 0 {
		b.problems = append(b.problems, Problem{File: b.file, Line: b.problems[maxListed-1].Line,
			What: "behind this line " + strconv.Itoa(n) + " more cannot be read", Remedy: "put these right first"})
	}
}

func andMore(count int) string {
	if count == 1 {
		return ""
	}
	return ", and " + strconv.Itoa(count-1) + " more"
}
