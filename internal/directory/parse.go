package directory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// The bounds of a file.
const (
	maxFile  = 1 << 30 // octets
	maxLine  = 64 << 10
	maxUsers = 16_000_000
)

// A reading is one file as it is read into a table.
type reading struct {
	table  *table
	file   string
	format Format
	line   int        // of the entry
	full   int        // addresses with a domain
	bare   int        // the line of the first name without one; 0 for none
	nis    int        // the line that has users stand elsewhere; 0 for none
	tagged bool       // it is Sendmail's access table
	held   []untagged // what counts if it is not
	good   int        // lines that said something
	bad    int        // lines left out
	nul    bool
	told   int
	said   []Problem
	ascii  map[string]string // domains by how they are written
	fold   []byte
}

// read reads a table of the format into t. Lines with
// a mistake are left out and told. ok is false where the text is no table at all. An
// error is that of r.
func read(r io.Reader, file string, format Format, t *table) (rd *reading, ok bool, err error) {
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	in := bufio.NewReaderSize(limited, 256<<10)
	rd = &reading{table: t, file: file, format: format}
	if err := rd.lines(in); err != nil {
		var whole *Problem
		if errors.As(err, &whole) {
			rd.said = append(rd.said, *whole)
			return rd, false, nil
		}
		return nil, false, err
	}
	if limited.N == 0 {
		rd.said = append(rd.said, rd.whole(fmt.Sprintf("larger than %d MiB", maxFile>>20), "is it the right file?"))
		return rd, false, nil
	}
	rd.conclude()
	if more := rd.told - maxProblems; more > 0 {
		rd.said = append(rd.said, rd.whole(fmt.Sprintf("%d more lines are wrong", more), "mend the first ones, and look again"))
	}
	if rd.nul {
		rd.said = append(rd.said, rd.whole("there are NULs in it: it is damaged, or no text, and not used", "write it anew, or name a compiled map by its kind: hash:, btree:, lmdb:, cdb:"))
		return rd, false, nil
	}
	if rd.bad > rd.good || rd.bad > maxProblems && rd.bad > rd.good/10 {
		rd.said = append(rd.said, rd.whole(fmt.Sprintf("%d lines with a mistake and %d without, read as %s: none is used", rd.bad, rd.good, rd.format),
			"is it the right file? Name its format before the path: "+formatsText()))
		return rd, false, nil
	}
	return rd, true, nil
}

// conclude says for whom the file speaks, now that all of it is known.
func (rd *reading) conclude() {
	switch rd.format {
	case Recipients:
		// A name among addresses may be the half of one, where a file was cut off: it
		// must not have all domains of the source lose their users.
		rd.table.all = rd.table.all || rd.bare > 0 && rd.full == 0
		if rd.bare > 0 && rd.full > 0 {
			rd.odd(rd.bare, "a name without a domain, among addresses with one: it exists at each domain of the source, and the file speaks for none of them by it",
				"write it with its domain, or put names into a file of their own")
		}
	case Passwd:
		rd.table.all = rd.table.all || rd.good > 0 && rd.nis == 0
		if rd.nis > 0 {
			rd.odd(rd.nis, "users stand elsewhere too (NIS): the file speaks for no domain", "name all that has users, such as the output of getent passwd")
		}
	case Access:
		for _, h := range rd.held {
			switch {
			case rd.tagged: // of Sendmail's, what has no tag is about clients and senders
			case h.local == "":
				rd.speak(h.domain, named)
			default:
				rd.user([]byte(h.local), h.domain, denies, false)
			}
		}
	}
}

// An untagged is what a line of an access table refuses, of which it is not known yet
// whether it is about recipients. Without local it is all of a domain.
type untagged struct{ local, domain string }

// odd tells of a line for which nothing was left out.
func (rd *reading) odd(line int, what, remedy string) {
	rd.said = append(rd.said, Problem{File: rd.file, Line: line, What: what, Remedy: remedy, Warning: true})
}

func (rd *reading) whole(what, remedy string) Problem {
	return Problem{File: rd.file, What: what, Remedy: remedy}
}

// lines reads logical lines: one that begins with white space goes on with the one
// before (postmap(1), aliases(5)); empty ones and comments are nothing.
func (rd *reading) lines(in *bufio.Reader) error {
	var entry []byte
	number := 0
	flush := func() {
		if len(entry) > 0 {
			rd.entry(entry)
		}
		entry = entry[:0]
	}
	for {
		text, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) || len(text) > maxLine {
			return &Problem{File: rd.file, Line: number + 1, What: fmt.Sprintf("a line of more than %d octets: this is no table", maxLine), Remedy: "write one address a line"}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		number++
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		trimmed := bytes.TrimSpace(text)
		switch {
		case len(trimmed) == 0 || trimmed[0] == '#':
		case (text[0] == ' ' || text[0] == '\t') && len(entry) > 0:
			if len(entry)+len(trimmed) < maxLine { // the rest of a long list of targets says nothing to us
				entry = append(append(entry, ' '), trimmed...)
			}
		default:
			flush()
			rd.line = number
			entry = append(entry, trimmed...)
		}
		if rd.table.n > maxUsers {
			return &Problem{File: rd.file, What: fmt.Sprintf("more than %d addresses", maxUsers), Remedy: "is it the right file?"}
		}
		if err != nil {
			flush()
			return nil
		}
	}
}

// entry takes one logical line.
func (rd *reading) entry(text []byte) {
	var m *mistake
	switch {
	case !utf8.Valid(text):
		m = &mistake{what: "not UTF-8", remedy: "save the file as UTF-8"}
	case bytes.IndexByte(text, 0) >= 0: // of a disk or a machine that broke down: who knows what else is lost
		rd.nul = true
		m = &mistake{what: "a NUL", remedy: "see what has put it there"}
	default:
		m = rd.format.take(rd, text)
	}
	if m == nil {
		rd.good++
		return
	}
	rd.bad++
	if !m.beside {
		rd.spare(text)
	}
	if rd.told++; rd.told <= maxProblems {
		rd.said = append(rd.said, Problem{File: rd.file, Line: rd.line, What: m.what, Remedy: m.remedy})
	}
}

// spare has nobody refused whom a line that cannot be read may name: of "jo@exmaple,net"
// and of "john.doe" it is left open whether they exist, at whatever domain.
func (rd *reading) spare(text []byte) {
	if !utf8.Valid(text) {
		runes := make([]rune, len(text))
		for i, c := range text {
			runes[i] = rune(c) // as Latin 1
		}
		text = []byte(string(runes))
	}
	key, _ := cutKey(text)
	if _, rest, ok := accessTag(key); ok && rd.format == Access {
		key = rest
	}
	if at := bytes.LastIndexByte(key, '@'); at >= 0 {
		key = key[:at]
	} else if at := bytes.IndexByte(key, ':'); at > 0 {
		key = key[:at]
	}
	local := unquoted(bytes.Trim(key, "<>(){}[]\"'`,;:"))
	if len(local) == 0 || len(local) > maxLocal {
		return
	}
	rd.fold = append(appendFold(rd.fold[:0], local), '@')
	hash := rd.table.hashKey(rd.fold)
	rd.table.add(hash, open)
	rd.table.names = true
	rd.mention(hash, unread)
}

// cutKey takes the key off a line of a table: it ends at white space outside of
// quotes (postmap(1)).
func cutKey(text []byte) (key, value []byte) {
	quoted := false
	for i, c := range text {
		switch {
		case c == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case (c == ' ' || c == '\t') && !quoted:
			return text[:i], bytes.TrimLeft(text[i:], " \t")
		}
	}
	return text, nil
}

// cutAddress splits a key at its last @. ok is false where there is none.
func cutAddress(key []byte) (local, domain []byte, ok bool) {
	at := bytes.LastIndexByte(key, '@')
	if at < 0 {
		return unquoted(key), nil, false
	}
	return unquoted(key[:at]), key[at+1:], true
}

// unquoted takes the quotes and backslashes of a quoted string off a local part (RFC
// 5321 section 4.1.2).
func unquoted(local []byte) []byte {
	if n := len(local); n >= 2 && local[0] == '"' && local[n-1] == '"' {
		local = local[1 : n-1]
	}
	if bytes.IndexByte(local, '\\') < 0 {
		return local
	}
	var plain []byte
	for i := 0; i < len(local); i++ {
		if local[i] == '\\' && i+1 < len(local) {
			i++
		}
		plain = append(plain, local[i])
	}
	return plain
}

// asciiDomain gives a domain in lower-case A-labels; "" for what is none.
func (rd *reading) asciiDomain(raw []byte) string {
	if ascii, ok := rd.ascii[string(raw)]; ok {
		return ascii
	}
	if len(rd.ascii) == maxSpellings {
		rd.ascii = nil
	}
	if rd.ascii == nil {
		rd.ascii = make(map[string]string)
	}
	ascii := asciiDomain(string(raw))
	rd.ascii[string(raw)] = ascii
	return ascii
}

// maxSpellings is how many domains are remembered while a file is read.
const maxSpellings = 10_000

func asciiDomain(raw string) string {
	domain := strings.TrimSuffix(raw, ".")
	for i := 0; i < len(domain); i++ {
		if domain[i] >= utf8.RuneSelf {
			ascii, err := idna.Lookup.ToASCII(domain)
			if err != nil {
				return ""
			}
			domain = ascii
			break
		}
	}
	if domain == "" || len(domain) > 253 || strings.ContainsFunc(domain, outsideDomains) || strings.Contains(domain, "..") || domain[0] == '.' {
		return ""
	}
	return strings.ToLower(domain)
}

func outsideDomains(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune("\"<>@,;:/\\()[]", r)
}

// user enters what is said of an address, and has the table speak for its domain
// where speaks says so. It gives the entry's place.
func (rd *reading) user(local []byte, domain string, w word, speaks bool) int {
	t := rd.table
	if base, ok := bytes.CutSuffix(local, []byte("+*")); ok && len(base) > 0 && w == grants {
		local = base // of Sendmail: any extension of that name
	}
	rd.fold = append(append(appendFold(rd.fold[:0], local), '@'), domain...)
	before := t.n
	key := t.hashKey(rd.fold)
	at := t.add(key, w)
	rd.mention(key, w)
	if t.n > before {
		t.users++
	}
	if domain == "" {
		t.names = true
		if rd.bare == 0 {
			rd.bare = rd.line
		}
		return at
	}
	rd.full++
	if speaks {
		if all := t.hash("", domain); t.find(all) < 0 {
			t.add(all, named)
			rd.mention(all, named)
			return t.find(key) // the table may have grown
		}
	}
	return at
}

// speak enters what is said of all of a domain.
func (rd *reading) speak(domain string, w word) {
	key := rd.table.hash("", domain)
	rd.table.add(key, w)
	rd.mention(key, w)
}

func badDomain(domain []byte) *mistake {
	return &mistake{what: quote(domain) + " is no domain", remedy: "write an address as user@example.net, all of a domain as @example.net"}
}

// quote shows what a file holds inside a message.
func quote[T string | []byte](text T) string {
	const most = 60
	s := string(text)
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}
