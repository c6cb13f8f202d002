package config

import (
	"strconv"
	"strings"
)

// str reads a string of any of TOML's four forms and gives its text; that of a
// multi-line string is given raw, since it can be no key.
func (s *scanner) str() (string, bool) {
	mark := s.text[s.pos : s.pos+1]
	if strings.HasPrefix(s.text[s.pos:], mark+mark+mark) {
		return s.long(mark[0])
	}
	s.pos++
	start := s.pos
	for {
		switch c := s.peek(); {
		case c == 0 || c == '\n':
			return "", false
		case c == '\\' && mark == `"` && s.pos+1 < len(s.text):
			if s.pos++; s.peek() == '\n' {
				return "", false
			}
		case c == mark[0]:
			text := s.text[start:s.pos]
			s.pos++
			if mark == `"` {
				text = unescape(text)
			}
			return text, true
		}
		s.pos++
	}
}

// long reads """...""" or ”'...”', which may hold one or two of its quotes,
// also right before the end.
func (s *scanner) long(mark byte) (string, bool) {
	s.pos += 3
	start, run := s.pos, 0
	for {
		c := s.peek()
		switch {
		case run >= 3 && (c != mark || run == 5):
			return s.text[start : s.pos-3], true
		case c == 0:
			return "", false
		case c == mark:
			run++
			s.pos++
			continue
		case c == '\\' && mark == '"' && s.pos+1 < len(s.text):
			if s.pos++; s.peek() == '\n' {
				s.line++
			}
		case c == '\n':
			s.line++
		}
		run = 0
		s.pos++
	}
}

var escapes = map[byte]string{
	'b': "\b", 't': "\t", 'n': "\n", 'f': "\f", 'r': "\r", 'e': "\x1b", '"': `"`, '\\': `\`,
}

// unescape resolves the escapes of a basic string. One that is not TOML is
// kept as it stands: the decoder refuses it.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		if plain, ok := escapes[text[i]]; ok {
			b.WriteString(plain)
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[i]]
		code, err := strconv.ParseUint(text[i+1:min(len(text), i+1+digits)], 16, 32)
		if digits == 0 || err != nil {
			b.WriteString(`\` + text[i:i+1])
			continue
		}
		b.WriteRune(rune(code))
		i += digits
	}
	return b.String()
}
