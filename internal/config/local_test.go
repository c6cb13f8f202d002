package config

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const denyRule = "[[local]]\nmatch = [\"client:192.0.2.0/24\", \"file:/etc/deny.txt\"]\naction = \"deny\"\nowner = \"jo\"\nreason = \"ticket \\\"4711\\\"\"\nexpires = 2027-01-31\n"

func TestLocalRulesOfAllFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"m.toml":        monitor + "\n" + denyRule,
		"conf.d/a.toml": "\n[[local]]\nmatch = [\"helo:x.example\"]\naction = \"points\"\npoints = -2\n\nlocal = 1",
		"conf.d/b.toml": "local = [{ match = [\"from:<>\"], action = \"allow\" }]\n",
	})
	if c, r := Load(dir + "/m.toml"); c != nil || !strings.Contains(r.String(), "conf.d/a.toml:7: ") {
		t.Fatalf("a stray key in a rule: %s", r)
	}
	dir = write(t, map[string]string{
		"m.toml":        monitor + "\n" + denyRule,
		"conf.d/a.toml": "\n[[local]]\nmatch = [\"helo:x.example\"]\naction = \"points\"\npoints = -2\n",
		"conf.d/b.toml": "local = [{ match = [\"from:<>\"], action = \"allow\" }]\n",
	})
	c, r := Load(dir + "/m.toml")
	if c == nil || r.String() != "" {
		t.Fatal(r)
	}
	want := []LocalRule{
		{
			Match: []string{"client:192.0.2.0/24", "file:/etc/deny.txt"}, Action: LocalDeny, Owner: "jo", Reason: `ticket "4711"`,
			Expires: time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC), At: Origin{dir + "/m.toml", 3},
		},
		{Match: []string{"helo:x.example"}, Action: LocalPoints, Points: -2, At: Origin{dir + "/conf.d/a.toml", 2}},
		{Match: []string{"from:<>"}, Action: LocalAllow, At: Origin{dir + "/conf.d/b.toml", 1}},
	}
	if diff := cmp.Diff(want, c.Local); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLocalRulesPrinted(t *testing.T) {
	c := mustParse(t, monitor+denyRule+"[[local]]\nmatch = [\"rcpt:a@example.net\"]\naction = \"points\"\npoints = 3\n")
	samePrinted(t, c)
	var b bytes.Buffer
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := `
[[local]]  # m.toml:2
match = ["client:192.0.2.0/24", "file:/etc/deny.txt"]
action = "deny"
owner = "jo"
reason = "ticket \"4711\""
expires = 2027-01-31

[[local]]  # m.toml:8
match = ["rcpt:a@example.net"]
action = "points"
points = 3.0
`
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", &b, want)
	}
}

func TestPolicyIDCoversLocalRules(t *testing.T) {
	rule := func(text string) *Config { return mustParse(t, monitor+"[[local]]\n"+text) }
	const match = "match = [\"client:192.0.2.7\", \"file:ip4set:/a\"]\n"
	base := rule(match + "action = \"deny\"\n")
	for name, c := range map[string]*Config{
		"another owner":       rule(match + "action = \"deny\"\nowner = \"jo\"\nreason = \"x\"\n"),
		"another path":        rule("match = [\"client:192.0.2.7\", \"file:ip4set:/b\"]\naction = \"deny\"\n"),
		"another order":       rule("match = [\"file:ip4set:/a\", \"client:192.0.2.7\"]\naction = \"deny\"\n"),
		"another line":        mustParse(t, monitor+"\n\n[[local]]\n"+match+"action = \"deny\"\n"),
		"nothing in the list": base.WithLists(nil),
	} {
		if c.PolicyID() != base.PolicyID() {
			t.Errorf("%s makes another policy", name)
		}
	}
	seen := map[string]string{base.PolicyID(): "the rule"}
	for name, c := range map[string]*Config{
		"no rule":          mustParse(t, monitor),
		"another action":   rule(match + "action = \"allow\"\n"),
		"points":           rule(match + "action = \"points\"\npoints = 1\n"),
		"more points":      rule(match + "action = \"points\"\npoints = 2\n"),
		"an end":           rule(match + "action = \"deny\"\nexpires = 2027-01-31\n"),
		"another client":   rule("match = [\"client:192.0.2.8\", \"file:ip4set:/a\"]\naction = \"deny\"\n"),
		"another format":   rule("match = [\"client:192.0.2.7\", \"file:/a\"]\naction = \"deny\"\n"),
		"the rule twice":   rule(match + "action = \"deny\"\n[[local]]\n" + match + "action = \"deny\"\n"),
		"another contents": base.WithLists([]byte{1}),
	} {
		if other, ok := seen[c.PolicyID()]; ok {
			t.Errorf("%s and %s share %s", name, other, c.PolicyID())
		}
		seen[c.PolicyID()] = name
	}
	if none := mustParse(t, monitor); none.WithLists([]byte{1}).PolicyID() != none.PolicyID() {
		t.Error("a digest without lists makes another policy")
	}
}

func TestSettingsIDOfLocalRules(t *testing.T) {
	base := mustParse(t, monitor+denyRule)
	if base.WithLists([]byte{1}).SettingsID() != base.SettingsID() || mustParse(t, monitor+"\n"+denyRule).SettingsID() != base.SettingsID() {
		t.Error("the contents of a list, or the place of a rule, make other settings")
	}
	for _, text := range []string{monitor, monitor + strings.Replace(denyRule, "deny.txt", "other.txt", 1), monitor + strings.Replace(denyRule, "jo", "al", 1)} {
		if mustParse(t, text).SettingsID() == base.SettingsID() {
			t.Errorf("the same settings:\n%s", text)
		}
	}
}
