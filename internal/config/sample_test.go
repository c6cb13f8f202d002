package config

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const sample = "../../packaging/mailprofiled.toml"

// commented is a setting behind a #; a # and a space is prose.
var commented = regexp.MustCompile(`(?m)^#(\S)`)

func TestSampleLoadsAsShipped(t *testing.T) {
	c, r := Load(sample)
	if c == nil || r.String() != "" {
		t.Fatalf("the sample does not load cleanly:\n%s", r)
	}
	want := Default()
	if !c.Monitor || c.PolicyID() != want.PolicyID() {
		t.Errorf("policy %s, want the defaults in monitor mode: %s", c.PolicyID(), want.PolicyID())
	}
	if len(c.origins) != 1 {
		t.Errorf("settings made: %v, want mode alone", c.origins)
	}
}

func TestSampleShowsEveryKey(t *testing.T) {
	data, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	name := "sample without its #"
	set := commented.ReplaceAll(data, []byte("$1"))
	// Of milter.listen and [[listener]] a file has one.
	c, r := Parse(name, bytes.Replace(set, []byte("\nlisten = [\"unix:"), []byte("\n#listen = [\"unix:"), 1))
	if c == nil || r.String() != "" {
		t.Fatalf("not every key that the sample shows is valid:\n%s", r)
	}
	l := newLoader(tree(), &Report{})
	l.add(parse(name, 0, commented.ReplaceAll(data, []byte("$1")), l.report))
	var shown []string
	for _, s := range l.settings {
		shown = append(shown, s.key.Name)
	}
	text := string(data)
	for _, k := range keysNow() {
		if !slices.Contains(shown, k.Name) {
			t.Errorf("the sample does not show %s", k.Name)
			continue
		}
		if k.Default == nil || k.Baseline {
			continue
		}
		got, want := k.Kind.format, Default()
		s := l.settings[k.Name]
		if isExample(text, s.spot.last) || k.field == nil || k.apply != nil {
			continue
		}
		if got(s.value) != got(k.get(want)) {
			t.Errorf("the sample shows %s = %s, the default is %s", k.Name, got(s.value), got(k.get(want)))
		}
	}
}

// isExample says that the line above a key calls it an example.
func isExample(text, key string) bool {
	lines := strings.Split(text, "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "#"+key+" =") })
	return i > 0 && strings.Contains(lines[i-1], "(example")
}
