package local

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// parseRbldnsd reads one line of a data file of rbldnsd(8): what all its formats
// have in common.
func parseRbldnsd(b *builder, line []byte, take func(b *builder, text []byte, exclude bool) *mistake) (isEntry bool, bad *mistake) {
	line = bytes.Trim(line, " \t\r")
	switch {
	case len(line) == 0:
		return false, nil
	case line[0] == '$':
		return false, b.special(line[1:])
	case len(line) > 1 && line[1] == '$' && (isComment(line[0]) || line[0] == ':'):
		return false, b.special(line[2:])
	case isComment(line[0]):
		return false, nil
	case line[0] == ':': // the value of the entries that follow
		note, bad := parseAnswer(line, nil)
		if bad == nil {
			b.text = bytes.Clone(note)
		}
		return false, bad
	}
	exclude := line[0] == '!'
	text := line
	if exclude {
		text = bytes.TrimLeft(line[1:], " \t")
	}
	if bad := take(b, text, exclude); bad != nil {
		return false, bad
	}
	return true, nil
}

func isComment(c byte) bool { return c == '#' || c == ';' }

// special follows a line that begins with $.
func (b *builder) special(text []byte) *mistake {
	word, rest := cutWord(text)
	switch strings.ToLower(string(word)) {
	case "soa", "ns", "nameserver", "ttl", "=", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9":
		return nil // about the answers in DNS
	case "maxrange4":
		return b.setMaxRange(rest)
	case "timestamp":
		return b.setTimestamp(rest)
	case "dataset":
		return &mistake{"a combined file", "give each of its datasets a file of its own"}
	}
	return &mistake{"unknown " + quote("$"+string(word)), "see rbldnsd(8)"}
}

// setMaxRange follows $MAXRANGE4: larger ranges are bad lines. It can be made
// smaller, never larger.
func (b *builder) setMaxRange(text []byte) *mistake {
	bits, isBits := bytes.CutPrefix(text, []byte("/"))
	n, err := strconv.ParseUint(string(bits), 10, 32)
	switch {
	case err != nil || n == 0 || isBits && n > 32:
		return &mistake{"$MAXRANGE4 " + quote(text) + " is no size of a range", "write $MAXRANGE4 /24 or $MAXRANGE4 256"}
	case isBits:
		n = 1 << (32 - n)
	}
	if b.maxRange == 0 || n < b.maxRange {
		b.maxRange = n
	}
	return nil
}

// setTimestamp follows "$TIMESTAMP made [expires]": behind the earliest moment of
// expiry no entry of the file holds.
func (b *builder) setTimestamp(text []byte) *mistake {
	madeText, rest := cutWord(text)
	made, bad := parseTimestamp(madeText)
	if bad != nil {
		return bad
	}
	ends := int64(0)
	if relative, isRelative := bytes.CutPrefix(rest, []byte("+")); isRelative {
		span, ok := seconds(relative)
		if !ok || made == 0 {
			return &mistake{"$TIMESTAMP: expiry " + quote(rest) + " is no time after the first one", "write it as +2d"}
		}
		ends = made + span
	} else if len(rest) > 0 {
		if ends, bad = parseTimestamp(rest); bad != nil {
			return bad
		}
	}
	if made > b.now {
		b.problems = append(b.problems, Problem{File: b.file, Line: int(b.at), Warning: true,
			What: "$TIMESTAMP lies in the future", Remedy: "check the clocks: rbldnsd would refuse the file"})
	}
	if ends != 0 && ends < b.ends {
		b.ends = ends
	}
	return nil
}

// parseTimestamp reads yyyy:mm:dd[:hh[:mi[:ss]]], with - for : or nothing between;
// 0 and - alone are no time.
func parseTimestamp(text []byte) (int64, *mistake) {
	if s := string(text); s == "0" || s == "-" || s == ":" {
		return 0, nil
	}
	digits := make([]byte, 0, 14)
	for i, c := range text {
		switch {
		case isDigit(c) && len(digits) < cap(digits):
			digits = append(digits, c)
		case (c == ':' || c == '-') && i > 0 && isDigit(text[i-1]):
		default:
			digits = nil
		}
		if digits == nil {
			break
		}
	}
	t, err := time.Time{}, error(nil)
	switch len(digits) {
	case 8, 10, 12, 14:
		t, err = time.Parse("20060102150405", string(digits)+"000000"[:14-len(digits)])
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		return 0, &mistake{"$TIMESTAMP: " + quote(text) + " is not a time", "write it as 2027:01:31:12:00"}
	}
	return t.Unix(), nil
}

// seconds reads a time such as 90, 15m or 2d.
func seconds(text []byte) (int64, bool) {
	n, rest, ok := smallNumber(text, 1<<31-1)
	unit, known := map[string]int64{"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[strings.ToLower(string(rest))]
	return int64(n) * unit, ok && known && n > 0
}

// parseAnswer reads the value of an entry, ":127.0.0.2:text", ":2" or "text",
// and gives its text; usual is that of entries without.
func parseAnswer(text, usual []byte) (note []byte, bad *mistake) {
	switch {
	case len(text) == 0 || isComment(text[0]):
		return usual, nil
	case text[0] != ':':
		return text, nil
	}
	a, _, rest, ok := octets4(text[1:], false)
	if !ok || a == 0 {
		return nil, &mistake{quote(text) + " is no answer of DNS", "write :127.0.0.2:text, :2:text or text"}
	}
	rest = bytes.TrimLeft(rest, " \t")
	switch {
	case len(rest) == 0:
		return usual, nil
	case rest[0] != ':':
		return nil, &mistake{"unexpected " + quote(rest) + " behind the answer", "write :127.0.0.2:text"}
	}
	return bytes.TrimLeft(rest[1:], " \t"), nil
}

// entry takes in what is common to the entries of all formats: what stands behind
// them, and the line itself.
func (b *builder) entry(key uint64, rest []byte, exclude bool) *mistake {
	if !exclude { // behind an exclusion anything may stand
		note, bad := parseAnswer(bytes.TrimLeft(rest, " \t"), b.text)
		if bad != nil {
			return bad
		}
		b.note.add(b.at, note)
		b.took(key)
		return nil
	}
	b.entries++ // never matches, so it is not looked for among the unused
	return nil
}

// mark gives the line at hand for a table.
func (b *builder) mark(exclude bool) uint32 {
	if exclude {
		return b.at | excluded
	}
	return b.at
}
