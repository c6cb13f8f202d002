package config

import (
	"strings"
	"testing"
)

func TestNamesFromElsewhereLeadToOurs(t *testing.T) {
	for name, here := range called {
		if name == here {
			t.Errorf("%s leads to itself", name)
		}
		if l := newLoader(tree(), &Report{}); l.schema.children[name] != nil {
			t.Errorf("%s is a name of ours", name)
		}
		for _, text := range []string{"mode = 'monitor'\n[" + name + "]\nuse = 1\n", "mode = 'monitor'\n" + name + " = true\n"} {
			c, r := Parse("x.toml", []byte(text))
			if c != nil || len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Remedy, strings.Split(here, ".")[0]) {
				t.Errorf("%q: got %v, want one error that names %s", text, r, here)
			}
		}
	}
}

func TestNamesFromElsewhereBelowASectionAreNotGuessed(t *testing.T) {
	_, r := Parse("x.toml", []byte("mode = 'monitor'\n[dns]\nrbl = 'x'\n"))
	if text := r.String(); strings.Contains(text, "[lists]") {
		t.Errorf("got %s", text)
	}
}
