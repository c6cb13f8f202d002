package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// write makes files, name to text, in a new directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestConfD(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // of show, or the problems
	}{
		{"a key set again replaces, later names win", map[string]string{
			"m.toml":           "mode = \"monitor\"\ndns.budget = \"1s\"\n",
			"conf.d/20-b.toml": "dns.budget = \"3s\"\n",
			"conf.d/10-a.toml": "dns.budget = \"2s\"\n",
		}, "budget 3s of conf.d/20-b.toml:1, names []"},
		{"other arrays replace", map[string]string{
			"m.toml":        "mode = \"monitor\"\nus.names = [\"a.example\"]\n",
			"conf.d/x.toml": "\n[us]\nnames = [\"b.example\"]\n",
		}, "budget 5s of -, names [b.example]"},
		{"mode may stand there", map[string]string{
			"m.toml":        "",
			"conf.d/x.toml": "mode = \"monitor\"\n",
		}, "budget 5s of -, names []"},
		{"hidden files, others and no directory at all are passed over", map[string]string{
			"m.toml":             "mode = \"monitor\"\n",
			"conf.d/.#x.toml":    "rubbish",
			"conf.d/x.toml~":     "rubbish",
			"conf.d/README":      "rubbish",
			"conf.d/sub/x.toml":  "rubbish",
			"other.toml":         "rubbish",
			"conf.d/.swp.toml":   "rubbish",
			"conf.d/x.toml.dpkg": "rubbish",
		}, "budget 5s of -, names []"},
		{"the mistakes of all files, with theirs that are replaced", map[string]string{
			"m.toml":        "mode = \"monitor\"\ndns.budget = 5\n",
			"conf.d/a.toml": "\ndns.budget = \"6s\"\ndns.budgte = 1\n",
			"conf.d/b.toml": "moed = 1\n",
		}, "m.toml:2: dns.budget is 5: no unit; write a duration with its unit, in quotes: \"90s\" or \"1h30m\"\n" +
			"conf.d/a.toml:3: unknown key \"dns.budgte\"; did you mean \"budget\"?\n" +
			"conf.d/b.toml:1: unknown key \"moed\"; did you mean \"mode\"?"},
		{"repeated is within one file", map[string]string{
			"m.toml":        "mode = \"monitor\"\n[dns]\nbudget = \"1s\"\n",
			"conf.d/a.toml": "[dns]\nbudget = \"2s\"\nbudget = \"3s\"\n",
			"conf.d/b.toml": "moed = 1\n",
		}, "conf.d/a.toml:3: repeated key \"dns.budget\", first set on line 2; keep one of the two"},
		{"senseless together, though each file is fine", map[string]string{
			"m.toml":        "mode = \"monitor\"\nretry.within = \"2h\"\n",
			"conf.d/a.toml": "retry.after = \"3h\"\n",
		}, "conf.d/a.toml:1: retry.after 3h is not under retry.within 2h: no retry could ever pass; keep after under within"},
		{"mode is missed in the main file", map[string]string{
			"m.toml":        "",
			"conf.d/a.toml": "dns.budget = \"3s\"\n",
		}, "m.toml:1: mode has no default and must be said; write mode = \"monitor\" (judge and log, let everything through) or mode = \"enforce\" at the top"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			c, r := Load(filepath.Join(dir, "m.toml"))
			got := r.String()
			if c != nil {
				at, ok := c.Origin("dns.budget")
				where := "-"
				if ok {
					where = at.File + ":1"
				}
				got = "budget " + show(c.DNS.Budget) + " of " + where + ", names [" + strings.Join(c.Us.Names, " ") + "]"
			}
			if diff := cmp.Diff(tt.want, strings.ReplaceAll(got, dir+"/", "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	good := map[string]string{"m.toml": "mode = \"monitor\"\n"}
	tests := []struct {
		name  string
		files map[string]string
		make  func(dir string) error
		want  string
	}{
		{"missing", nil, nil,
			"m.toml:1: cannot be read: no such file or directory; create it, or name another with --config"},
		{"a directory", nil, func(dir string) error { return os.Mkdir(dir+"/m.toml", 0o755) },
			"m.toml:1: cannot be read: is a directory; name a file"},
		{"a symlink loop", nil, func(dir string) error { return os.Symlink("m.toml", dir+"/m.toml") },
			"m.toml:1: cannot be read: too many levels of symbolic links; a symbolic link leads back to itself: put a file there"},
		{"a named pipe that nobody writes to", nil, func(dir string) error { return syscall.Mkfifo(dir+"/m.toml", 0o600) },
			"m.toml:1: cannot be read: not a regular file; name a regular file, no pipe, socket or device"},
		{"a device", nil, func(dir string) error { return os.Symlink("/dev/zero", dir+"/m.toml") },
			"m.toml:1: cannot be read: not a regular file; name a regular file, no pipe, socket or device"},
		{"huge", map[string]string{"m.toml": strings.Repeat("# a long comment\n", maxFile/16)}, nil,
			"m.toml:1: cannot be read: larger than 1 MiB; is it the right file?"},
		{"conf.d is a file", good, func(dir string) error { return os.WriteFile(dir+"/conf.d", nil, 0o600) },
			"conf.d:1: cannot be listed: not a directory; make it a directory, or remove it"},
		{"conf.d is a symlink loop", good, func(dir string) error { return os.Symlink("conf.d", dir+"/conf.d") },
			"conf.d:1: cannot be listed: too many levels of symbolic links; a symbolic link leads back to itself: put a directory there"},
		{"a directory in conf.d", good, func(dir string) error { return os.MkdirAll(dir+"/conf.d/x.toml", 0o755) },
			"conf.d/x.toml:1: cannot be read: is a directory; name a file"},
		{"a dangling link in conf.d", good, func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/conf.d", 0o755), os.Symlink("gone", dir+"/conf.d/x.toml"))
		}, "conf.d/x.toml:1: cannot be read: no such file or directory; create it, or name the right one"},
		{"one that is not readable hides no other mistake", map[string]string{"m.toml": "budget = 5\n"}, func(dir string) error {
			return os.MkdirAll(dir+"/conf.d/x.toml", 0o755)
		}, "m.toml:1: unknown key \"budget\"; did you mean \"dns.budget\"?\nconf.d/x.toml:1: cannot be read: is a directory; name a file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			if tt.make != nil {
				if err := tt.make(dir); err != nil {
					t.Fatal(err)
				}
			}
			c, r := Load(dir + "/m.toml")
			if c != nil {
				t.Errorf("loaded")
			}
			if diff := cmp.Diff(tt.want, strings.ReplaceAll(r.String(), dir+"/", "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestForeignText(t *testing.T) {
	tests := []struct{ name, text string }{
		{"a byte order mark", "\xef\xbb\xbfmode = \"monitor\"\n"},
		{"carriage returns", "# x\r\nmode = \"monitor\"\r\n[dns]\r\nbudget = \"5s\"\r\n"},
		{"no newline at the end", "mode = \"monitor\""},
		{"tabs", "\tmode\t=\t\"monitor\"\t# x\n\t[dns]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if c, r := Parse("m.toml", []byte(tt.text)); c == nil || r.String() != "" {
				t.Errorf("%q does not load cleanly: %s", tt.text, r)
			}
		})
	}
}

// A quarter of a megabyte of anything must not take more than memory for a few copies.
func TestLargeRubbish(t *testing.T) {
	for _, piece := range []string{"[", "{", "a=[", "a.", "[[a]]\n", "'", "\"\\", "\"\"\"", "a", "# ", "\n", "[a.b]\n", "a={b=", "=", "1,"} {
		t.Run(piece, func(t *testing.T) {
			c, r := Parse("m.toml", []byte(strings.Repeat(piece, maxFile/4/len(piece))))
			if c != nil || len(r.Errors) == 0 {
				t.Errorf("want an error")
			}
		})
	}
}

func TestUnreadableWords(t *testing.T) {
	// The tests may run as root, whom no mode keeps out.
	what, remedy := unreadable("cannot be read", &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES})
	if what != "cannot be read: permission denied" || !strings.Contains(remedy, "chgrp mailprofiled") {
		t.Errorf("%s; %s", what, remedy)
	}
}

func TestDefault(t *testing.T) {
	c := Default()
	if !c.Monitor || c.DNS.Budget != 5*time.Second || c.Milter.SocketMode != 0o660 || c.Policy.RejectScore != 10 {
		t.Errorf("%+v", c)
	}
}
