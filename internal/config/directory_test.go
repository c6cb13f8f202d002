package config

import (
	"strings"
	"testing"
)

// The first file of the manual asks nothing more of an operator than these lines.
func TestTheFirstFileWatchesTheMTA(t *testing.T) {
	c, r := Parse("m.toml", []byte("mode = \"monitor\"\nus.domains = [\"example.net\"]\ndirectory.source = \"mta\"\n"))
	if c == nil || r.String() != "" || c.Directory.Default.Source != SourceMTA || !c.Directory.Used() || c.Directory.Names != 20 {
		t.Fatalf("%+v\n%s", c, r)
	}
	if d := Default(); d.Directory.Used() || len(d.Directory.Sources()) != 1 {
		t.Errorf("%+v", d.Directory)
	}
}

// What [[directory.for]] does is part of the policy, for which domains it is not.
func TestSourcesInThePolicy(t *testing.T) {
	id := func(text string) (policy, settings string) {
		t.Helper()
		c, r := Parse("m.toml", []byte(monitor+"us.domains = [\"a.example\", \"b.example\"]\n"+text))
		if c == nil {
			t.Fatal(r)
		}
		return c.PolicyID(), c.SettingsID()
	}
	p1, s1 := id("[[directory.for]]\ndomains = [\"a.example\"]\nsource = \"mta\"\n")
	p2, s2 := id("[[directory.for]]\ndomains = [\"b.example\"]\nsource = \"mta\"\n")
	p3, s3 := id("[[directory.for]]\ndomains = [\"a.example\"]\nsource = \"mta\"\non_down = \"continue\"\n")
	if p1 != p2 || s1 == s2 || p1 == p3 || s1 == s3 {
		t.Errorf("policies %s %s %s, settings %s %s %s", p1, p2, p3, s1, s2, s3)
	}
	_, s4 := id("directory.source = \"mta\"\n")
	_, s5 := id("directory.source = \"mta\"\ndirectory.domain_aliases.\"b.example\" = \"a.example\"\n")
	if s4 == s5 {
		t.Error("aliases of domains are no part of the settings")
	}
}

// Sources that are printed load again, with their origin.
func TestSourcesPrinted(t *testing.T) {
	c, r := Parse("m.toml", []byte(monitor+"us.domains = [\"a.example\"]\ndirectory.on_down = \"continue\"\n[[directory.for]]\ndomains = [\"a.example\"]\nsource = \"file\"\nfiles = [\"passwd:/etc/passwd\"]\n"))
	if c == nil {
		t.Fatal(r)
	}
	var b strings.Builder
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := "[[directory.for]]  # m.toml:4\ndomains = [\"a.example\"]\nsource = \"file\"\nfiles = [\"passwd:/etc/passwd\"]\non_down = \"continue\"\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}
