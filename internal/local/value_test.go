package local

import (
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"
)

// describe gives an entry as "from+ptr example.com", with "~" for what is below
// only and "=" for the name alone.
func (e entry) describe() string {
	if e.net.IsValid() {
		return "client " + e.net.String()
	}
	var of []string
	for f := PTR; f < fields; f++ {
		switch e.kind & tree(f) {
		case self(f):
			of = append(of, "="+f.String())
		case below(f):
			of = append(of, "~"+f.String())
		case tree(f):
			of = append(of, f.String())
		}
	}
	return strings.Join(of, "+") + " " + string(e.name)
}

func TestValues(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"an address", "client:192.0.2.7", "client 192.0.2.7/32"},
		{"a network", "client:192.0.2.0/24", "client 192.0.2.0/24"},
		{"IPv6", "client:2001:DB8::/32", "client 2001:db8::/32"},
		{"IPv6 that carries IPv4", "client:::ffff:192.0.2.7", "client 192.0.2.7/32"},
		{"a network of IPv6 that carries IPv4", "client:::ffff:192.0.2.0/120", "client 192.0.2.0/24"},
		{"the type in capitals", "Client:192.0.2.7", "client 192.0.2.7/32"},
		{"a domain and all below", "ptr:Example.COM.", "ptr example.com"},
		{"with a dot before it, the same", "ptr:.example.com", "ptr example.com"},
		{"only what is below", "ptr:*.example.com", "~ptr example.com"},
		{"underscores and odd hyphens are in use", "ptr:a_b.-x-.example", "ptr a_b.-x-.example"},
		{"a name of other letters", "from:bücher.example", "from xn--bcher-kva.example"},
		{"a top domain", "from:top", "from top"},
		{"HELO of a domain", "helo:mail.example.com", "helo mail.example.com"},
		{"HELO of one word", "helo:YLMF-pc", "helo ylmf-pc"},
		{"HELO of a literal", "helo:[192.0.2.7]", "=helo [192.0.2.7]"},
		{"HELO of an address", "helo:192.0.2.7", "=helo 192.0.2.7"},
		{"HELO of rubbish", "helo:my/pc!", "=helo my/pc!"},
		{"a sender", "from:Joe@Example.com", "=from joe@example.com"},
		{"a sender in angle brackets", "from:<joe@example.com>", "=from joe@example.com"},
		{"a sender of other letters", "from:joe@bücher.example.", "=from joe@xn--bcher-kva.example"},
		{"a sender at a literal", "from:joe@[192.0.2.7]", "=from joe@[192.0.2.7]"},
		{"an @ in the local part", `from:"a@b"@example.com`, `=from "a@b"@example.com`},
		{"a sign of comments in the local part", "from:a#b@example.com", "=from a#b@example.com"},
		{"a domain and none below", "from:@example.com", "=from example.com"},
		{"the same with a star", "from:*@example.com", "=from example.com"},
		{"the null sender", "from:<>", "=from <>"},
		{"a recipient", "rcpt:info@example.com", "=rcpt info@example.com"},
		{"recipients of a domain", "rcpt:example.com", "rcpt example.com"},
		{"a login name", "account:Joe", "=account joe"},
		{"a login name with a domain", "account:joe@Example.com", "=account joe@example.com"},
		{"a login name with a realm", "account:joe@REALM 1"[:17], "=account joe@realm"},
		{"all logins of a domain", "account:@example.com", "=account @example.com"},
		{"a country", "country:DE", "=country de"},
		{"a network", "asn:64500", "=asn 64500"},
		{"a network as registries write it", "asn:AS64500", "=asn 64500"},

		{"untyped: an address", "192.0.2.7", "client 192.0.2.7/32"},
		{"untyped: a network", "2001:db8::/32", "client 2001:db8::/32"},
		{"untyped: letters only before the colon", "dead:beef::1", "client dead:beef::1/128"},
		{"untyped: a sender", "joe@example.com", "=from joe@example.com"},
		{"untyped: senders of a domain", "@example.com", "=from example.com"},
		{"untyped: the null sender", "<>", "=from <>"},
		{"untyped: a domain is senders and servers", "example.com", "ptr+from example.com"},
		{"untyped: only what is below", "*.example.com", "~ptr+~from example.com"},
		{"untyped: a top domain with its dot", ".top", "ptr+from top"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, bad := parseValue([]byte(test.text))
			if bad != nil || e.describe() != test.want {
				t.Errorf("%s is %q, %v; want %q", test.text, e.describe(), bad, test.want)
			}
		})
	}
}

func TestBadValues(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a word without a type", "spammer", `"spammer" is no address, network or domain; write a type before it (` + types + "), and # before a comment"},
		{"an unknown type", "ip:192.0.2.7", `unknown type "ip"; write one of ` + types},
		{"a link", "http://example.com/", `unknown type "http"; write one of ` + types},
		{"no value", "client:", `"client:" names nothing; write a value after the colon, without a space`},
		{"the beginning of an address", "10.4", `"10.4" is no address or network; write 10.4.0.0/16`},
		{"the beginning of an address, with a star", "192.0.2.*", `"192.0.2.*" is no address or network; write 192.0.2.0/24`},
		{"the beginning of an address, with its length", "10.4/16", `"10.4/16" is no address or network; write 10.4.0.0/16`},
		{"a zero before a number", "192.0.02.1", `"192.0.02.1" is no address or network; write 192.0.2.1/32`},
		{"a number", "4711", `"4711" is no address or network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32`},
		{"a range", "192.0.2.1-9", `"192.0.2.1-9" is no address or network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32`},
		{"bits behind the length", "192.0.2.7/24", `"192.0.2.7/24": the address has bits behind the prefix length; write 192.0.2.0/24 or 192.0.2.7`},
		{"too long a prefix", "192.0.2.0/33", `"192.0.2.0/33" is no address or network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32`},
		{"a zone", "fe80::1%eth0", `"fe80::1%eth0" has a zone; leave "%eth0" out`},
		{"a name as a client", "client:example.com", `"example.com" is no address or network; write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32`},
		{"an address as a name", "ptr:192.0.2.7", `"192.0.2.7" is an address, not a domain; write client: before it`},
		{"a mail address as a name", "ptr:joe@example.com", `"joe@example.com" is a mail address, not a domain; write from: or rcpt: before it`},
		{"a star in the middle", "ptr:mail*.example.com", `"mail*.example.com" is not a domain; write example.com for it and all below, *.example.com for what is below only`},
		{"an empty label", "from:a..example", `"a..example" is not a domain; write example.com for it and all below, *.example.com for what is below only`},
		{"all senders", "from:*", `"*" is not a domain; write example.com for it and all below, *.example.com for what is below only`},
		{"a star in HELO", "helo:*pc", `"*pc": a * stands before a domain only; write *.example.com`},
		{"no domain behind the @", "from:joe@", `"joe@": what stands behind the @ is not a domain; write joe@example.com, or @example.com for all of a domain`},
		{"two addresses", "from:a@x.example,b@x.example", `"a@x.example,b@x.example" is not one mail address; write joe@example.com, or @example.com for all of a domain`},
		{"the null sender as a recipient", "rcpt:<>", "the null sender <> is no recipient; write from:<>"},
		{"a star in an account", "account:joe*", `"joe*": accounts take no *; write the login name, or @example.com for all of a domain`},
		{"three letters for a country", "country:DEU", `"deu" is not a country; write the two letters of ISO 3166, such as DE`},
		{"the country that has another code", "country:UK", `"uk" is not a country of ISO 3166; write GB`},
		{"the network of nobody", "asn:0", `"0" is not the number of a network; write it as in asn:64500`},
		{"a network with zeros", "asn:AS064500", `"as064500" is not the number of a network; write it as in asn:64500`},
		{"a network of more than 32 bits", "asn:4294967296", `"4294967296" is not the number of a network; write it as in asn:64500`},
		{"the name of a network", "asn:EXAMPLE-NET", `"example-net" is not the number of a network; write it as in asn:64500`},
		{"no number of a network", "asn:AS", `"as" is not the number of a network; write it as in asn:64500`},
		{"a control character", "helo:a\x01b", `"helo:a\x01b" is not printable text in UTF-8; see that the line is whole`},
		{"bytes that are no text", "from:\xff\xfe.example", `"from:\xff\xfe.example" is not printable text in UTF-8; see that the line is whole`},
		{"very long", "from:" + strings.Repeat("a.", 200) + "example", `"from:` + strings.Repeat("a.", 27) + `a"... is longer than any name; see that it is one entry`},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, bad := parseValue([]byte(test.text))
			if bad == nil {
				t.Fatalf("%s is %q", test.text, e.describe())
			}
			if got := bad.what + "; " + bad.remedy; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestPlainLines(t *testing.T) {
	day := func(text string) int64 {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d.AddDate(0, 0, 1).Unix()
	}
	for _, test := range []struct {
		name, line string
		ends       int64
		note       string
	}{
		{"a value alone", "192.0.2.7", never, ""},
		{"spaces around it", " \t192.0.2.7\t ", never, ""},
		{"a comment", "192.0.2.7 # ticket 4711", never, "ticket 4711"},
		{"a comment after rbldnsd's way", "192.0.2.7\t;ticket", never, "ticket"},
		{"a date", "192.0.2.7 expires=2027-01-31", day("2027-01-31"), ""},
		{"a date before the comment", "192.0.2.7 expires=2027-01-31 # why", day("2027-01-31"), "why"},
		{"a date behind the comment", "192.0.2.7 # why expires=2027-01-31", day("2027-01-31"), "why"},
		{"a date for a comment", "192.0.2.7 # expires=2027-01-31", day("2027-01-31"), ""},
		{"a comment that speaks of dates", "192.0.2.7 # expires=never, says jo", never, "expires=never, says jo"},
		{"a line of DOS", "192.0.2.7 # x\r", never, "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustParse(t, Plain, test.line+"\n", maphash.MakeSeed())
			if l.entries != 1 || len(l.problems) > 0 {
				t.Fatal(l.entries, l.problems)
			}
			if l.until(1) != test.ends || l.notes.of(1) != test.note {
				t.Errorf("until %d, note %q; want %d, %q", l.until(1), l.notes.of(1), test.ends, test.note)
			}
		})
	}
}

func TestBadPlainLines(t *testing.T) {
	const good = "\n192.0.2.1\n192.0.2.2\n"
	for _, test := range []struct{ name, line, want string }{
		{"two values", "192.0.2.7 192.0.2.8", `list:1: unexpected "192.0.2.8" behind the value; one entry a line; write # before a comment`},
		{"a table of Postfix", "192.0.2.7 REJECT", `list:1: unexpected "REJECT" behind the value; one entry a line; write # before a comment`},
		{"a date that is none", "192.0.2.7 expires=2027-02-30", `list:1: "2027-02-30" is not a date; write expires=2027-01-31`},
		{"a date that is none, behind a comment", "192.0.2.7 # x expires=soon", `list:1: "soon" is not a date; write expires=2027-01-31`},
		{"two dates", "192.0.2.7 expires=2027-02-03 # expires=2027-01-31", "list:1: two dates; leave one of them out"},
		{"a file in a file", "file:/etc/more", `list:1: unknown type "file"; write one of ` + types},
		{"a line of 10 MB", strings.Repeat("a.", 5<<20), "list:1: a line of more than 4096 octets; one entry a line"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustParse(t, Plain, test.line+good, maphash.MakeSeed())
			if l.entries != 2 || l.bad != 1 || l.lines != 3 || len(l.problems) != 1 || l.problems[0].String() != test.want {
				t.Errorf("%d entries, %d bad, %d lines\ngot  %v\nwant %s", l.entries, l.bad, l.lines, l.problems, test.want)
			}
		})
	}
}

func TestNotLists(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{"a page of the web", "<!DOCTYPE html>\n<html><head>\n<title>Log in</title>\n", []string{
			"list: not a list as it should be: of its first 3 lines 3 cannot be read, and 0 are entries; see that it is the right file, and its format; one [type:]value a line, # before a comment",
			`list:1: unexpected "html>" behind the value; one entry a line; write # before a comment`,
			`list:2: "<html><head>" is no address, network or domain; write a type before it (` + types + `), and # before a comment`,
			`list:3: unexpected "in</title>" behind the value; one entry a line; write # before a comment`}},
		{"one line, and that is bad", "spammer\n", []string{
			"list: the only line cannot be read",
			`list:1: "spammer" is no address, network or domain; write a type before it (` + types + `), and # before a comment`}},
		{"binary rubbish", "\x7fELF\x02\x01\x00\x00 rubbish\n\x00\x00\n", []string{"list:1: binary data, not a list; see what has been put there"}},
		{"a compressed file", "\x1f\x8b\x08rest", []string{"list:1: a compressed file; unpack it before it is put there"}},
		{"UTF-16", "\xff\xfe1\x00", []string{"list:1: text in UTF-16; save it as UTF-8"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, problems, err := parse(strings.NewReader(test.text), "list", Plain, maphash.MakeSeed(), 0)
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if l != nil || err != nil || !slices.Equal(got, test.want) {
				t.Errorf("list %v, error %v\ngot  %q\nwant %q", l != nil, err, got, test.want)
			}
		})
	}
}

func TestLists(t *testing.T) {
	for _, test := range []struct {
		name, text            string
		lines, entries, wrong int
	}{
		{"an empty file", "", 0, 0, 0},
		{"comments only", "# a\n; b\n\n \t\n", 4, 0, 0},
		{"a byte order mark", "\xef\xbb\xbf192.0.2.1\n", 1, 1, 0},
		{"one bad line among good ones", "192.0.2.1\n192.0.2.2\x00\n192.0.2.3\n", 3, 2, 1},
		{"as many bad lines as good ones", "192.0.2.1\nx\n", 2, 1, 1},
		{"lines of DOS", "192.0.2.1\r\n\r\n# a\r\nfrom:joe@example.com # b\r\n", 4, 2, 0},
		{"a byte order mark and lines of DOS", "\xef\xbb\xbf# a\r\nb\u00fccher.example expires=2027-01-31\r\n", 2, 1, 0},
		{"a byte order mark further on", "192.0.2.1\n\xef\xbb\xbf192.0.2.2\n", 2, 1, 1},
		{"names in UTF-8", "from:jos\u00e9@b\u00fccher.example\nptr:\u4f8b\u3048.example\n", 2, 2, 0},
		{"a name in Latin-1", "192.0.2.1\nb\xfccher.example\n", 2, 1, 1},
		{"zeros behind the end", "192.0.2.1\n\x00\x00\x00\x00", 2, 1, 1},
		{"a very long line", "192.0.2.1\n" + strings.Repeat("x", 1<<20) + "\n192.0.2.2\n", 3, 2, 1},
		{"a very long comment", "192.0.2.1\n# " + strings.Repeat("x", 1<<20) + "\n192.0.2.2\n", 3, 2, 1},
		{"a long line without an end", "192.0.2.1\n192.0.2.2\n" + strings.Repeat("x", 5000), 3, 2, 1},
		{"the longest line", "192.0.2.1 # " + strings.Repeat("x", maxLine-12) + "\n", 1, 1, 0},
		{"rubbish in comments", "# \x00\xff\n192.0.2.1 # \x00\xff\n", 2, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := mustParse(t, Plain, test.text, maphash.MakeSeed())
			if l.lines != test.lines || l.entries != test.entries || l.bad != test.wrong {
				t.Errorf("%d lines, %d entries, %d bad", l.lines, l.entries, l.bad)
			}
		})
	}
}

func TestManyBadLinesAreCounted(t *testing.T) {
	l := mustParse(t, Plain, strings.Repeat("192.0.2.1\nword\n", 100), maphash.MakeSeed())
	if len(l.problems) != maxListed+1 {
		t.Fatalf("%d problems", len(l.problems))
	}
	if got, want := l.problems[maxListed].String(), "list:40: behind this line 80 more cannot be read; put these right first"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
