package profile

import (
	"math/rand"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"
)

// judgedSafely judges a session whose text is hostile, and holds what must hold
// of every verdict.
func judgedSafely(t *testing.T, p *Policy, s Session) {
	t.Helper()
	j := Judge(&s, p)
	forms := 0
	for _, f := range j.Findings {
		switch kindOf(f.ID) {
		case heloMissing, heloSyntax, heloAddress, heloLocalhost, heloIsUs, heloLiteralMismatch, heloBot, heloNotFQDN:
			forms++
		}
	}
	if forms > 1 {
		t.Fatalf("%d HELO forms: %+v", forms, j.Findings)
	}
	if got := round(sumOf(j.Findings)); got != j.Score {
		t.Fatalf("score %v, points %v", j.Score, got)
	}
	if (j.Identity.Answer == "yes") != (j.Identity.By != "") {
		t.Fatalf("identity %+v", j.Identity)
	}
	for _, r := range lawRecipients {
		if v := j.Decide(r, false); v.Action != Continue {
			checkReply(t, v)
		}
	}
}

func FuzzHelo(f *testing.F) {
	for _, name := range []string{
		"mail.example.com", "MAIL.Example.Com.", "localhost", "ylmf-pc", "192.0.2.7", "[192.0.2.7]", "[IPv6:2001:db8::7]", "[::1]",
		"[127.0.0.1]", "us.example", "a..b", ".", "", "mail\r\nRSET", "xn--mnchen-3ya.example", "münchen.example", "[192.0.2.7", "IPv6:::1",
		"192-0-2-7.dsl.example.com", strings.Repeat("a.", 127) + "a",
	} {
		f.Add(name)
	}
	us := &Us{Names: []string{"mx.us.example"}, Domains: []string{"us.example"}, Addrs: []netip.Addr{other}}
	p := standard(f)
	f.Fuzz(func(t *testing.T, name string) {
		host, ok := HeloHost(name)
		if !ok && host != "" && strings.Contains(host, "..") {
			t.Fatalf("%q gives %q", name, host)
		}
		if ok {
			if again, ok := HeloHost(host); !ok || again != host {
				t.Fatalf("%q gives %q, which gives %q, %v", name, host, again, ok)
			}
			if len(host) > maxNameLen || hostLabels(host) < 2 || host != strings.ToLower(host) || !isASCII(host) {
				t.Fatalf("%q would ask DNS for %q", name, host)
			}
			if _, bare := addrOf(host); bare {
				t.Fatalf("%q would ask DNS for the address %q", name, host)
			}
		}
		for _, h := range []Host{{}, hostAt(c7), hostAt(other), noHost(NoName), noHost(Failed)} {
			s := Session{Client: c7, Us: us, Helo: Helo{Given: Shown, Name: name}, RDNS: ptr("mail.example.com", Confirmed, PTR{Name: host, Forward: Confirmed})}
			if ok {
				s.Helo.Host, s.Helo.MX = h, h.A
			}
			judgedSafely(t, p, s)
		}
		// Case and one last dot make no difference, unless it was about length.
		plain, dotted := parseHelo(name), parseHelo(strings.ToUpper(name)+".")
		if isASCII(name) && len(name) < maxHeloLen && !strings.HasSuffix(strings.TrimRight(name, " \t"), ".") && strings.TrimSpace(name) == name {
			if plain.host != dotted.host || plain.addr != dotted.addr {
				t.Fatalf("%q reads as %+v, shouted with a dot as %+v", name, plain, dotted)
			}
		}
	})
}

func FuzzPTR(f *testing.F) {
	for _, name := range []string{
		"mail.example.com", "192-0-2-7.dsl.example.com", "7.2.0.192.in-addr.arpa", "p-c0000207.dip.example.net", "192000002007.example.jp",
		"2001-db8--7.example.com", "....", "", "a", "co.uk", "\x00\xff", "example.com.", strings.Repeat("1-", 126), "static.mail.dyn", "[192.0.2.7]", "1.2.3.4",
	} {
		f.Add(name, "192.0.2.7")
		f.Add(name, "2001:db8::7")
	}
	f.Add("x", "")
	p := standard(f)
	f.Fuzz(func(t *testing.T, name, addr string) {
		client, _ := netip.ParseAddr(addr)
		n := Classify(name, client)
		if (n.Kind == Plain) != (n.Sign == "") {
			t.Fatalf("%q: %v by %q", name, n.Kind, n.Sign)
		}
		if n.Kind > Dynamic || n.asConfirmed() > n.Kind {
			t.Fatalf("%q: %+v", name, n)
		}
		lowered := strings.ToLower(name)
		if got := Classify(lowered, client); isASCII(name) && got != n {
			t.Fatalf("%q: %+v, in lower case %+v", name, n, got)
		}
		if left := leftOfDomain(lowered); left != "" && !strings.HasPrefix(lowered, left+".") {
			t.Fatalf("%q: left of the domain is %q", name, left)
		}
		if org := OrgDomain(lowered); !strings.HasSuffix(lowered, org) || OrgDomain(org) != org {
			t.Fatalf("%q: registered domain %q, of which %q", name, org, OrgDomain(org))
		}
		if got := Classify(name, netip.Addr{}); got.Kind > n.Kind {
			t.Fatalf("%q: %v without the client, %v with it", name, got.Kind, n.Kind)
		}
		for _, forward := range []Forward{ForwardNotAsked, Confirmed, Mismatch, ForwardFailed} {
			judgedSafely(t, p, Session{Client: client, RDNS: ptr(name, forward, PTR{Name: "x", Forward: forward}), Helo: Helo{Given: Shown, Name: name}})
		}
	})
}

func FuzzSender(f *testing.F) {
	for _, raw := range []string{
		"<>", "<joe@example.com>", "joe@example.com", "<joe>", "<<x>>", `<"a\"b"@example.com>`, "<@a,@b:joe@example.com>", "<joe@[192.0.2.1]>",
		"<jörg@münchen.example>", "<joe@\xff.example>", "<a@b@c>", "<postmaster@us.example>", `<"post\master"@us.example>`, "<@:>", "<", ">", "@", "<joe@exa_mple.com.>", "<192.0.2.7@x.example>",
	} {
		f.Add(raw)
	}
	us := &Us{Domains: []string{"us.example"}}
	p := standard(f)
	f.Fuzz(func(t *testing.T, raw string) {
		s := ParseSender(raw)
		switch {
		case s.Given != Shown || s.Raw != raw:
			t.Fatalf("%q: %+v", raw, s)
		case s.Null && (s.Local != "" || s.Domain != ""):
			t.Fatalf("%q: a null sender with %+v", raw, s)
		case !strings.Contains(raw, "@") && s.Domain != "":
			t.Fatalf("%q: a domain without an @: %q", raw, s.Domain)
		}
		if s.Domain != "" {
			if hostLabels(s.Domain) == 0 || len(s.Domain) > maxNameLen || asciiDomain(s.Domain) != s.Domain || !isASCII(s.Domain) {
				t.Fatalf("%q would ask DNS for %q", raw, s.Domain)
			}
			if again := ParseSender("<x@" + s.Domain + ">"); again.Domain != s.Domain {
				t.Fatalf("%q: domain %q reads again as %q", raw, s.Domain, again.Domain)
			}
		}
		if validPath(raw) && (!utf8.ValidString(raw) || strings.Count(raw, "@") == 0 || strings.ContainsAny(raw, "\x00\r\n")) {
			if trimmed := strings.Trim(raw, " \t\r\n"); trimmed == raw || strings.ContainsAny(trimmed, "\x00\r\n") {
				t.Fatalf("%q is taken for a path", raw)
			}
		}
		open := AlwaysOpen(raw, us)
		if open && !strings.Contains(strings.ToLower(unquote(raw)), "a") {
			t.Fatalf("%q is always open", raw)
		}
		if AlwaysOpen(raw, nil) && !open {
			t.Fatalf("%q is open only while nothing is ours", raw)
		}
		for _, o := range []Outcome{NotAsked, Found, NoData, NoName, Failed} {
			sender := s
			if s.Domain != "" {
				sender.MX, sender.Host = o, Host{A: o, AAAA: o}
				sender.NullMX = o == Found
			}
			judgedSafely(t, p, Session{Client: c7, Us: us, Sender: sender})
		}
		for o := SPFNotAsked; o <= SPFPermError; o++ {
			spf := SPF{Outcome: o, Never: o%2 == 0, Domain: s.Domain, Detail: raw}
			judgedSafely(t, p, Session{Client: c7, Us: us, Sender: s, SPF: spf, Local: []LocalHit{{Action: LocalPoints, Points: 3, Detail: raw}}})
		}
	})
}

// FuzzVisit holds the laws against whole visits: of a world drawn from a seed,
// with names in it as a stranger may choose them.
func FuzzVisit(f *testing.F) {
	f.Add(int64(1), "mail.example.com", "<joe@good.example>", "mail.example.com")
	f.Add(int64(2), "xn--a", "<@:>", "\x00")
	f.Add(int64(3), "[192.0.2.7]", "<>", strings.Repeat("a.", 126)+"a")
	f.Add(int64(4), "us.example", "<a@us.example>", "192-0-2-7.dsl.us.example")
	f.Fuzz(func(t *testing.T, seed int64, helo, from, ptr string) {
		rng := rand.New(rand.NewSource(seed))
		w := newWorld(rng)
		w.saidHelo, w.saidFrom = helo, from
		for _, name := range []string{ptr, OrgDomain(strings.ToLower(helo))} {
			if rng.Intn(2) == 0 && name != "" {
				w.ptr = append(w.ptr, name)
				w.hosts[name] = w.randomHost(w.namePool())
			}
		}
		p := randomPolicy(rng, randomTexts(rng, 20))
		w.saidLists = []string{helo, from, ptr}
		holds := pick(rng, visitLaws)
		holds(t, rng, w, masked(rng, w.session(), Failed, Failed, NotAsked), p)
	})
}

// visitLaws are held in turn, as the seed has it: a run is to be short.
var visitLaws = []law{
	unknownIsNeverEvidence, wayToHelpStaysOpen, operatorsWordComesFirst, scoreIsTheSumOfPoints, repliesAreClean,
	onlyListedCodesRaise, sourcesCountOnce, allowListsKeepToTheirRow,
	func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		noRejectOnHalfTheFacts(t, rng, w, s, p)
	},
	func(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
		serverChecksAreForStrangers(t, rng, w, s, p)
	},
}
