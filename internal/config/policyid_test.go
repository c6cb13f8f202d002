package config

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/profile"
)

func mustParse(t *testing.T, text string) *Config {
	t.Helper()
	c, r := Parse("m.toml", []byte(text))
	if c == nil {
		t.Fatalf("%s\ndoes not load:\n%s", text, r)
	}
	return c
}

const monitor = "mode = \"monitor\"\n"

func TestPolicyIDForm(t *testing.T) {
	if id := mustParse(t, monitor).PolicyID(); !regexp.MustCompile(`^standard@1-[0-9a-f]{8}$`).MatchString(id) {
		t.Errorf("policy %q", id)
	}
}

func TestPolicyIDStaysTheSame(t *testing.T) {
	same := []struct{ name, text string }{
		{"the defaults said aloud", monitor + "milter.drain = \"30s\"\nretry.within = \"1d\"\nexempt.networks = []\n"},
		{"the baseline pinned", "baseline = \"standard@1\"\n" + monitor},
		{"the baseline's own points and thresholds", monitor + "verdict.reject_score = 10\n[points]\n\"rdns-missing\" = " + shippedPoints(t, "rdns-missing") + "\n"},
		{"sockets", monitor + "[milter]\nlisten = [\"inet:127.0.0.1:8891\"]\nsocket_mode = \"0600\"\nsocket_group = \"0\"\n"},
		{"doors that judge alike", monitor + "[[listener]]\nlisten = \"unix:/a\"\nrole = \"submission\"\nsocket_mode = \"0600\"\n[[listener]]\nlisten = \"unix:/b\"\nanswer_at = \"rcpt\"\nexempt_networks = []\n"},
		{"us", monitor + "[us]\nnames = [\"a.example\"]\ndomains = [\"b.example\"]\naddresses = [\"192.0.2.1\"]\n"},
		{"dns", monitor + "[dns]\nservers = [\"192.0.2.53\"]\nbudget = \"1s\"\ncache_size = \"1MiB\"\n"},
		{"databases", monitor + "[geo]\ncountry = \"/a.mmdb\"\nasn = \"/b.mmdb\"\n"},
		{"log", monitor + "[log]\nformat = \"json\"\nlevel = \"debug\"\n"},
	}
	want := mustParse(t, monitor).PolicyID()
	for _, tt := range same {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustParse(t, tt.text).PolicyID(); got != want {
				t.Errorf("%s, want %s, as of mode alone; of\n%s", got, want, tt.text)
			}
		})
	}
}

func TestPolicyIDIsOfWhatIsSaidNotHow(t *testing.T) {
	a := monitor + "[exempt]\nnetworks = [\"192.0.2.0/24\", \"2001:DB8::/32\", \"198.51.100.7\"]\nrecipients = [\"Help@Example.NET\", \"b@example.net\"]\n[retry]\nafter = \"90s\"\n[points]\n\"rdns-missing\" = 7\n\"rdns-generic\" = \"off\"\n"
	b := monitor + "points.\"rdns-generic\" = \"off\"\npoints.rdns-missing = 7.0\nretry = { after = \"1m30s\" }\nexempt.recipients = [\"b@example.net.\", \"help@example.net\"]\nexempt.networks = [\"198.51.100.7/32\", \"2001:db8:0::/32\", \"192.0.2.0/24\"]\n"
	if x, y := mustParse(t, a).PolicyID(), mustParse(t, b).PolicyID(); x != y {
		t.Errorf("%s and %s", x, y)
	}
}

func TestPolicyIDChanges(t *testing.T) {
	seen := map[string]string{mustParse(t, monitor).PolicyID(): "mode alone"}
	for _, text := range []string{
		"mode = \"enforce\"\n",
		monitor + "verdict.tempfail_score = 4\n",
		monitor + "verdict.reject_score = 12\n",
		monitor + "verdict.help_url = \"https://x.example/{id}\"\n",
		monitor + "points.rdns-missing = 5.5\n",
		monitor + "points.rdns-missing = 0\n",
		monitor + "points.rdns-missing = \"off\"\n",
		monitor + "points.rdns-missing = \"monitor\"\n",
		monitor + "points.rdns-error = \"tempfail\"\n",
		monitor + "points.spf-fail = 1.25\n",
		monitor + "points.spf-pass = -1\n",
		monitor + "points.spf-error = \"tempfail\"\n",
		monitor + "points.from-is-us = 7\n",
		monitor + "points.from-unrelated = 1\n",
		monitor + "points.local-deny = \"monitor\"\n",
		monitor + "points.local-allow = \"off\"\n",
		monitor + "points.local-points = \"monitor\"\n",
		monitor + "baseline = \"cautious\"\n",
		monitor + "baseline = \"strict\"\n",
		monitor + "retry.after = \"2m\"\n",
		monitor + "retry.within = \"2d\"\n",
		monitor + "retry.keep = \"0\"\n",
		monitor + "exempt.networks = [\"192.0.2.0/24\"]\n",
		monitor + "exempt.authenticated = false\n",
		monitor + "exempt.recipients = [\"a@example.net\"]\n",
		monitor + "milter.answer_at = \"mail\"\n",
		monitor + "milter.on_failure = \"tempfail\"\n",
		monitor + "[[listener]]\nlisten = \"unix:/a\"\nanswer_at = \"mail\"\n",
		monitor + "[[listener]]\nlisten = \"unix:/a\"\nanswer_at = \"mail\"\n[[listener]]\nlisten = \"unix:/b\"\n",
		monitor + "[[listener]]\nlisten = \"unix:/a\"\nexempt_networks = [\"192.0.2.0/24\"]\n",
	} {
		id := mustParse(t, text).PolicyID()
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q share %s", text, other, id)
		}
		seen[id] = text
	}
}

func shippedPoints(t *testing.T, id string) string {
	t.Helper()
	return pointsKind().format(Default().Policy.Points[id])
}

func TestPrintLoadsAgain(t *testing.T) {
	for _, text := range []string{
		monitor,
		monitor + "[milter]\nanswer_at = \"mail\"\n[[listener]]\nlisten = \"inet6:[::1]:8891\"\n[[listener]]\nlisten = \"unix:/a\"\nrole = \"submission\"\nanswer_at = \"rcpt\"\nexempt_networks = [\"192.0.2.0/24\"]\nsocket_mode = \"0600\"\nsocket_group = \"0\"\n",
		"mode = \"enforce\"\n",
		monitor + "[us]\nnames = [\"münchen.example\"]\n[milter]\nlisten = [\"unix:/run/a \\\"b\\\\.sock\", \"inet:[::1]:8891\"]\n",
		monitor + "[dns]\nbudget = \"0.25s\"\ncache_size = \"1.5MiB\"\nservers = [\"192.0.2.53\", \"[fe80::1%eth0]:5353\"]\n",
		monitor + "[retry]\nafter = \"1.5s\"\nwithin = \"1h1s\"\nkeep = \"0\"\n[points]\n\"rdns-error\" = \"tempfail\"\n\"rdns-missing\" = 0.1\n\"relation\" = -3\n",
	} {
		t.Run(text, func(t *testing.T) { samePrinted(t, mustParse(t, text)) })
	}
}

func TestPrintChanged(t *testing.T) {
	text := "mode = \"enforce\"\nverdict.reject_score = 12\ndns.budget = \"5s\"\nus.names = [\"mx.example\"]\n[points]\n\"rdns-missing\" = \"off\"\n"
	c := mustParse(t, text)
	var b bytes.Buffer
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := "# policy " + c.PolicyID() + `
# drift from standard@1, in 2 of 58 points and thresholds:
#   verdict.reject_score         10.0 -> 12.0
#   points.rdns-missing          6.0 -> "off"
mode = "enforce"  # m.toml:1

[us]
names = ["mx.example"]  # m.toml:4

[verdict]
reject_score = 12.0  # m.toml:2

[points]
rdns-missing = "off"  # m.toml:6
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrintChangedOfBaselines(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"as shipped", monitor, "# points and thresholds are those of standard@1\nmode = \"monitor\"  # m.toml:1\n"},
		{"another baseline as shipped", monitor + "baseline = \"strict\"\n", "# points and thresholds are those of strict@1\nbaseline = \"strict@1\"  # m.toml:2\nmode = \"monitor\"  # m.toml:1\n"},
		{
			"drift is told against the site's own baseline", monitor + "baseline = \"cautious@1\"\npoints.spf-pass = -1\npoints.local-deny = \"monitor\"\npoints.rdns-missing = " + cautiousPoints(t, "rdns-missing") + "\n",
			"# drift from cautious@1, in 2 of 58 points and thresholds:\n" +
				"#   points.spf-pass              0.0 -> -1.0\n#   points.local-deny            on -> \"monitor\"\n" +
				"baseline = \"cautious@1\"  # m.toml:2\nmode = \"monitor\"  # m.toml:1\n\n[points]\nspf-pass = -1.0  # m.toml:3\nlocal-deny = \"monitor\"  # m.toml:4\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustParse(t, tc.text)
			var b bytes.Buffer
			if err := c.Print(&b, true); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("# policy "+c.PolicyID()+"\n"+tc.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func cautiousPoints(t *testing.T, id string) string {
	t.Helper()
	p, err := profile.Baseline("cautious")
	if err != nil {
		t.Fatal(err)
	}
	return formatNumber(p.Points[id].Value)
}

// What is shipped as data makes verdicts and replies too: a build with other
// words or names is another policy.
func TestPolicyIDCoversTheDataOfTheBaseline(t *testing.T) {
	seen := map[string]string{}
	for name, change := range map[string]func(*profile.Policy){
		"nothing":                func(*profile.Policy) {},
		"a sentence":             func(p *profile.Policy) { p.Texts["rdns-missing"] += "." },
		"a sentence more":        func(p *profile.Policy) { p.Texts["relation"] = "x" },
		"no sentence":            func(p *profile.Policy) { delete(p.Texts, "rdns-missing") },
		"a bot's name":           func(p *profile.Policy) { p.Bots = append(p.Bots, "other-pc") },
		"no bots":                func(p *profile.Policy) { p.Bots = nil },
		"a threshold":            func(p *profile.Policy) { p.TempfailScore = 4.5 },
		"points":                 func(p *profile.Policy) { p.Points["spf-fail"] = profile.Points{Value: 1.25} },
		"how the points count":   func(p *profile.Policy) { p.Points["local-deny"] = profile.Points{Rule: profile.Monitor} },
		"the name of a baseline": func(p *profile.Policy) { p.Baseline = "standard@2" },
	} {
		c := mustParse(t, monitor)
		change(c.Policy)
		id := c.PolicyID()
		if other, ok := seen[id]; ok {
			t.Errorf("%s and %s share %s", name, other, id)
		}
		seen[id] = name
	}
	c := mustParse(t, monitor)
	c.Policy.Bots = []string{"b", "a"}
	one := c.PolicyID()
	if c.Policy.Bots = []string{"a", "b"}; c.PolicyID() != one {
		t.Error("the order of bots makes another policy")
	}
}

func TestBaselineNames(t *testing.T) {
	for text, want := range map[string]string{
		"cautious": "cautious@1", "standard": "standard@1", "strict": "strict@1",
		"cautious@1": "cautious@1", "standard@1": "standard@1", "strict@1": "strict@1",
	} {
		c, r := Parse("m.toml", []byte(monitor+"baseline = \""+text+"\"\n"))
		if c == nil || r.String() != "" {
			t.Fatalf("%s: %s", text, r)
		}
		if got := c.Policy.Baseline; got != want || !strings.HasPrefix(c.PolicyID(), want+"-") {
			t.Errorf("%s is %s, policy %s", text, got, c.PolicyID())
		}
	}
}

func TestPrintNamesTheFileOfEach(t *testing.T) {
	dir := write(t, map[string]string{
		"m.toml":        monitor + "dns.budget = \"4s\"\nretry.keep = \"1d\"\n",
		"conf.d/a.toml": "\ndns.budget = \"3s\"\npoints.rdns-missing = 1\n",
	})
	c, r := Load(dir + "/m.toml")
	if c == nil {
		t.Fatal(r)
	}
	var b bytes.Buffer
	if err := c.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"mode = \"monitor\"  # m.toml:1\n",
		"budget = \"3s\"  # conf.d/a.toml:2\n",
		"keep = \"24h\"  # m.toml:3\n",
		"after = \"1m\"  # default\n",
		"rdns-missing = 1.0  # conf.d/a.toml:3\n",
		"reject_score = 10.0  # baseline standard@1\n",
		"addresses = \"plain\"  # default\n",
	} {
		if !strings.Contains(strings.ReplaceAll(b.String(), dir+"/", ""), want) {
			t.Errorf("%q is missing in:\n%s", want, &b)
		}
	}
}
