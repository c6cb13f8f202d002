package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loadBeside loads a configuration with a candidate beside it; in both WORK is their
// folder.
func loadBeside(t *testing.T, main, candidate string) (next *Config, said []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.toml": main, "candidate.toml": candidate} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "WORK", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, report := Load(filepath.Join(dir, "main.toml"))
	if c == nil {
		t.Fatal(report)
	}
	next, problems := c.LoadCandidate()
	for _, p := range problems {
		said = append(said, strings.ReplaceAll(p.String(), dir+"/", ""))
	}
	return next, said
}

// speaking is a configuration that names a candidate.
const speaking = "mode = \"monitor\"\ncandidate = \"WORK/candidate.toml\"\n"

const listOfOwn = `
[[lists.own]]
id = "own"
zone = "bl.example.net"
ask = ["ip4"]
at = ["connect"]
codes = [{ answer = "127.0.0.2", points = 3.0 }]
`

func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		name, main, candidate string
		usable                bool
		want                  []string // parts of what is said, one a line
	}{
		{"none is named", "mode = \"monitor\"\n", "", false, nil},
		{"another baseline", speaking, "mode = \"monitor\"\nbaseline = \"strict\"\n", true, nil},
		{"itself", "mode = \"monitor\"\ncandidate = \"WORK/main.toml\"\n", "", false, []string{"main.toml:2: candidate is "}},
		{"what it names as its own candidate does not matter", speaking, speaking, true, nil},
		{"mistakes have their line", speaking, "mode = \"monitor\"\nbaseline = \"lax\"\n[points]\n\"no-such\" = 1.0\n", false, []string{"candidate.toml:2: ", "candidate.toml:4: "}},
		{"no such file", "mode = \"monitor\"\ncandidate = \"WORK/none.toml\"\n", "", false, []string{"none.toml:1: "}},
		{"a list of its own", speaking, "mode = \"monitor\"\n" + listOfOwn, true, []string{"candidate.toml:3: warning: the list own is not asked for a candidate"}},
		{"other points of the same list", speaking + listOfOwn, "mode = \"monitor\"\n" + strings.Replace(listOfOwn, "3.0", "9.0", 1), true, nil},
		{"limits", speaking, "mode = \"monitor\"\n[[limit]]\nname = \"x\"\nper = \"client\"\ncount = \"messages\"\nmax = 9\nwindow = \"1h\"\n", true, []string{"candidate.toml:2: warning: limits are not tried"}},
		{"a directory", speaking + "us.domains = [\"here.example\"]\n", "mode = \"monitor\"\nus.domains = [\"here.example\"]\ndirectory.source = \"mta\"\n", true, []string{"candidate.toml:3: warning: [directory] is not tried"}},
		{"databases", speaking, "mode = \"monitor\"\ngeo.country = \"/none.mmdb\"\n", true, []string{"candidate.toml:2: warning: [geo] is not read"}},
		{"memory", speaking, "mode = \"monitor\"\nmemory.half_life = \"1d\"\n", true, []string{"candidate.toml:2: warning: [memory] is not tried"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			next, said := loadBeside(t, tt.main, tt.candidate)
			if (next != nil) != tt.usable || len(said) != len(tt.want) {
				t.Fatalf("usable %v, said %q; want %v, %q", next != nil, said, tt.usable, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(said[i], want) {
					t.Errorf("%q, want %q", said[i], want)
				}
			}
		})
	}
}

// TestACandidateIsNoPartOfThePolicy: machines judge alike whatever one of them tries.
func TestACandidateIsNoPartOfThePolicy(t *testing.T) {
	plain, _ := Parse("a", []byte("mode = \"monitor\"\n"))
	trying, report := Parse("b", []byte("mode = \"monitor\"\ncandidate = \"/etc/mailprofiled/next.toml\"\n"))
	if trying == nil {
		t.Fatal(report)
	}
	if plain.PolicyID() != trying.PolicyID() || plain.SettingsID() != trying.SettingsID() {
		t.Error("a candidate changes the policy's name")
	}
	if len(plain.NeedRestart(trying)) != 0 {
		t.Error("it wants a restart")
	}
	if c, report := Parse("c", []byte("mode = \"monitor\"\ncandidate = \"next.toml\"\n")); c != nil || !strings.Contains(report.String(), "c:2: ") {
		t.Errorf("a relative path: %v", report)
	}
}
