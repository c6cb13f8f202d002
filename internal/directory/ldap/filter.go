package ldap

import (
	"errors"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"mailprofiled/internal/directory"
)

// A template is a filter with places for parts of an address: pieces with, between
// them, one verb each.
type template struct {
	pieces []string
	verbs  []byte // 's', 'u', 'd'
}

const filterWritten = `write "(mail=%s)": %s is the address, %u its local part, %d its domain, %% a percent sign`

func parseFilter(text string) (template, error) {
	var t template
	var piece strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			piece.WriteByte(text[i])
			continue
		}
		i++
		switch {
		case i == len(text) || !strings.ContainsRune("sud%", rune(text[i])):
			return template{}, errors.New("a % that stands for nothing; " + filterWritten)
		case text[i] == '%':
			piece.WriteByte('%')
		default:
			t.pieces, t.verbs = append(t.pieces, piece.String()), append(t.verbs, text[i])
			piece.Reset()
		}
	}
	t.pieces = append(t.pieces, piece.String())
	switch {
	case text == "":
		return template{}, errors.New("empty; " + filterWritten)
	case !strings.ContainsAny(string(t.verbs), "su"):
		return template{}, errors.New("asks for nobody in particular, so that all or none would exist; " + filterWritten)
	}
	if _, err := ldap.CompileFilter(t.fill(directory.Address{Local: "a", Domain: "b"})); err != nil {
		return template{}, errors.New("no filter of RFC 4515; " + filterWritten)
	}
	return t, nil
}

// needsLocal reports whether the filter makes no sense without a local part.
func (t template) needsLocal() bool { return strings.ContainsRune(string(t.verbs), 'u') }

// fill puts an address into the filter, with all escaped that means something there
// (RFC 4515 section 3).
func (t template) fill(a directory.Address) string {
	a = a.Folded()
	var b strings.Builder
	for i, piece := range t.pieces {
		b.WriteString(piece)
		if i == len(t.verbs) {
			break
		}
		switch t.verbs[i] {
		case 's':
			b.WriteString(ldap.EscapeFilter(a.String()))
		case 'u':
			b.WriteString(ldap.EscapeFilter(a.Local))
		case 'd':
			b.WriteString(ldap.EscapeFilter(a.Domain))
		}
	}
	return b.String()
}
