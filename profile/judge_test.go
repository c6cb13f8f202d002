package profile

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var (
	c7    = netip.MustParseAddr("192.0.2.7")
	c7v6  = netip.MustParseAddr("2001:db8::7")
	other = netip.MustParseAddr("198.51.100.9")
)

func standard(t testing.TB) *Policy {
	t.Helper()
	p, err := Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hostAt is a host whose A record is addr.
func hostAt(addr netip.Addr) Host {
	if addr.Is4() {
		return Host{A: Found, AAAA: NoData, Addrs: []netip.Addr{addr}}
	}
	return Host{A: NoData, AAAA: Found, Addrs: []netip.Addr{addr}}
}

func noHost(o Outcome) Host { return Host{A: o, AAAA: o} }

func ptr(name string, f Forward, more ...PTR) RDNS {
	return RDNS{Outcome: Found, Names: append([]PTR{{Name: name, Forward: f}}, more...)}
}

func idsOf(findings []Finding) string {
	var ids []string
	for _, f := range findings {
		ids = append(ids, f.ID)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

func TestJudgeRDNS(t *testing.T) {
	for _, tc := range []struct {
		name string
		rdns RDNS
		want string
	}{
		{"not asked: nothing is known", RDNS{}, ""},
		{"PTR is NXDOMAIN", RDNS{Outcome: NoName}, "rdns-missing"},
		{"PTR has no data", RDNS{Outcome: NoData}, "rdns-missing"},
		{"PTR timed out: not held against the client", RDNS{Outcome: Failed}, "rdns-error"},
		{"a chosen name that leads back", ptr("mail.example.com", Confirmed), ""},
		{"a name that leads elsewhere", ptr("mail.example.com", Mismatch), "rdns-unconfirmed"},
		{"all of several lead elsewhere", ptr("mail.example.com", Mismatch, PTR{Name: "www.example.com", Forward: Mismatch}), "rdns-unconfirmed"},
		{"one of several leads back", ptr("mail.example.com", Mismatch, PTR{Name: "www.example.com", Forward: Confirmed}), ""},
		{"one may lead back", ptr("mail.example.com", Mismatch, PTR{Name: "www.example.com", Forward: ForwardFailed}), ""},
		{"no forward look-up was answered", ptr("mail.example.com", ForwardFailed, PTR{Name: "www.example.com", Forward: ForwardFailed}), "rdns-error"},
		{"forward look-ups not asked", ptr("mail.example.com", ForwardNotAsked), ""},
		{"unconfirmed and generic both count", ptr("host-192-0-2-7.example.com", Mismatch), "rdns-generic rdns-unconfirmed"},
		{"a line", ptr("192-0-2-7.dsl.example.com", Confirmed), "rdns-dynamic"},
		{"a line said to be static stays generic", ptr("192-0-2-7.dsl-static.example.com", Confirmed), "rdns-generic"},
		{"a mail word clears a confirmed name", ptr("192-0-2-7.smtp-out.example.com", Confirmed), ""},
		{"a mail word does not clear an unconfirmed name", ptr("192-0-2-7.smtp-out.example.com", Mismatch), "rdns-generic rdns-unconfirmed"},
		{"a mail word may clear a name of which we could not ask", ptr("192-0-2-7.smtp-out.example.com", ForwardFailed), "rdns-error"},
		{"one confirmed chosen name is enough", ptr("192-0-2-7.dsl.example.com", Confirmed, PTR{Name: "mail.example.com", Forward: Confirmed}), ""},
		{"an unconfirmed chosen name does not help", ptr("192-0-2-7.dsl.example.com", Confirmed, PTR{Name: "mail.example.com", Forward: Mismatch}), "rdns-dynamic"},
		{"a chosen name may prove to be confirmed", ptr("192-0-2-7.dsl.example.com", Confirmed, PTR{Name: "mail.example.com", Forward: ForwardFailed}), ""},
		{"generic and dynamic together are generic", ptr("192-0-2-7.dsl.example.com", Confirmed, PTR{Name: "192-0-2-7.example.com", Forward: Confirmed}), "rdns-generic"},
		{"dynamic for sure, whatever the other is", ptr("192-0-2-7.dsl.example.com", ForwardFailed, PTR{Name: "192-0-2-7.pool.example.com", Forward: ForwardFailed}), "rdns-dynamic rdns-error"},
		{"at most ten names are looked at", RDNS{Outcome: Found, Names: make([]PTR, 100)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Session{Client: c7, RDNS: tc.rdns}
			if got := idsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestJudgeHeloForm(t *testing.T) {
	us := &Us{Names: []string{"mx.us.example"}, Domains: []string{"us.example"}, Addrs: []netip.Addr{netip.MustParseAddr("203.0.113.25"), netip.MustParseAddr("2001:db8:25::25")}}
	for _, tc := range []struct {
		name string
		helo string
		want string
	}{
		{"a host name", "mail.example.com", ""},
		{"upper case and the last dot are tolerated", "MAIL.Example.COM.", ""},
		{"an underscore is tolerated", "my_host.example.com", ""},
		{"A-labels are names", "xn--mnchen-3ya.example", ""},
		{"U-labels are not for HELO", "münchen.example", "helo-syntax"},
		{"nothing at all", "", "helo-syntax"},
		{"a space inside", "mail example.com", "helo-syntax"},
		{"a NUL inside", "mail\x00.example.com", "helo-syntax"},
		{"CR LF inside", "mail.example.com\r\nRSET", "helo-syntax"},
		{"an empty label", "mail..example.com", "helo-syntax"},
		{"a dot alone", ".", "helo-syntax"},
		{"a dot in front", ".example.com", "helo-syntax"},
		{"over 255 octets", strings.Repeat("abcdefg.", 32) + "com", "helo-syntax"},
		{"a label over 63 octets", strings.Repeat("a", 64) + ".example.com", "helo-syntax"},
		{"a single label", "mailserver", "helo-not-fqdn"},
		{"a single label and a dot", "mailserver.", "helo-not-fqdn"},
		{"a bare address", "192.0.2.7", "helo-address"},
		{"a bare address with a dot", "192.0.2.7.", "helo-address"},
		{"a bare address, zero padded", "192.000.002.007", "helo-address"},
		{"a bare IPv6 address", "2001:db8::7", "helo-address"},
		{"a tagged IPv6 address without brackets", "IPv6:2001:db8::7", "helo-address"},
		{"our address, bare", "203.0.113.25", "helo-address"},
		{"five numbers are a name", "1.2.3.4.5", ""},
		{"a number over 255 makes a name", "10.20.30.300", ""},
		{"the client's own literal", "[192.0.2.7]", ""},
		{"another address's literal", "[198.51.100.9]", "helo-literal-mismatch"},
		{"an IPv6 literal of an IPv4 client", "[IPv6:2001:db8::7]", "helo-literal-mismatch"},
		{"the client's address mapped into IPv6", "[IPv6:::ffff:192.0.2.7]", ""},
		{"a private literal", "[192.168.1.5]", "helo-literal-mismatch"},
		{"a loopback literal", "[127.0.0.1]", "helo-localhost"},
		{"any loopback literal", "[127.8.9.1]", "helo-localhost"},
		{"the IPv6 loopback literal", "[IPv6:::1]", "helo-localhost"},
		{"localhost", "LocalHost", "helo-localhost"},
		{"localhost.localdomain", "localhost.localdomain.", "helo-localhost"},
		{"localhost of a domain is a name", "localhost.example.com", ""},
		{"an unclosed literal", "[192.0.2.7", "helo-syntax"},
		{"brackets around a name", "[mail.example.com]", "helo-syntax"},
		{"empty brackets", "[]", "helo-syntax"},
		{"a literal with a zone", "[IPv6:fe80::1%eth0]", "helo-syntax"},
		{"our name", "mx.us.example", "helo-is-us"},
		{"our domain, shouted", "US.EXAMPLE.", "helo-is-us"},
		{"a subdomain of ours is not us", "www.us.example", ""},
		{"a name that ends like ours is not us", "notus.example", ""},
		{"our address as a literal", "[203.0.113.25]", "helo-is-us"},
		{"our IPv6 address as a literal, written out", "[IPv6:2001:DB8:25:0:0:0:0:25]", "helo-is-us"},
		{"a bot's name", "ylmf-pc", "helo-bot"},
		{"a bot's name, shouted", "YLMF-PC.", "helo-bot"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Session{Client: c7, Us: us, Helo: Helo{Given: Shown, Name: tc.helo}}
			if got := idsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("HELO %q: got %q, want %q", tc.helo, got, tc.want)
			}
		})
	}
}

func TestJudgeHeloGiven(t *testing.T) {
	for _, tc := range []struct {
		name  string
		given Given
		want  string
	}{
		{"not known", Unseen, ""},
		{"MAIL without HELO", Withheld, "helo-missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := Session{Client: c7, Helo: Helo{Given: tc.given}}
			if got := idsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("one that connects from our address is us", func(t *testing.T) {
		s := Session{Client: c7, Us: &Us{Addrs: []netip.Addr{c7}, Names: []string{"mx.us.example"}}, Helo: Helo{Given: Shown, Name: "mx.us.example"}}
		if got := idsOf(Judge(&s, standard(t)).Findings); got != "" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("the client is not known", func(t *testing.T) {
		s := Session{Helo: Helo{Given: Shown, Name: "[192.0.2.7]"}}
		if got := idsOf(Judge(&s, standard(t)).Findings); got != "" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a form that is off leaves its place to the next", func(t *testing.T) {
		p := standard(t)
		p.Points["helo-bot"] = Points{Rule: Off}
		s := Session{Client: c7, Helo: Helo{Given: Shown, Name: "ylmf-pc"}}
		if got := idsOf(Judge(&s, p).Findings); got != "helo-not-fqdn" {
			t.Errorf("got %q", got)
		}
	})
}

func TestJudgeHeloHost(t *testing.T) {
	name := "mail.example.com"
	both := Host{A: Found, AAAA: Found, Addrs: []netip.Addr{c7, c7v6}}
	for _, tc := range []struct {
		name   string
		client netip.Addr
		helo   Helo
		rdns   RDNS
		want   string
	}{
		{"leads to the client", c7, Helo{Name: name, Host: hostAt(c7), MX: NoData}, RDNS{}, ""},
		{"leads to the client by IPv6", c7v6, Helo{Name: name, Host: both, MX: NoData}, RDNS{}, ""},
		{"a mapped answer is the client", c7, Helo{Name: name, Host: Host{A: NoData, AAAA: Found, Addrs: []netip.Addr{netip.AddrFrom16(c7.As16())}}}, RDNS{}, ""},
		{"leads elsewhere", c7, Helo{Name: name, Host: hostAt(other), MX: NoData}, RDNS{}, "helo-not-client"},
		{"leads elsewhere by IPv6 only", c7, Helo{Name: name, Host: hostAt(c7v6), MX: NoData}, RDNS{}, "helo-not-client"},
		{"A failed: it may be the client", c7, Helo{Name: name, Host: Host{A: Failed, AAAA: Found, Addrs: []netip.Addr{c7v6}}}, RDNS{}, ""},
		{"AAAA failed and A is another", c7, Helo{Name: name, Host: Host{A: Found, AAAA: Failed, Addrs: []netip.Addr{other}}}, RDNS{}, "helo-not-client"},
		{"does not exist", c7, Helo{Name: name, Host: noHost(NoName), MX: NoName}, RDNS{}, "helo-unresolvable"},
		{"exists without addresses", c7, Helo{Name: name, Host: noHost(NoData), MX: NoData}, RDNS{}, "helo-unresolvable"},
		{"an MX is enough", c7, Helo{Name: name, Host: noHost(NoData), MX: Found}, RDNS{}, ""},
		{"MX failed: it may be there", c7, Helo{Name: name, Host: noHost(NoData), MX: Failed}, RDNS{}, ""},
		{"AAAA failed: it may be there", c7, Helo{Name: name, Host: Host{A: NoData, AAAA: Failed}, MX: NoData}, RDNS{}, ""},
		{"not asked", c7, Helo{Name: name}, RDNS{}, ""},
		{"another registered domain than each PTR name", c7, Helo{Name: name, Host: hostAt(c7)}, ptr("mx.example.net", Confirmed, PTR{Name: "mx.example.org", Forward: Mismatch}), "helo-unrelated"},
		{"the registered domain of one PTR name", c7, Helo{Name: name, Host: hostAt(c7)}, ptr("mx.example.net", Confirmed, PTR{Name: "www.example.com", Forward: Mismatch}), ""},
		{"firms under one public suffix are strangers", c7, Helo{Name: "mail.one.co.uk", Host: hostAt(c7)}, ptr("mail.two.co.uk", Confirmed), "helo-unrelated"},
		{"the name of a line", c7, Helo{Name: "192-0-2-7.dsl.example.com", Host: hostAt(c7)}, RDNS{}, "helo-generic helo-holds-address"},
		{"a provider's default without the address", c7, Helo{Name: "vmi1736435.example.com", Host: hostAt(c7)}, RDNS{}, "helo-generic"},
		{"a generic name with a mail word that leads back", c7, Helo{Name: "192-0-2-7.mail.example.com", Host: hostAt(c7)}, RDNS{}, ""},
		{"a generic name with a mail word that leads elsewhere", c7, Helo{Name: "192-0-2-7.mail.example.com", Host: hostAt(other)}, RDNS{}, "helo-generic helo-holds-address helo-not-client"},
		{"a generic name with a mail word, not known where it leads", c7, Helo{Name: "192-0-2-7.mail.example.com", Host: noHost(Failed)}, RDNS{}, ""},
		{"a confirmed PTR name leads back", c7, Helo{Name: "192-0-2-7.mail.example.com", Host: noHost(Failed)}, ptr("192-0-2-7.mail.example.com", Confirmed), "relation"},
		{"another's address in the name is not the client's", c7, Helo{Name: "host-198-51-100-9.example.com", Host: hostAt(c7)}, RDNS{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.helo.Given = Shown
			s := Session{Client: tc.client, RDNS: tc.rdns, Helo: tc.helo}
			if got := idsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("HELO %q: got %q, want %q", tc.helo.Name, got, tc.want)
			}
		})
	}
}

func TestJudgeSender(t *testing.T) {
	mx := func(xs ...Exchange) Sender { return Sender{MX: Found, Host: noHost(NoData), Exchanges: xs} }
	bogus := func(addrs ...string) Exchange {
		h := Host{A: Found, AAAA: NoData}
		for _, a := range addrs {
			h.Addrs = append(h.Addrs, netip.MustParseAddr(a))
		}
		return Exchange{Name: "mx.example.com", Host: h}
	}
	for _, tc := range []struct {
		name   string
		raw    string
		sender Sender // the answers
		want   string
	}{
		{"an MX", "<joe@example.com>", mx(Exchange{"mx.example.com", hostAt(other)}), ""},
		{"no MX but an address", "<joe@example.com>", Sender{MX: NoData, Host: hostAt(other)}, ""},
		{"NXDOMAIN", "<joe@example.com>", Sender{MX: NoName, Host: noHost(NoName)}, "from-no-domain"},
		{"NXDOMAIN for MX, nothing else asked", "<joe@example.com>", Sender{MX: NoName}, "from-no-domain"},
		{"a broken server: NXDOMAIN for MX alone", "<joe@example.com>", Sender{MX: NoName, Host: hostAt(other)}, ""},
		{"NXDOMAIN for MX, A failed", "<joe@example.com>", Sender{MX: NoName, Host: Host{A: Failed, AAAA: NoName}}, "from-error"},
		{"MX failed, the rest is NXDOMAIN", "<joe@example.com>", Sender{MX: Failed, Host: noHost(NoName)}, "from-error"},
		{"exists and takes no mail", "<joe@example.com>", Sender{MX: NoData, Host: noHost(NoData)}, "from-unresolvable"},
		{"exists, AAAA failed", "<joe@example.com>", Sender{MX: NoData, Host: Host{A: NoData, AAAA: Failed}}, "from-error"},
		{"null MX", "<joe@example.com>", Sender{MX: Found, NullMX: true, Host: hostAt(other)}, "from-null-mx"},
		{"everything failed", "<joe@example.com>", Sender{MX: Failed, Host: noHost(Failed)}, "from-error"},
		{"nothing asked", "<joe@example.com>", Sender{}, ""},
		{"MX is an address", "<joe@example.com>", mx(Exchange{Name: "198.51.100.9"}), "from-bogus-mx"},
		{"MX is loopback", "<joe@example.com>", mx(bogus("127.0.0.1")), "from-bogus-mx"},
		{"MX is private", "<joe@example.com>", mx(bogus("10.1.2.3", "192.168.0.1")), "from-bogus-mx"},
		{"MX is link-local", "<joe@example.com>", mx(bogus("169.254.1.1")), "from-bogus-mx"},
		{"MX is 0.0.0.0", "<joe@example.com>", mx(bogus("0.0.0.0")), "from-bogus-mx"},
		{"MX is IPv6 private", "<joe@example.com>", mx(bogus("fd00::25")), "from-bogus-mx"},
		{"MX has no address", "<joe@example.com>", mx(Exchange{"mx.example.com", noHost(NoName)}), "from-bogus-mx"},
		{"one MX of two is real", "<joe@example.com>", mx(bogus("10.1.2.3"), Exchange{"mx2.example.com", hostAt(other)}), ""},
		{"one MX of two is not known", "<joe@example.com>", mx(bogus("10.1.2.3"), Exchange{"mx2.example.com", noHost(Failed)}), ""},
		{"private by A, AAAA failed", "<joe@example.com>", mx(Exchange{"mx.example.com", Host{A: Found, AAAA: Failed, Addrs: []netip.Addr{netip.MustParseAddr("10.1.2.3")}}}), ""},
		{"null sender: nothing to check", "<>", Sender{}, ""},
		{"no @", "<joe>", Sender{}, "from-syntax"},
		{"an address literal is not asked", "<joe@[192.0.2.1]>", Sender{}, ""},
		{"two dots in the local part", "<joe..ann@example.com>", mx(Exchange{"mx.example.com", hostAt(other)}), "from-syntax"},
		{"the client's address as a mailbox", "<192-0-2-7@example.com>", Sender{}, "from-address"},
		{"the client's address in hex as a mailbox", "<u.C0000207@example.com>", Sender{}, "from-address"},
		{"two octets are no address", "<joe.2.7@example.com>", Sender{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sender := ParseSender(tc.raw)
			sender.MX, sender.NullMX, sender.Exchanges, sender.Host = tc.sender.MX, tc.sender.NullMX, tc.sender.Exchanges, tc.sender.Host
			s := Session{Client: c7, Sender: sender}
			if got := idsOf(Judge(&s, standard(t)).Findings); got != tc.want {
				t.Errorf("MAIL FROM:%s: got %q, want %q", tc.raw, got, tc.want)
			}
		})
	}
}

func TestPrivateClientIsItsOwnMX(t *testing.T) {
	s := cleanVisit()
	s.Client = netip.MustParseAddr("10.1.2.3")
	s.Sender.Exchanges = []Exchange{{"mx.example.com", hostAt(s.Client)}}
	if got := idsOf(Judge(&s, standard(t)).Findings); !strings.Contains(got, "relation") || strings.Contains(got, "bogus") {
		t.Errorf("got %q: an MX that is talking to us is no bogus one", got)
	}
}

func TestJudgeRelation(t *testing.T) {
	with := func(sender Sender) Session {
		parsed := ParseSender("<joe@example.com>")
		parsed.MX, parsed.Exchanges, parsed.Host = sender.MX, sender.Exchanges, sender.Host
		return Session{Client: c7, Sender: parsed}
	}
	helo := func(name string, rdns RDNS) Session {
		return Session{Client: c7, RDNS: rdns, Helo: Helo{Given: Shown, Name: name, Host: hostAt(c7)}}
	}
	for _, tc := range []struct {
		name string
		s    Session
		want bool
	}{
		{"client is the MX", with(Sender{MX: Found, Exchanges: []Exchange{{"mx.example.com", hostAt(other)}, {"mail.example.com", hostAt(c7)}}}), true},
		{"client is another host", with(Sender{MX: Found, Exchanges: []Exchange{{"mx.example.com", hostAt(other)}}}), false},
		{"no MX: the domain's own address stands for it", with(Sender{MX: NoData, Host: hostAt(c7)}), true},
		{"an MX elsewhere: the domain's own address does not count", with(Sender{MX: Found, Host: hostAt(c7), Exchanges: []Exchange{{"mx.example.com", hostAt(other)}}}), false},
		{"HELO is the confirmed PTR name", helo("Mail.Example.COM.", ptr("mail.example.com", Confirmed)), true},
		{"HELO is a PTR name that leads elsewhere", helo("mail.example.com", ptr("mail.example.com", Mismatch)), false},
		{"HELO is one of several confirmed names", helo("mail.example.com", ptr("www.example.com", Confirmed, PTR{Name: "mail.example.com", Forward: Confirmed})), true},
		{"HELO is a confirmed name of a line", helo("192-0-2-7.dsl.example.com", ptr("192-0-2-7.dsl.example.com", Confirmed)), false},
		{"HELO is another name of the domain", helo("www.example.com", ptr("mail.example.com", Confirmed)), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := Judge(&tc.s, standard(t))
			got := slices.ContainsFunc(j.Findings, func(f Finding) bool { return f.ID == "relation" })
			if got != tc.want {
				t.Errorf("relation %v, want %v: %+v", got, tc.want, j.Findings)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Session)
		want   Identity
	}{
		{"SPF speaks first", func(s *Session) { s.SPF.Outcome = SPFPass }, Identity{"yes", "spf"}},
		{"MX of the sender's domain", func(*Session) {}, Identity{"yes", "mx"}},
		{"MX, whatever SPF says", func(s *Session) { s.SPF.Outcome = SPFFail }, Identity{"yes", "mx"}},
		{"MX, though SPF failed", func(s *Session) { s.SPF.Outcome = SPFTempError }, Identity{"yes", "mx"}},
		{"address of the sender's domain", func(s *Session) {
			s.Sender.Exchanges, s.Sender.Host = nil, hostAt(c7)
		}, Identity{"yes", "a"}},
		{"PTR name in the sender's domain", func(s *Session) { s.Sender.Exchanges = nil }, Identity{"yes", "ptr"}},
		{"HELO in the sender's domain", func(s *Session) {
			s.Sender.Exchanges, s.RDNS = nil, RDNS{Outcome: NoName}
		}, Identity{"yes", "helo"}},
		{"a line of the sender's domain is no record for it", func(s *Session) {
			s.Sender.Exchanges, s.Helo, s.RDNS = nil, Helo{}, ptr("192-0-2-7.dsl.example.com", Confirmed)
		}, Identity{"unknown", ""}},
		{"null sender: HELO is what is claimed", func(s *Session) { s.Sender = ParseSender("<>") }, Identity{"yes", "a"}},
		{"null sender and a literal", func(s *Session) {
			s.Sender, s.Helo.Name = ParseSender("<>"), "[192.0.2.7]"
		}, Identity{"unknown", ""}},
		{"no record shown: SPF may have one", func(s *Session) {
			s.Sender.Exchanges, s.Helo, s.RDNS = nil, Helo{}, RDNS{}
		}, Identity{"unknown", ""}},
		{"sender not known", func(s *Session) { s.Sender = Sender{} }, Identity{"unknown", ""}},
		{"told of authenticated clients too", func(s *Session) { s.Trust = Authenticated }, Identity{"yes", "mx"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := cleanVisit()
			tc.change(&s)
			if got := Judge(&s, standard(t)).Identity; got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestCleanVisitPasses(t *testing.T) {
	s := cleanVisit()
	j := Judge(&s, standard(t))
	if got := idsOf(j.Findings); got != "relation" || j.Score != -16 {
		t.Errorf("score %v for %q, want the full points of relation", j.Score, got)
	}
	if v := j.Decide(&Recipient{Raw: "<joe@us.example>", Number: 1}, false); v.Action != Continue || v.Score != -16 || v.Findings != nil {
		t.Errorf("got %+v", v)
	}
}
