package directory

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A FileSpec names one file of a File, as an operator writes it:
// "/etc/postfix/virtual", "passwd:/etc/passwd", "hash:/etc/postfix/relay_recipients",
// "virtual:hash:/etc/mail/virtusertable".
type FileSpec struct {
	Format Format // "" to be recognised
	Kind   string // of a compiled map: hash, btree, lmdb, cdb; "" for text
	Path   string // absolute; that of a compiled map as the MTA's own configuration has it, or with its ending
}

// mapKinds are the compiled maps whose text postmap or makemap give back.
var mapKinds = []string{"hash", "btree", "lmdb", "cdb"}

var (
	errNoPath   = errors.New("no absolute path")
	errNoFormat = errors.New("unknown format")
)

// ParseFile reads the text of a FileSpec. Errors say what is wrong, without the text.
func ParseFile(text string) (FileSpec, error) {
	var f FileSpec
	rest := text
	for !strings.HasPrefix(rest, "/") {
		prefix, after, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
			return f, errNoPath
		case f.Format == "" && f.Kind == "" && slices.Contains(Formats(), Format(prefix)):
			f.Format = Format(prefix)
		case f.Kind == "" && slices.Contains(mapKinds, prefix):
			f.Kind = prefix
		default:
			return f, fmt.Errorf("%w %s: before the path", errNoFormat, prefix)
		}
		rest = after
	}
	f.Path = filepath.Clean(rest)
	if f.Path == "/" || strings.ContainsFunc(f.Path, func(r rune) bool { return r < ' ' }) {
		return f, errNoPath
	}
	return f, nil
}

// String gives a FileSpec as it is written.
func (f FileSpec) String() string {
	text := f.Path
	if f.Kind != "" {
		text = f.Kind + ":" + text
	}
	if f.Format != "" {
		text = string(f.Format) + ":" + text
	}
	return text
}

// onDisk gives the path of the file that is read, or that a compiled map is in.
func (f FileSpec) onDisk() string {
	ending, ok := endings[f.Kind]
	if !ok || strings.HasSuffix(f.Path, ending) {
		return f.Path
	}
	return f.Path + ending
}

var endings = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}

// compiledKind tells what a compiled map is by its name and first octets; "" for a
// file that is none.
func compiledKind(path string, head []byte) string {
	switch {
	case strings.HasSuffix(path, ".cdb"):
		return "cdb"
	case strings.HasSuffix(path, ".lmdb"):
		return "lmdb"
	case len(head) < 16:
		return ""
	}
	for kind, magic := range map[string]string{"hash": "\x00\x06\x15\x61", "btree": "\x00\x05\x31\x62"} { // of Berkeley DB, at octet 12
		if got := head[12:16]; string(got) == magic || bytes.Equal(got, []byte{magic[3], magic[2], magic[1], magic[0]}) {
			return kind
		}
	}
	return ""
}

// guess gives the format of a file that no format is named for. Its name decides only
// between two that read its addresses alike.
func guess(path string, head []byte, compiled bool) Format {
	format, name := Recognise(head), strings.ToLower(filepath.Base(path))
	switch {
	case compiled && strings.Contains(name, "alias") && format != Access:
		return Aliases
	case strings.Contains(name, "mailbox") || strings.Contains(name, "mbox"): // virtual_mailbox_maps: all users of a domain
	case format == Recipients && (strings.Contains(name, "virt") || compiled && !strings.Contains(name, "recip")):
		return Virtual
	}
	return format
}
