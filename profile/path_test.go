package profile

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParseSender(t *testing.T) {
	for _, tc := range []struct {
		raw           string
		null          bool
		local, domain string
		valid         bool
	}{
		{"<>", true, "", "", true},
		{"", true, "", "", true},
		{" <> ", true, "", "", true},
		{"<joe@example.com>", false, "joe", "example.com", true},
		{"<Joe@EXAMPLE.Com>", false, "Joe", "example.com", true},
		{"<joe@example.com.>", false, "joe", "example.com", false},
		{"joe@example.com", false, "joe", "example.com", false},
		{"<joe@example.com", false, "joe", "example.com", false},
		{"<<joe@example.com>>", false, "<joe", "", false},
		{"<<x>>", false, "<x>", "", false},
		{"<joe>", false, "joe", "", false},
		{"<joe@>", false, "joe", "", false},
		{"<@example.com>", false, "", "example.com", false},
		{"<@>", false, "", "", false},
		{`<"joe ann"@example.com>`, false, `"joe ann"`, "example.com", true},
		{`<"joe@ann"@example.com>`, false, `"joe@ann"`, "example.com", true},
		{`<"joe\"ann"@example.com>`, false, `"joe\"ann"`, "example.com", true},
		{`<"joe"ann"@example.com>`, false, `"joe"ann"`, "example.com", false},
		{`<"joe\"@example.com>`, false, `"joe\"`, "example.com", false},
		{"<joe ann@example.com>", false, "joe ann", "example.com", false},
		{"<joe@ann@example.com>", false, "joe@ann", "example.com", false},
		{"<.joe@example.com>", false, ".joe", "example.com", false},
		{"<joe.@example.com>", false, "joe.", "example.com", false},
		{"<joe..ann@example.com>", false, "joe..ann", "example.com", false},
		{"<prvs=1234abc=joe+tag@example.com>", false, "prvs=1234abc=joe+tag", "example.com", true},
		{"<SRS0=x/y=z=example.org=joe@example.com>", false, "SRS0=x/y=z=example.org=joe", "example.com", true},
		{"<" + strings.Repeat("a", 100) + "@example.com>", false, strings.Repeat("a", 100), "example.com", true},
		{"<joe@[192.0.2.1]>", false, "joe", "", true},
		{"<joe@[IPv6:2001:db8::1]>", false, "joe", "", true},
		{"<joe@[example.com]>", false, "joe", "", false},
		{"<joe@192.0.2.1>", false, "joe", "192.0.2.1", true},
		{"<joe@under_score.example.com>", false, "joe", "under_score.example.com", false},
		{"<joe@-example.com>", false, "joe", "-example.com", false},
		{"<joe@exa mple.com>", false, "joe", "", false},
		{"<joe@example..com>", false, "joe", "", false},
		{"<joe@localhost>", false, "joe", "localhost", true},
		{"<jörg@example.com>", false, "jörg", "example.com", true},
		{"<joe@MÜNCHEN.example>", false, "joe", "xn--mnchen-3ya.example", true},
		{"<j\xffrg@example.com>", false, "j\xffrg", "example.com", false},
		{"<joe@m\xffnchen.example>", false, "joe", "", false},
		{"<joe\x00@example.com>", false, "joe\x00", "example.com", false},
		{"<joe@example.com\r\nRCPT TO:<x@y.example>", false, "joe@example.com\r\nRCPT TO:<x", "y.example", false},
		{"<@a.example,@b.example:joe@example.com>", false, "joe", "example.com", true},
		{"<@a.example@b.example:joe@example.com>", false, "joe", "example.com", false},
		{"<@[IPv6:2001:db8::1]:joe@example.com>", false, "joe", "example.com", true},
		{"<joe@" + strings.Repeat("abcdefg.", 32) + "com>", false, "joe", "", false},
	} {
		s := ParseSender(tc.raw)
		if s.Null != tc.null || s.Local != tc.local || s.Domain != tc.domain || s.Given != Shown || s.Raw != tc.raw {
			t.Errorf("%q: got null %v local %q domain %q, want %v %q %q", tc.raw, s.Null, s.Local, s.Domain, tc.null, tc.local, tc.domain)
		}
		if got := tc.null || validPath(tc.raw); got != tc.valid {
			t.Errorf("%q: valid %v, want %v", tc.raw, got, tc.valid)
		}
	}
}

func TestHeloHost(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.com":         "mail.example.com",
		"MAIL.Example.Com.":        "mail.example.com",
		"my_host.example.com":      "my_host.example.com",
		"xn--mnchen-3ya.example":   "xn--mnchen-3ya.example",
		"mailserver":               "",
		"":                         "",
		".":                        "",
		"a..b":                     "",
		"192.0.2.7":                "",
		"[192.0.2.7]":              "",
		"2001:db8::7":              "",
		"localhost.localdomain":    "",
		"münchen.example":          "",
		"mail.example.com\x00.org": "",
		strings.Repeat("abcdefg.", 31) + "abcdefg": "", // 255 octets are a HELO, and more than DNS can hold
	} {
		if got, ok := HeloHost(name); got != want && ok || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestAlwaysOpen(t *testing.T) {
	us := &Us{
		Names: []string{"mx.us.example"}, Domains: []string{"us.example", "xn--mnchen-3ya.example"},
		Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.25")},
	}
	for raw, want := range map[string]bool{
		"<postmaster>":                             true,
		"<PostMaster>":                             true,
		"postmaster":                               true,
		`<"postmaster">`:                           true,
		"<postmaster@us.example>":                  true,
		"<POSTMASTER@US.EXAMPLE.>":                 true,
		"<abuse@mx.us.example>":                    true,
		"<Abuse@us.example>":                       true,
		`<"postmaster"@us.example>`:                true,
		`<"post\master"@us.example>`:               true,
		"<@a.example,@b.example:abuse@us.example>": true,
		"<@a.example:postmaster>":                  true,
		"<postmaster@[192.0.2.25]>":                true,
		"<postmaster@MÜNCHEN.example>":             true,
		"<abuse>":                                  false,
		"<postmaster@www.us.example>":              false,
		"<postmaster@other.example>":               false,
		"<postmaster@[192.0.2.26]>":                false,
		"<postmaster+x@us.example>":                false,
		"<joe@us.example>":                         false,
		"<postmaster@us.example@evil.example>":     false,
		"<@us.example:joe@us.example>":             false,
		"<postmaster@>":                            false,
		"<>":                                       false,
		"":                                         false,
		"<joe@evil.example,postmaster@us.example>": false,
	} {
		if got := AlwaysOpen(raw, us); got != want {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
	if !AlwaysOpen("<postmaster>", nil) || AlwaysOpen("<postmaster@us.example>", nil) {
		t.Error("with nothing ours, bare postmaster alone is open")
	}
}

func TestOrgDomain(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.com":       "example.com",
		"example.com":            "example.com",
		"a.b.example.co.uk":      "example.co.uk",
		"co.uk":                  "co.uk",
		"localhost":              "localhost",
		"":                       "",
		"mail.lan":               "mail.lan",
		"joe.dyndns.org":         "joe.dyndns.org",
		"7.2.0.192.in-addr.arpa": "192.in-addr.arpa",
	} {
		if got := OrgDomain(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
