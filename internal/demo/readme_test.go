package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailprofiled/internal/config"
)

func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("../../" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestReadmeShowsThisDemo holds what README.md prints of the demo to what it is now.
func TestReadmeShowsThisDemo(t *testing.T) {
	readme, operate := document(t, "README.md"), document(t, "docs/operate.md")
	rows := 0
	for line := range strings.Lines(readme) {
		if !strings.HasPrefix(line, "ok ") {
			continue
		}
		rows++
		i := slices.IndexFunc(senders(), func(s sender) bool { return strings.HasPrefix(line[whoAt:], s.who+" ") })
		if i < 0 {
			t.Errorf("no such sender: %s", line)
			continue
		}
		s := senders()[i]
		if want := fmt.Sprintf("%-16s-> %d %s ", s.addr, s.want.code, s.want.status); !strings.HasPrefix(line[whoAt+26:], want) {
			t.Errorf("README.md shows\n%swant %q", line, want)
		}
		for _, id := range findingIDs(strings.TrimSpace(line[whyAt : whyAt+whyWidth])) {
			if !slices.Contains(strings.Fields(s.want.findings), id) {
				t.Errorf("README.md shows %s of %s, which has %q", id, s.who, s.want.findings)
			}
		}
	}
	if rows < 5 {
		t.Errorf("README.md shows %d visits", rows)
	}
	cfg, report := config.Parse("demo", []byte(demoConfig("/run/demo", "127.0.0.1:53", "postfix")))
	if cfg == nil {
		t.Fatal(report)
	}
	for _, id := range regexp.MustCompile(`standard@\d+-[0-9a-f]{8}`).FindAllString(readme+operate, -1) {
		if id != cfg.PolicyID() {
			t.Errorf("the documents show policy %s; the demo's is %s now", id, cfg.PolicyID())
		}
	}
}
