package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// FuzzLoad holds, for any bytes: no panic; a configuration or an error; every
// problem on a line that the file has, in the form of the manual; and what was
// loaded prints as a file that says the same.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.toml")
	for _, file := range append(files, sample) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(commented.ReplaceAll(data, []byte("$1")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		c, r := Parse("f.toml", data)
		if (c == nil) != (len(r.Errors) > 0) {
			t.Fatalf("configuration %v with %d errors", c, len(r.Errors))
		}
		lines := max(1, bytes.Count(data, []byte("\n"))+1)
		for _, p := range r.Problems() {
			if p.Line < 1 || p.Line > lines {
				t.Errorf("line %d of %d: %s", p.Line, lines, p)
			}
			if text := p.String(); strings.ContainsAny(text, "\n\r\x00") || p.What == "" || p.Remedy == "" {
				t.Errorf("not one line with a remedy: %q", text)
			}
		}
		if c != nil {
			samePrinted(t, c)
		}
		checkIndex(t, data)
	})
}

func checkIndex(t *testing.T, data []byte) {
	var r Report
	src := parse("f.toml", 0, data, &r)
	if src == nil {
		return
	}
	if paths := missing(src.index, "", src.tree); len(paths) > 0 {
		t.Errorf("the index lacks %q", paths)
	}
}

// unmasked puts some secret in the place of each mask, which is none: admin.token takes
// nothing so short, and nobody should.
func unmasked(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte(strconv.Quote(secretMask)), []byte(`"somebody-elses-secret"`))
}

// samePrinted holds that --print gives a file with the same policy and the same print.
func samePrinted(t *testing.T, c *Config) {
	t.Helper()
	var first, second bytes.Buffer
	if err := c.Print(&first, false); err != nil {
		t.Fatal(err)
	}
	again, r := Parse("f.toml", unmasked(first.Bytes()))
	if again == nil {
		t.Fatalf("what --print gives does not load:\n%s\n%s", &first, r)
	}
	if got, want := again.PolicyID(), c.PolicyID(); got != want {
		t.Errorf("printed and loaded again the policy is %s, was %s:\n%s", got, want, &first)
	}
	var changed bytes.Buffer
	if err := c.Print(&changed, true); err != nil {
		t.Fatal(err)
	}
	if again, r := Parse("f.toml", unmasked(changed.Bytes())); again == nil || again.PolicyID() != c.PolicyID() {
		t.Errorf("what --changed gives is another policy:\n%s\n%s", &changed, r)
	}
	if err := again.Print(&second, false); err != nil {
		t.Fatal(err)
	}
	if got, want := withoutOrigins(second.String()), withoutOrigins(first.String()); got != want {
		t.Errorf("printed again:\n%s\nwant:\n%s", got, want)
	}
}

func withoutOrigins(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		at := strings.LastIndex(line, "  # ")
		if at < 0 {
			at = len(line)
		}
		b.WriteString(line[:at] + "\n")
	}
	return b.String()
}
