package config

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

const ownList = `[[lists.own]]
id = "bl.example"
zone = "BL.Example.NET."
group = "example"
text = "txt"
ask = ["ip4", "domain"]
at = ["connect", "mail"]
codes = [ { answer = "127.0.0.2", points = 8.0, meaning = "spam \"source\"" }, { answer = "127.0.1.0/24", kind = "allow", points = -2 }, { answer = "127.0.0.9", kind = "error" } ]
test = { listed = "127.0.0.2", unlisted = "127.0.0.1" }
`

func idsOf(lists []dnsbl.List) string {
	var ids []string
	for _, l := range lists {
		ids = append(ids, l.ID)
	}
	return strings.Join(ids, " ")
}

func TestListsAreThoseOfUseAndTheOthersOfOnesOwn(t *testing.T) {
	const plain = "zone = \"x.example.net\"\nask = [\"ip4\"]\nat = [\"connect\"]\ncodes = [{ answer = \"127.0.0.2\", points = 1 }]\n"
	for _, tt := range []struct{ name, text, want string }{
		{"none unless named", "", ""},
		{"in the order of use", "lists.use = [\"spamcop\", \"psbl\", \"dronebl\"]\n", "spamcop psbl dronebl"},
		{"own lists behind them", "lists.use = [\"spamcop\"]\n[[lists.own]]\nid = \"a\"\n" + plain + "[[lists.own]]\nid = \"b\"\n" + plain, "spamcop a b"},
		{"own lists where use names them", "lists.use = [\"b\", \"spamcop\", \"psbl\"]\n[[lists.own]]\nid = \"a\"\n" + plain + "[[lists.own]]\nid = \"b\"\n" + plain, "b spamcop psbl a"},
		{"a change of the catalogue's needs no name in use", "[[lists.own]]\nid = \"spamcop\"\ngroup = \"x\"\n", "spamcop"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, r := Parse("m.toml", []byte(monitor+tt.text))
			if c == nil || r.String() != "" {
				t.Fatal(r)
			}
			if got := idsOf(c.Lists.All); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAnOwnListIsMade(t *testing.T) {
	l := mustParse(t, monitor+ownList).Lists.All[0]
	if l.Zone != "bl.example.net" || l.Group != "example" || !l.Text || !l.Own || l.Asks != dnsbl.IP4|dnsbl.Domain || l.Stages != dnsbl.StagesOf(dnsbl.Connect, dnsbl.Mail) {
		t.Errorf("%#v of %+v", &l, l.Stages)
	}
	if !slices.Equal(l.Listed, []string{"127.0.0.2"}) || !slices.Equal(l.Unlisted, []string{"127.0.0.1"}) || !l.Askable() {
		t.Errorf("tests %v and %v", l.Listed, l.Unlisted)
	}
	var codes []string
	for _, c := range l.Codes {
		codes = append(codes, fmt.Sprint(c.Answer, c.Kind, c.Points, c.Meaning))
	}
	if got := strings.Join(codes, ","); got != `127.0.0.2listed 8spam "source",127.0.1.0/24allow -2,127.0.0.9error 0` {
		t.Errorf("codes %s", got)
	}
}

func TestAnOwnListChangesTheCatalogueByKey(t *testing.T) {
	plain, _ := dnsbl.Find("spamcop")
	l := mustParse(t, monitor+"[[lists.own]]\nid = \"spamcop\"\nzone = \"copy.example.net\"\n").Lists.All[0]
	if l.Zone != "copy.example.net" || l.Group != plain.Group || l.Asks != plain.Asks || len(l.Codes) != len(plain.Codes) || l.Delist != plain.Delist || !l.Own {
		t.Errorf("%+v", l.Zone)
	}
}

func TestAListOfOnesOwnCopyNeedsNoAdvice(t *testing.T) {
	for _, id := range []string{"spamhaus-zen", "invaluement-sip", "hostkarma", "validity-certified", "spamhaus-zen-dqs"} {
		c, r := Parse("m.toml", []byte(monitor+"[[lists.own]]\nid = \""+id+"\"\nzone = \"copy.example.net\"\n"))
		if c == nil || r.String() != "" || !c.Lists.All[0].Askable() {
			t.Errorf("%s: %s", id, r)
		}
	}
}

func TestListsThatAreFineAreNotWarnedOf(t *testing.T) {
	text := monitor + "lists.use = [\"spamhaus-zen-dqs\", \"spamhaus-dbl-dqs\", \"abusix-combined\", \"spamrats-all\", \"spamcop\", \"psbl\", \"dronebl\"]\n[lists.keys]\n"
	for _, id := range []string{"spamhaus-zen-dqs", "spamhaus-dbl-dqs", "abusix-combined", "spamrats-all"} {
		text += id + " = \"" + "hush1\"\n"
	}
	text += "[points]\n\"dnsbl:spamcop\" = 3\n\"rhsbl:spamhaus-dbl-dqs\" = \"monitor\"\n"
	if c, r := Parse("m.toml", []byte(text)); c == nil || r.String() != "" {
		t.Error(r)
	}
}

// Every list of the catalogue is either fine, or a warning or an error says why not.
func TestEveryListOfTheCatalogueIsJudged(t *testing.T) {
	for _, l := range dnsbl.Catalogue() {
		text := monitor + "lists.use = [\"" + l.ID + "\"]\n"
		if l.NeedsKey() {
			text += "lists.keys." + l.ID + " = \"hush1\"\n"
		}
		c, r := Parse("m.toml", []byte(text))
		wantError := l.Status == dnsbl.Dead || l.Default == dnsbl.Never || l.Zone == ""
		if wantError != (c == nil) {
			t.Errorf("%s: %s", l.ID, r)
		}
		wantWarning := !wantError && (l.Status != dnsbl.Live || l.Access != "open" && l.Access != "key")
		if wantWarning != (len(r.Warnings) > 0) {
			t.Errorf("%s: warned %v of %s", l.ID, len(r.Warnings), r)
		}
		for _, p := range r.Problems() {
			if !problemLine.MatchString(p.String()) {
				t.Errorf("not of the form file:line: what; remedy:\n%s", p)
			}
		}
	}
}

func TestListsOfAccessLines(t *testing.T) {
	var ids []string
	for _, l := range dnsbl.Catalogue() {
		if ofAccessLines(&l) {
			ids = append(ids, l.ID)
		}
	}
	if got := strings.Join(ids, " "); got != "spamhaus-zen spamhaus-zen-dqs spamrats-dyna abusix-combined spfbl" {
		t.Errorf("%s", got)
	}
}

func TestKeysOfListsAreSecret(t *testing.T) {
	dir := write(t, map[string]string{"dqs.key": hush + "\n"})
	if err := os.Chmod(dir+"/dqs.key", 0o600); err != nil {
		t.Fatal(err)
	}
	text := monitor + "lists.use = [\"spamhaus-zen-dqs\", \"spamhaus-dbl-dqs\", \"spamcop\"]\n[lists.keys]\nspamhaus-zen-dqs = \"file:" + dir + "/dqs.key\"\nspamhaus-dbl-dqs = \"" + hush + "\"\n"
	c := mustParse(t, text)
	lists := c.Lists.WithKeys()
	if idsOf(lists) != idsOf(c.Lists.All) || !lists[0].HasKey() || !lists[1].HasKey() || lists[2].HasKey() {
		t.Errorf("keys of %s are not taken", idsOf(lists))
	}
	for _, l := range c.Lists.All {
		if l.HasKey() {
			t.Errorf("%s has its key already", l.ID)
		}
	}
	var b bytes.Buffer
	if err := c.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[lists.keys]\nspamhaus-dbl-dqs = \"set\"  # m.toml:5\nspamhaus-zen-dqs = \"file:" + dir + "/dqs.key\"  # m.toml:4\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, &b)
		}
	}
	samePrinted(t, c)
	shown := b.String() + fmt.Sprintf("%v %+v %#v %+v %#v", c.Lists, c.Lists, c.Lists, lists, lists) + fmt.Sprintf("%+v", *c)
	if strings.Contains(shown, hush) {
		t.Error("a key is shown")
	}
}

// A key that was written where it does not belong is not shown by the message.
func TestMisplacedKeysAreNotShown(t *testing.T) {
	for _, text := range []string{
		"lists.use = [\"hush99.zen.dq.spamhaus.net\"]\n",
		"lists.use = [\"HUSH99.dyna.spamrats.com.\"]\n",
		"[[lists.own]]\nid = \"hush99.combined.mail.abusix.zone\"\n",
		"[[lists.own]]\nid = \"x\"\nzone = \"hush99.dbl.dq.spamhaus.net\"\n",
		"lists.use = [\"spamcop\"]\nlists.keys.spamcop = \"hush99\"\n",
		"lists.use = [\"spamhaus-zen-dqs\"]\nlists.keys.spamhaus-zen-dqs = \"hush99 hush99\"\n",
		"lists.keys = \"hush99\"\n",
		"lists.keys.spamhaus-zen-dqs = [\"hush99\"]\n",
		"lists.keys.spamhaus-zen-dqs = hush99\n",
	} {
		if c, r := Parse("m.toml", []byte(monitor+text)); c != nil || strings.Contains(strings.ToLower(r.String()), "hush99") {
			t.Errorf("%s%s", text, r)
		}
	}
}

func TestListsPrinted(t *testing.T) {
	c := mustParse(t, monitor+"lists.use = [\"spamcop\"]\n[points]\n\"dnsbl:spamcop\" = 2\n\"dnsbl:bl.example\" = \"off\"\n"+ownList)
	samePrinted(t, c)
	var b bytes.Buffer
	if err := c.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := "# policy " + c.PolicyID() + `
# drift from standard@1, in 2 of 60 points and thresholds:
#   points.dnsbl:bl.example      the list's -> "off"
#   points.dnsbl:spamcop         the list's -> 2.0
mode = "monitor"  # m.toml:1

[points]
"dnsbl:bl.example" = "off"  # m.toml:5
"dnsbl:spamcop" = 2.0  # m.toml:4

[lists]
use = ["spamcop"]  # m.toml:2

[[lists.own]]  # m.toml:6
id = "bl.example"
zone = "bl.example.net"
group = "example"
text = "txt"
ask = ["ip4", "domain"]
at = ["connect", "mail"]
test.listed = "127.0.0.2"
test.unlisted = "127.0.0.1"
[[lists.own.codes]]
answer = "127.0.0.2"
kind = "listed"
points = 8.0
meaning = "spam \"source\""
[[lists.own.codes]]
answer = "127.0.1.0/24"
kind = "allow"
points = -2.0
[[lists.own.codes]]
answer = "127.0.0.9"
kind = "error"
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

func TestPolicyIDCoversLists(t *testing.T) {
	seen := map[string]string{}
	const spamcop, keyed = "lists.use = [\"spamcop\", \"psbl\"]\n", "lists.use = [\"spamhaus-zen-dqs\"]\n"
	for _, text := range []string{
		"", spamcop, "lists.use = [\"psbl\", \"spamcop\"]\n", spamcop + "[points]\n\"dnsbl:spamcop\" = 4\n", spamcop + "[points]\n\"dnsbl:spamcop\" = \"off\"\n",
		ownList, strings.Replace(ownList, "points = 8.0", "points = 7.0", 1), strings.Replace(ownList, "127.0.0.2\", points", "127.0.0.3\", points", 1),
		strings.Replace(ownList, "\"example\"", "\"other\"", 1), strings.Replace(ownList, "\"txt\"", "\"none\"", 1), strings.Replace(ownList, ", \"domain\"]", ", \"ip6\", \"domain\"]", 1),
		strings.Replace(ownList, "BL.Example.NET.", "other.example.net", 1), strings.Replace(ownList, ", \"mail\"]", ", \"helo\"]", 1),
		"[[lists.own]]\nid = \"spamcop\"\ngroup = \"x\"\n", keyed + "lists.keys.spamhaus-zen-dqs = \"a\"\n",
	} {
		id := mustParse(t, monitor+text).PolicyID()
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q share %s", text, other, id)
		}
		seen[id] = text
	}
	base := mustParse(t, monitor+spamcop)
	for name, text := range map[string]string{
		"health tests": spamcop + "lists.test_every = \"1h\"\n", "a copy of the zone": "lists.use = [\"spamcop\", \"psbl\"]\n[[lists.own]]\nid = \"psbl\"\nzone = \"copy.example.net\"\n",
	} {
		if mustParse(t, monitor+text).PolicyID() != base.PolicyID() {
			t.Errorf("%s make another policy", name)
		}
	}
	a, b := mustParse(t, monitor+keyed+"lists.keys.spamhaus-zen-dqs = \"a\"\n"), mustParse(t, monitor+keyed+"lists.keys.spamhaus-zen-dqs = \"b\"\n")
	if a.PolicyID() != b.PolicyID() || a.SettingsID() != b.SettingsID() {
		t.Error("a key makes another policy")
	}
}

func TestSettingsIDOfLists(t *testing.T) {
	seen := map[string]string{}
	const use = "lists.use = [\"spamrats-all\"]\n"
	for _, text := range []string{"", use, use + "lists.keys.spamrats-all = \"a\"\n", use + "[[lists.own]]\nid = \"spamrats-all\"\nzone = \"copy.example.net\"\n"} {
		id := mustParse(t, monitor+text).SettingsID()
		if other, ok := seen[id]; ok {
			t.Errorf("%q and %q share %s", text, other, id)
		}
		seen[id] = text
	}
}

func TestPointsOfLists(t *testing.T) {
	c := mustParse(t, monitor+"lists.use = [\"spamcop\", \"abusix-white\", \"spamhaus-dbl-dqs\"]\nlists.keys = { abusix-white = \"a\", spamhaus-dbl-dqs = \"b\" }\n"+
		"[points]\n\"dnsbl:spamcop\" = 4\n\"rhsbl:spamhaus-dbl-dqs\" = \"monitor\"\n\"dnswl:abusix-white\" = -2.5\n")
	for id, want := range map[string]profile.Points{
		"dnsbl:spamcop": {Value: 4}, "rhsbl:spamhaus-dbl-dqs": {Rule: profile.Monitor}, "dnswl:abusix-white": {Value: -2.5},
	} {
		if got := c.Policy.Points[id]; got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	if _, set := c.Policy.Points["dnsbl:ID"]; set {
		t.Error("a row of the table has points")
	}
}

func TestOwnListsOfAllFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"m.toml":        monitor + "lists.use = [\"spamcop\"]\n" + ownList,
		"conf.d/a.toml": strings.ReplaceAll(ownList, "bl.example\"", "other.example\"") + "[lists]\nuse = [\"psbl\"]\n",
	})
	c, r := Load(dir + "/m.toml")
	if c == nil || r.String() != "" {
		t.Fatal(r)
	}
	if got := idsOf(c.Lists.All); got != "psbl bl.example other.example" {
		t.Error(got)
	}
}
