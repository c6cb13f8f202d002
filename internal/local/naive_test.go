package local

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A naive matcher says in a few words what the tables say fast.
func naive(value string, sub *Subject) bool {
	kind, v, _ := strings.Cut(value, ":")
	mailDomain := func(address string) string { return address[strings.LastIndex(address, "@")+1:] }
	inDomain := func(name string) bool {
		if rest, ok := strings.CutPrefix(v, "*."); ok {
			return strings.HasSuffix(name, "."+rest)
		}
		return name != "" && (name == v || strings.HasSuffix(name, "."+v))
	}
	mail := func(address string) bool {
		switch {
		case address == "" || address == "<>" || v == "<>":
			return address == v
		case strings.HasPrefix(v, "@"):
			return mailDomain(address) == v[1:]
		case strings.Contains(v, "@"):
			return address == v
		}
		return inDomain(mailDomain(address))
	}
	switch kind {
	case "client":
		p, err := netip.ParsePrefix(v)
		return err == nil && p.Contains(sub.Client)
	case "ptr":
		return slices.ContainsFunc(sub.PTR, inDomain)
	case "helo":
		return inDomain(sub.Helo)
	case "from":
		return mail(sub.From)
	case "rcpt":
		return mail(sub.Rcpt)
	case "account":
		return sub.Account != "" && (sub.Account == v || strings.HasPrefix(v, "@") && strings.HasSuffix(sub.Account, v))
	case "country":
		return v == sub.Country
	case "asn":
		return sub.ASN != 0 && v == strconv.Itoa(int(sub.ASN))
	}
	panic(value)
}

// A crowd makes entries and subjects of a small world, in which they meet often.
type crowd struct{ *rand.Rand }

func (c crowd) domain() string {
	labels := []string{"example"}
	for range c.IntN(4) {
		labels = append([]string{string(rune('a' + c.IntN(3)))}, labels...)
	}
	return strings.Join(labels, ".")
}

func (c crowd) addr() netip.Addr {
	if c.IntN(3) == 0 {
		return netip.AddrFrom16([16]byte{0x20, 1, 13, 0xb8, 7: byte(c.IntN(2)), 8: byte(c.IntN(2)), 15: byte(c.IntN(8))})
	}
	return netip.AddrFrom4([4]byte{10, byte(c.IntN(2)), byte(c.IntN(4)), byte(c.IntN(16))})
}

func (c crowd) mail() string {
	if c.IntN(8) == 0 {
		return "<>"
	}
	return string(rune('a'+c.IntN(2))) + "@" + c.domain()
}

func (c crowd) value() string {
	pattern := func() string {
		switch c.IntN(4) {
		case 0:
			return "*." + c.domain()
		case 1:
			return c.domain()
		case 2:
			return "@" + c.domain()
		}
		return c.mail()
	}
	switch f := Field(c.IntN(fields + 3)); f {
	case PTR, Helo:
		return f.String() + ":" + strings.Repeat("*.", c.IntN(2)) + c.domain()
	case From:
		return "from:" + pattern()
	case Rcpt:
		return "rcpt:" + strings.Replace(pattern(), "<>", "a@example", 1)
	case Account:
		return "account:" + strings.Repeat("x", c.IntN(2)) + "@" + c.domain()
	case Country:
		return "country:" + []string{"de", "dk"}[c.IntN(2)]
	case ASN:
		return "asn:" + []string{"64500", "64501"}[c.IntN(2)]
	}
	a := c.addr()
	p, err := a.Prefix(a.BitLen() - []int{0, 0, 1, 4, 8, 10, 16}[c.IntN(7)])
	if err != nil {
		panic(err)
	}
	return "client:" + p.String()
}

func (c crowd) subject() Subject {
	var s Subject
	if c.IntN(4) > 0 {
		s.Client = c.addr()
	}
	for range c.IntN(3) {
		s.PTR = append(s.PTR, c.domain())
	}
	if c.IntN(2) == 0 {
		s.Helo = c.domain()
	}
	if c.IntN(2) == 0 {
		s.From = c.mail()
	}
	if c.IntN(2) == 0 {
		s.Rcpt = strings.Replace(c.mail(), "<>", "a@example", 1)
	}
	if c.IntN(2) == 0 {
		s.Account = "x@" + c.domain()
	}
	s.Country = []string{"", "de", "dk"}[c.IntN(3)]
	s.ASN = []uint32{0, 64500, 64501}[c.IntN(3)]
	return s
}

// TestLikeTheNaiveMatcher makes rules and lists at random, and asks both.
func TestLikeTheNaiveMatcher(t *testing.T) {
	for seed := range uint64(60) {
		c := crowd{rand.New(rand.NewPCG(seed, 1))}
		var rules []Rule
		values := make([][]string, 4+c.IntN(8)) // of each rule, with what they expire on
		for i := range values {
			r := Rule{Action: Action(c.IntN(3))}
			var lines []string
			for range 1 + c.IntN(12) {
				v := c.value()
				values[i] = append(values[i], v)
				if i%2 == 0 {
					r.Match = append(r.Match, v)
					continue
				}
				if c.IntN(3) == 0 {
					v = fmt.Sprintf("%s expires=2026-05-%d", v, 16+c.IntN(4))
					values[i][len(values[i])-1] = v
				}
				lines = append(lines, v)
			}
			if i%2 == 1 {
				r.Match = []string{"file:" + listFile(t, lines...)}
			}
			rules = append(rules, r)
		}
		s := load(t, rules...)
		for range 400 {
			sub, now := c.subject(), noon.AddDate(0, 0, c.IntN(5)-1)
			var want []int
			for action := range Points + 1 {
				for i := range rules {
					if rules[i].Action == action && slices.ContainsFunc(values[i], func(v string) bool { return naiveAt(v, &sub, now) }) {
						want = append(want, i)
					}
				}
			}
			var got []int
			for _, h := range s.Match(&sub, now, nil) {
				got = append(got, h.Rule)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %+v\nat %v: rules %v, want %v\n%q", seed, sub, now, got, want, values)
			}
		}
	}
}

func naiveAt(value string, sub *Subject, now time.Time) bool {
	value, date, dated := strings.Cut(value, " expires=")
	return naive(value, sub) && (!dated || now.Format(time.DateOnly) <= date)
}

// TestNetsLikeTheNaive holds the tables of addresses against a walk over all
// spans, in crowded and in wide places, with and without grids.
func TestNetsLikeTheNaive(t *testing.T) {
	for _, test := range []struct {
		name   string
		spans  int
		narrow addr4 // bits that first addresses have
		length addr4 // bits that ranges are long
	}{
		{"few, crowded", 20, 0xff, 0x3f},
		{"many, crowded", 600, 0xfff, 0xff},
		{"many, wide", 600, 0xffffffff, 0xffffff},
		{"heaps", 5000, 0xff0000ff, 0x3},
		{"at the end of all addresses", 300, 0x3ff, 0x7ff},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(test.spans)))
			high := addr4(0)
			if strings.Contains(test.name, "end") {
				high = ^test.narrow
			}
			spans := make([]span[addr4], test.spans)
			for i := range spans {
				first := high | addr4(r.Uint32())&test.narrow
				spans[i] = span[addr4]{first, max(first, first+addr4(r.Uint32())&test.length), uint32(i+1) | uint32(r.IntN(5)/4)<<31, uint32(r.IntN(4))}
			}
			given := slices.Clone(spans)
			n := newNets(spans)
			wide := make([]span[addr6], len(given)) // the same in IPv6, at the border of its halves
			for i, s := range given {
				wide[i] = span[addr6]{addr6{uint64(s.first) >> 16, uint64(s.first) << 48}, addr6{uint64(s.last) >> 16, uint64(s.last)<<48 | (1<<48 - 1)}, s.line, s.rank}
			}
			n6 := newNets6(wide)
			for i := range 20_000 {
				a := given[r.IntN(len(given))].first + addr4(r.IntN(9)-4)
				if i%3 == 0 {
					a = high | addr4(r.Uint32())&test.narrow
				}
				want := naiveNet(given, a)
				line, _ := n.find(a)
				line6, _ := n6.find(addr6{uint64(a) >> 16, uint64(a)<<48 | 7})
				if line != want || line6 != want {
					t.Fatalf("%x: line %d, IPv6 %d, want %d", uint32(a), line, line6, want)
				}
			}
		})
	}
}

func naiveNet(spans []span[addr4], a addr4) uint32 {
	var speaks *span[addr4]
	for i := range spans {
		if s := &spans[i]; s.first <= a && a <= s.last && (speaks == nil || s.before(speaks)) {
			speaks = s
		}
	}
	if speaks == nil || speaks.line&excluded != 0 {
		return 0
	}
	return speaks.line
}

func TestRanges(t *testing.T) {
	for _, test := range []struct{ prefix, first, last string }{
		{"0.0.0.0/0", "0.0.0.0", "255.255.255.255"},
		{"192.0.2.0/24", "192.0.2.0", "192.0.2.255"},
		{"192.0.2.7/32", "192.0.2.7", "192.0.2.7"},
		{"::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff"},
		{"2001:db8::/63", "2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff"},
		{"2001:db8::/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff"},
		{"2001:db8::1/128", "2001:db8::1", "2001:db8::1"},
	} {
		p := netip.MustParsePrefix(test.prefix)
		if p.Addr().Is4() {
			if first, last := range4(p); first != number4(addr(test.first)) || last != number4(addr(test.last)) {
				t.Errorf("%s: %x-%x", test.prefix, first, last)
			}
		} else if first, last := range6(p); first != number6(addr(test.first)) || last != number6(addr(test.last)) {
			t.Errorf("%s: %x-%x", test.prefix, first, last)
		}
	}
}
