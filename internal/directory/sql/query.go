package sql

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// A field is what of the address stands in a placeholder's place.
type field uint8

const (
	wholeAddress field = iota // $1: "local@domain"
	localPart                 // $2
	domainPart                // $3
)

// A question is the operator's query as the database wants it, with what goes into
// each of its placeholders.
type question struct {
	text   string
	fields []field
}

const placeholders = "write $1 where the address belongs, $2 for its local part, $3 for its domain"

// parseQuery translates placeholders: $1, $2 and $3 of the operator into the numbered
// ones of PostgreSQL or the "?" of the others, where "?" is the address too.
func parseQuery(text string, k kind) (question, error) {
	text = strings.TrimSpace(text)
	text = strings.TrimSpace(strings.TrimSuffix(text, ";"))
	if text == "" {
		return question{}, errors.New(`empty; write "SELECT created, plan FROM users WHERE address = $1"`)
	}
	if !asks(text) {
		return question{}, errors.New("does not begin with SELECT, WITH, VALUES or CALL; write a query that only reads")
	}
	q := question{}
	var out strings.Builder
	for i := 0; i < len(text); {
		n := skip(text[i:], k)
		if n < 0 {
			return question{}, errors.New("a quote or comment in it does not end; close it")
		}
		if n > 0 {
			out.WriteString(text[i : i+n])
			i += n
			continue
		}
		f, n, err := placeholder(text[i:], k)
		switch {
		case err != nil:
			return question{}, err
		case n > 0:
			out.WriteString(q.put(f, k))
			i += n
		case text[i] == ';':
			return question{}, errors.New("more than one statement; write one")
		default:
			n := word(text[i:])
			out.WriteString(text[i : i+n])
			i += n
		}
	}
	if len(q.fields) == 0 {
		return question{}, errors.New("asks for nobody in particular, so that all or none would exist; " + placeholders)
	}
	if what := rowForEverybody(text); what != "" {
		return question{}, errors.New("begins with " + what + ", which is a row whoever is asked for, so that everybody would exist; " +
			`select columns of the recipient's own row: "SELECT created, plan FROM users WHERE address = $1"`)
	}
	q.text = out.String()
	return q, nil
}

var (
	aggregate = regexp.MustCompile(`(?i)^[(\s]*SELECT\s+((?:count|max|min|sum|avg|bool_or|bool_and|every|array_agg|string_agg|group_concat|json_agg)\s*\()`)
	existence = regexp.MustCompile(`(?i)^[(\s]*SELECT\s+((?:NOT\s+)?EXISTS\s*\()`)
	grouped   = regexp.MustCompile(`(?i)\b(?:GROUP\s+BY|HAVING|OVER)\b`)
	from      = regexp.MustCompile(`(?i)\bFROM\b`)
)

// rowForEverybody gives what a query begins with that has it answer with one row
// always; "" for nothing that is seen. Where it is not sure, it is silent.
func rowForEverybody(text string) string {
	if m := aggregate.FindStringSubmatch(text); m != nil && !grouped.MatchString(text) {
		return m[1] + "...)"
	}
	m := existence.FindStringSubmatchIndex(text)
	if m == nil {
		return ""
	}
	depth, end := 1, m[1]
	for ; end < len(text) && depth > 0; end++ {
		switch text[end] {
		case '(':
			depth++
		case ')':
			depth--
		}
	}
	if from.MatchString(text[end:]) {
		return "" // beside a row of a table
	}
	return text[m[2]:m[3]] + "...)"
}

// asks reports whether a statement begins like one that reads.
func asks(text string) bool {
	text = strings.TrimLeft(text, "( \t\r\n")
	first := text[:word(text+" ")]
	for _, verb := range []string{"SELECT", "WITH", "VALUES", "CALL"} {
		if strings.EqualFold(first, verb) {
			return true
		}
	}
	return false
}

// put enters a placeholder and gives what stands for it.
func (q *question) put(f field, k kind) string {
	if k != postgres {
		q.fields = append(q.fields, f)
		return "?"
	}
	for i, have := range q.fields {
		if have == f {
			return "$" + strconv.Itoa(i+1)
		}
	}
	q.fields = append(q.fields, f)
	return "$" + strconv.Itoa(len(q.fields))
}

// placeholder reads one at the beginning of text; length 0 is none.
func placeholder(text string, k kind) (f field, length int, err error) {
	if text[0] != '$' && (text[0] != '?' || k == postgres) {
		return 0, 0, nil
	}
	n := 1
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	switch number := text[1:n]; {
	case number == "" && text[0] == '?':
		return wholeAddress, 1, nil
	case number == "":
		return 0, 0, nil
	case number == "1" || number == "2" || number == "3":
		return field(number[0] - '1'), n, nil
	default:
		return 0, 0, errors.New("there is no " + text[:n] + "; " + placeholders)
	}
}

// word gives the length of a word, or 1 of anything else: a "$1" within a word is none.
func word(text string) int {
	n := 0
	for n < len(text) && (text[n] == '_' || text[n] >= 0x80 || '0' <= text[n] && text[n] <= '9' ||
		'a' <= text[n]|0x20 && text[n]|0x20 <= 'z' || n > 0 && text[n] == '$') {
		n++
	}
	return max(n, 1)
}

// skip gives the length of a quoted part or a comment at the beginning of text, 0 for
// none, -1 for one that does not end.
func skip(text string, k kind) int {
	switch c := text[0]; {
	case c == '\'' || c == '"' || c == '`' && k != postgres:
		return quoted(text, c, k == mysqlKind && c != '`')
	case strings.HasPrefix(text, "--") || c == '#' && k == mysqlKind:
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end + 1
		}
		return len(text)
	case strings.HasPrefix(text, "/*"):
		return until(text, 2, "*/")
	case c == '$' && k == postgres:
		if tag := dollarTag(text); tag != "" {
			return until(text, len(tag), tag)
		}
	}
	return 0
}

// quoted gives the length of a quoted part. A doubled quote within it is two parts,
// one behind the other, which comes to the same.
func quoted(text string, quote byte, escapes bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && escapes:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return -1
}

func until(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return -1
}

// dollarTag gives the "$tag$" that opens a quoted part in PostgreSQL.
func dollarTag(text string) string {
	n := 1
	for n < len(text) && (text[n] == '_' || 'a' <= text[n]|0x20 && text[n]|0x20 <= 'z' || n > 1 && '0' <= text[n] && text[n] <= '9') {
		n++
	}
	if n < len(text) && text[n] == '$' {
		return text[:n+1]
	}
	return ""
}
