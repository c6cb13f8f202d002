package main

import (
	"strconv"
	"strings"
)

// fields are the keys and values of a logfmt line.
type fields map[string]string

// parseFields reads a line of the daemon's log. A value is bare or quoted as in Go.
func parseFields(line string) fields {
	f := fields{}
	for line != "" {
		key, rest, ok := strings.Cut(line, "=")
		if !ok {
			break
		}
		value, after, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			value, _ = strconv.Unquote(quoted)
			after = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		f[key], line = value, after
	}
	return f
}
