package resolver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// message packs a reply to (name, qtype) with these records.
func message(t testing.TB, name string, qtype uint16, rcode int, answer, authority []string) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	m.Response, m.Rcode, m.Compress = true, rcode, true
	parse := func(lines []string) (rrs []dns.RR) {
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			rrs = append(rrs, rr)
		}
		return rrs
	}
	m.Answer, m.Ns = parse(answer), parse(authority)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseAnswer(t *testing.T) {
	const soa = "test. 900 IN SOA ns.test. h.test. 1 2 3 4 300"
	tests := []struct {
		rule              string
		qtype             uint16
		rcode             int
		answer, authority []string
		want              parsed
		fails             bool
	}{
		{rule: "records of the asked name only", qtype: dns.TypeA,
			answer: []string{"b.test. 60 IN A 192.0.2.2", "a.test. 70 IN A 192.0.2.1"},
			want:   parsed{data: data{outcome: Found, addrs: addrs("192.0.2.1")}, ttl: 70}},
		{rule: "records of the asked type only", qtype: dns.TypeA,
			answer: []string{"a.test. 60 IN TXT x", "a.test. 70 IN A 192.0.2.1", "a.test. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 test. AAAA"},
			want:   parsed{data: data{outcome: Found, addrs: addrs("192.0.2.1")}, ttl: 70}},
		{rule: "the same address twice is one", qtype: dns.TypeA,
			answer: []string{"a.test. 60 IN A 192.0.2.1", "a.test. 70 IN A 192.0.2.1"},
			want:   parsed{data: data{outcome: Found, addrs: addrs("192.0.2.1")}, ttl: 60}},
		{rule: "a chain in any order", qtype: dns.TypeA,
			answer: []string{"c.test. 80 IN A 192.0.2.1", "B.test. 70 IN CNAME c.test.", "A.test. 90 IN CNAME b.TEST."},
			want:   parsed{data: data{outcome: Found, addrs: addrs("192.0.2.1")}, ttl: 70, hops: 2}},
		{rule: "a record at the name goes before an alias", qtype: dns.TypeA,
			answer: []string{"a.test. 80 IN CNAME b.test.", "b.test. 80 IN A 192.0.2.2", "a.test. 80 IN A 192.0.2.1"},
			want:   parsed{data: data{outcome: Found, addrs: addrs("192.0.2.1")}, ttl: 80}},
		{rule: "a chain that leads out", qtype: dns.TypeA,
			answer: []string{"a.test. 80 IN CNAME b.test."},
			want:   parsed{alias: "b.test", ttl: 80, hops: 1}},
		{rule: "a chain to no data", qtype: dns.TypeA,
			answer: []string{"a.test. 80 IN CNAME b.test."}, authority: []string{soa},
			want: parsed{data: data{outcome: NoData}, ttl: 80, hops: 1}},
		{rule: "a chain to no name", qtype: dns.TypeA, rcode: dns.RcodeNameError,
			answer: []string{"a.test. 80 IN CNAME b.test."}, authority: []string{soa},
			want: parsed{data: data{outcome: NoName}, ttl: 80, hops: 1}},
		{rule: "a loop", qtype: dns.TypeA, fails: true,
			answer: []string{"a.test. 80 IN CNAME b.test.", "b.test. 80 IN CNAME a.test."}},
		{rule: "a CNAME to itself", qtype: dns.TypeA, fails: true,
			answer: []string{"a.test. 80 IN CNAME a.test."}},
		{rule: "a CNAME to the root", qtype: dns.TypeA, fails: true,
			answer: []string{"a.test. 80 IN CNAME ."}},
		{rule: "no name", qtype: dns.TypeA, rcode: dns.RcodeNameError, authority: []string{soa},
			want: parsed{data: data{outcome: NoName}, ttl: 300}},
		{rule: "no name, no SOA", qtype: dns.TypeA, rcode: dns.RcodeNameError,
			want: parsed{data: data{outcome: NoName}, ttl: 0}},
		{rule: "no data", qtype: dns.TypeA, authority: []string{soa},
			want: parsed{data: data{outcome: NoData}, ttl: 300}},
		{rule: "no data, no SOA", qtype: dns.TypeA,
			want: parsed{data: data{outcome: NoData}, ttl: 0}},
		{rule: "an SOA from elsewhere says nothing", qtype: dns.TypeA,
			authority: []string{"other. 900 IN SOA ns.test. h.test. 1 2 3 4 300", "est. 900 IN SOA ns.test. h.test. 1 2 3 4 300"},
			want:      parsed{data: data{outcome: NoData}, ttl: 0}},
		{rule: "a referral is no answer", qtype: dns.TypeA, fails: true,
			authority: []string{"test. 900 IN NS ns.test."}},
		{rule: "NXDOMAIN with records contradicts itself", qtype: dns.TypeA, rcode: dns.RcodeNameError, fails: true,
			answer: []string{"a.test. 60 IN A 192.0.2.1"}},
		{rule: "records of others alone are no answer", qtype: dns.TypeA, fails: true,
			answer: []string{"b.test. 60 IN A 192.0.2.1"}},
		{rule: "PTR names: lower case, once, without the root", qtype: dns.TypePTR,
			answer: []string{"a.test. 60 IN PTR B.test.", "a.test. 60 IN PTR b.TEST.", "a.test. 60 IN PTR ."},
			want:   parsed{data: data{outcome: Found, names: []string{"b.test"}}, ttl: 60}},
		{rule: "PTR to the root only is no name", qtype: dns.TypePTR,
			answer: []string{"a.test. 60 IN PTR ."},
			want:   parsed{data: data{outcome: NoData}, ttl: 0}},
		{rule: "MX of the same preference keep their order", qtype: dns.TypeMX,
			answer: []string{"a.test. 60 IN MX 20 z.test.", "a.test. 60 IN MX 10 y.test.", "a.test. 60 IN MX 10 x.test."},
			want:   parsed{data: data{outcome: Found, mx: []MX{{10, "y.test"}, {10, "x.test"}, {20, "z.test"}}}, ttl: 60}},
		{rule: "TXT: strings joined, octets as they are", qtype: dns.TypeTXT,
			answer: []string{`a.test. 60 IN TXT "a\000" "\255b"`, `a.test. 60 IN TXT ""`},
			want:   parsed{data: data{outcome: Found, texts: []string{"a\x00\xffb", ""}}, ttl: 60}},
		{rule: "a text that does not fit is left out whole", qtype: dns.TypeTXT,
			answer: []string{"a.test. 60 IN TXT small", "a.test. 60 IN TXT " + strings.Repeat(`"`+strings.Repeat("x", 250)+`" `, 70)},
			want:   parsed{data: data{outcome: Found, texts: []string{"small"}, partial: true}, ttl: 60}},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			msg := message(t, "a.test", tt.qtype, tt.rcode, tt.answer, tt.authority)
			q, err := newQuestion("a.test", tt.qtype)
			if err != nil || !q.answeredBy(msg, binary.BigEndian.Uint16(msg)) {
				t.Fatalf("not an answer: %v", err)
			}
			got, err := parseAnswer(msg, q.records(), "a.test", tt.qtype, 0)
			if (err != nil) != tt.fails {
				t.Fatalf("error %v, want one: %v", err, tt.fails)
			}
			if err != nil {
				return
			}
			sameData(t, tt.want.data, got.data)
			got.data, tt.want.data = data{}, data{}
			if got.ttl != tt.want.ttl || got.alias != tt.want.alias || got.hops != tt.want.hops {
				t.Errorf("got ttl %d, alias %q, hops %d; want %d, %q, %d", got.ttl, got.alias, got.hops, tt.want.ttl, tt.want.alias, tt.want.hops)
			}
		})
	}
}

func TestChainIsBoundedOverAnswers(t *testing.T) {
	msg := message(t, "a.test", dns.TypeA, 0, []string{"a.test. 80 IN CNAME b.test."}, nil)
	q, _ := newQuestion("a.test", dns.TypeA)
	if _, err := parseAnswer(msg, q.records(), "a.test", dns.TypeA, maxChain-1); err != nil {
		t.Errorf("the last hop: %v", err)
	}
	if _, err := parseAnswer(msg, q.records(), "a.test", dns.TypeA, maxChain); !errors.Is(err, errNonsense) {
		t.Errorf("one hop too many: %v", err)
	}
}

func TestBrokenMessages(t *testing.T) {
	whole := message(t, "a.test", dns.TypeMX, 0, []string{"a.test. 80 IN MX 10 mx.a.test.", "a.test. 80 IN MX 20 b.test."}, nil)
	q, _ := newQuestion("a.test", dns.TypeMX)
	for n := q.records(); n < len(whole); n++ {
		if _, err := parseAnswer(whole[:n], q.records(), "a.test", dns.TypeMX, 0); !errors.Is(err, errNonsense) {
			t.Errorf("cut to %d of %d octets: %v", n, len(whole), err)
		}
	}
	long := slices.Clone(whole)
	long[q.records()+11]++ // the record's length says one octet more
	if _, err := parseAnswer(long, q.records(), "a.test", dns.TypeMX, 0); !errors.Is(err, errNonsense) {
		t.Errorf("a name shorter than its record: %v", err)
	}
}

func TestEcho(t *testing.T) {
	q, _ := newQuestion("a.test", dns.TypeA)
	good := message(t, "A.tEst", dns.TypeA, 0, nil, nil)
	id := binary.BigEndian.Uint16(good)
	edit := func(i int, c byte) []byte {
		b := slices.Clone(good)
		b[i] = c
		return b
	}
	for _, tt := range []struct {
		rule string
		msg  []byte
		want bool
	}{
		{"another case of the name", good, true},
		{"another id", edit(1, good[1]+1), false},
		{"a query", edit(2, 0), false},
		{"another opcode", edit(2, 0x80|2<<3), false},
		{"no question", edit(5, 0), false},
		{"two questions", edit(5, 2), false},
		{"another name", edit(13, 'b'), false},
		{"another type", edit(len(good)-3, 28), false},
		{"another class", edit(len(good)-1, 3), false},
		{"cut in the question", good[:len(good)-1], false},
		{"cut in the header", good[:11], false},
		{"empty", nil, false},
	} {
		if got := q.answeredBy(tt.msg, id); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.rule, got, tt.want)
		}
	}
}

// FuzzAnswer takes any bytes behind a matching header and question. Whatever
// they are, the caps hold, names have their one form, and nothing is returned
// that an independent reading of the message does not find on the CNAME chain.
func FuzzAnswer(f *testing.F) {
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTXT, dns.TypePTR}
	q, err := newQuestion("a.test", dns.TypeA)
	if err != nil {
		f.Fatal(err)
	}
	add := func(i int, rcode int, answer, authority []string) {
		msg := message(f, "a.test", types[i], rcode, answer, authority)
		f.Add(uint8(i), msg[3]&15, msg[7], msg[9], msg[q.records():])
	}
	add(0, 0, []string{"a.test. 60 IN CNAME b.test.", "b.test. 60 IN A 192.0.2.1", "c.test. 60 IN A 192.0.2.2"}, nil)
	add(1, 0, []string{"a.test. 60 IN AAAA 2001:db8::1"}, nil)
	add(2, 0, []string{"a.test. 60 IN MX 0 .", `a.test. 60 IN MX 5 \000\..b.test.`}, nil)
	add(3, 0, []string{`a.test. 60 IN TXT "v=spf1" "\000"`}, nil)
	add(4, 0, []string{"a.test. 60 IN PTR B.test.", "a.test. 60 IN PTR ."}, nil)
	add(4, 3, nil, []string{"test. 900 IN SOA ns.test. h.test. 1 2 3 4 300"})
	add(0, 0, nil, []string{"test. 900 IN NS ns.test."})
	f.Fuzz(func(t *testing.T, which, rcode, answers, authority uint8, tail []byte) {
		qtype := types[int(which)%len(types)]
		q, _ := newQuestion("a.test", qtype)
		msg := append(q.packet(7, false), tail...)
		msg[2] |= 0x80
		msg[3], msg[7], msg[9] = rcode&15, answers, authority
		if !q.answeredBy(msg, 7) {
			t.Fatal("not an answer")
		}
		p, err := parseAnswer(msg, q.records(), "a.test", qtype, 0)
		if err != nil {
			return
		}
		checkCaps(t, p)
		var m dns.Msg
		if err := m.Unpack(msg); err == nil {
			checkOnChain(t, p, &m, qtype)
		}
		if p.alias == "" {
			again, ok := unpack(pack(key{qtype: qtype}.kind(), p.data, 1))
			if !ok {
				t.Fatalf("%+v does not unpack", p.data)
			}
			sameData(t, p.data, again)
		}
	})
}

func checkCaps(t *testing.T, p parsed) {
	t.Helper()
	total := 0
	for _, s := range p.texts {
		total += len(s)
	}
	if len(p.addrs) > maxAddrs || len(p.mx) > maxMX || len(p.names) > maxNames || len(p.texts) > maxTexts || total > maxTextBytes || p.hops > maxChain {
		t.Fatalf("over the caps: %+v", p)
	}
	names := slices.Clone(p.names)
	for _, mx := range p.mx {
		if mx.Host != "" {
			names = append(names, mx.Host)
		}
	}
	if p.alias != "" {
		names = append(names, p.alias)
	}
	for _, name := range names {
		if c, ok := canonical(name); !ok || c != name {
			t.Fatalf("name %q, canonical %q %v", name, c, ok)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("name %q is not printable", name)
		}
	}
	if (p.outcome == Found) != (len(p.addrs)+len(p.mx)+len(p.names)+len(p.texts) > 0) {
		t.Fatalf("outcome %v with %+v", p.outcome, p.data)
	}
}

// checkOnChain looks for every datum in the records that miekg/dns reads, of
// names that are reached from the asked one.
func checkOnChain(t *testing.T, p parsed, m *dns.Msg, qtype uint16) {
	t.Helper()
	reached := map[string]bool{"a.test.": true}
	for range m.Answer {
		for _, rr := range m.Answer {
			if c, ok := rr.(*dns.CNAME); ok && c.Hdr.Class == dns.ClassINET && reached[dns.CanonicalName(c.Hdr.Name)] {
				reached[dns.CanonicalName(c.Target)] = true
			}
		}
	}
	there := map[string]bool{}
	for _, rr := range m.Answer {
		if h := rr.Header(); h.Rrtype != qtype || h.Class != dns.ClassINET || !reached[dns.CanonicalName(h.Name)] {
			continue
		}
		switch rr := rr.(type) {
		case *dns.A:
			a, _ := netip.AddrFromSlice(rr.A.To4())
			there[a.String()] = true
		case *dns.AAAA:
			a, _ := netip.AddrFromSlice(rr.AAAA.To16())
			there[a.String()] = true
		case *dns.MX:
			there[fmt.Sprint(rr.Preference, " ", presented(rr.Mx))] = true
		case *dns.PTR:
			there[presented(rr.Ptr)] = true
		}
	}
	var got []string
	for _, a := range p.addrs {
		got = append(got, a.String())
	}
	for _, mx := range p.mx {
		got = append(got, fmt.Sprint(mx.Preference, " ", mx.Host))
	}
	got = append(got, p.names...)
	for _, s := range got {
		if !there[s] {
			t.Fatalf("%q is not on the chain of\n%v", s, m)
		}
	}
	if p.alias != "" && !reached[dns.Fqdn(p.alias)] {
		t.Fatalf("alias %q is not on the chain of\n%v", p.alias, m)
	}
}

// FuzzDatagram takes any bytes for what came in. Only what answers the question
// is read, and nothing panics.
func FuzzDatagram(f *testing.F) {
	q, err := newQuestion("a.test", dns.TypePTR)
	if err != nil {
		f.Fatal(err)
	}
	msg := message(f, "A.test", dns.TypePTR, 0, []string{"a.test. 60 IN PTR b.test."}, nil)
	msg[0], msg[1] = 0, 7
	f.Add(msg)
	f.Add(msg[:headerBytes])
	f.Fuzz(func(t *testing.T, msg []byte) {
		if !q.answeredBy(msg, 7) || rcode(msg) == dns.RcodeFormatError {
			return
		}
		p, err := parseAnswer(msg, q.records(), q.name, q.qtype, 0)
		if err == nil {
			checkCaps(t, p)
		}
	})
}

// FuzzName: names have one form.
func FuzzName(f *testing.F) {
	for _, s := range []string{"a.test", "A.Test.", `a\.b`, `\065.test`, "\x00.test", `\`, ".", "b\u00fccher"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := canonical(s)
		if !ok {
			return
		}
		if again, ok := canonical(c); !ok || again != c {
			t.Fatalf("%q -> %q -> %q %v", s, c, again, ok)
		}
		q, err := newQuestion(c, dns.TypeA)
		if err != nil {
			t.Fatalf("%q cannot be asked: %v", c, err)
		}
		if name, err := nameIn(q.wire, 0, len(q.wire)-4); err != nil || name != c {
			t.Fatalf("%q is asked as %q, %v", c, name, err)
		}
		if a, ok := reverseAddr(c); ok && reverseName(a) != c {
			t.Fatalf("%q is taken for %v", c, a)
		}
	})
}
