package accounts

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxProblems are told of one file, and how many more there are.
const maxProblems = 20

// A mistake is what is wrong with a line.
type mistake struct {
	what, remedy string
	warning      bool
}

// A parser makes a List.
type parser struct {
	list     *List
	rules    Rules
	plans    map[string]uint16 // as List.plan has them
	others   []other           // names of others
	file     string
	now      time.Time
	line     int
	bad      int // lines left out
	told     int
	more     int
	problems []Problem
}

// Parse reads a file of accounts. file names it in problems, the rules say how logins are
// written as names, and now tells which dates are of the future. Lines with a mistake are left out and told: a whole
// site must not lose its ages for one of them. Without a List the text is no file
// of accounts: of more bad lines than good, or too large. An error is that of r.
func Parse(r io.Reader, file string, rules Rules, now time.Time) (*List, []Problem, error) {
	p := parser{list: &List{seed: maphash.MakeSeed()}, rules: rules, plans: map[string]uint16{}, file: file, now: now}
	limited := &io.LimitedReader{R: r, N: maxFile + 1}
	in := bufio.NewScanner(limited)
	in.Buffer(make([]byte, 0, 64<<10), 64<<10)
	for in.Scan() && limited.N > 0 {
		p.line++
		text := in.Bytes()
		if p.line == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if m := p.entry(text); m != nil {
			p.tell(m)
		}
		if p.list.Len() > maxAccounts {
			return nil, []Problem{p.whole(fmt.Sprintf("more than %d accounts", maxAccounts), "is it the right file?")}, nil
		}
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, []Problem{{File: file, Line: p.line + 1, What: "a line of more than 65536 octets: this is no list", Remedy: "write one account a line"}}, nil
	case err != nil:
		return nil, nil, err
	case limited.N == 0:
		return nil, []Problem{p.whole(fmt.Sprintf("larger than %d MiB", maxFile>>20), "is it the right file?")}, nil
	}
	if p.more > 0 {
		p.problems = append(p.problems, p.whole(fmt.Sprintf("%d more lines are wrong or odd", p.more), "mend the first ones, and look again"))
	}
	if p.bad > p.list.Len() {
		return nil, append(p.problems, p.whole(fmt.Sprintf("%d lines with a mistake, and %d accounts: none is used", p.bad, p.list.Len()), "is it the right file? "+usage)), nil
	}
	if astray := p.list.join(p.others); astray != "" {
		p.problems = append(p.problems, p.whole(fmt.Sprintf("%s has account= of a name that has one itself, and so on in a circle or for more than %d times", quote(astray), mostHops), "name the account itself"))
	}
	p.list.clip()
	return p.list, p.problems, nil
}

const usage = "A line is: login created=2026-01-31 plan=pro"

// clip gives back what was only needed to grow.
func (l *List) clip() {
	l.names, l.ends, l.created, l.plan = slices.Clone(l.names), slices.Clone(l.ends), slices.Clone(l.created), slices.Clone(l.plan)
}

func (p *parser) whole(what, remedy string) Problem {
	return Problem{File: p.file, What: what, Remedy: remedy}
}

func (p *parser) tell(m *mistake) {
	if !m.warning {
		p.bad++
	}
	if p.told++; p.told > maxProblems {
		p.more++
		return
	}
	p.problems = append(p.problems, Problem{File: p.file, Line: p.line, What: m.what, Remedy: m.remedy, Warning: m.warning})
}

// entry takes one line.
func (p *parser) entry(text []byte) *mistake {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0 || text[0] == '#' || text[0] == ';':
		return nil
	case len(text) > maxLine:
		return &mistake{what: "longer than 1024 octets", remedy: "shorten its comment"}
	case !utf8.Valid(text):
		return &mistake{what: "not UTF-8", remedy: "save the file as UTF-8"}
	case bytes.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
		return &mistake{what: "a control character", remedy: "remove it"}
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return r == ' ' || r == '\t' })
	login := p.rules.Name(words[0])
	if len(login) > maxLogin {
		return &mistake{what: "a login of more than 320 octets", remedy: "see that it is right"}
	}
	for _, key := range []string{"created=", "plan=", "account="} {
		if strings.HasPrefix(login, key) {
			return &mistake{what: quote(words[0]) + " where the login is due", remedy: usage}
		}
	}
	return p.facts(login, words[1:])
}

// facts reads what stands behind a login, and enters it.
func (p *parser) facts(login string, words []string) *mistake {
	var created uint32
	var plan uint16
	var of string
	var odd *mistake
	for _, w := range words {
		if w[0] == '#' || w[0] == ';' {
			break
		}
		key, value, _ := strings.Cut(w, "=")
		var bad *mistake
		switch {
		case key == "created" && created == 0:
			created, odd, bad = p.date(value)
		case key == "plan" && plan == 0:
			plan, bad = p.planOf(value)
		case key == "account" && of == "":
			of, bad = p.accountOf(login, value)
		case key == "created" || key == "plan" || key == "account":
			bad = &mistake{what: "two of " + key + "=", remedy: "keep one of them"}
		default:
			bad = &mistake{what: "unexpected " + quote(w), remedy: usage + ", and # before a comment"}
		}
		if bad != nil {
			return bad
		}
	}
	if of != "" && (created != 0 || plan != 0) {
		return &mistake{what: "created= or plan= beside account=: " + quote(login) + " is another name", remedy: "say it of " + quote(of)}
	}
	if !p.list.add(login, created, plan) {
		return &mistake{what: quote(login) + " was named before", remedy: "keep one of the lines"}
	}
	if of != "" {
		p.others = append(p.others, other{uint32(p.list.Len() - 1), of})
	}
	return odd
}

// accountOf reads whose other name a login is.
func (p *parser) accountOf(login, value string) (string, *mistake) {
	of := p.rules.Name(value)
	switch {
	case of == "" || len(of) > maxLogin:
		return "", &mistake{what: "account= without a name, or with one of more than 320 octets", remedy: "write it as account=jo@example.net"}
	case of == login:
		return "", &mistake{what: "account= of the login itself", remedy: "leave it out"}
	}
	return of, nil
}

func (p *parser) planOf(value string) (uint16, *mistake) {
	if value == "" || len(value) > maxPlan {
		return 0, &mistake{what: "plan= without a name, or with one of more than 64 octets", remedy: "write it as plan=pro"}
	}
	if n, known := p.plans[value]; known {
		return n, nil
	}
	if len(p.plans) == maxPlans {
		return 0, &mistake{what: fmt.Sprintf("%s is one plan more than %d", quote(value), maxPlans), remedy: "name plans, not customers"}
	}
	p.list.plans = append(p.list.plans, value)
	n := uint16(len(p.list.plans))
	p.plans[value] = n
	return n, nil
}

// date reads a day or a time. odd is one of the future.
func (p *parser) date(value string) (at uint32, odd, bad *mistake) {
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		t, err = time.Parse(time.RFC3339, value)
	}
	if err != nil {
		return 0, nil, &mistake{what: quote(value) + " is not a date", remedy: "write it as created=2026-01-31"}
	}
	at, ok := seconds(t)
	if !ok {
		return 0, nil, &mistake{what: quote(value) + " is no date of an account", remedy: "leave it out where it is not known"}
	}
	if t.Sub(p.now) > 24*time.Hour {
		odd = &mistake{what: quote(value) + " is in the future, and says nothing", remedy: "see that it is right", warning: true}
	}
	return at, odd, nil
}

// quote shows text of the file, cut where nobody would read on.
func quote(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) > most {
		return strconv.Quote(string([]rune(text)[:most])) + "..."
	}
	return strconv.Quote(text)
}
