package dnsbl

import (
	"net/netip"
	"strings"
	"testing"
)

// asked gives the question that a list is asked about a subject; "" if none.
func asked(t *testing.T, l List, sub Subject, own ...netip.Addr) string {
	t.Helper()
	l.Stages = StagesOf(Connect, PTR, Helo, Mail, Bounce, Auth)
	s := NewSet([]List{l}, newZoneFile(), nil, Options{Own: own})
	target, ok := s.target(sub)
	if !ok || len(s.plans[sub.Stage]) == 0 || !s.plans[sub.Stage][0].fits(&target) {
		return ""
	}
	return s.plans[sub.Stage][0].question(&target)
}

const nibbles = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"

func TestAddressesAreAsked(t *testing.T) {
	own := netip.MustParseAddr("198.51.100.25")
	for _, c := range []struct{ name, list, addr, want string }{
		{"octets backwards", "spamcop", "192.0.2.107", "107.2.0.192.bl.spamcop.net"},
		{"nibbles backwards", "spamhaus-zen", "2001:db8::7", nibbles + ".zen.spamhaus.org"},
		{"a mapped address is IPv4", "spamcop", "::ffff:192.0.2.107", "107.2.0.192.bl.spamcop.net"},
		{"with the key", "spamhaus-zen-dqs", "192.0.2.7", "7.2.0.192.k3y.zen.dq.spamhaus.net"},
		{"IPv6 of a list that has none", "spamcop", "2001:db8::7", ""},
		{"an address of a domain list", "spamhaus-dbl", "192.0.2.7", ""},
		{"documentation: tests live there", "spamcop", "203.0.113.255", "255.113.0.203.bl.spamcop.net"},
		{"private", "spamcop", "10.1.2.3", ""},
		{"private, 172.16/12", "spamcop", "172.31.0.1", ""},
		{"private, 192.168/16", "spamcop", "192.168.0.1", ""},
		{"next to private", "spamcop", "172.32.0.1", "1.0.32.172.bl.spamcop.net"},
		{"loopback", "spamcop", "127.0.0.2", ""},
		{"link-local", "spamcop", "169.254.1.1", ""},
		{"carrier-grade NAT", "spamcop", "100.64.0.1", ""},
		{"its last address", "spamcop", "100.127.255.255", ""},
		{"next to it", "spamcop", "100.128.0.1", "1.0.128.100.bl.spamcop.net"},
		{"multicast", "spamcop", "224.0.0.1", ""},
		{"reserved", "spamcop", "240.0.0.1", ""},
		{"broadcast", "spamcop", "255.255.255.255", ""},
		{"unspecified", "spamcop", "0.0.0.0", ""},
		{"this network", "spamcop", "0.1.2.3", ""},
		{"our own", "spamcop", "198.51.100.25", ""},
		{"our own, mapped", "spamcop", "::ffff:198.51.100.25", ""},
		{"mapped private", "spamcop", "::ffff:10.0.0.1", ""},
		{"IPv6 loopback", "spamhaus-zen", "::1", ""},
		{"IPv6 unspecified", "spamhaus-zen", "::", ""},
		{"IPv6 link-local", "spamhaus-zen", "fe80::1%eth0", ""},
		{"unique local", "spamhaus-zen", "fd00::1", ""},
		{"site-local", "spamhaus-zen", "fec0::1", ""},
		{"the last of site-local", "spamhaus-zen", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
		{"IPv6 multicast", "spamhaus-zen", "ff02::1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := asked(t, find(t, c.list)[0], atConnect(c.addr), own); got != c.want {
				t.Errorf("%s about %s: %q, want %q", c.list, c.addr, got, c.want)
			}
		})
	}
	if got := asked(t, find(t, "spamcop")[0], Subject{Stage: Connect}); got != "" {
		t.Errorf("no address is asked as %q", got)
	}
}

func TestNamesAreAsked(t *testing.T) {
	long := strings.Repeat("a", 63) + "." + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + ".example"
	for _, c := range []struct{ name, list, host, want string }{
		{"whole, the list is wildcarded", "spamhaus-dbl", "mx7.mail.example.co.uk", "mx7.mail.example.co.uk.dbl.spamhaus.org"},
		{"registered", "surbl", "mx7.mail.example.co.uk", "example.co.uk.multi.surbl.org"},
		{"registered below a private suffix", "surbl", "www.someone.github.io", "someone.github.io.multi.surbl.org"},
		{"registered already", "uribl", "example.com", "example.com.multi.uribl.com"},
		{"with the key", "spamhaus-dbl-dqs", "mail.example.com", "mail.example.com.k3y.dbl.dq.spamhaus.net"},
		{"lower case", "spamhaus-dbl", "Mail.Example.COM", "mail.example.com.dbl.spamhaus.org"},
		{"A-labels", "surbl", "www.xn--bcher-kva.example", "xn--bcher-kva.example.multi.surbl.org"},
		{"U-labels are none", "surbl", "www.bücher.example", ""},
		{"underscores are in use", "spamhaus-dbl", "my_host.example.com", "my_host.example.com.dbl.spamhaus.org"},
		{"a public suffix", "spamhaus-dbl", "co.uk", ""},
		{"a private suffix", "spamhaus-dbl", "github.io", ""},
		{"a single label", "spamhaus-dbl", "localhost", ""},
		{"a bare address", "spamhaus-dbl", "192.0.2.7", ""},
		{"a short form of one", "spamhaus-dbl", "192.519", ""},
		{"a literal", "spamhaus-dbl", "[192.0.2.7]", ""},
		{"a literal of IPv6", "spamhaus-dbl", "[IPv6:2001:db8::7]", ""},
		{"IPv6", "spamhaus-dbl", "2001:db8::7", ""},
		{"the name of an address", "spamhaus-dbl", "7.2.0.192.in-addr.arpa", ""},
		{"a last dot", "spamhaus-dbl", "example.com.", ""},
		{"an empty label", "spamhaus-dbl", "mail..example.com", ""},
		{"nothing", "spamhaus-dbl", "", ""},
		{"a space", "spamhaus-dbl", "mail example.com", ""},
		{"a NUL", "spamhaus-dbl", "mail\x00.example.com", ""},
		{"a label of 64", "spamhaus-dbl", strings.Repeat("a", 64) + ".example.com", ""},
		{"too long with the zone", "spamhaus-dbl", "a23456789012345678901234567890123456789." + long, ""},
		{"which is no matter where only its end is asked", "surbl", "a23456789012345678901234567890123456789." + long, strings.Repeat("c", 63) + ".example.multi.surbl.org"},
		{"a domain of an address list", "spamcop", "mail.example.com", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := asked(t, find(t, c.list)[0], Subject{Name: c.host, Stage: Helo}); got != c.want {
				t.Errorf("%s about %q: %q, want %q", c.list, c.host, got, c.want)
			}
		})
	}
}

func TestTheLimitCountsTheKey(t *testing.T) {
	l, _ := Find("spamhaus-dbl-dqs")
	name := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + ".example"
	for _, c := range []struct {
		key  int
		asks bool
	}{{42, true}, {43, false}} {
		keyed, err := l.WithKey(strings.Repeat("k", c.key))
		if err != nil {
			t.Fatal(err)
		}
		got := asked(t, keyed, Subject{Name: name, Stage: Mail})
		if (got != "") != c.asks || len(got) > 253 {
			t.Errorf("with a key of %d octets it is asked %q of %d octets", c.key, got, len(got))
		}
	}
}

func TestTestEntriesAreAsked(t *testing.T) {
	zen, dbl := find(t, "spamhaus-zen-dqs")[0], find(t, "nordspam-dbl")[0]
	for _, c := range []struct {
		list *List
		test string
		want string
	}{
		{&zen, "127.0.0.2", "2.0.0.127.k3y.zen.dq.spamhaus.net"},
		{&zen, "::ffff:7f00:2", "2.0.0.0.0.0.f.7.f.f.f.f." + strings.Repeat("0.", 20) + "k3y.zen.dq.spamhaus.net"},
		{&dbl, "TEST", "test.dbl.nordspam.com"},
		{&dbl, "invalid", "invalid.dbl.nordspam.com"},
		{&dbl, "no name", ""},
		{&dbl, "", ""},
	} {
		if got, ok := c.list.testQuestion(c.test); got != c.want || ok != (c.want != "") {
			t.Errorf("%s, test entry %q: %q, %v; want %q", c.list, c.test, got, ok, c.want)
		}
	}
	unkeyed, _ := Find("spamhaus-zen-dqs")
	if got, ok := unkeyed.testQuestion("127.0.0.2"); ok {
		t.Errorf("without its key a list is asked %q", got)
	}
}

// FuzzQuestions asks every list about any name and any address.
func FuzzQuestions(f *testing.F) {
	f.Add("mail.example.com", []byte{192, 0, 2, 7})
	f.Add("[192.0.2.7]", []byte{0x20, 1, 0xd, 0xb8, 15: 7})
	f.Add("MAIL.xn--bcher-kva.EXAMPLE", []byte{10, 0, 0, 1})
	f.Add("a\x00b.example..com.", []byte{})
	f.Add("co.uk", []byte{255, 255, 255, 255})
	var lists []List
	for _, l := range Catalogue() {
		if l.TakesKey() {
			l, _ = l.WithKey("0123456789abcdefghijklmnop")
		}
		l.Stages = StagesOf(Connect, Helo)
		lists = append(lists, l)
	}
	s := NewSet(lists, newZoneFile(), nil, Options{})
	f.Fuzz(func(t *testing.T, name string, octets []byte) {
		addr, _ := netip.AddrFromSlice(octets)
		for _, sub := range []Subject{{Name: name, Stage: Helo}, {Addr: addr, Stage: Connect}} {
			target, ok := s.target(sub)
			if !ok {
				continue
			}
			for i := range s.plans[sub.Stage] {
				m := &s.plans[sub.Stage][i]
				if !m.fits(&target) {
					continue
				}
				checkQuestion(t, m, sub, m.question(&target))
			}
		}
	})
}

func checkQuestion(t *testing.T, m *member, sub Subject, q string) {
	t.Helper()
	front, below := strings.CutSuffix(q, "."+m.zone)
	if !below || len(q) > 253 || q != strings.ToLower(q) {
		t.Fatalf("%s is asked %q about %v", m.list, q, sub)
	}
	for _, label := range strings.Split(q, ".") {
		if len(label) == 0 || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%s is asked %q about %v: label %q", m.list, q, sub, label)
		}
	}
	if sub.Stage == Helo {
		if !strings.HasSuffix(strings.ToLower(sub.Name), front) || !strings.Contains(front, ".") {
			t.Fatalf("%s is asked about %q, not %q", m.list, front, sub.Name)
		}
		if _, err := netip.ParseAddr(front); err == nil {
			t.Fatalf("%s is asked about an address: %q", m.list, front)
		}
		return
	}
	if n := strings.Count(front, ".") + 1; n != 4 && n != 32 {
		t.Fatalf("%s is asked about %q: %d labels", m.list, front, n)
	}
}
