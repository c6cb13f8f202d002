package spf

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

var (
	c7  = ip("192.0.2.7")
	six = ip("2001:db8::7")
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		zone string
		q    Query
		want Outcome
	}{
		{"the client's network is listed",
			"a.test TXT v=spf1 ip4:192.0.2.0/24 -all", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"the client is not listed",
			"a.test TXT v=spf1 ip4:198.51.100.0/24 -all", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"softfail", "a.test TXT v=spf1 ~all", Query{c7, "mx.test", "joe@a.test"}, SoftFail},
		{"neutral by word", "a.test TXT v=spf1 ?all", Query{c7, "mx.test", "joe@a.test"}, Neutral},
		{"neutral for want of a match", "a.test TXT v=spf1 ip4:198.51.100.1", Query{c7, "mx.test", "joe@a.test"}, Neutral},
		{"no such domain", "", Query{c7, "mx.test", "joe@a.test"}, None},
		{"a domain without texts", "a.test A 192.0.2.1", Query{c7, "mx.test", "joe@a.test"}, None},
		{"texts, none of them SPF", "a.test TXT google-site-verification=1\na.test TXT v=spf10 -all\na.test TXT spf2.0/pra -all", Query{c7, "mx.test", "joe@a.test"}, None},
		{"another text beside the record", "a.test TXT hello\na.test TXT v=spf1 -all", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"several records", "a.test TXT v=spf1 -all\na.test TXT v=spf1 +all", Query{c7, "mx.test", "joe@a.test"}, PermError},

		{"the null sender is postmaster at HELO",
			"mx.test TXT v=spf1 exists:%{l}.%{d}\npostmaster.mx.test A 127.0.0.2", Query{c7, "mx.test", ""}, Pass},
		{"a null sender with a literal for HELO", "", Query{c7, "[192.0.2.7]", ""}, None},
		{"a null sender with a bare address for HELO", "192.0.2.7 TXT v=spf1 +all", Query{c7, "192.0.2.7", ""}, None},
		{"a null sender with a single label for HELO", "localhost TXT v=spf1 +all", Query{c7, "localhost", ""}, None},
		{"a null sender without HELO", "", Query{c7, "", ""}, None},
		{"a sender without a local part is postmaster",
			"a.test TXT v=spf1 exists:%{l}.%{d}\npostmaster.a.test A 127.0.0.2", Query{c7, "mx.test", "@a.test"}, Pass},
		{"a sender that is no address is not asked about", "joe TXT v=spf1 +all", Query{c7, "mx.test", "joe"}, NotAsked},
		{"a client that is not known is not asked about", "a.test TXT v=spf1 +all", Query{Helo: "mx.test", Sender: "joe@a.test"}, NotAsked},
		{"the domain stands behind the last @",
			"a.test TXT v=spf1 ip4:192.0.2.7 -all\nb.test TXT v=spf1 -all", Query{c7, "mx.test", `"x@b.test"@a.test`}, Pass},
		{"a local part with an @ matches no macro",
			"a.test TXT v=spf1 exists:%{l}.a.test -all\nx@y.a.test A 127.0.0.2", Query{c7, "mx.test", `x@y@a.test`}, Fail},
		{"an SRS sender is checked for the forwarder",
			"fwd.test TXT v=spf1 ip4:192.0.2.7 -all\na.test TXT v=spf1 -all", Query{c7, "mx.fwd.test", "SRS0=HHH=TT=a.test=joe@fwd.test"}, Pass},
		{"letters have no case", "a.test TXT V=SPF1 IP4:192.0.2.7 -ALL", Query{c7, "mx.test", "Joe@A.TEST"}, Pass},
		{"a last dot does not matter", "a.test TXT v=spf1 ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test."}, Pass},
		{"a U-label is asked as an A-label",
			"xn--bcher-kva.test TXT v=spf1 ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@bücher.test"}, Pass},
		{"a U-label in HELO likewise",
			"xn--bcher-kva.test TXT v=spf1 a -all\nxn--bcher-kva.test A 192.0.2.7", Query{c7, "BÜCHER.test", ""}, Pass},
		{"a label that is too long", "", Query{c7, "mx.test", "joe@" + strings.Repeat("a", 64) + ".test"}, None},
		{"octets that are no text", "", Query{c7, "mx.test", "joe@\xff\xfe.test"}, None},

		{"IPv6", "a.test TXT v=spf1 ip6:2001:db8::/64 -all", Query{six, "mx.test", "joe@a.test"}, Pass},
		{"IPv6 is not in a network of IPv4", "a.test TXT v=spf1 ip4:0.0.0.0/0 -all", Query{six, "mx.test", "joe@a.test"}, Fail},
		{"an IPv6 address with a zone", "a.test TXT v=spf1 ip6:2001:db8::7 -all", Query{six.WithZone("eth0"), "mx.test", "joe@a.test"}, Pass},
		{"a mapped client is IPv4", "a.test TXT v=spf1 ip4:192.0.2.7 -all", Query{ip("::ffff:192.0.2.7"), "mx.test", "joe@a.test"}, Pass},
		{"a mapped network is nobody's", "a.test TXT v=spf1 ip6:::ffff:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"a for IPv6 is AAAA", "a.test TXT v=spf1 a -all\na.test A 192.0.2.7\na.test AAAA 2001:db8::7", Query{six, "mx.test", "joe@a.test"}, Pass},
		{"exists for IPv6 is A", "a.test TXT v=spf1 exists:e.test -all\ne.test A 127.0.0.2", Query{six, "mx.test", "joe@a.test"}, Pass},
		{"exists does not look at AAAA", "a.test TXT v=spf1 exists:e.test -all\ne.test AAAA 2001:db8::7", Query{six, "mx.test", "joe@a.test"}, Fail},
		{"the mask of IPv6", "a.test TXT v=spf1 a/32//64 -all\na.test AAAA 2001:db8::1", Query{six, "mx.test", "joe@a.test"}, Pass},

		{"mx", "a.test TXT v=spf1 mx -all\na.test MX mx1.test mx2.test\nmx1.test A 192.0.2.1\nmx2.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"a null MX names nobody", "a.test TXT v=spf1 mx -all\na.test MX .", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"an mx without addresses is passed over", "a.test TXT v=spf1 mx -all\na.test MX gone.test mx2.test\nmx2.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"ptr", "a.test TXT v=spf1 ptr -all\n7.2.0.192.in-addr.arpa PTR mx.a.test\nmx.a.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"ptr of a name that only ends alike", "a.test TXT v=spf1 ptr -all\n7.2.0.192.in-addr.arpa PTR mx.aa.test\nmx.aa.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"include", "a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"include of a fail goes on", "a.test TXT v=spf1 include:b.test ~all\nb.test TXT v=spf1 -all", Query{c7, "mx.test", "joe@a.test"}, SoftFail},
		{"include of a domain without a record", "a.test TXT v=spf1 include:b.test ~all", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"redirect", "a.test TXT v=spf1 redirect=b.test\nb.test TXT v=spf1 ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"redirect to a domain without a record", "a.test TXT v=spf1 redirect=b.test", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"all makes redirect void", "a.test TXT v=spf1 redirect=b.test ~all", Query{c7, "mx.test", "joe@a.test"}, SoftFail},

		{"macros of address and domain",
			"a.test TXT v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all\n7.2.0.192.in-addr._spf.a.test A 127.0.0.2", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"macros of the sender", "a.test TXT v=spf1 exists:%{l1r-}.%{o}.x.test -all\njoe.a.test.x.test A 127.0.0.2", Query{c7, "mx.test", "joe-list@a.test"}, Pass},
		{"the macro of HELO in an include, as sold by providers",
			"a.test TXT v=spf1 include:%{i}._ip.%{h}._ehlo.%{d}._spf.p.test ~all\n192.0.2.7._ip.mx.test._ehlo.a.test._spf.p.test TXT v=spf1 ip4:%{i} +all\n" +
				"192.0.2.8._ip.mx.test._ehlo.a.test._spf.p.test TXT v=spf1 -all", Query{ip("192.0.2.8"), "mx.test", "joe@a.test"}, SoftFail},
		{"an IPv6 address in a macro",
			"a.test TXT v=spf1 exists:%{i}.x.test -all\n2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.x.test A 127.0.0.2", Query{six, "mx.test", "joe@a.test"}, Pass},
		{"a name that macros make too long loses its left labels",
			"a.test TXT v=spf1 exists:%{l}.%{l}.%{l}.%{l}.%{l}.b.test -all\n" + strings.Repeat(strings.Repeat("x", 60)+".", 4) + "b.test A 127.0.0.2",
			Query{c7, "mx.test", strings.Repeat("x", 60) + "@a.test"}, Pass},
		{"a local part outside ASCII matches nothing", "a.test TXT v=spf1 exists:%{l}.x.test -all\nü.x.test A 127.0.0.2", Query{c7, "mx.test", "ü@a.test"}, Fail},
		{"a macro in HELO is text", "a.test TXT v=spf1 exists:%{h}.x.test -all\na.test.x.test A 127.0.0.2", Query{c7, "%{d}", "joe@a.test"}, Fail},
		{"a macro in a PTR name is text",
			"a.test TXT v=spf1 exists:%{p}.x.test -all\na.test.x.test A 127.0.0.2\n7.2.0.192.in-addr.arpa PTR %{d}\n%{d} A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Fail},
		{"p is the domain itself before others",
			"a.test TXT v=spf1 exists:%{p}.x.test -all\na.test A 192.0.2.7\na.test.x.test A 127.0.0.2\n7.2.0.192.in-addr.arpa PTR b.test mx.a.test a.test\nb.test A 192.0.2.7\nmx.a.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"p is a name below the domain before others",
			"a.test TXT v=spf1 exists:%{p}.x.test -all\nmx.a.test.x.test A 127.0.0.2\n7.2.0.192.in-addr.arpa PTR b.test mx.a.test\nb.test A 192.0.2.7\nmx.a.test A 192.0.2.7", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"p is no name that leads elsewhere",
			"a.test TXT v=spf1 exists:%{p}.x.test -all\nunknown.x.test A 127.0.0.2\n7.2.0.192.in-addr.arpa PTR b.test\nb.test A 192.0.2.1", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"p that is not expanded does not speak against the client",
			"a.test TXT v=spf1 exists:%{p2}.x.test -all", Query{c7, "mx.test", "joe@a.test"}, Neutral},
		{"a slash between the delimiters likewise",
			"a.test TXT v=spf1 exists:%{l/}.x.test -all", Query{c7, "mx.test", "joe@a.test"}, Neutral},

		{"an error behind the match", "a.test TXT v=spf1 ip4:192.0.2.7 -all x:y", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"an error in what is included", "a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 ip4:192.0.2.7 ip4:1.2.3", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"an address behind a", "a.test TXT v=spf1 a:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"a tab between terms", "a.test TXT v=spf1 ip4:192.0.2.7\t-all", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"IPv6 behind ip4", "a.test TXT v=spf1 ip4:2001:db8::7 -all", Query{six, "mx.test", "joe@a.test"}, PermError},
		{"an unknown modifier is passed over", "a.test TXT v=spf1 ra=x rr=%{c} ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, Pass},

		{"two terms that find nothing", "a.test TXT v=spf1 a:x.test a:y.test ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"three terms that find nothing", "a.test TXT v=spf1 a:x.test a:y.test mx:z.test ip4:192.0.2.7 -all", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"ten terms", "a.test TXT v=spf1" + strings.Repeat(" a", 10) + " ip4:192.0.2.7 -all\na.test A 192.0.2.1", Query{c7, "mx.test", "joe@a.test"}, Pass},
		{"eleven terms", "a.test TXT v=spf1" + strings.Repeat(" a", 11) + " ip4:192.0.2.7 -all\na.test A 192.0.2.1", Query{c7, "mx.test", "joe@a.test"}, PermError},
		{"eleven exchangers", "a.test TXT v=spf1 mx -all\na.test MX" + strings.Repeat(" b.test", 11), Query{c7, "mx.test", "joe@a.test"}, PermError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := zone(t, tt.zone)
			got := Check(t.Context(), w, tt.q)
			if got.Outcome != tt.want {
				t.Errorf("%+v: got %v (%s; %s), want %v", tt.q, got.Outcome, got.Mechanism, got.Reason, tt.want)
			}
			for q, times := range w.asked {
				if times > 1 {
					t.Errorf("asked %s %s %d times", typeNames[q.rrtype], q.name, times)
				}
			}
		})
	}
}

// TestFailedQuestions: what could not be found out never speaks against anyone.
func TestFailedQuestions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		zone   string
		want   Outcome
		reason string
	}{
		{"the record itself", "a.test TIMEOUT", TempError, "TXT a.test: timeout"},
		{"an include", "a.test TXT v=spf1 include:b.test -all\nb.test TIMEOUT", TempError, "TXT b.test: timeout"},
		{"a redirect", "a.test TXT v=spf1 redirect=b.test\nb.test TIMEOUT", TempError, "TXT b.test: timeout"},
		{"an address", "a.test TXT v=spf1 a:b.test -all\nb.test TIMEOUT", TempError, "A b.test: timeout"},
		{"exchangers", "a.test TXT v=spf1 mx:b.test -all\nb.test TIMEOUT", TempError, "MX b.test: timeout"},
		{"the address of an exchanger", "a.test TXT v=spf1 mx -all\na.test MX b.test\nb.test TIMEOUT", TempError, "A b.test: timeout"},
		{"exists", "a.test TXT v=spf1 exists:b.test -all\nb.test TIMEOUT", TempError, "A b.test: timeout"},
		{"PTR, against the client", "a.test TXT v=spf1 ptr -all\n7.2.0.192.in-addr.arpa TIMEOUT", TempError, "PTR 192.0.2.7: timeout"},
		{"PTR, and then a limit", "a.test TXT v=spf1 ptr a:x.test a:y.test a:z.test -all\n7.2.0.192.in-addr.arpa TIMEOUT", TempError, "PTR 192.0.2.7: timeout"},
		{"PTR, not against the client", "a.test TXT v=spf1 ptr ?all\n7.2.0.192.in-addr.arpa TIMEOUT", Neutral, ""},
		{"PTR, and then a match", "a.test TXT v=spf1 ptr ip4:192.0.2.7 -all\n7.2.0.192.in-addr.arpa TIMEOUT", Pass, ""},
		{"a name of the client", "a.test TXT v=spf1 ptr -all\n7.2.0.192.in-addr.arpa PTR b.test\nb.test TIMEOUT", TempError, "A b.test: timeout"},
		{"the macro p", "a.test TXT v=spf1 exists:%{p}.x.test -all\n7.2.0.192.in-addr.arpa TIMEOUT", TempError, "PTR 192.0.2.7: timeout"},
		{"behind the term that decides", "a.test TXT v=spf1 ip4:192.0.2.7 include:b.test -all\nb.test TIMEOUT", Pass, ""},
		{"behind an include that passes", "a.test TXT v=spf1 include:c.test include:b.test -all\nb.test TIMEOUT\nc.test TXT v=spf1 ip4:192.0.2.7", Pass, ""},
		{"more texts than are kept, and no record among them", "a.test TXT hello\na.test PARTIAL", TempError, "TXT a.test: more records than are read"},
		{"more addresses than are kept", "a.test TXT v=spf1 a:b.test -all\nb.test A 192.0.2.1\nb.test PARTIAL", TempError, "A b.test: more addresses than are read"},
		{"more addresses than are kept, and the client's among them", "a.test TXT v=spf1 a:b.test -all\nb.test A 192.0.2.7\nb.test PARTIAL", Pass, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Check(t.Context(), zone(t, tt.zone), Query{c7, "mx.test", "joe@a.test"})
			if got.Outcome != tt.want || got.Reason != tt.reason || got.Never {
				t.Errorf("got %v, never %v, %q (%s); want %v, %q", got.Outcome, got.Never, got.Reason, got.Mechanism, tt.want, tt.reason)
			}
		})
	}
}

func TestNever(t *testing.T) {
	for _, tt := range []struct {
		record string
		want   bool
	}{
		{"v=spf1 -all", true},
		{"V=SPF1   -ALL  ", true},
		{"v=spf1 ~all", false},
		{"v=spf1 all", false},
		{"v=spf1 -all -all", false},
		{"v=spf1 -all exp=why.test", false},
		{"v=spf1 ip4:198.51.100.1 -all", false},
		{"v=spf1 redirect=never.test", false},
	} {
		w := zone(t, "never.test TXT v=spf1 -all\na.test TXT "+tt.record)
		if got := Check(t.Context(), w, Query{c7, "mx.test", "joe@a.test"}); got.Never != tt.want {
			t.Errorf("%q: got %v (%v)", tt.record, got.Never, got.Outcome)
		}
	}
}

func TestWhatTheOperatorReads(t *testing.T) {
	for _, tt := range []struct {
		zone              string
		mechanism, reason string
	}{
		{"a.test TXT v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 -all", "ip4:192.0.2.0/24", ""},
		{"a.test TXT v=spf1 -all", "-all", ""},
		{"a.test TXT v=spf1 all", "all", ""},
		{"a.test TXT v=spf1 mx +ALL", "+all", ""},
		{"a.test TXT v=spf1 ?ip4:192.0.2.0/24 -all", "?ip4:192.0.2.0/24", ""},
		{"a.test TXT v=spf1 +a:B.test/24 -all\nb.test A 192.0.2.9", "+a:B.test/24", ""},
		{"a.test TXT v=spf1 ~include:b.test -all\nb.test TXT v=spf1 +mx/24 -all\nb.test MX c.test\nc.test A 192.0.2.1", "+mx/24, ~include:b.test", ""},
		{"a.test TXT v=spf1 include:b.test include:c.test -all\nb.test TXT v=spf1 -all\nc.test TXT v=spf1 exists:%{i}.x.test\n192.0.2.7.x.test A 127.0.0.2",
			"exists:%{i}.x.test, include:c.test", ""},
		{"a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 ?all", "-all", ""},
		{"a.test TXT v=spf1 redirect=b.test\nb.test TXT v=spf1 ~all", "~all, redirect=b.test", ""},
		{"a.test TXT v=spf1 mx\na.test MX b.test\nb.test A 192.0.2.7", "mx", ""},
		{"a.test TXT v=spf1 a:b.test/24\nb.test A 192.0.2.9", "a:b.test/24", ""},
		{"a.test TXT v=spf1 include:b.test\nb.test TXT v=spf1 -all", "", "no term matched"},
		{"", "", "no SPF record"},
		{"a.test TXT v=spf1\na.test TXT v=spf1", "", "several SPF records"},
		{"a.test TXT v=spf1 include:b.test -all", "", "leads to a domain without an SPF record"},
		{"a.test TXT v=spf1 moo", "", `the record of a.test: "moo": no mechanism of SPF`},
		{"a.test TXT v=spf1 a:x.test a:y.test a:z.test -all", "", "more than 2 terms that find nothing in the DNS"},
		{"a.test TXT v=spf1 redirect=a.test", "", "more than 10 terms that ask the DNS"},
		{"a.test TXT v=spf1 mx -all\na.test MX" + strings.Repeat(" b.test", 11), "", "more than 10 mail exchangers"},
	} {
		got := Check(t.Context(), zone(t, tt.zone), Query{c7, "mx.test", "joe@a.test"})
		if got.Mechanism != tt.mechanism || got.Reason != tt.reason {
			t.Errorf("%s:\n got %v %q %q\nwant %q %q", tt.zone, got.Outcome, got.Mechanism, got.Reason, tt.mechanism, tt.reason)
		}
	}
}

func TestWhatWasChecked(t *testing.T) {
	w := zone(t, "a.test TXT v=spf1 include:b.test -all\na.test STALE\nb.test TXT v=spf1 a -all\nb.test A 192.0.2.7")
	got := Check(t.Context(), w, Query{c7, "MX.test", "joe@A.test"})
	if got.Identity != MailFrom || got.Domain != "a.test" || !got.Stale {
		t.Errorf("got %+v", got)
	}
	var asked []string
	for _, l := range got.Lookups {
		asked = append(asked, fmt.Sprint(l.Type, " ", l.Name, " ", l.Used))
	}
	if s := strings.Join(asked, ", "); s != "TXT a.test true, TXT b.test true, A b.test true" {
		t.Errorf("asked %s", s)
	}
	got = Check(t.Context(), w, Query{c7, "B.test", ""})
	if got.Identity != Helo || got.Domain != "b.test" || got.Stale || got.Outcome != Pass {
		t.Errorf("got %+v", got)
	}
}

func TestCallersContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := Check(ctx, zone(t, "a.test TXT v=spf1 -all"), Query{c7, "mx.test", "joe@a.test"})
	if got.Outcome != TempError || got.Reason != "TXT a.test: budget" {
		t.Errorf("got %v %q", got.Outcome, got.Reason)
	}
}

// A hazard is a resolver with a bug.
type hazard struct{ *world }

func (h hazard) Addrs(context.Context, string, bool) Answer { panic("a bug") }

// TestPanicsAreTheCallers: also of a question that was asked ahead.
func TestPanicsAreTheCallers(t *testing.T) {
	for _, record := range []string{"v=spf1 a -all", "v=spf1 include:b.test a:c.test -all"} {
		func() {
			defer func() {
				if p := recover(); p != "a bug" {
					t.Errorf("%s: recovered %v", record, p)
				}
			}()
			got := Check(t.Context(), hazard{zone(t, "a.test TXT "+record+"\nb.test TXT v=spf1 -all")}, Query{c7, "mx.test", "joe@a.test"})
			t.Errorf("%s: got %v", record, got.Outcome)
		}()
	}
}
