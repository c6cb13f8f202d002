package logging

import (
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// ASCII returns a writer that passes JSON on to w in US-ASCII: a rune beyond it
// becomes \uXXXX, which is the same JSON. Controls beyond ASCII (U+009B starts a
// terminal's escape) and marks that turn the direction of text cannot then play
// tricks on whoever looks at it. Each Write must hold whole runes.
func ASCII(w io.Writer) io.Writer { return asciiWriter{w} }

type asciiWriter struct{ w io.Writer }

func (a asciiWriter) Write(p []byte) (int, error) {
	if isASCII(p) {
		return a.w.Write(p)
	}
	out := make([]byte, 0, 2*len(p))
	for i := 0; i < len(p); {
		r, size := utf8.DecodeRune(p[i:])
		switch {
		case r < utf8.RuneSelf && r != 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	if _, err := a.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func isASCII(p []byte) bool {
	for _, b := range p {
		if b >= 0x7f {
			return false
		}
	}
	return true
}
