package act

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/logging"
)

// A deed is one thing that can be done. It reads what is asked, from a form or from
// JSON, and does it.
type deed struct {
	name string
	form func(url.Values) (any, error) // the same as JSON has
	read func([]byte) (any, error)
	do   func(r *http.Request, by string, ask any) (done any, said string, err error)
	whom func(ask any) string // for the log; "" of accounts
}

// A Release lets a blocked account send again.
type Release struct {
	Account string `json:"account"`
}

// A Forget forgets what is remembered of a server, or of an operator.
type Forget struct {
	Server string `json:"server"`
}

// A Report says what a server has sent.
type Report struct {
	What string `json:"what"` // an address, or the id of a transaction
	Word string `json:"word"` // spam, ham
}

// deedOf makes a deed of what it takes.
func deedOf[T any](name string, form func(url.Values) (T, error), do func(*http.Request, string, T) (any, string, error), whom func(T) string) deed {
	return deed{
		name: name,
		form: func(v url.Values) (any, error) { return form(v) },
		read: func(body []byte) (any, error) {
			var ask T
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(&ask); err != nil {
				return nil, fmt.Errorf("not understood: %w", err)
			}
			return ask, nil
		},
		do:   func(r *http.Request, by string, ask any) (any, string, error) { return do(r, by, ask.(T)) },
		whom: func(ask any) string { return whom(ask.(T)) },
	}
}

// deeds are all that there are.
func (a *Actor) deeds() []deed {
	return []deed{
		deedOf("raise", grantOf, func(_ *http.Request, by string, g admin.Grant) (any, string, error) {
			if g.Max < 1 || g.Plan != "" || g.Domain != "" {
				return nil, "", errors.New("a limit is raised for one account, to 1 or more")
			}
			changed, err := a.Hand.Raise(by, g)
			if err != nil {
				return nil, "", err
			}
			said := "Raised: " + strings.Join(changed.Limits, ", ") + "."
			if changed.Unseen {
				said += " No mail of that account was ever seen here: is the name right?"
			}
			return changed, said + unkept(changed.Unkept), nil
		}, func(admin.Grant) string { return "" }),
		deedOf("release", func(v url.Values) (Release, error) { return Release{v.Get("account")}, nil }, func(r *http.Request, by string, ask Release) (any, string, error) {
			changed, err := a.Hand.Release(r.Context(), by, ask.Account)
			if err != nil {
				return nil, "", err
			}
			return changed, "Released: it may send again." + unkept(changed.Unkept), nil
		}, func(Release) string { return "" }),
		deedOf("allow", func(v url.Values) (Allowance, error) {
			return Allowance{Client: v.Get("client"), Until: v.Get("until"), Owner: v.Get("owner"), Reason: v.Get("reason")}, nil
		}, func(_ *http.Request, by string, ask Allowance) (any, string, error) {
			if err := a.Hand.Allow(by, ask); err != nil {
				return nil, "", err
			}
			return ask, "Allowed until the end of " + ask.Until + ", UTC; it counts within some seconds.", nil
		}, func(ask Allowance) string { return ask.Client }),
		deedOf("forget", func(v url.Values) (Forget, error) { return Forget{v.Get("server")}, nil }, func(_ *http.Request, by string, ask Forget) (any, string, error) {
			done, err := a.Hand.ForgetServer(by, ask.Server)
			switch {
			case err != nil:
				return nil, "", err
			case done.Forgotten == 0:
				return done, "Nothing was remembered of it.", nil
			}
			return done, "Forgotten: it is new here.", nil
		}, func(ask Forget) string { return ask.Server }),
		deedOf("report", func(v url.Values) (Report, error) { return Report{v.Get("what"), v.Get("word")}, nil }, func(_ *http.Request, by string, ask Report) (any, string, error) {
			if err := a.Hand.ReportServer(by, ask.What, ask.Word); err != nil {
				return nil, "", err
			}
			return map[string]int{"taken": 1}, "Noted as " + ask.Word + ".", nil
		}, func(ask Report) string { return ask.What }),
	}
}

func unkept(why string) string {
	if why == "" {
		return ""
	}
	return " But " + why + "."
}

// grantOf reads the form of a raise.
func grantOf(v url.Values) (admin.Grant, error) {
	g := admin.Grant{Account: v.Get("account"), Limit: v.Get("limit"), Until: v.Get("until"), Owner: v.Get("owner"), Reason: v.Get("reason")}
	n, err := strconv.Atoi(v.Get("max"))
	if err != nil {
		return g, fmt.Errorf("%+q is no number", clip(v.Get("max")))
	}
	g.Max = n
	return g, nil
}

func clip(text string) string { return text[:min(len(text), 40)] }

// maxBody is more than any action takes, in bytes.
const maxBody = 16 << 10

// run does a deed and writes its line of the log.
func (a *Actor) run(r *http.Request, d deed, ask any) (done any, said string, err error) {
	by := a.by(r)
	done, said, err = d.do(r, by, ask)
	attrs := []any{"what", d.name, "by", by}
	if whom := d.whom(ask); whom != "" {
		attrs = append(attrs, "whom", logging.Clip(whom))
	}
	if err != nil {
		a.Logger.Warn("action at the page", append(attrs, "done", false)...)
		return nil, "", err
	}
	a.Logger.Info("action at the page", append(attrs, "done", true)...)
	return done, said, nil
}

// byJSON answers a program.
func (a *Actor) byJSON(w http.ResponseWriter, r *http.Request, d deed) {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		refuse(w, r, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
		return
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		refuse(w, r, http.StatusRequestEntityTooLarge, "too long, or cut off")
		return
	}
	ask, err := d.read(body.Bytes())
	if err == nil {
		var done any
		if done, _, err = a.run(r, d, ask); err == nil {
			answer(w, http.StatusOK, done)
			return
		}
	}
	refuse(w, r, http.StatusBadRequest, err.Error())
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	enc := json.NewEncoder(logging.ASCII(w))
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the client has gone: nobody is left to tell
}

// A shown is the page of actions: all forms, filled in by what led here, and what
// the last one has done.
type shown struct {
	Host  string
	Every int
	Mark  string
	Today string
	Soon  string // a week from now
	Last  string // the last day that can be
	File  string // of Allow
	V     url.Values
	Done  string
	Fault string
}

// forms shows what can be done.
func (a *Actor) forms(w http.ResponseWriter, r *http.Request) {
	a.show(w, r, http.StatusOK, shown{V: r.URL.Query()})
}

func (a *Actor) show(w http.ResponseWriter, r *http.Request, code int, s shown) {
	now := a.Now().UTC()
	s.Host, s.Mark, s.File = a.Host, a.mark(r), a.Hand.AllowsInto()
	s.Today, s.Soon, s.Last = now.Format(time.DateOnly), now.AddDate(0, 0, 7).Format(time.DateOnly), now.AddDate(0, 0, MaxDays).Format(time.DateOnly)
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "act.html", &s); err != nil {
		a.Logger.Error("the page could not be made", "path", Prefix, "error", err.Error())
		refuse(w, r, http.StatusInternalServerError, "the page could not be made; see the log")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the reader has gone: nobody is left to tell
}

// MaxDays is for how long a server can be allowed at the page: for longer it is
// worth a [[local]] of its own.
const MaxDays = 90

// byForm answers a person.
func (a *Actor) byForm(w http.ResponseWriter, r *http.Request, d deed) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		refuse(w, r, http.StatusBadRequest, "that could not be read")
		return
	}
	for name := range r.PostForm {
		r.PostForm.Set(name, strings.TrimSpace(r.PostForm.Get(name)))
	}
	if !a.marked(r, r.PostForm.Get("mark")) {
		a.Logger.Warn("action refused: the form is not of here, or too old", "what", d.name, "by", a.by(r))
		a.show(w, r, http.StatusForbidden, shown{V: r.PostForm, Fault: "This form is too old, or did not come from here. Nothing was done; send it again."})
		return
	}
	ask, err := d.form(r.PostForm)
	var said string
	if err == nil {
		_, said, err = a.run(r, d, ask)
	}
	if err != nil {
		a.show(w, r, http.StatusBadRequest, shown{V: r.PostForm, Fault: err.Error()})
		return
	}
	a.show(w, r, http.StatusOK, shown{V: url.Values{}, Done: said})
}
