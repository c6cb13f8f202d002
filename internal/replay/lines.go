package replay

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// The bounds of what is taken in: of a longer line its beginning, and no row with a
// longer field.
const (
	maxLine  = 64 << 10
	maxField = 4 << 10
)

// errNothing says that there was no line at all.
var errNothing = errors.New("it is empty")

// lines gives the lines of a file, each no longer than maxLine.
type lines struct {
	r      *bufio.Reader
	buf    []byte
	back   [][]byte // to be given once more
	number int      // of the line given last, from 1
	cut    bool     // it was longer, and its end is dropped
	err    error    // that ended them, besides io.EOF
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, maxLine)} }

// next gives the next line, without its end, until the next call. ok is false
// after the last.
func (l *lines) next() (line []byte, ok bool) {
	if len(l.back) > 0 {
		line, l.back = l.back[0], l.back[1:]
		l.number++
		l.cut = false
		return line, true
	}
	line, err := l.r.ReadSlice('\n')
	l.cut = errors.Is(err, bufio.ErrBufferFull)
	if l.cut {
		l.buf = append(l.buf[:0], line...)
		line = l.buf
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = l.r.ReadSlice('\n')
		}
	}
	broken := err != nil && !errors.Is(err, io.EOF)
	if broken {
		l.err = err
	}
	if broken || err != nil && len(line) == 0 { // half a line may read as another one
		return nil, false
	}
	l.number++
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), true
}

// again has lines that were given be given once more. They are kept.
func (l *lines) again(taken [][]byte) {
	l.back = append(taken, l.back...)
	l.number -= len(taken)
}

// peek gives the first octets of what is still to be read.
func (l *lines) peek(n int) []byte {
	text, _ := l.r.Peek(n)
	return text
}
