package config

import (
	"strings"
	"testing"

	"mailprofiled/profile"
)

// TestTheUsualSentencesAreFit holds those of the baselines to what is asked of an operator's.
func TestTheUsualSentencesAreFit(t *testing.T) {
	for _, name := range profile.Baselines() {
		policy, err := profile.Baseline(name)
		if err != nil {
			t.Fatal(err)
		}
		for id, text := range policy.Texts {
			_, r := Parse("f", []byte(monitor+"[texts]\n"+tomlString(id)+" = "+tomlString(text)+"\n"))
			if r.String() != "" {
				t.Errorf("%s, %s: %s", name, id, r)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	plain := mustParse(t, monitor)
	c := mustParse(t, monitor+"[texts]\n\"rdns-missing\" = \"No PTR, {client}\"\n\"dnsbl:ID\" = \"On {list}, 100 % sure\"\n")
	if got := c.Policy.Texts["rdns-missing"]; got != "No PTR, {client}" {
		t.Errorf("got %q", got)
	}
	if got, want := c.Policy.Texts["spf-fail"], plain.Policy.Texts["spf-fail"]; got != want {
		t.Errorf("another sentence has changed: %q", got)
	}
	if plain.Policy.Texts["rdns-missing"] == "No PTR, {client}" {
		t.Error("the baseline was changed")
	}
	if c.PolicyID() == plain.PolicyID() {
		t.Error("what is told is part of the policy")
	}
	var out strings.Builder
	if err := c.Print(&out, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[texts]\n", "\"dnsbl:ID\" = \"On {list}, 100 % sure\"  # m.toml:4", "rdns-missing = \"No PTR, {client}\"  # m.toml:3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	again, r := Parse("f", []byte(out.String()))
	if again == nil || again.PolicyID() != c.PolicyID() {
		t.Errorf("what is printed is not the same: %v", r)
	}
}
