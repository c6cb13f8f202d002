package config

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		{"us", monitor + "[us]\nnames = [\"a.example\"]\ndomains = [\"b.example\"]\naddresses = [\"192.0.2.1\"]\n"},
		{"dns", monitor + "[dns]\nservers = [\"192.0.2.53\"]\nbudget = \"1s\"\ncache_size = \"1MiB\"\n"},
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
		monitor + "retry.after = \"2m\"\n",
		monitor + "retry.within = \"2d\"\n",
		monitor + "retry.keep = \"0\"\n",
		monitor + "exempt.networks = [\"192.0.2.0/24\"]\n",
		monitor + "exempt.authenticated = false\n",
		monitor + "exempt.recipients = [\"a@example.net\"]\n",
		monitor + "milter.answer_at = \"mail\"\n",
		monitor + "milter.on_failure = \"tempfail\"\n",
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
