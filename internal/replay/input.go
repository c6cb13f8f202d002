package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Format says what a file holds.
type Format uint8

// The formats. Auto finds out by the file's beginning.
const (
	Auto Format = iota
	CSV
	Postfix
	Sendmail
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	for i, known := range [...]string{"auto", "csv", "postfix", "sendmail"} {
		if name == known {
			return Format(i), nil
		}
	}
	return Auto, fmt.Errorf("%q is none of postfix, sendmail, csv", name)
}

// An Input is one file that is read.
type Input struct {
	// Header are the columns of its visits' rows.
	Header string

	name  string
	lines *lines
	from  reader
}

// A reader makes visits of lines.
type reader interface {
	// next gives the next visit; nil where a line is none. wrong says what could
	// not be read of it. At the end ok is false.
	next() (v *Visit, wrong string, ok bool)
}

// Reading says how a file is read. The zero Reading finds out what it is.
type Reading struct {
	Format Format
	Zone   *time.Location // of dates in logs without one; nil is UTC
	Newest time.Time      // when the file was written last: dates without a year are not after it
}

// Open begins to read a file, plain or by gzip. name stands in messages.
func Open(name string, r io.Reader, o Reading) (*Input, error) {
	in := &Input{name: name}
	buffered := bufio.NewReaderSize(r, maxLine)
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		in.lines = newLines(zip)
	} else {
		in.lines = newLines(buffered)
	}
	err := in.open(&o)
	if _, broken := in.lines.r.Peek(1); err != nil && broken != nil && !errors.Is(broken, io.EOF) {
		err = broken
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return in, nil
}

func (in *Input) open(o *Reading) error {
	begins := in.lines.peek(maxLine)
	format := o.Format
	switch {
	case format != Auto:
	case len(begins) == 0:
		return errNothing
	case looksLikeCSV(begins):
		format = CSV
	case !looksLikeLog(begins):
		return errors.New("neither a log nor CSV with a column client_ip; if it is, name what it is by --format")
	}
	if format != CSV {
		in.Header, in.from = logColumns, newLog(in.lines, format, o.Zone, o.Newest)
		return nil
	}
	c, err := newCSV(in.lines)
	if err != nil {
		return err
	}
	in.Header, in.from = c.header, c
	return nil
}

// looksLikeCSV reports whether a file begins with the names of columns.
func looksLikeCSV(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	names, _ := splitCSV(string(first), nil)
	for _, name := range names {
		if columnName(name) == "client_ip" {
			return true
		}
	}
	return false
}

// A Trouble is what could not be read.
type Trouble struct {
	File string
	Line int
	What string
	Text string // the line's beginning
}

// Next gives the next visit. At the end ok is false, and Err may say why.
// Trouble is what is wrong with a line; the visit is nil where it is none, and
// else lacks a fact.
func (in *Input) Next() (v *Visit, trouble *Trouble, ok bool) {
	v, wrong, ok := in.from.next()
	if wrong != "" {
		trouble = &Trouble{File: in.name, Line: in.lines.number, What: wrong}
	}
	return v, trouble, ok
}

// Note tells what the lines of a log were about, once all are read; "" of CSV.
func (in *Input) Note() string {
	if l, ok := in.from.(*logReader); ok {
		return l.note()
	}
	return ""
}

// Err is what ended the file before its time.
func (in *Input) Err() error {
	switch err := in.lines.err; {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: it is cut off after line %d; what stands before that was judged", in.name, in.lines.number)
	case err != nil:
		return fmt.Errorf("%s: it cannot be read after line %d; what stands before that was judged: %w", in.name, in.lines.number, err)
	}
	return nil
}
