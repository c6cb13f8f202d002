package config

import (
	"bytes"
	"maps"
	"strings"
	"testing"
)

// TestAgainst: what another baseline would change here is told, and what the files set
// is not changed by it.
func TestAgainst(t *testing.T) {
	cfg, report := Parse("m.toml", []byte("mode = \"monitor\"\nbaseline = \"standard@1\"\nverdict.reject_score = 9.0\n[points]\n\"rdns-missing\" = 7.0\n\"rdns-dynamic\" = \"off\"\n"))
	if cfg == nil {
		t.Fatal(report)
	}
	show := func(name string) string {
		t.Helper()
		var b bytes.Buffer
		if err := cfg.PrintAgainst(&b, name); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if got := show("standard@1"); !strings.Contains(got, "standard@1 is in force here already\nnothing would change here by standard@1") ||
		!strings.Contains(got, "set by your files, and stays (there): verdict.reject_score 9.0 (10.0), rdns-missing 7.0 defers (6.0 defers), rdns-dynamic \"off\" (7.0 defers)") {
		t.Errorf("got\n%s", got)
	}
	got := show("strict")
	for _, want := range []string{"by strict@1 in place of standard@1", "FINDING", "STRICT@1", "rdns-unconfirmed     3.0 ", "6.0 defers\n", "rdns-missing 7.0 defers (26.0 refuses)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if strings.HasPrefix(line, "  rdns-missing ") || strings.HasPrefix(line, "  verdict.reject_score") {
			t.Errorf("what the files set would change: %s", line)
		}
	}
	if err := cfg.PrintAgainst(&bytes.Buffer{}, "standard@99"); err == nil || !strings.Contains(err.Error(), "standard@1") {
		t.Errorf("got %v", err)
	}

	// A sentence and a name of bots that differ, as a later version may bring.
	policy := *cfg.Policy
	policy.Texts = maps.Clone(policy.Texts)
	policy.Texts["rdns-missing"] = "Another sentence"
	policy.Bots = []string{"other-bot"}
	cfg.Policy = &policy
	got = show("standard@1")
	for _, want := range []string{"the other side is told of rdns-missing:\n  here: Another sentence\n  standard@1: The address {client}", "helo-bot is not said any more of other-bot", "helo-bot is said of ylmf-pc"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
