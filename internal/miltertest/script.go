package miltertest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A step is one line of a dialogue.
type step struct {
	line   int
	text   string // as written
	verb   string
	args   []string
	repeat int
	want   expectation
}

// An expectation is what stands behind "->".
type expectation struct {
	action       string // "continue", "tempfail", "reject", "closed", "nothing", "any"
	code, status string // "" is any
	text         *regexp.Regexp
}

// parseScript reads a dialogue.
func parseScript(script string) ([]step, error) {
	var steps []step
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", i+1, line, err)
		}
		s.line, s.text = i+1, line
		steps = append(steps, s)
	}
	return steps, nil
}

func parseStep(line string) (step, error) {
	s := step{repeat: 1, want: expectation{action: "continue"}}
	words, err := split(line)
	if err != nil {
		return s, err
	}
	if i := slices.Index(words, "->"); i >= 0 {
		if s.want, err = parseExpectation(words[i+1:]); err != nil {
			return s, err
		}
		words = words[:i]
	}
	if len(words) > 2 && words[0] == "repeat" {
		if s.repeat, err = strconv.Atoi(words[1]); err != nil {
			return s, err
		}
		words = words[2:]
	}
	if len(words) == 0 {
		return s, fmt.Errorf("no step")
	}
	s.verb, s.args = words[0], words[1:]
	bounds, ok := verbs[s.verb]
	switch {
	case !ok:
		return s, fmt.Errorf("no such step %q", s.verb)
	case len(s.args) < bounds[0] || len(s.args) > bounds[1]:
		return s, fmt.Errorf("%s takes %d to %d words", s.verb, bounds[0], bounds[1])
	}
	return s, nil
}

// verbs gives the least and most words that each step takes.
var verbs = map[string][2]int{
	"mta": {1, 1}, "offer": {3, 3}, "dial": {0, 0},
	"connect": {1, 2}, "next": {1, 2}, "xclient": {1, 2},
	"helo": {1, 1}, "ehlo": {1, 1}, "ehlo2": {0, 1}, "starttls": {0, 1},
	"mail": {1, 20}, "rcpt": {1, 20}, "rcpt-refused": {2, 2}, "eom": {0, 0},
	"rset": {0, 0}, "quit": {0, 0}, "lost": {0, 0},
	"macro": {1, 99}, "send": {1, 2}, "raw": {1, 1},
}

// split divides a line into words. A quoted one is read as a Go string, a
// regular expression between slashes stays whole.
func split(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		end := strings.IndexAny(rest, " \t")
		switch {
		case rest[0] == '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, err
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words, rest = append(words, word), rest[len(quoted):]
			continue
		case rest[0] == '/' && strings.IndexByte(rest[1:], '/') >= 0:
			end = len(rest)
			if i := strings.Index(rest[1:], "/ "); i >= 0 {
				end = i + 2
			}
		case end < 0:
			end = len(rest)
		}
		words, rest = append(words, rest[:end]), rest[end:]
	}
	return words, nil
}

func parseExpectation(words []string) (expectation, error) {
	if len(words) == 0 {
		return expectation{}, fmt.Errorf("nothing behind the arrow")
	}
	e := expectation{action: words[0]}
	if !slices.Contains([]string{"continue", "tempfail", "reject", "closed", "nothing", "any"}, e.action) {
		return e, fmt.Errorf("no such answer %q", e.action)
	}
	for _, w := range words[1:] {
		switch {
		case len(w) > 1 && w[0] == '/' && w[len(w)-1] == '/':
			re, err := regexp.Compile(w[1 : len(w)-1])
			if err != nil {
				return e, err
			}
			e.text = re
		case isStatus(w):
			e.status = w
		case len(w) == 3 && strings.Trim(w, "0123456789") == "":
			e.code = w
		default:
			return e, fmt.Errorf("%q is neither code, status nor /text/", w)
		}
	}
	return e, nil
}

// check compares an answer.
func (e expectation) check(a Answer) error {
	switch {
	case e.action == "any":
		return nil
	case e.action != a.Action,
		e.code != "" && e.code != strconv.Itoa(a.Code),
		e.status != "" && e.status != a.Status,
		e.text != nil && !e.text.MatchString(a.Text):
		return fmt.Errorf("answer is %s", a)
	}
	return nil
}
