package directory

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// Fold gives a local part the form in which Postfix looks it up: case means nothing,
// beyond ASCII by the full case folding of Unicode, by which "ß" is "ss". A source that
// compares octets folds what it is asked and what it holds; one that asks another
// server leaves that to the server.
func Fold(local string) string {
	for i := 0; i < len(local); i++ {
		if c := local[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return string(appendFold(nil, local))
		}
	}
	return local
}

// appendFold appends the folded form. What is not UTF-8 stays as it is.
func appendFold[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return appendFoldRunes(dst, string(s[i:]))
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

func appendFoldRunes(dst []byte, s string) []byte {
	if utf8.ValidString(s) {
		return append(dst, cases.Fold().String(s)...)
	}
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[0])
		} else {
			dst = append(dst, cases.Fold().String(s[:size])...)
		}
		s = s[size:]
	}
	return dst
}

// withoutExtension gives the local part that stands before the first of the
// delimiters (Postfix: recipient_delimiter), as Postfix splits it: never to nothing,
// and with "-" among them neither owner-list nor list-request, which are addresses of
// their own. It gives false where there is no extension.
func withoutExtension(local, delimiters string) (string, bool) {
	at := strings.IndexAny(local, delimiters)
	if at <= 0 {
		return "", false
	}
	if strings.Contains(delimiters, "-") {
		const owner, request = "owner-", "-request"
		if len(local) > len(owner) && strings.EqualFold(local[:len(owner)], owner) {
			return "", false
		}
		if n := len(local) - len(request); n > 0 && strings.EqualFold(local[n:], request) {
			return "", false
		}
	}
	if strings.EqualFold(local, "mailer-daemon") || strings.EqualFold(local, "double-bounce") {
		return "", false
	}
	return local[:at], true
}
