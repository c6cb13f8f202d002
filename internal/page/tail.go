package page

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"mailprofiled/internal/logging"
)

// Bounds of who watches verdicts as they are given. How many can is the Source's to
// say, and whoever does not keep up is dropped there: no verdict waits.
const (
	tailTime     = 10 * time.Minute // of one look
	tailPeople   = 20               // lines a second; they read no more, and each costs as much as a verdict
	tailPrograms = 200
	tailSign     = 15 * time.Second // after so much silence there is a sign of life
)

// Where verdicts are watched: by people, and by programs.
const (
	tailPath    = "/tail"
	apiTailPath = apiPrefix + "v1/tail"
)

func isTail(path string) bool { return path == tailPath || path == apiTailPath }

// A tailForm is how a tail is written, for people or for programs.
type tailForm struct {
	kind             string
	most             int // lines a second
	begin, sign, end func(*bytes.Buffer) error
	line             func(*bytes.Buffer, *logging.Line) error
	left             func(b *bytes.Buffer, n int) error // tells of lines that were left out
}

// tailed is a verdict as people see it.
type tailed map[string]string

func (p *Page) tailForms() map[string]tailForm {
	none := func(*bytes.Buffer) error { return nil }
	put := func(text string) func(*bytes.Buffer) error {
		return func(b *bytes.Buffer) error { b.WriteString(text); return nil }
	}
	return map[string]tailForm{
		tailPath: {
			kind: "text/html; charset=utf-8", most: tailPeople,
			begin: func(b *bytes.Buffer) error {
				access := p.Access()
				return render(b, "tail-begin", map[string]any{"Host": p.Host, "Every": 0, "Guard": access.Token != ""})
			},
			sign: put("\n"),
			end:  func(b *bytes.Buffer) error { return render(b, "tail-end", nil) },
			line: func(b *bytes.Buffer, l *logging.Line) error {
				t := tailed{"time": l.Time.UTC().Format(time.TimeOnly)}
				for _, a := range l.Attrs {
					t[a.Key] = a.Value.String()
				}
				return render(b, "tail-line", t)
			},
			left: func(b *bytes.Buffer, n int) error { return render(b, "tail-left", n) },
		},
		apiTailPath: { // https://html.spec.whatwg.org/multipage/server-sent-events.html
			kind: "text/event-stream", most: tailPrograms,
			begin: put(": verdicts as they are given\n\n"),
			sign:  put(":\n\n"),
			end:   none,
			line: func(b *bytes.Buffer, l *logging.Line) error {
				b.WriteString("data: ")
				b.Write(l.JSON())
				b.WriteString("\n\n")
				return nil
			},
			left: func(b *bytes.Buffer, n int) error {
				fmt.Fprintf(b, "event: left\ndata: {\"left\": %d}\n\n", n)
				return nil
			},
		},
	}
}

// tail refuses, or gives what shows verdicts as they are given, until the reader has
// enough, does not keep up, or may not read any more.
func (p *Page) tail(w http.ResponseWriter, r *http.Request) (after func(http.ResponseWriter)) {
	form, only := p.tailForms()[r.URL.Path], r.URL.Query().Get("action")
	if scopeOf(r) != "" {
		failure(w, http.StatusForbidden, "this token is for accounts of "+scopeOf(r)+" only")
		return nil
	}
	if only != "" && !slices.Contains(actions, only) {
		failure(w, http.StatusBadRequest, "no such action: use continue, tempfail or reject")
		return nil
	}
	watcher, err := p.Source.Tail()
	if err != nil {
		w.Header().Set("Retry-After", retryAfter)
		failure(w, http.StatusServiceUnavailable, err.Error())
		return nil
	}
	w.Header().Set("Content-Type", form.kind)
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep it back
	w.Header().Set("Connection", "close")     // its deadlines are not those of another request
	return func(w http.ResponseWriter) {
		defer watcher.End()
		t := &tail{w: w, rc: http.NewResponseController(w), form: form, only: only}
		_ = t.rc.SetReadDeadline(time.Time{}) // it fails only where there is no connection
		if err := t.send(form.begin); err != nil {
			return
		}
		token := p.Access().Token
		if err := t.run(r, watcher.Lines, func() bool { return p.Access().Token == token }); errors.Is(err, errTailEnds) {
			_ = t.send(form.end)
		}
	}
}

// A tail is one under way.
type tail struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	form tailForm
	only string // an action; "" for all

	second int64 // since 1970, and of its lines
	shown  int
	left   int // lines that were left out since the last that was shown
}

// errTailEnds says that a tail ends though the reader is there.
var errTailEnds = errors.New("the look has ended")

// run writes lines until there is an error. may is asked now and then whether the
// reader may go on.
func (t *tail) run(r *http.Request, lines <-chan logging.Line, may func() bool) error {
	sign, end := time.NewTicker(tailSign), time.NewTimer(tailTime)
	defer sign.Stop()
	defer end.Stop()
	for {
		var err error
		select {
		case l, open := <-lines:
			if !open {
				return errTailEnds
			}
			err = t.send(func(b *bytes.Buffer) error { return t.take(b, l, lines) })
		case <-sign.C:
			if !may() {
				return errTailEnds
			}
			err = t.send(func(b *bytes.Buffer) error { return errors.Join(t.tellLeft(b), t.form.sign(b)) })
		case <-end.C:
			return errTailEnds
		case <-r.Context().Done():
			return r.Context().Err()
		}
		if err != nil {
			return err
		}
	}
}

// maxAtOnce is how many lines are put together.
const maxAtOnce = 64

// take writes a line, and others that are there.
func (t *tail) take(b *bytes.Buffer, l logging.Line, lines <-chan logging.Line) error {
	for n := 1; ; n++ {
		if t.only == "" || slices.ContainsFunc(l.Attrs, t.isOnly) {
			if err := t.show(b, &l); err != nil {
				return err
			}
		}
		if n == maxAtOnce {
			return nil
		}
		var open bool
		select {
		case l, open = <-lines:
			if !open {
				return nil // the next look at lines tells
			}
		default:
			return nil
		}
	}
}

// show writes a line, where there is room for one in this second.
func (t *tail) show(b *bytes.Buffer, l *logging.Line) error {
	if now := l.Time.Unix(); now != t.second {
		t.second, t.shown = now, 0
	}
	if t.shown >= t.form.most {
		t.left++
		return nil
	}
	t.shown++
	return errors.Join(t.tellLeft(b), t.form.line(b, l))
}

// tellLeft tells of what was left out, if anything was.
func (t *tail) tellLeft(b *bytes.Buffer) error {
	n := t.left
	if t.left = 0; n == 0 {
		return nil
	}
	return t.form.left(b, n)
}

// send writes what make makes, and has it go out.
func (t *tail) send(make func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := make(&b); err != nil || b.Len() == 0 {
		return err
	}
	_ = t.rc.SetWriteDeadline(time.Now().Add(sendTime))
	if _, err := t.w.Write(b.Bytes()); err != nil {
		return err
	}
	return t.rc.Flush()
}

// isOnly reports whether a part of a line is the action that is asked for.
func (t *tail) isOnly(a slog.Attr) bool { return a.Key == "action" && a.Value.String() == t.only }
