package config

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the messages beside the files of testdata")

// problemLine is the promise of the manual for every line of check.
var problemLine = regexp.MustCompile(`^[^:]+:[1-9][0-9]*: (warning: )?[^;]+; [^;]+$`)

// Each file holds one mistake, its messages stand beside it.
func TestBadFiles(t *testing.T) {
	golden(t, "testdata/bad", func(t *testing.T, c *Config, r *Report) {
		if c != nil || len(r.Errors) == 0 {
			t.Errorf("loaded, want an error")
		}
	})
}

func TestOddFiles(t *testing.T) {
	golden(t, "testdata/warn", func(t *testing.T, c *Config, r *Report) {
		if c == nil || len(r.Errors) > 0 || len(r.Warnings) == 0 {
			t.Errorf("want a configuration and a warning")
		}
	})
}

func golden(t *testing.T, dir string, holds func(*testing.T, *Config, *Report)) {
	files, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".toml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, r := Parse(filepath.Base(file), data)
			holds(t, c, r)
			compareGolden(t, strings.TrimSuffix(file, ".toml")+".txt", r.String()+"\n")
			for line := range strings.Lines(r.String()) {
				if !problemLine.MatchString(strings.TrimSuffix(line, "\n")) {
					t.Errorf("not of the form file:line: what; remedy:\n%s", line)
				}
			}
		})
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
