package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

const secretMask = "(secret)"

// A Secret is a key or password. However it is printed, it shows the file it
// came from or a mask; only Reveal gives the value.
type Secret struct {
	value string
	file  string
}

// Reveal gives the value, for the one place that needs it.
func (s Secret) Reveal() string { return s.value }

// String gives "file:/path", a mask, or "" for no secret.
func (s Secret) String() string {
	switch {
	case s.file != "":
		return "file:" + s.file
	case s.value != "":
		return secretMask
	}
	return ""
}

// GoString keeps %#v from showing the value.
func (s Secret) GoString() string { return "config.Secret{" + s.String() + "}" }

// MarshalText keeps encoders from showing the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps loggers from showing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// secretKind takes a secret as it is or as "file:/path", whose one line is it.
func secretKind() Kind {
	return Kind{
		Name: "secret", secret: true,
		parse: func(raw any, s spot) (any, bool) {
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, `"file:/path", or the secret in quotes`)
			}
			file, isFile := strings.CutPrefix(text, "file:")
			if !isFile {
				return Secret{value: text}, plainSecret(text, s)
			}
			return readSecret(file, s)
		},
		format: func(v any) string { return tomlString(v.(Secret).String()) },
	}
}

func plainSecret(text string, s spot) bool {
	switch {
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(text)), "file:"):
		s.fail(s.name+" looks like a file, but is not written so", `write "file:/path"`)
	case strings.ContainsFunc(text, unicode.IsControl):
		s.fail(s.name+" holds a control character", "write it on one line")
	case text != strings.TrimSpace(text):
		s.fail(s.name+" starts or ends with a space", "remove the space")
	default:
		return true
	}
	return false
}

// readSecret never lets a word of the file into a message.
func readSecret(file string, s spot) (any, bool) {
	if !filepath.IsAbs(file) {
		return s.bad(quote("file:"+file), "a relative path: it would depend on where the daemon is started", `write "file:/etc/mailprofiled/NAME"`)
	}
	data, err := readFile(file)
	if err != nil {
		what, remedy := unreadable("cannot be read", err)
		return s.bad(quote("file:"+file), what, remedy)
	}
	value := strings.TrimRight(string(data), "\r\n")
	switch {
	case strings.TrimSpace(value) == "":
		return s.bad(quote("file:"+file), "the file is empty", "put the secret into it, on one line")
	case strings.ContainsAny(value, "\r\n"):
		return s.bad(quote("file:"+file), "the file has more than one line", "keep the secret alone in it")
	case strings.ContainsFunc(value, unicode.IsControl) || value != strings.TrimSpace(value) || invalidUTF8(value) >= 0:
		return s.bad(quote("file:"+file), "the file holds control characters, or spaces around the secret", "keep the secret alone in it, as text")
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o007 != 0 {
		s.odd(quote("file:"+file), "every local user may read or change it", "chmod o= "+oneLine(file))
	}
	return Secret{value: value, file: file}, true
}
