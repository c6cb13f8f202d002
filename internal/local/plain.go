package local

import (
	"bytes"
	"time"
)

// parsePlain reads one line of the plain format,
//
//	[type:]value [# comment] [expires=2027-01-31]
//
// see parseValue for the values. Empty lines and those that begin with # or ;
// are nothing; a comment on a line of its own or behind a value begins with one
// of them, with a space before it. The date stands before the comment, or as
// its last word. It ends with its day, UTC.
func parsePlain(b *builder, text []byte) (isEntry bool, bad *mistake) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] == '#' || text[0] == ';' {
		return false, nil
	}
	value, rest := cutWord(text)
	ends, note, bad := parseRest(rest)
	if bad != nil {
		return false, bad
	}
	key := b.keyOf(value)
	e, bad := parseValue(value)
	if bad != nil {
		return false, bad
	}
	b.took(key)
	b.addPlain(e, ends)
	b.note.add(b.at, note)
	return true, nil
}

// parseRest reads what stands behind a value.
func parseRest(rest []byte) (ends int64, note []byte, bad *mistake) {
	ends = never
	for len(rest) > 0 && rest[0] != '#' && rest[0] != ';' {
		var word []byte
		word, rest = cutWord(rest)
		date, isDate := bytes.CutPrefix(word, []byte("expires="))
		switch {
		case !isDate:
			return 0, nil, &mistake{"unexpected " + quote(word) + " behind the value", "one entry a line; write # before a comment"}
		case ends != never:
			return 0, nil, &mistake{"two dates", "leave one of them out"}
		}
		if ends, bad = parseDate(date); bad != nil {
			return 0, nil, bad
		}
	}
	note = bytes.TrimLeft(rest, "#; \t")
	last := note[bytes.LastIndexAny(note, " \t")+1:]
	date, isDate := bytes.CutPrefix(last, []byte("expires="))
	if !isDate {
		return ends, note, nil
	}
	if ends != never {
		return 0, nil, &mistake{"two dates", "leave one of them out"}
	}
	ends, bad = parseDate(date)
	return ends, bytes.TrimRight(note[:len(note)-len(last)], " \t"), bad
}

func parseDate(text []byte) (ends int64, bad *mistake) {
	date, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return 0, &mistake{quote(text) + " is not a date", "write expires=2027-01-31"}
	}
	return until(date), nil
}

// cutWord splits a text behind its first word.
func cutWord(text []byte) (word, rest []byte) {
	i := bytes.IndexAny(text, " \t")
	if i < 0 {
		return text, nil
	}
	return text[:i], bytes.TrimLeft(text[i:], " \t")
}
