package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// maxFile bounds one configuration file. Ten thousand [[local]] rows fit.
const maxFile = 1 << 20

// A source is one file of the configuration and what stands in it.
type source struct {
	name  string
	order int
	index *index
	tree  map[string]any
}

// read takes path and the conf.d/*.toml beside it, in the order in which they
// replace each other. It reports what cannot be read or is not TOML; sound is
// false when the main file could not be read or any is not TOML.
func read(path string, report *Report) (sources []*source, sound bool) {
	sound = true
	for i, name := range files(path, report) {
		data, err := readFile(name)
		if err != nil {
			what, remedy := unreadable("cannot be read", err)
			if i == 0 && errors.Is(err, fs.ErrNotExist) {
				remedy = "create it, or name another with --config"
			}
			report.add(Problem{File: name, Line: 1, What: what, Remedy: remedy, order: i})
			sound = sound && i > 0
			continue
		}
		src := parse(name, i, data, report)
		sound = sound && src != nil
		sources = append(sources, src)
	}
	return sources, sound
}

// files names the files of a configuration. Names that start with a dot are
// left out, as the shell does: editors keep their own files there.
func files(path string, report *Report) []string {
	names := []string{path}
	dir := filepath.Join(filepath.Dir(path), "conf.d")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return names
	}
	if err != nil {
		what, remedy := unreadable("cannot be listed", err)
		switch {
		case errors.Is(err, syscall.ENOTDIR):
			remedy = "make it a directory, or remove it"
		case errors.Is(err, syscall.ELOOP):
			remedy = "a symbolic link leads back to itself: put a directory there"
		}
		report.add(Problem{File: dir, Line: 1, What: what, Remedy: remedy})
		return names
	}
	for _, e := range entries { // sorted by name
		if strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names
}

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("larger than 1 MiB")
)

// readFile reads a regular file of at most maxFile bytes. A named pipe must not
// keep us waiting for a writer, hence the flag.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, syscall.EISDIR
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, errTooLarge
	}
	return data, nil
}

// unreadable words a system error and its way out.
func unreadable(what string, err error) (string, string) {
	reason, remedy := err.Error(), "see that the file can be read"
	var sys *fs.PathError
	if errors.As(err, &sys) {
		reason = sys.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		remedy = "create it, or name the right one"
	case errors.Is(err, fs.ErrPermission):
		remedy = "let the user that runs mailprofiled read it (chgrp mailprofiled, chmod 0640), and enter its directories"
	case errors.Is(err, syscall.EISDIR):
		remedy = "name a file"
	case errors.Is(err, syscall.ENOTDIR):
		remedy = "name a file in a directory"
	case errors.Is(err, syscall.ELOOP):
		remedy = "a symbolic link leads back to itself: put a file there"
	case errors.Is(err, syscall.ENAMETOOLONG):
		remedy = "choose a shorter name"
	case errors.Is(err, errNotRegular):
		remedy = "name a regular file, no pipe, socket or device"
	case errors.Is(err, errTooLarge):
		remedy = "is it the right file?"
	}
	return oneLine(what + ": " + reason), remedy
}

// parse decodes one file. After a syntax error or a repeated key only that one
// is reported, since what follows would be guesswork.
func parse(name string, order int, data []byte, report *Report) *source {
	fail := func(line int, what, remedy string) *source {
		report.add(Problem{File: name, Line: line, What: what, Remedy: remedy, order: order})
		return nil
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return fail(1, "the file is UTF-16", "save it as UTF-8")
	}
	text := string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if at := strings.IndexByte(text, 0); at >= 0 {
		return fail(lineAt(text, at), "a NUL byte: this is no text", "save it as UTF-8 text, or name the right file")
	}
	if at := invalidUTF8(text); at >= 0 {
		return fail(lineAt(text, at), fmt.Sprintf("byte 0x%02x is not UTF-8", text[at]), "save the file as UTF-8")
	}
	src := &source{name: name, order: order, index: indexOf(text)}
	if src.index.tooDeep > 0 {
		return fail(src.index.tooDeep, fmt.Sprintf("nested more than %d deep, or a key of more than %d parts", maxDepth, maxParts),
			"no key of ours needs that: remove it")
	}
	tree, line, broken := decode(text)
	if at := src.index.stopped; at > 0 && at < line {
		line = at // the decoder may have passed the newline that it stumbled over
	}
	if again := src.index.repeat; again != nil && (broken == "" || again.line <= line) {
		if again.section {
			return fail(again.line, fmt.Sprintf("repeated section [%s], first opened on line %d", oneLine(cut(again.name, 200)), again.first), "put its keys together")
		}
		return fail(again.line, fmt.Sprintf("repeated key %s, first set on line %d", quoteKey(again.name), again.first), "keep one of the two")
	}
	if broken != "" {
		return fail(line, broken, syntaxRemedy(broken))
	}
	src.tree = tree
	return src
}

// decode gives the document as maps, or the line and text of its first error.
func decode(text string) (tree map[string]any, line int, broken string) {
	defer func() {
		// The decoder panics where it finds itself at odds with its own lexer.
		if r := recover(); r != nil {
			tree, line, broken = nil, 1, "the TOML decoder cannot make sense of this file"
		}
	}()
	_, err := toml.Decode(text, &tree)
	var syntax toml.ParseError
	switch {
	case err == nil:
		return tree, 0, ""
	case !errors.As(err, &syntax):
		return nil, 1, oneLine(err.Error())
	}
	line = syntax.Position.Line
	if syntax.Position.Start >= len(text)-1 {
		line = len(text) // at the end the decoder counts a line too few or too many
	}
	line = max(1, min(line, lineAt(text, len(text))))
	return nil, line, oneLine(masked(syntax))
}

// masked gives the message of a syntax error without what it quotes of the
// value, when that could be a secret left without quotes.
func masked(err toml.ParseError) string {
	message := strings.ReplaceAll(err.Message, ";", ",")
	parts := strings.Split(err.LastKey, ".")
	if tree().secretAt(parts) && strings.ContainsAny(message, `"'`) {
		return "the value of " + err.LastKey + " is not TOML"
	}
	if strings.Contains(message, "to end with a newline") {
		return "the line goes on behind its value" // the decoder quotes a letter of it
	}
	if strings.Contains(message, "nvalid") || strings.Contains(message, "out of range") {
		return err.LastKey + ": " + message
	}
	return message
}

// syntaxRemedy says what usually leads to such a message.
func syntaxRemedy(message string) string {
	for _, known := range [][2]string{
		{"expected value but found", `text stands in quotes, lists in brackets: key = "text", key = ["a", "b"]`},
		{"cannot contain newlines", "close the string on its line"},
		{"invalid escape", "write a backslash twice, or use single quotes: 'a\\b'"},
		{"end of file", "close what was opened"},
		{"unexpected EOF", "close what was opened"},
		{"got EOF", "close what was opened"},
		{"control characters", "remove the character"},
		{"expected '.' or '='", "a line is: key = value"},
		{"end table name", "a section is: [name]"},
		{"leading zeroes", `drop the zeroes (text, such as a file mode, stands in quotes: "0660")`},
		{"out of range", "use a smaller number"},
		{"datetime", "a date is: 2027-01-31"},
		{"cannot be used as an array", "write [name] once, or [[name]] for each"},
		{"goes on behind", `one key a line, and quotes round text, durations and sizes: "5s"`},
	} {
		if strings.Contains(message, known[0]) {
			return known[1]
		}
	}
	return "correct the line"
}

// lineAt gives the line of the byte at an offset; a newline at the very end
// starts no line of its own.
func lineAt(text string, offset int) int {
	before := text[:offset]
	if offset == len(text) {
		before = strings.TrimSuffix(before, "\n")
	}
	return 1 + strings.Count(before, "\n")
}

func invalidUTF8(text string) int {
	if utf8.ValidString(text) {
		return -1
	}
	for i, r := range text {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

// quoteKey puts a dotted key into quotes unless it brought its own.
func quoteKey(name string) string {
	if strings.Contains(name, `"`) {
		return oneLine(cut(name, 200))
	}
	return quote(name)
}
