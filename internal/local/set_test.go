package local

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// write makes a file that was last changed at a time.
func write(t testing.TB, path, text string, changed time.Time) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
	return path
}

// list makes a list file of some lines.
func listFile(t testing.TB, lines ...string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "list"), strings.Join(lines, "\n")+"\n", noon.Add(-time.Hour))
}

func load(t testing.TB, rules ...Rule) *Set {
	t.Helper()
	for i := range rules {
		if rules[i].Where == "" {
			rules[i].Where = fmt.Sprintf("m.toml:%d", i+1)
		}
	}
	s, problems := Load(rules, noon, nil)
	if s == nil {
		t.Fatal(problems)
	}
	return s
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func TestMatch(t *testing.T) {
	at := func(domain string) Subject { return Subject{From: "joe@" + domain, FromDomain: domain} }
	for _, test := range []struct {
		name  string
		match string
		sub   Subject
		want  bool
	}{
		{"the client itself", "client:192.0.2.7", Subject{Client: addr("192.0.2.7")}, true},
		{"the client's neighbour", "client:192.0.2.7", Subject{Client: addr("192.0.2.8")}, false},
		{"the client's network", "client:192.0.2.0/24", Subject{Client: addr("192.0.2.255")}, true},
		{"a client that came over IPv6 sockets", "client:192.0.2.0/24", Subject{Client: addr("::ffff:192.0.2.9")}, true},
		{"a client with a zone", "client:fe80::/10", Subject{Client: addr("fe80::1%eth0")}, true},
		{"IPv4 is not in ::/0", "client:::/0", Subject{Client: addr("192.0.2.7")}, false},
		{"all of IPv6 is", "client:::/0", Subject{Client: addr("2001:db8::1")}, true},
		{"a client of another family", "client:192.0.2.0/24", Subject{}, false},
		{"a confirmed name", "ptr:example.com", Subject{PTR: []string{"mx.example.com"}}, true},
		{"the domain itself", "ptr:example.com", Subject{PTR: []string{"example.com"}}, true},
		{"any of the names", "ptr:example.com", Subject{PTR: []string{"x.example.net", "MX.Example.Com."}}, true},
		{"the end of another name", "ptr:example.com", Subject{PTR: []string{"notexample.com"}}, false},
		{"below only: the domain itself", "ptr:*.example.com", Subject{PTR: []string{"example.com"}}, false},
		{"below only: below", "ptr:*.example.com", Subject{PTR: []string{"a.b.example.com"}}, true},
		{"a name that is not HELO", "ptr:example.com", Subject{Helo: "example.com"}, false},
		{"HELO below a domain", "helo:example.com", Subject{Helo: "mail.EXAMPLE.com"}, true},
		{"HELO of one word", "helo:ylmf-pc", Subject{Helo: "YLMF-PC"}, true},
		{"HELO literal", "helo:[192.0.2.7]", Subject{Helo: "[192.0.2.7]"}, true},
		{"HELO of an address is not below one", "helo:2.7", Subject{Helo: "192.0.2.7"}, false},
		{"HELO of 300 octets", "helo:example.com", Subject{Helo: strings.Repeat("a", 300) + ".example.com"}, false},
		{"HELO of 120 labels", "helo:example.com", Subject{Helo: strings.Repeat("a.", 120) + "example.com"}, true},
		{"HELO of dots", "helo:example.com", Subject{Helo: strings.Repeat(".", 250)}, false},
		{"the sender", "from:joe@example.com", Subject{From: "Joe@EXAMPLE.com", FromDomain: "example.com"}, true},
		{"the sender with a last dot", "from:joe@example.com", Subject{From: "joe@example.com."}, true},
		{"another sender", "from:joe@example.com", at("example.net"), false},
		{"the sender's domain", "from:example.com", at("example.com"), true},
		{"above the sender's domain", "from:example.com", at("lists.example.com"), true},
		{"one domain, its own", "from:@example.com", at("example.com"), true},
		{"one domain, not below", "from:@example.com", at("lists.example.com"), false},
		{"a domain in other letters", "from:bücher.example", Subject{From: "joe@bücher.example", FromDomain: "xn--bcher-kva.example"}, true},
		{"an address in other letters", "from:joe@bücher.example", Subject{From: "joe@bücher.example", FromDomain: "xn--bcher-kva.example"}, true},
		{"two @ in the sender", "from:example.com", Subject{From: `"a@b"@example.com`}, true},
		{"the null sender", "from:<>", Subject{From: "<>"}, true},
		{"no sender yet", "from:<>", Subject{}, false},
		{"a sender is not null", "from:<>", at("example.com"), false},
		{"a sender without a domain", "from:example.com", Subject{From: "joe"}, false},
		{"the recipient", "rcpt:info@example.com", Subject{Rcpt: "INFO@example.com"}, true},
		{"the recipient's domain", "rcpt:example.com", Subject{Rcpt: "x@example.com"}, true},
		{"a recipient is no sender", "from:example.com", Subject{Rcpt: "x@example.com"}, false},
		{"the account", "account:joe", Subject{Account: "Joe"}, true},
		{"the account's domain", "account:@example.com", Subject{Account: "joe@example.com"}, true},
		{"not below the account's domain", "account:@example.com", Subject{Account: "joe@a.example.com"}, false},
		{"another account", "account:joe", Subject{Account: "joe2"}, false},
		{"the country", "country:de", Subject{Country: "DE"}, true},
		{"another country", "country:DE", Subject{Country: "DK"}, false},
		{"a country is no account", "country:DE", Subject{Account: "de", Helo: "de", Rcpt: "de@de"}, false},
		{"an unknown country", "country:DE", Subject{Client: addr("192.0.2.7")}, false},
		{"the network", "asn:64500", Subject{ASN: 64500}, true},
		{"the network as registries write it", "asn:AS64500", Subject{ASN: 64500}, true},
		{"a network of 32 bits", "asn:4294967294", Subject{ASN: 4294967294}, true},
		{"another network", "asn:64500", Subject{ASN: 6450}, false},
		{"an unknown network", "asn:64500", Subject{Client: addr("192.0.2.7"), Account: "64500"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := load(t, Rule{Match: []string{test.match}})
			if got := len(s.Match(&test.sub, noon, nil)) == 1; got != test.want {
				t.Errorf("%s matches %+v: %v", test.match, test.sub, got)
			}
			// The same value in a file says the same.
			s = load(t, Rule{Match: []string{"file:" + listFile(t, "# a list", test.match)}})
			if got := len(s.Match(&test.sub, noon, nil)) == 1; got != test.want {
				t.Errorf("%s in a file matches %+v: %v", test.match, test.sub, got)
			}
		})
	}
}

func TestUntypedDomainsAreSendersAndServers(t *testing.T) {
	s := load(t, Rule{Match: []string{"file:" + listFile(t, "spammer.example")}})
	for _, test := range []struct {
		name string
		sub  Subject
		want Field
		hits int
	}{
		{"its mail", Subject{From: "x@news.spammer.example"}, From, 1},
		{"its servers", Subject{PTR: []string{"mx.spammer.example"}}, PTR, 1},
		{"both, once", Subject{PTR: []string{"mx.spammer.example"}, From: "x@spammer.example"}, PTR, 1},
		{"not HELO, which is only said", Subject{Helo: "spammer.example"}, 0, 0},
		{"not mail to it", Subject{Rcpt: "x@spammer.example"}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			hits := s.Match(&test.sub, noon, nil)
			if len(hits) != test.hits || test.hits > 0 && hits[0].Field != test.want {
				t.Errorf("%+v", hits)
			}
		})
	}
}

func TestDenyBeforeAllowBeforePoints(t *testing.T) {
	s := load(t,
		Rule{Match: []string{"client:192.0.2.7"}, Action: Points, Points: 2, Reason: "second"},
		Rule{Match: []string{"helo:x.example", "client:192.0.2.0/24"}, Action: Allow, Owner: "jo"},
		Rule{Match: []string{"client:192.0.2.7"}, Action: Points, Points: -1},
		Rule{Match: []string{"client:0.0.0.0/0", "client:192.0.2.7"}, Action: Deny, Points: 9},
		Rule{Match: []string{"client:198.51.100.1"}, Action: Deny},
	)
	got := s.Match(&Subject{Client: addr("192.0.2.7"), Helo: "x.example"}, noon, []Hit{{Where: "before"}})
	want := []Hit{
		{Where: "before"},
		{Action: Deny, Field: Client, Rule: 3, Match: "client:0.0.0.0/0", Where: "m.toml:4"},
		{Action: Allow, Field: Client, Rule: 1, Match: "client:192.0.2.0/24", Owner: "jo", Where: "m.toml:2"},
		{Action: Points, Points: 2, Field: Client, Rule: 0, Match: "client:192.0.2.7", Reason: "second", Where: "m.toml:1"},
		{Action: Points, Points: -1, Field: Client, Rule: 2, Match: "client:192.0.2.7", Where: "m.toml:3"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheSmallestNetworkSpeaks(t *testing.T) {
	file := listFile(t, "192.0.0.0/16 # all", "192.0.2.0/24 # some", "192.0.2.7 # one", "192.0.2.0/24 # twice",
		"198.51.100.0/24 expires=2030-01-01", "198.51.100.7 # dies first expires=2029-01-01", "2001:db8::/32 # v6")
	s := load(t, Rule{Match: []string{"file:" + file}, Owner: "jo", Reason: "ticket 4711"})
	for client, want := range map[string]string{
		"192.0.2.7":    "client in FILE:3 (one): ticket 4711 [jo, m.toml:1]",
		"192.0.2.8":    "client in FILE:2 (some): ticket 4711 [jo, m.toml:1]",
		"192.0.3.1":    "client in FILE:1 (all): ticket 4711 [jo, m.toml:1]",
		"198.51.100.7": "client in FILE:5: ticket 4711 [jo, m.toml:1]",
		"2001:db8::1":  "client in FILE:7 (v6): ticket 4711 [jo, m.toml:1]",
	} {
		hits := s.Match(&Subject{Client: addr(client)}, noon, nil)
		if len(hits) != 1 {
			t.Errorf("%s: %d hits", client, len(hits))
			continue
		}
		if got := strings.ReplaceAll(hits[0].Detail(), file, "FILE"); got != want {
			t.Errorf("%s: %s, want %s", client, got, want)
		}
	}
}

func TestDetailOfARule(t *testing.T) {
	for want, h := range map[string]Hit{
		"client:192.0.2.7":                            {Match: "client:192.0.2.7"},
		"client:192.0.2.7: open proxy [m.toml:3]":     {Match: "client:192.0.2.7", Reason: "open proxy", Where: "m.toml:3"},
		"client:192.0.2.7: open proxy [jo, m.toml:3]": {Match: "client:192.0.2.7", Reason: "open proxy", Where: "m.toml:3", Owner: "jo"},
		"client:192.0.2.7 [jo]":                       {Match: "client:192.0.2.7", Owner: "jo"},
	} {
		if got := h.Detail(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	date := time.Date(2026, 5, 17, 0, 0, 0, 0, time.FixedZone("", 5*3600))
	end := time.Date(2026, 5, 18, 0, 0, 0, 0, time.UTC)
	file := listFile(t, "192.0.2.7 expires=2026-05-17", "gone.example expires=2026-05-17", "gone.example expires=2026-05-16",
		"10.0.0.0/8 expires=2026-05-17", "10.1.0.0/16", "both.example expires=2026-05-17", "*.both.example")
	rules := []Rule{{Match: []string{"client:192.0.2.7"}, Expires: date}, {Match: []string{"file:" + file}}}
	for _, test := range []struct {
		name        string
		sub         Subject
		last, after int // hits in the last second of the day, and behind it
	}{
		{"rule and line", Subject{Client: addr("192.0.2.7")}, 2, 0},
		{"a name, its later date", Subject{From: "x@gone.example"}, 1, 0},
		{"the outer network", Subject{Client: addr("10.9.9.9")}, 1, 0},
		{"the inner network stays", Subject{Client: addr("10.1.9.9")}, 1, 1},
		{"the wider domain stays", Subject{From: "x@a.both.example"}, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := load(t, rules...)
			if got := len(s.Match(&test.sub, end.Add(-time.Second), nil)); got != test.last {
				t.Errorf("on the last day: %d hits", got)
			}
			if got := len(s.Match(&test.sub, end, nil)); got != test.after {
				t.Errorf("the day after: %d hits", got)
			}
		})
	}
}

func TestRuleProblems(t *testing.T) {
	for _, test := range []struct {
		name string
		rule Rule
		want string
	}{
		{"no matcher", Rule{}, `m.toml:7: the rule matches nothing; write match = ["client:192.0.2.0/24"]`},
		{"no type", Rule{Match: []string{"192.0.2.7"}}, `m.toml:7: match: "192.0.2.7" has no type; write one of ` + types + " file: before it"},
		{"an unknown type", Rule{Match: []string{"hello:x"}}, `m.toml:7: match: unknown type "hello"; write one of ` + types},
		{"a bad value", Rule{Match: []string{"client:1.2"}}, `m.toml:7: match: "1.2" is no address or network; write 1.2.0.0/16`},
		{"two in one text", Rule{Match: []string{"client:192.0.2.7 client:192.0.2.8"}}, `m.toml:7: match: "client:192.0.2.7 client:192.0.2.8" holds a space; write each matcher in quotes of its own`},
		{"an unknown action", Rule{Match: []string{"helo:x"}, Action: 7}, `m.toml:7: unknown action; write "deny", "allow" or "points"`},
		{"a relative path", Rule{Match: []string{"file:deny.txt"}}, `m.toml:7: match: "deny.txt" is a relative path: it would depend on where the daemon is started; ` + writeFile},
		{"a relative path with a format", Rule{Match: []string{"file:ip4set:deny.txt"}}, `m.toml:7: match: "ip4set:deny.txt" is a relative path: it would depend on where the daemon is started; ` + writeFile},
		{"an unknown format", Rule{Match: []string{"file:ip4tset:/x"}}, `m.toml:7: match: file format "ip4tset" is not known; ` + writeFile},
		{"no file", Rule{Match: []string{"file:"}}, "m.toml:7: match: no file is named; " + writeFile},
		{"a format without a file", Rule{Match: []string{"file:dnset:"}}, "m.toml:7: match: no file is named; " + writeFile},
		{"a missing file", Rule{Match: []string{"file:/no/such"}}, "/no/such: no such file; make it, empty if there is nothing to say yet, or take it out of the rule"},
		{"everybody", Rule{Match: []string{"client:0.0.0.0/0"}}, `m.toml:7: warning: match: "client:0.0.0.0/0" is a very large network; see that the prefix length is meant`},
		{"expired", Rule{Match: []string{"helo:x"}, Expires: noon.AddDate(0, 0, -1)}, "m.toml:7: warning: the rule has expired on 2026-05-16; take it out, or give it a new date"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.rule.Where = "m.toml:7"
			s, problems := Load([]Rule{test.rule}, noon, nil)
			if len(problems) != 1 || problems[0].String() != test.want {
				t.Errorf("got  %v\nwant %s", problems, test.want)
			}
			if (s == nil) == (len(problems) > 0 && problems[0].Warning) {
				t.Errorf("a Set: %v", s != nil)
			}
		})
	}
}

const writeFile = "write file:/path, or file:ip4set:/path, file:ip4trie:/path, file:dnset:/path for a file of rbldnsd"

func TestAllMistakesAtOnce(t *testing.T) {
	_, problems := Load([]Rule{
		{Match: []string{"hello:x", "client:y"}, Where: "a.toml:1"},
		{Match: []string{"file:/no/such", "file:/no/other"}, Where: "a.toml:2"},
	}, noon, nil)
	if len(problems) != 4 {
		t.Error(problems)
	}
}

func TestFileRemarks(t *testing.T) {
	for _, test := range []struct {
		name   string
		action Action
		lines  []string
		want   string
	}{
		{"senders without a type that are let in", Allow, []string{"192.0.2.7", "good.example", "joe@example.net"},
			"FILE:2: warning: without a type this lets in whoever writes that sender, which anybody can, and 1 more; write from: before it if that is meant; client: and ptr: cannot be forged"},
		{"senders with a type are meant", Allow, []string{"from:good.example"}, ""},
		{"senders that are kept out", Deny, []string{"good.example"}, ""},
		{"expired lines", Deny, []string{"192.0.2.7", "a.example expires=2026-05-16", "b.example expires=2020-01-01"},
			"FILE:2: warning: an entry that has expired, and 1 more; take it out, or give it a new date"},
		{"large networks", Deny, []string{"192.0.2.7", "0.0.0.0/1", "::/1"},
			"FILE:2: warning: a very large network, and 1 more; see that the prefix length is meant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := listFile(t, test.lines...)
			s, problems := Load([]Rule{{Match: []string{"file:" + file}, Action: test.action}}, noon, nil)
			got := ""
			if len(problems) > 0 {
				got = strings.ReplaceAll(problems[0].String(), file, "FILE")
			}
			if s == nil || len(problems) > 1 || got != test.want {
				t.Errorf("got  %v\nwant %s", problems, test.want)
			}
		})
	}
}

func TestAsks(t *testing.T) {
	s := load(t,
		Rule{Match: []string{"ptr:a.example"}, Action: Allow},
		Rule{Match: []string{"file:" + listFile(t, "spam.example", "country:XX")}, Action: Deny})
	if !s.Wants(PTR) || s.Wants(ASN) || s.Wants(99) || new(Set).Wants(PTR) {
		t.Error("Wants")
	}
	for _, test := range []struct {
		action Action
		field  Field
		want   bool
	}{
		{Allow, PTR, true}, {Allow, From, false}, {Deny, PTR, true}, {Deny, From, true}, {Deny, Country, true},
		{Deny, Client, false}, {Points, PTR, false}, {9, PTR, false}, {Deny, 99, false},
	} {
		if got := s.Asks(test.action, test.field); got != test.want {
			t.Errorf("%v %v: %v", test.action, test.field, got)
		}
	}
}

func TestFirstInFile(t *testing.T) {
	without, with := listFile(t, "192.0.2.0/24"), listFile(t, "192.0.2.0/24", "spam.example", "country:XX", "country:YY")
	s := load(t, Rule{Match: []string{"file:" + without, "country:DE", "file:" + with}, Action: Deny})
	if file, line, ok := s.FirstInFile(Country); !ok || file != with || line != 3 {
		t.Errorf("%s:%d, %v", file, line, ok)
	}
	if _, _, ok := s.FirstInFile(ASN); ok {
		t.Error("asn: is found")
	}
	if _, _, ok := new(Set).FirstInFile(Country); ok {
		t.Error("found in the zero Set")
	}
}

func TestDetailShowsWhatMatched(t *testing.T) {
	file := listFile(t, "country:DE # why", "asn:64501")
	s := load(t, Rule{Match: []string{"country:AT", "asn:64500"}, Action: Deny, Reason: "ticket 4711"}, Rule{Match: []string{"file:" + file}, Action: Deny})
	for _, test := range []struct {
		sub  Subject
		want string
	}{
		{Subject{Country: "AT"}, "country:AT: ticket 4711 [m.toml:1]"},
		{Subject{ASN: 64500}, "asn:64500: ticket 4711 [m.toml:1]"},
		{Subject{ASN: 64500, Network: "EXAMPLE-NET"}, "asn:64500 (EXAMPLE-NET): ticket 4711 [m.toml:1]"},
		{Subject{Country: "DE"}, "country DE in " + file + ":1 (why) [m.toml:2]"},
		{Subject{ASN: 64501, Network: "EXAMPLE-NET"}, "asn 64501 (EXAMPLE-NET) in " + file + ":2 [m.toml:2]"},
	} {
		hits := s.Match(&test.sub, noon, nil)
		if len(hits) != 1 || hits[0].Detail() != test.want {
			t.Errorf("%+v: %v, want %q", test.sub, hits, test.want)
		}
	}
}

func TestTheZeroSetHoldsNothing(t *testing.T) {
	var s Set
	changes, problems := s.Refresh(noon)
	if len(s.Match(&Subject{Client: addr("192.0.2.7")}, noon, nil))+len(s.Usage(noon))+len(changes)+len(problems) != 0 || s.Asks(Deny, Client) {
		t.Error("the zero Set says something")
	}
	if empty := load(t); string(empty.Digest()) != string(s.Digest()) {
		t.Error("no files give different digests")
	}
}

func TestNoGarbage(t *testing.T) {
	file := listFile(t, "192.0.2.0/24 # why", "spam.example", "joe@example.net", "country:XX", "asn:64501")
	s := load(t, Rule{Match: []string{"file:" + file}}, Rule{Match: []string{"helo:x.example", "client:2001:db8::/32"}})
	nothing := Subject{Client: addr("203.0.113.7"), PTR: []string{"MX.example.org"}, Helo: "mx.example.org",
		From: "jane@example.org", FromDomain: "example.org", Rcpt: "x@example.com", Account: "a@b.example", Country: "DE", ASN: 64500, Network: "EXAMPLE-NET"}
	something := Subject{Client: addr("192.0.2.7"), Helo: "x.example"}
	var buf [4]Hit
	if n := testing.AllocsPerRun(100, func() { s.Match(&nothing, noon, buf[:0]) }); n != 0 {
		t.Errorf("%v allocations where nothing matches", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.Match(&something, noon, buf[:0]) }); n != 0 {
		t.Errorf("%v allocations where two rules match", n)
	}
}
