package replay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/maillog"
	"mailprofiled/profile"
)

// logColumns are the columns of a visit from a log. mail_from_domain has the whole
// address where the log has it.
const logColumns = "date,client_ip,ptr,ptr_state,fcrdns,helo,mail_from_domain,spf,account,rcpt,label,mta,host,queue_id"

// A logReader makes visits of the lines of a log.
type logReader struct {
	lines  *lines
	framer maillog.Framer
	from   *maillog.Assembler
	only   Format // Postfix or Sendmail alone; else both
	export bool   // of journalctl -o export
	ended  bool
	none   string // what is wrong with the last line
	uses   [maillog.Used + 1]int
}

func newLog(in *lines, format Format, zone *time.Location, newest time.Time) *logReader {
	return &logReader{
		lines: in, only: format, from: maillog.NewAssembler(), export: isExport(in.peek(64)),
		framer: maillog.Framer{Zone: zone, Newest: newest},
	}
}

// isExport reports whether a file begins as journalctl -o export does.
func isExport(text []byte) bool {
	return bytes.HasPrefix(text, []byte("__CURSOR=")) || bytes.HasPrefix(text, []byte("__REALTIME_TIMESTAMP="))
}

// looksLikeLog reports whether one of the first lines of a file is one of a log.
func looksLikeLog(text []byte) bool {
	if isExport(text) {
		return true
	}
	framer := maillog.Framer{Newest: time.Unix(0, 0)}
	n := 0
	for line := range bytes.Lines(text) {
		if _, ok := framer.Line(string(bytes.TrimRight(line, "\r\n"))); ok {
			return true
		}
		if n++; n == 50 {
			break
		}
	}
	return false
}

// next reads lines until a visit is complete.
func (l *logReader) next() (v *Visit, wrong string, ok bool) {
	for {
		if got, ok := l.from.Next(); ok {
			return visitOf(got), "", true
		}
		if l.ended {
			got, ok := l.from.Rest()
			if !ok {
				return nil, "", false
			}
			return visitOf(got), "", true
		}
		e, ok, more := l.entry()
		switch {
		case !more:
			l.ended = true
		case !ok:
			return nil, l.none, true
		case l.wanted(&e):
			l.uses[l.from.Entry(&e)]++
		default:
			l.uses[maillog.Foreign]++
		}
	}
}

// note tells what the lines were about.
func (l *logReader) note() string {
	return fmt.Sprintf("%d lines about them, %d others of mail servers, %d of other programs", l.uses[maillog.Used], l.uses[maillog.Passed], l.uses[maillog.Foreign])
}

// wanted reports whether an entry is of the MTA that was asked for.
func (l *logReader) wanted(e *maillog.Entry) bool {
	switch postfix := strings.Contains(e.Program, "/"); l.only {
	case Postfix:
		return postfix
	case Sendmail:
		if !postfix && !strings.HasPrefix(e.Program, "sendmail") {
			e.Program = "sendmail " + e.Program // whatever it is called here
		}
		return !postfix
	}
	return true
}

// entry reads the next entry; more is false at the end, ok for what is none.
func (l *logReader) entry() (e maillog.Entry, ok, more bool) {
	if l.export {
		return l.exported()
	}
	for {
		line, more := l.lines.next()
		if !more {
			return e, false, false
		}
		if len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("-- ")) { // journalctl: -- Boot ... --
			continue
		}
		e, ok = l.framer.Line(string(line))
		l.none = "no line of a log"
		return e, ok, true
	}
}

// exported reads an entry of journalctl -o export: lines KEY=value, or KEY, a
// length of 8 octets and the value, until an empty line.
func (l *logReader) exported() (e maillog.Entry, ok, more bool) {
	fields := map[string]string{}
	for {
		line, more := l.lines.next()
		if !more && len(fields) == 0 {
			return e, false, false
		}
		if !more || len(line) == 0 {
			if len(fields) == 0 {
				continue
			}
			e, ok = maillog.Journal(func(name string) string { return fields[name] })
			l.none = "an entry of the journal without program or text"
			return e, ok, true
		}
		key, value, plain := bytes.Cut(line, []byte("="))
		name := string(key)
		if !plain {
			text, err := l.lines.binary()
			if err != nil {
				return e, false, false
			}
			value = text
		}
		if len(fields) < maxJournalFields {
			fields[name] = string(value)
		}
	}
}

// maxJournalFields bounds the fields kept of one entry.
const maxJournalFields = 200

// binary reads a value with its length before it, and the line end behind it. What
// is longer than a line may be is cut.
func (l *lines) binary() ([]byte, error) {
	var size [8]byte
	if _, err := io.ReadFull(l.r, size[:]); err != nil {
		return nil, l.broken(err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > maxBinary {
		return nil, l.broken(fmt.Errorf("a field of %d octets in the journal's export", n))
	}
	value := make([]byte, min(n, maxLine))
	if _, err := io.ReadFull(l.r, value); err != nil {
		return nil, l.broken(err)
	}
	if _, err := io.CopyN(io.Discard, l.r, int64(n)-int64(len(value))+1); err != nil {
		return nil, l.broken(err)
	}
	return value, nil
}

// maxBinary is the longest field of a journal that is believed.
const maxBinary = 1 << 30

// broken keeps what ended the lines; the end of the file within a field is an error.
func (l *lines) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	l.err = err
	return err
}

// visitOf is a visit of a log with its row.
func visitOf(m *maillog.Visit) *Visit {
	v := &Visit{
		Time: m.Time, Precision: Moment, Client: m.Client, PTR: hostName(m.PTR), Helo: clip(m.Helo), From: clip(m.From),
		SPF: spfWords[m.SPF], Account: clip(m.Account), Rcpts: m.Rcpts, Label: m.Outcome.String(),
		NotTaken: m.Outcome != maillog.Accepted, Unknown: m.Unknown,
	}
	if m.Time.IsZero() {
		v.Precision = NoTime
	}
	if m.Submission {
		v.Door = "submission"
	}
	switch m.Name {
	case maillog.Confirmed:
		v.PTRState, v.Confirmed = PTRNamed, Yes
	case maillog.Unconfirmed:
		v.PTRState, v.Confirmed = PTRNamed, No
	case maillog.Unproven:
		v.PTRState = PTRNamed
	case maillog.Missing:
		v.PTRState = PTRNone
	case maillog.Indeterminate:
		v.PTRState = PTRNoneOrUnconfirmed
	}
	v.settle()
	v.Row = logRow(v, m)
	return v
}

func clip(s string) string { return s[:min(len(s), maxField)] }

var (
	ptrWords = [...]string{PTRUnrecorded: "unrecorded", PTRNamed: "named", PTRNone: "none", PTRNoneOrUnconfirmed: "none_or_unconfirmed"}
	spfNames = func() map[profile.SPFOutcome]string {
		names := map[profile.SPFOutcome]string{}
		for word, outcome := range spfWords {
			names[outcome] = word
		}
		return names
	}()
)

// logRow is a visit of a log in the columns of logColumns.
func logRow(v *Visit, m *maillog.Visit) []byte {
	date := ""
	if v.Precision == Moment {
		date = v.Time.Format(time.RFC3339)
	}
	fcrdns := [...]string{Unknown: "unknown", Yes: "yes", No: "no"}[v.Confirmed]
	if v.PTRState == PTRNone || v.PTRState == PTRNoneOrUnconfirmed {
		fcrdns = "no"
	}
	var b []byte
	for i, field := range [...]string{
		date, v.Client.String(), v.PTR, ptrWords[v.PTRState], fcrdns, v.Helo, v.From, spfNames[v.SPF], v.Account,
		strings.Join(v.Rcpts, " "), v.Label, m.MTA, m.Host, m.Queue,
	} {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, clean(field))
	}
	return b
}

// clean keeps controls out of rows made of a log.
func clean(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	return strings.Trim(strconv.QuoteToASCII(s), `"`)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
