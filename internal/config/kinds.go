package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Kind is one type of value: how it is read from TOML and written back.
type Kind struct {
	Name  string // for the manual: "duration", "list of domains"
	Range string // what it may be: "1s to 10m"; "" when its name says it all

	parse  func(raw any, s spot) (any, bool) // false when it has reported an error
	format func(v any) string                // as TOML; reads back as the same value
	canon  func(v any) string                // the same, for the policy hash: sets in order; nil: format
	secret bool                              // its value is never shown
}

// A spot is where a value stands. It turns faults into problems.
type spot struct {
	report *Report
	src    *source
	at     path
	name   string // dotted, as messages have it: "limit.window"
	id     string // the same with its element: "limit[1].window"
	last   string // the last part alone: the finding id in [points]
	listed bool   // an element of a list
}

// into goes down to a key of the table s.
func (s spot) into(key string) spot {
	s.at, s.name, s.id, s.last = s.at.key(key), join(s.name, cut(key, 60)), join(s.id, key), key
	return s
}

func (s spot) element(i int) spot {
	s.at, s.listed = s.at.element(i), true
	return s
}

func (s spot) problem(what, remedy string) Problem {
	return Problem{
		File: s.src.name, Line: s.src.index.line(s.at), Key: s.name,
		What: what, Remedy: remedy, order: s.src.order,
	}
}

func (s spot) fail(what, remedy string) { s.report.add(s.problem(what, remedy)) }

// notYet refuses a key that is promised only.
func (s spot) notYet() { s.fail(s.name+" is "+notYet, "remove it, or put # before it") }

func (s spot) warn(what, remedy string) {
	p := s.problem(what, remedy)
	p.Warning = true
	s.report.add(p)
}

// bad refuses a value: `dns.budget is "5": has no unit; ...`.
func (s spot) bad(shown, what, remedy string) (any, bool) {
	s.fail(s.says(shown, what), remedy)
	return nil, false
}

func (s spot) odd(shown, what, remedy string) { s.warn(s.says(shown, what), remedy) }

func (s spot) says(shown, what string) string {
	verb := " is "
	if s.listed {
		verb = " has "
	}
	return s.name + verb + shown + ": " + what
}

// wrongType refuses a value of another TOML type. The value is not shown: it
// may be a secret.
func (s spot) wrongType(raw any, want string) (any, bool) {
	verb := " is "
	if s.listed {
		verb = " has "
	}
	s.fail(s.name+verb+typeName(raw), "write "+want)
	return nil, false
}

func typeName(raw any) string {
	switch raw.(type) {
	case string:
		return "text"
	case int64:
		return "a whole number"
	case float64:
		return "a decimal number"
	case bool:
		return "true or false"
	case time.Time:
		return "a date"
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "a list"
	}
	return "something else"
}

func durationKind(low, high time.Duration) Kind {
	return unitKind("duration", durationUnits, int64(low), int64(high), func(v int64) any { return time.Duration(v) })
}

func sizeKind(low, high int64) Kind {
	return unitKind("size", sizeUnits, low, high, func(v int64) any { return v })
}

func unitKind(name string, units []unit, low, high int64, as func(int64) any) Kind {
	first, last := formatUnits(low, units), formatUnits(high, units)
	return Kind{
		Name: name, Range: first + " to " + last,
		parse: func(raw any, s spot) (any, bool) {
			text, ok := raw.(string)
			if n, isInt := raw.(int64); isInt && n >= 0 {
				return s.bad(strconv.FormatInt(n, 10), "no unit", "write a "+name+" with its unit, in quotes: "+example(units))
			} else if !ok {
				return s.wrongType(raw, "a "+name+" such as "+example(units))
			}
			if text == "0" && low == 0 {
				return as(0), true
			}
			v, what, remedy := parseUnits(text, units)
			switch {
			case what != "":
				return s.bad(quote(text), what, remedy)
			case v < low:
				return s.bad(quote(text), "too little", "use "+first+" or more")
			case v > high:
				return s.bad(quote(text), "too much", "use "+last+" or less")
			}
			return as(v), true
		},
		format: func(v any) string {
			if d, ok := v.(time.Duration); ok {
				return quote(formatUnits(int64(d), units))
			}
			return quote(formatUnits(v.(int64), units))
		},
	}
}

func integerKind(low, high int) Kind {
	return Kind{
		Name: "whole number", Range: fmt.Sprintf("%d to %d", low, high),
		parse: func(raw any, s spot) (any, bool) {
			n, ok := raw.(int64)
			if !ok {
				return s.wrongType(raw, "a whole number, without quotes")
			}
			shown := strconv.FormatInt(n, 10)
			switch {
			case n < int64(low):
				return s.bad(shown, "too little", fmt.Sprintf("use %d or more", low))
			case n > int64(high):
				return s.bad(shown, "too much", fmt.Sprintf("use %d or less", high))
			}
			return int(n), true
		},
		format: func(v any) string { return strconv.Itoa(v.(int)) },
	}
}

// numberKind takes whole and decimal numbers above low, and up to high.
func numberKind(low, high float64) Kind {
	return Kind{
		Name: "number", Range: fmt.Sprintf("above %g, up to %g", low, high),
		parse: func(raw any, s spot) (any, bool) {
			f, ok := number(raw)
			if !ok {
				return s.wrongType(raw, "a number, without quotes")
			}
			switch {
			case math.IsNaN(f):
				return s.bad("nan", "no number", "write a number")
			case f <= low:
				return s.bad(fmt.Sprint(f), "too little", fmt.Sprintf("use a number above %g", low))
			case f > high:
				return s.bad(fmt.Sprint(f), "too much", fmt.Sprintf("use %g or less", high))
			}
			return f, true
		},
		format: func(v any) string { return formatNumber(v.(float64)) },
	}
}

func number(raw any) (float64, bool) {
	switch n := raw.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// formatNumber writes a float so that TOML reads a float: "5.0".
func formatNumber(f float64) string {
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.ContainsAny(text, ".nN") && !math.IsInf(f, 0) {
		text += ".0"
	}
	return text
}

func boolKind() Kind {
	return Kind{
		Name: "true or false",
		parse: func(raw any, s spot) (any, bool) {
			if b, ok := raw.(bool); ok {
				return b, true
			}
			return s.wrongType(raw, "true or false, without quotes")
		},
		format: func(v any) string { return strconv.FormatBool(v.(bool)) },
	}
}

// A word is one value of a choice.
type word struct {
	text  string
	value any
	later bool // promised, not in this version yet
}

func choiceKind(words ...word) Kind {
	var now, known []string
	for _, w := range words {
		known = append(known, w.text)
		if !w.later {
			now = append(now, w.text)
		}
	}
	return Kind{
		Name: "word", Range: oneOf(now),
		parse: func(raw any, s spot) (any, bool) {
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, oneOf(now))
			}
			for _, w := range words {
				switch {
				case w.text != text:
				case w.later:
					return s.bad(quote(text), notYet, "use "+oneOf(now))
				default:
					return w.value, true
				}
			}
			if near := nearest(strings.ToLower(strings.TrimSpace(text)), known); near != "" {
				return s.bad(quote(text), "not known", "did you mean "+quote(near)+"?")
			}
			return s.bad(quote(text), "not known", "use "+oneOf(now))
		},
		format: func(v any) string {
			for _, w := range words {
				if w.value == v {
					return quote(w.text)
				}
			}
			return `""`
		},
	}
}

// textKind takes any text that passes check, which gives the value to keep.
// want is an example.
func textKind(name, want string, check func(text string, s spot) (any, bool), format func(any) string) Kind {
	return Kind{
		Name: name,
		parse: func(raw any, s spot) (any, bool) {
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, "it in quotes: "+quote(want))
			}
			return check(text, s)
		},
		format: format,
	}
}

func anyText() Kind {
	return textKind("text", "...", func(text string, _ spot) (any, bool) { return text, true }, formatText)
}

func formatText(v any) string { return tomlString(v.(string)) }

// tomlString quotes text as a TOML basic string; Go's own escapes differ (\x is
// a byte there, and \a is not TOML).
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || !strconv.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}
