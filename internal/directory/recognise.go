package directory

import (
	"bytes"
	"strings"
)

// headLines is how many lines of a file are looked at to tell what it is.
const headLines = 300

// Recognise tells the format of a table by its first lines. One that could be several
// is what says least of others: a list of recipients.
func Recognise(head []byte) Format {
	votes := make(map[Format]int)
	lines := 0
	for text := range bytes.Lines(head) {
		if lines == headLines || len(text) == 0 || text[0] == ' ' || text[0] == '\t' {
			continue
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		lines++
		if f := lineFormat(text); f != "" {
			votes[f]++
		}
	}
	switch {
	case votes[Passwd]*2 > lines:
		return Passwd
	case votes[Aliases]*2 > lines:
		return Aliases
	case votes[Access] > 0:
		return Access
	case votes[Virtual] > 0:
		return Virtual
	}
	return Recipients
}

// lineFormat tells what a line can only be; "" where it could be several.
func lineFormat(text []byte) Format {
	if fields := bytes.Split(text, []byte(":")); len(fields) == 7 && isDigits(fields[2]) && isDigits(fields[3]) && len(fields[2]) > 0 {
		return Passwd
	}
	key, value := cutKey(text)
	if _, _, ok := accessTag(key); ok {
		return Access
	}
	if at := aliasEnd(text); at > 0 && !bytes.ContainsAny(bytes.TrimRight(text[:at], " \t"), " \t@") {
		return Aliases
	}
	action, _ := cutKey(value)
	switch upper := strings.ToUpper(string(action)); {
	case upper == "REJECT" || upper == "RELAY" || upper == "DISCARD" || upper == "DUNNO" || upper == "DEFER" || upper == "HOLD",
		strings.HasPrefix(upper, "PERMIT"), strings.HasPrefix(upper, "ERROR:"+`"`),
		len(upper) == 3 && isDigits(action) && (upper[0] == '4' || upper[0] == '5'):
		return Access
	case bytes.IndexByte(value, '@') >= 0, bytes.HasPrefix(value, []byte("error:")):
		return Virtual
	case bytes.IndexByte(key, '@') < 0 && !saysNothing(action):
		return Virtual // or an alias without its colon; a list of names has no targets
	}
	return ""
}

// saysNothing reports whether what stands behind a key is what people write where
// something has to stand there.
func saysNothing(value []byte) bool {
	switch strings.ToUpper(string(value)) {
	case "", "OK", "X", "1", "YES", "-":
		return true
	}
	return value[0] == '#' || bytes.HasPrefix(value, []byte("created=")) || bytes.HasPrefix(value, []byte("plan="))
}
