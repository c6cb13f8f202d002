package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mailprofiled/internal/config"
	"mailprofiled/internal/pages"
	"mailprofiled/profile"
)

// documents are what users read.
var documents = append([]string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md"}, manuals()...)

// manuals are all of docs.
func manuals() []string {
	var names []string
	for _, path := range must(filepath.Glob(filepath.Join(root, "docs", "*.md"))) {
		names = append(names, "docs/"+filepath.Base(path))
	}
	return names
}

// must is for what fails by a mistake of ours alone.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A block is a fenced part of a document.
type block struct {
	lang, text string
	line       int // of its first line
}

func blocks(text string) []block {
	var all []block
	var open *block
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{lang: fence, line: i + 2}
		case isFence:
			all = append(all, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return all
}

func TestReadmeLeadsWithTheTwoCommands(t *testing.T) {
	all := blocks(read(t, "README.md"))
	if len(all) == 0 {
		t.Fatal("no commands in README.md")
	}
	first := all[0]
	for _, command := range []string{"make demo", "make test"} {
		if first.line > 20 || !strings.Contains(first.text, command) {
			t.Errorf("the first block of README.md, at line %d, does not show %q near its top:\n%s", first.line, command, first.text)
		}
	}
}

// TestDocumentedConfigurationsLoad takes every toml block of the documents as a whole file.
func TestDocumentedConfigurationsLoad(t *testing.T) {
	n := 0
	for _, name := range documents {
		for _, b := range blocks(read(t, name)) {
			if b.lang != "toml" {
				continue
			}
			n++
			cfg, report := config.Parse(fmt.Sprintf("%s, block at line %d", name, b.line), []byte(b.text))
			if cfg == nil {
				t.Errorf("does not load:\n%v", report)
			}
			for _, w := range report.Warnings {
				if !strings.Contains(w.What, "no group of this machine") { // a test machine may have no Postfix
					t.Errorf("is warned of: %v", w)
				}
			}
		}
	}
	if n < 2 {
		t.Errorf("%d configurations are shown, want a first one and a stricter one", n)
	}
}

// weighed matches a finding and its points, as log, explain and [points] show them.
var weighed = regexp.MustCompile(`"?([a-z]+-[a-z-]+[a-z])"?(?::| {2,})(-?[0-9]+(?:\.[0-9]+)?)\b`)

func TestShownPointsAreTheBaselines(t *testing.T) {
	policy := baseline(t, "standard")
	for _, b := range append(blocks(read(t, "README.md")), blocks(read(t, "docs/operate.md"))...) {
		for _, m := range weighed.FindAllStringSubmatch(b.text, -1) {
			points, known := policy.Points[m[1]]
			if !known {
				continue // a host's name, or a lift
			}
			if got, _ := strconv.ParseFloat(m[2], 64); got != points.Value {
				t.Errorf("block at line %d: %s weighs %g in %s, not %g", b.line, m[1], points.Value, policy.Baseline, got)
			}
		}
	}
}

// TestTheTableOfFindingsIsTrue compares docs/findings.md with what is judged.
func TestTheTableOfFindingsIsTrue(t *testing.T) {
	var rows [][]string
	for line := range strings.Lines(read(t, "docs/findings.md")) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, cells(line))
		}
	}
	infos := profile.Findings()
	if len(rows) != len(infos) {
		t.Fatalf("docs/findings.md has %d rows, %d findings are judged", len(rows), len(infos))
	}
	for i, info := range infos {
		reply := "-"
		if info.Code != 0 {
			reply = fmt.Sprintf("%d %s", info.Code, info.Status)
		}
		want := []string{"`" + info.ID + "`", rows[i][1]}
		for _, name := range []string{"cautious@1", "standard@1", "strict@1"} {
			points := "-"
			if !info.Fixed && !info.Named {
				points = baseline(t, name).Points[info.ID].String()
			}
			want = append(want, points)
		}
		want = append(want, reply, info.Alone.String())
		if got := strings.Join(rows[i], " | "); got != strings.Join(want, " | ") {
			t.Errorf("docs/findings.md: row %d is\n%s\nwant\n%s", i+1, got, strings.Join(want, " | "))
		}
	}
}

// TestTheSentencesAreTrue compares what docs/findings.md says the other side is told.
func TestTheSentencesAreTrue(t *testing.T) {
	var want, got []string
	texts := baseline(t, "standard@1").Texts
	for _, info := range profile.Findings() {
		if text := texts[info.ID]; text != "" {
			want = append(want, fmt.Sprintf("- `%s`: %s\n", info.ID, text))
		}
	}
	for line := range strings.Lines(read(t, "docs/findings.md")) {
		if strings.HasPrefix(line, "- `") && strings.Contains(line, "{client}") {
			got = append(got, line)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("docs/findings.md has the sentences\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
	}
}

// TestEveryFindingHasAPage: whoever is refused can read what it means, and how to mend it.
func TestEveryFindingHasAPage(t *testing.T) {
	ids := pages.IDs()
	for _, info := range profile.Findings() {
		if info.Code != 0 && !slices.Contains(ids, pages.Name(info.ID)) {
			t.Errorf("internal/pages/pages.txt has no page for %s", info.ID)
		}
	}
}

// TestEveryManualIsFound: README.md leads to each document.
func TestEveryManualIsFound(t *testing.T) {
	text := read(t, "README.md")
	for _, name := range manuals() {
		if !strings.Contains(text, "]("+name) {
			t.Errorf("README.md does not lead to %s", name)
		}
	}
}

// cells splits a row of a table.
func cells(line string) []string {
	parts := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

func baseline(t *testing.T, name string) *profile.Policy {
	t.Helper()
	policy, err := profile.Baseline(name)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// link matches a link or a path in backquotes that looks like one of ours.
var link = regexp.MustCompile("\\]\\(([^)#]+)\\)|`((?:cmd|milter|profile|internal|packaging|docs|e2e|\\.ci)(?:/[\\w.@-]+)*)/?`")

func TestNamedFilesExist(t *testing.T) {
	for _, name := range documents {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			target := m[1] + m[2]
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(name), m[1])
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil && !planned[target] {
				t.Errorf("%s names %s, which is not there", name, target)
			}
		}
	}
}

// planned are the rooms that ARCHITECTURE.md says are still to be built. One that
// is built must leave this list.
var planned = map[string]bool{}

func TestPlannedRoomsAreNotThereYet(t *testing.T) {
	for name := range planned {
		if _, err := os.Stat(filepath.Join(root, name)); err == nil {
			t.Errorf("%s is built: say so in ARCHITECTURE.md, and take it off this test's list", name)
		}
	}
}
