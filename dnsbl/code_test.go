package dnsbl

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// addrsOf reads addresses with spaces between.
func addrsOf(t testing.TB, s string) []netip.Addr {
	t.Helper()
	var addrs []netip.Addr
	for _, f := range strings.Fields(s) {
		a, err := netip.ParseAddr(f)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, a)
	}
	return addrs
}

func TestWhatAnswersMean(t *testing.T) {
	for _, c := range []struct {
		name, list, answers string
		state               State
		reason              string
		points              float64
	}{
		{"an exact code", "spamhaus-zen", "127.0.0.4", Hit, "", 10},
		{"several codes count, up to 2 over the heaviest", "spamhaus-zen", "127.0.0.2 127.0.0.4 127.0.0.9", Hit, "", 12},
		{"a light code beside a heavy one adds itself", "blocklist-de", "127.0.0.9 127.0.0.7", Hit, "", 4},
		{"no addresses say nothing", "spamhaus-zen", "", Clear, "", 0},
		{"a code not declared weighs nothing", "spamhaus-zen", "127.0.0.99", Clear, "", 0},
		{"and takes nothing from a declared one", "spamhaus-zen", "127.0.0.99 127.0.0.3", Hit, "", 6},
		{"a refusal is no listing", "spamhaus-zen", "127.255.255.254", Unknown, Refusal, 0},
		{"an undeclared one of the refusal's range is a refusal", "spamhaus-zen", "127.255.255.7", Unknown, Refusal, 0},
		{"a refusal beats a listing", "spamhaus-zen", "127.0.0.2 127.255.255.255", Unknown, Refusal, 0},
		{"an address asked of a domain list", "spamhaus-dbl", "127.0.1.255", Unknown, Refusal, 0},
		{"informational codes weigh nothing", "spamhaus-dbl", "127.0.1.104", Hit, "", 0},
		{"another list's refusal is not declared here", "spamcop", "127.255.255.254", Clear, "", 0},
		{"outside 127/8 is no list's answer", "spamhaus-zen", "10.0.0.1", Unknown, Outside, 0},
		{"outside beats a listing", "spamhaus-zen", "127.0.0.2 203.0.113.9", Unknown, Outside, 0},
		{"outside beats a refusal", "spamhaus-zen", "127.255.255.254 203.0.113.9", Unknown, Outside, 0},
		{"IPv6 is outside", "spamhaus-zen", "::1", Unknown, Outside, 0},
		{"a mapped address is IPv4", "spamhaus-zen", "::ffff:127.0.0.2", Hit, "", 10},
		{"a range", "spamhaus-zrd-dqs", "127.0.2.2", Hit, "", 3},
		{"its end", "spamhaus-zrd-dqs", "127.0.2.24", Hit, "", 3},
		{"past its end", "spamhaus-zrd-dqs", "127.0.2.25", Clear, "", 0},
		{"anything but the one code is an error", "spamrats-dyna", "127.0.0.2", Unknown, Refusal, 0},
		{"the one code", "spamrats-dyna", "127.0.0.36", Hit, "", 7},
		{"a prefix", "0spam-bl", "127.0.0.77", Hit, "", 3},
		{"an exact code beats the prefix around it", "suomispam", "127.0.0.99", Hit, "", 0},
		{"the prefix", "suomispam", "127.0.0.98", Hit, "", 1},
		{"a bit", "uribl", "127.0.0.2", Hit, "", 5},
		{"two bits of one answer both count", "uribl", "127.0.0.10", Hit, "", 6},
		{"three bits are capped", "surbl", "127.0.0.88", Hit, "", 8},
		{"the refusal's bit beats the others", "uribl", "127.0.0.3", Unknown, Refusal, 0},
		{"a bit of another network is not declared", "uribl", "127.0.1.2", Clear, "", 0},
		{"bits not declared", "uribl", "127.0.0.16", Clear, "", 0},
		{"trust by pattern", "dnswl", "127.0.5.2", Hit, "", -5},
		{"category 10 gives no trust and is suspect", "dnswl", "127.0.10.3", Unknown, Suspect, 0},
		{"suspect beats trust", "dnswl", "127.0.5.3 127.0.10.3", Unknown, Suspect, 0},
		{"over the limit", "dnswl", "127.0.0.255", Unknown, Refusal, 0},
		{"a refusal beats suspect", "dnswl", "127.0.10.3 127.0.0.255", Unknown, Refusal, 0},
		{"allow codes are capped too", "dnswl", "127.0.5.3 127.0.4.3 127.0.3.3", Hit, "", -12},
		{"black and white", "hostkarma", "127.0.0.1 127.0.0.2", Hit, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := find(t, c.list)[0]
			state, reason, matches := l.read(nil, addrsOf(t, c.answers))
			a := Answer{List: &l, State: state, Matches: matches}
			if state != c.state || reason != c.reason || a.Points() != c.points {
				t.Errorf("%s answered %q: %s, %q, %g points; want state %d, %q, %g", c.list, c.answers, said(a), reason, a.Points(), c.state, c.reason, c.points)
			}
		})
	}
}

func TestTheNarrowerCodeWins(t *testing.T) {
	code := func(answer, match string, points float64) Code {
		c, err := NewCode(answer, match, answer, Listed, points)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	l := List{ID: "t", Codes: []Code{
		code("127.0.0.0/8", "other", 1), code("127.0.0.1", "bitmask:128", 2), code("127.0.*.*", "", 3), code("127.0.*.9", "", 4),
		code("127.0.0.0/16", "", 5), code("127.0.0.0-127.0.0.255", "", 6), code("127.0.0.9", "", 7), code("127.1.*.9", "", 8), code("127.1.1.*", "", 9),
	}}
	l.compile()
	for answer, want := range map[string]float64{
		"127.0.0.9": 7, "127.0.0.8": 6, "127.0.3.9": 5, "127.1.3.9": 8, "127.1.1.9": 9, "127.1.3.8": 1, "127.0.0.129": 6, "127.200.0.129": 1,
	} {
		if got := Weigh(l.match(nil, number(netip.MustParseAddr(answer)))); got != want {
			t.Errorf("%s weighs %g, want %g", answer, got, want)
		}
	}
}

func TestARefusalStandsAlone(t *testing.T) {
	l := find(t, "uribl")[0]
	if got := l.match(nil, number(netip.MustParseAddr("127.0.0.3"))); len(got) != 1 || got[0].Code.Kind != Error {
		t.Errorf("a refusal's bit beside another means %v", got)
	}
}

func TestCodesThatAreNone(t *testing.T) {
	for _, c := range []struct {
		answer, match string
		kind          Kind
		points        float64
		want          string
	}{
		{"127.0.0.x", "", Listed, 1, "no address"},
		{"10.0.0.1", "", Listed, 1, "no address within 127.0.0.0/8"},
		{"::1", "", Listed, 1, "no address within 127.0.0.0/8"},
		{"", "", Listed, 1, "no address"},
		{"127.0.0.9-127.0.0.2", "", Listed, 1, "is after"},
		{"127.0.0.1-", "", Listed, 1, "no address"},
		{"127.0.0.1/24", "", Listed, 1, "no prefix within"},
		{"126.0.0.0/7", "", Listed, 1, "no prefix within"},
		{"0.0.0.0/0", "", Listed, 1, "no prefix within"},
		{"10.0.0.0/8", "", Listed, 1, "no prefix within"},
		{"::/0", "", Listed, 1, "no prefix within"},
		{"127.0.0.0/33", "", Listed, 1, "no prefix"},
		{"*.0.0.1", "", Listed, 1, "no pattern within"},
		{"127.0.*", "", Listed, 1, "no pattern within"},
		{"127.0.*.300", "", Listed, 1, "neither an octet"},
		{"127.0.0.1", "bitmask:3", Listed, 1, "no bit"},
		{"127.0.0.1", "bitmask:0", Listed, 1, "no bit"},
		{"127.0.0.1", "bitmask:256", Listed, 1, "no bit"},
		{"127.0.0.1", "sometimes", Listed, 1, "no way to match"},
		{"127.0.0.2", "", Listed, -1, `use kind = "allow"`},
		{"127.0.0.2", "", Allow, 1, "points below 0"},
		{"127.0.0.2", "", Info, 1, "leave its points out"},
		{"127.0.0.2", "", Error, -1, "leave its points out"},
		{"127.0.0.2", "", Listed, math.NaN(), "no number"},
		{"127.0.0.2", "", Listed, math.Inf(1), "no number"},
	} {
		if got, err := NewCode(c.answer, c.match, "", c.kind, c.points); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q %s %g: %v, %v; want an error with %q", c.answer, c.match, c.kind, c.points, got, err, c.want)
		}
	}
}

func TestKindsAreNamed(t *testing.T) {
	for k := range kinds {
		if got, err := ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%s reads as %s, %v", k, got, err)
		}
	}
	if got, err := ParseKind(""); got != Listed || err != nil {
		t.Errorf("no kind reads as %s, %v", got, err)
	}
	if _, err := ParseKind("sometimes"); err == nil {
		t.Error("sometimes is a kind")
	}
	if kinds.String() != "none" {
		t.Errorf("what is no kind is named %s", kinds)
	}
}

func TestLift(t *testing.T) {
	for id, want := range map[string]float64{"dnswl": -12, "spamhaus-zen": 0, "hostkarma": -4, "whitelisted": -3} {
		l := find(t, id)[0]
		if got := l.Lift(); got != want {
			t.Errorf("%s can lift %g, want %g", id, got, want)
		}
	}
}

// FuzzCodes reads any answer by any list, and by one with any code. It holds the
// law that nothing but a declared listing weighs, and that no answer breaks a bound.
func FuzzCodes(f *testing.F) {
	f.Add("127.0.0.2", "", uint8(0), 3.0, []byte{127, 0, 0, 2})
	f.Add("127.0.*.3", "", uint8(1), -3.0, []byte{127, 0, 10, 3, 127, 0, 0, 255})
	f.Add("127.0.0.2-127.0.0.9", "", uint8(2), 0.0, []byte{127, 0, 0, 2, 10, 0, 0, 1})
	f.Add("127.0.0.0/8", "other", uint8(3), 0.0, []byte{127, 255, 255, 254})
	f.Add("127.0.0.4", "bitmask:4", uint8(0), 1e300, []byte{127, 0, 0, 5, 127, 0, 0, 7, 127, 0, 0, 0xfe})
	lists := Catalogue()
	f.Fuzz(func(t *testing.T, answer, match string, kind uint8, points float64, octets []byte) {
		var addrs []netip.Addr
		for ; len(octets) >= 4; octets = octets[4:] {
			addrs = append(addrs, netip.AddrFrom4([4]byte(octets)))
		}
		for i := range lists {
			holdLaws(t, &lists[i], addrs)
		}
		c, err := NewCode(answer, match, "m", Kind(kind%uint8(kinds)), points)
		if err != nil {
			return
		}
		l := List{ID: "fuzzed", Codes: []Code{c}}
		l.compile()
		holdLaws(t, &l, addrs)
		again, err := NewCode(c.Answer, c.Match, "m", c.Kind, c.Points)
		if err != nil || again.reach != c.reach {
			t.Errorf("%+v reads again as %+v, %v", c, again, err)
		}
	})
}

func holdLaws(t *testing.T, l *List, addrs []netip.Addr) {
	t.Helper()
	state, reason, matches := l.read(nil, addrs)
	a := Answer{List: l, State: state, Matches: matches}
	points := a.Points()
	heaviest, lightest, sick, declared := 0.0, 0.0, false, false
	for _, m := range matches {
		if !slices.Contains(addrs, m.Addr) {
			t.Fatalf("%s: %s was not answered: %v", l.ID, m.Addr, addrs)
		}
		switch {
		case !m.Addr.IsLoopback():
			sick = true
			if m.Code != nil {
				t.Fatalf("%s: %s has a meaning", l.ID, m.Addr)
			}
		case m.Code == nil:
		default:
			if !m.Code.reach.covers(number(m.Addr)) {
				t.Fatalf("%s: %s means %s", l.ID, m.Addr, m.Code.Answer)
			}
			declared = true
			sick = sick || m.Code.Kind == Error || m.Code.Suspect
			if m.Code.Kind == Listed {
				heaviest = max(heaviest, m.Code.Points)
			}
			if m.Code.Kind == Allow {
				lightest = min(lightest, m.Code.Points)
			}
		}
	}
	want := Clear
	switch {
	case sick:
		want = Unknown
	case declared:
		want = Hit
	}
	if state != want || (state == Unknown) != (reason != "") {
		t.Fatalf("%s: %v is state %d, %q; want state %d", l.ID, addrs, state, reason, want)
	}
	if points > 0 && heaviest == 0 {
		t.Fatalf("%s: %v weighs %g without a declared listing", l.ID, addrs, points)
	}
	if points > heaviest+2 || points < lightest-2 || math.IsNaN(points) {
		t.Fatalf("%s: %v weighs %g, out of its bounds", l.ID, addrs, points)
	}
	if len(matches) < len(addrs) {
		t.Fatalf("%s: %v gave %d matches: one is lost", l.ID, addrs, len(matches))
	}
}
