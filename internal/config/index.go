package config

import (
	"strconv"
	"strings"
)

// A path names one place in a TOML document so that no two places share a
// name: `."limit"[1]."when"`. The decoder's own positions know no elements.
type path string

func (p path) key(k string) path { return p + "." + path(strconv.Quote(k)) }
func (p path) element(i int) path {
	return p + "[" + path(strconv.Itoa(i)) + "]"
}

// Limits of what is handed to the decoder, which recurses for each level and
// copies the whole key for each part of it.
const (
	maxDepth = 32
	maxParts = 16
)

// An index knows on which line each key, table and array element of a TOML text
// stands. It trusts the decoder to refuse what is not TOML and stops where it
// understands no more; what stands before that place is right.
type index struct {
	places  map[path]place
	repeat  *repeat // the first key set twice
	tooDeep int     // line where nesting passed the limits, 0 for none
	stopped int     // line where it understood no more, 0 when it read all
}

type place struct {
	line int
	kind placeKind
}

type placeKind uint8

const (
	implied placeKind = iota // a table that nobody opened: "a" of a.b = 1
	opened                   // [a], or one element of [[a]]
	tables                   // [[a]]
	inline                   // a = { }
	scalar                   // a = 1, a = []
)

// A repeat is a key that one file sets twice, or a section it opens twice.
type repeat struct {
	name        string
	section     bool
	first, line int
}

// line gives the line of p, or of the nearest thing around it; at least 1.
func (x *index) line(p path) int {
	for p != "" {
		if at, ok := x.places[p]; ok {
			return at.line
		}
		p = p[:max(0, strings.LastIndexAny(string(p), ".["))]
	}
	return 1
}

// indexOf reads text, which has no byte order mark.
func indexOf(text string) *index {
	s := &scanner{text: text, line: 1, counts: map[path]int{}}
	s.index.places = map[path]place{}
	for s.document() {
	}
	if s.pos < len(text) {
		s.index.stopped = s.line
	}
	return &s.index
}

type scanner struct {
	text   string
	pos    int
	line   int
	index  index
	table  path         // what a bare key belongs to now
	prefix string       // its dotted name
	counts map[path]int // elements of each [[array]] so far
}

// document reads one line of the top level, and reports whether to go on.
func (s *scanner) document() bool {
	s.blank()
	switch s.peek() {
	case 0:
		return false
	case '[':
		return s.header() && s.lineEnd()
	}
	return s.pair(s.table, s.prefix, 0) && s.lineEnd()
}

// header reads [a.b] or [[a.b]].
func (s *scanner) header() bool {
	line, array := s.line, strings.HasPrefix(s.text[s.pos:], "[[")
	s.pos++
	if array {
		s.pos++
	}
	parts, ok := s.keys()
	if !ok || !s.take("]") || array && !s.take("]") {
		return false
	}
	p := path("")
	for i, k := range parts[:len(parts)-1] {
		p = p.key(k)
		if s.index.places[p].kind == tables {
			p = p.element(s.counts[p] - 1)
			continue
		}
		s.imply(p, line, dotted(parts[:i+1]...))
	}
	p = p.key(parts[len(parts)-1])
	s.prefix = dotted(parts...)
	if array {
		p = s.another(p, line)
	} else {
		s.define(p, opened, line, s.prefix)
	}
	s.table = p
	return true
}

// another opens the next element of the array of tables p.
func (s *scanner) another(p path, line int) path {
	if at, seen := s.index.places[p]; !seen {
		s.index.places[p] = place{line, tables}
	} else if at.kind != tables {
		s.repeated(s.prefix, at.line, line)
	}
	element := p.element(s.counts[p])
	s.counts[p]++
	s.index.places[element] = place{line, opened}
	return element
}

// pair reads key = value inside the table p, whose dotted name is prefix.
func (s *scanner) pair(p path, prefix string, depth int) bool {
	line := s.line
	parts, ok := s.keys()
	if !ok || !s.take("=") {
		return false
	}
	for _, k := range parts[:len(parts)-1] {
		p = p.key(k)
		prefix = join(prefix, k)
		s.imply(p, line, prefix)
	}
	last := parts[len(parts)-1]
	p, prefix = p.key(last), join(prefix, last)
	s.spaces()
	kind := scalar
	if s.peek() == '{' {
		kind = inline
	}
	s.define(p, kind, line, prefix)
	return s.value(p, prefix, depth)
}

func (s *scanner) define(p path, kind placeKind, line int, name string) {
	at, seen := s.index.places[p]
	if seen && (at.kind != implied || kind != opened) {
		s.repeated(name, at.line, line)
		s.index.repeat.section = s.index.repeat.section || kind == opened && at.kind == opened && s.index.repeat.line == line
		return
	}
	s.index.places[p] = place{line, kind}
}

func (s *scanner) imply(p path, line int, name string) {
	at, seen := s.index.places[p]
	if !seen {
		s.index.places[p] = place{line, implied}
	} else if at.kind == scalar {
		s.repeated(name, at.line, line)
	}
}

func (s *scanner) repeated(name string, first, line int) {
	if s.index.repeat == nil {
		s.index.repeat = &repeat{name: name, first: first, line: line}
	}
}

// value reads one value and indexes what stands inside it.
func (s *scanner) value(p path, name string, depth int) bool {
	if depth > maxDepth {
		s.index.tooDeep = s.line
		return false
	}
	switch s.peek() {
	case '[':
		return s.list(']', func(i int) bool {
			s.index.places[p.element(i)] = place{s.line, scalar}
			return s.value(p.element(i), name, depth+1)
		})
	case '{':
		return s.list('}', func(int) bool { return s.pair(p, name, depth+1) })
	case '"', '\'':
		_, ok := s.str()
		return ok
	}
	start := s.pos
	for !strings.ContainsRune(",]}#\r\n\x00", rune(s.peek())) {
		s.pos++
	}
	return s.pos > start
}

// list reads items between commas up to the closing bracket; both arrays and
// (since TOML 1.1) inline tables may span lines and end in a comma.
func (s *scanner) list(closing byte, item func(i int) bool) bool {
	s.pos++
	for i := 0; ; i++ {
		s.blank()
		if s.peek() == closing {
			s.pos++
			return true
		}
		if s.peek() == 0 || !item(i) {
			return false
		}
		s.blank()
		if s.peek() == ',' {
			s.pos++
		} else if s.peek() != closing {
			return false
		}
	}
}

// keys reads a dotted key.
func (s *scanner) keys() ([]string, bool) {
	var parts []string
	for {
		s.spaces()
		k, ok := s.key()
		if !ok {
			return nil, false
		}
		if parts = append(parts, k); len(parts) > maxParts {
			s.index.tooDeep = s.line
			return nil, false
		}
		s.spaces()
		if s.peek() != '.' {
			return parts, true
		}
		s.pos++
	}
}

func (s *scanner) key() (string, bool) {
	if c := s.peek(); c == '"' || c == '\'' {
		return s.str()
	}
	start := s.pos
	for !strings.ContainsRune(" \t\r\n.=[]{}#\"',\x00", rune(s.peek())) {
		s.pos++
	}
	return s.text[start:s.pos], s.pos > start
}

// blank passes spaces, newlines and comments.
func (s *scanner) blank() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r':
			s.pos++
		case '\n':
			s.pos++
			s.line++
		case '#':
			for s.peek() != '\n' && s.peek() != 0 {
				s.pos++
			}
		default:
			return
		}
	}
}

func (s *scanner) spaces() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.pos++
	}
}

// lineEnd reports whether nothing but a comment follows on the line.
func (s *scanner) lineEnd() bool {
	s.spaces()
	return strings.ContainsRune("#\r\n\x00", rune(s.peek()))
}

func (s *scanner) take(token string) bool {
	s.spaces()
	if !strings.HasPrefix(s.text[s.pos:], token) {
		return false
	}
	s.pos += len(token)
	return true
}

// peek gives the next byte, 0 at the end. The text holds no NUL.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// dotted writes a key as an operator would in TOML.
func dotted(parts ...string) string {
	name := ""
	for _, k := range parts {
		name = join(name, k)
	}
	return name
}

func join(prefix, k string) string {
	if k == "" || strings.ContainsFunc(k, notBare) {
		k = strconv.Quote(k)
	}
	if prefix == "" {
		return k
	}
	return prefix + "." + k
}

func notBare(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}
