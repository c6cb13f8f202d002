package profile

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"testing"
)

// The shipped cases: made up, each the rule in words.
func TestClassify(t *testing.T) {
	const v4, v6, temp = "192.0.2.137", "2001:db8:12:3400::25", "2001:db8:12:3400:a1b2:c3d4:e5f6:789a"
	for _, tc := range []struct {
		name   string
		host   string
		client string
		want   Kind
	}{
		{"a chosen name", "mail.example.com", v4, Plain},
		{"a chosen name with a number", "server70.example.com", v4, Plain},
		{"one octet is a number like any other", "mx137.example.com", v4, Plain},
		{"two octets glued to a firm's numbering", "m2-137.example.com", v4, Plain},
		{"nothing left of the registered domain", "192-0-2-137.com", v4, Plain},
		{"access words of the registered domain", "mail.dynamic-dsl-pool.com", v4, Plain},
		{"a public suffix of two labels", "192-0-2-137.co.uk", v4, Plain},
		{"dashes", "192-0-2-137.example.com", v4, Generic},
		{"dots", "192.0.2.137.example.com", v4, Generic},
		{"underscores and a word", "host_192_0_2_137.example.com", v4, Generic},
		{"letters between the octets", "ip192x0x2x137.example.co.uk", v4, Generic},
		{"reversed", "137-2-0-192.example.com", v4, Generic},
		{"mixed separators over labels", "host137.2.0-192.example.com", v4, Generic},
		{"a firm's own suffix is not a registry's", "ec2-192-0-2-137.compute-1.amazonaws.com", v4, Generic},
		{"zero padded", "ip-192-000-002-137.example.com", v4, Generic},
		{"pairs in swapped order", "137.net192-0-2.example.com", v4, Generic},
		{"the last two octets and a word", "host-2-137.example.com", v4, Generic},
		{"the last two octets alone", "2-137.example.com", v4, Generic},
		{"hex", "ipc0000289.example.com", v4, Generic},
		{"the last two octets in hex", "p0289.example.com", v4, Generic},
		{"other four hex digits", "p0288.example.com", v4, Plain},
		{"four letters that would be hex", "vmabcd.example.com", "192.0.171.205", Plain},
		{"the last two octets run together", "e97070.example.com", "192.0.97.70", Generic},
		{"behind a firm's numbering", "server97070.example.com", "192.0.97.70", Plain},
		{"an x between the last two octets", "node220x184.example.com", "192.0.220.184", Generic},
		{"a size", "node220x185.example.com", "192.0.220.184", Plain},
		{"over the registered name", "ip7.ip-192-0-2.example", "192.0.2.7", Generic},
		{"a registered name with a part of it", "mail.my-192-0.example", "192.0.2.7", Plain},
		{"a long number behind a dash", "hwsrv-734989.example.com", v4, Generic},
		{"a short number behind a dash", "server-7349.example.com", v4, Plain},
		{"a long number and a letter for the line", "cc616634-a.example.com", v4, Generic},
		{"letters inside hex are no word", "c0ded33f.dsl.example.com", v4, Dynamic},
		{"letters that begin hex are no word", "ded0c33f.dsl.example.com", v4, Dynamic},
		{"hex reversed", "rev-890200c0.example.com", v4, Generic},
		{"hex in pairs", "host-c0-00-02-89.example.com", v4, Generic},
		{"one decimal number", "3221226121.example.com", v4, Generic},
		{"run together without padding", "host1920-1920002137.example.com", v4, Plain},
		{"run together, padded", "192000002137.example.com", v4, Generic},
		{"a letter and all of it run together is how lines are numbered", "n192000002137.example.com", v4, Dynamic},
		{"a letter and the address", "d192-0-2-137.example.com", v4, Generic},
		{"a letter and the address, below a place", "d192-0-2-137.town.example.com", v4, Dynamic},
		{"letters that mean a server", "vm192-0-2-137.town.example.com", v4, Generic},
		{"as in a reverse zone", "137.2.0.192.example.com", v4, Generic},
		{"as in a reverse zone, below a sub-domain", "137.2.0.192.rev.example.com", v4, Dynamic},
		{"in order, below a sub-domain", "192.0.2.137.rev.example.com", v4, Generic},
		{"a copy of in-addr.arpa below a domain", "137.2.0.192.in-addr.arpa.example.com", v4, Generic},
		{"a copy of in-addr.arpa", "137.2.0.192.in-addr.arpa", v4, Generic},
		{"a word and the address", "192-0-2-137.adsl.example.com", v4, Dynamic},
		{"a word glued to the address", "dsl192-0-2-137.example.com", v4, Dynamic},
		{"a word and some number", "dhcp-14.campus.example.edu", v4, Dynamic},
		{"a word inside a word", "imdhcp-14.example.com", v4, Dynamic},
		{"two words need no number", "adsl-dynamic.example.com", v4, Dynamic},
		{"a technique alone, without a number", "wireless.example.com", v4, Generic},
		{"a subscriber beside the address", "192-0-2-137.customer.example.com", v4, Dynamic},
		{"a subscriber with a long number", "cust1734.example.com", v4, Dynamic},
		{"a subscriber with a short number", "client2.example.com", v4, Generic},
		{"a subscriber's word alone", "customer.example.com", v4, Plain},
		{"a subscriber's word in another host's label", "customer-nat.pod11.example.com", v4, Plain},
		{"a hint beside the address", "192-0-2-137.home.example.com", v4, Dynamic},
		{"a hint alone", "home1.example.com", v4, Plain},
		{"static", "192-0-2-137.static.example.com", v4, Generic},
		{"static beats a word", "static-192-0-2-137.dsl.example.com", v4, Generic},
		{"business beats a word", "192-0-2-137.biz.cable.example.com", v4, Generic},
		{"a fixed line by number", "s271272.static.example.com", v4, Generic},
		{"static alone is a name", "static.example.com", v4, Plain},
		{"a rented server", "vps-4a071faa.example.com", v4, Generic},
		{"a rented server's number", "vmi1736435.example.com", v4, Generic},
		{"a long number", "263665.example.com", v4, Generic},
		{"a MAC address", "00a0c914c829.example.com", v4, Generic},
		{"a MAC address in pairs", "00-a0-c9-14-c8-29.example.com", v4, Generic},
		{"never named", "unassigned.example.com", v4, Generic},
		{"another's address", "198-51-100-9.example.com", v4, Plain},
		{"words that only look like access words", "friendslist.dialog.dynatrace.example.com", v4, Plain},
		{"upper case and a last dot", "192-0-2-137.DSL.Example.COM.", v4, Dynamic},
		{"the client is not known: words still speak", "192-0-2-137.dsl.example.com", "", Dynamic},
		{"the client is not known: numbers do not", "192-0-2-137.example.com", "", Plain},
		{"IPv6 written out", "2001-0db8-0012-3400-0000-0000-0000-0025.example.com", v6, Generic},
		{"IPv6 nibbles run together", "20010db8001234000000000000000025.example.com", v6, Generic},
		{"IPv6 as in a reverse zone", "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.3.2.1.0.0.8.b.d.0.1.0.0.2.example.com", v6, Generic},
		{"IPv6 without padding", "2001-db8-12-3400-0-0-0-25.example.com", v6, Generic},
		{"IPv6 compressed", "2001-db8-12-3400--25.example.com", v6, Generic},
		{"IPv6 network alone, and a word", "host.20010db800123400.example.com", v6, Generic},
		{"IPv6 in a word's company", "2001-db8-12-3400--25.dyn.example.com", v6, Dynamic},
		{"IPv6 temporary address", "2001-db8-12-3400-a1b2-c3d4-e5f6-789a.example.com", temp, Generic},
		{"IPv6 temporary address, below a sub-domain", "2001-db8-12-3400-a1b2-c3d4-e5f6-789a.rev.example.com", temp, Dynamic},
		{"IPv6 temporary address, its second half", "h-a1b2c3d4e5f6789a.example.com", temp, Generic},
		{"IPv6 host with a chosen name", "mail6.example.com", v6, Plain},
		{"nothing", "", v4, Plain},
		{"dots only", "....", v4, Plain},
		{"a label alone", "localhost", v4, Plain},
		{"rubbish", "\x00\xff..\r\n", v4, Plain},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, _ := netip.ParseAddr(tc.client)
			if got := Classify(tc.host, client); got.Kind != tc.want || (got.Kind != Plain) != (got.Sign != "") {
				t.Errorf("%s of %q: got %v (%s), want %v", tc.host, tc.client, got.Kind, got.Sign, tc.want)
			}
		})
	}
}

func TestMailWords(t *testing.T) {
	for host, want := range map[string]bool{
		"mail.example.com":                true,
		"webmail2.example.com":            true,
		"192-0-2-7.smtp-out.example.com":  true,
		"o1.outbound-mail.example.com":    true,
		"mx1.example.com":                 true,
		"mta-1-2.example.com":             true,
		"kmta.shared.example.com":         true,
		"relay.example.com":               true,
		"www.mail.com":                    false,
		"host.smtp-provider.com":          false,
		"example.com":                     false,
		"maxi.example.com":                false,
		"192-0-2-7.dsl.hotmail-isp.co.uk": false,
	} {
		if got := Classify(host, c7).Mail; got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}

// ptrNames are labelled names that lie beside the repository and are not part
// of it.
const ptrNames = "../../shared/facts/ptr-names.csv"

// A tally counts the names of one label.
type tally struct{ rows, flagged, dynamic int }

// TestLabelledNames measures Classify. A name is taken as confirmed, so that
// mail words help, and again as unconfirmed.
func TestLabelledNames(t *testing.T) {
	rows, err := readNames()
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("NOT MEASURED: %s is absent; only the made-up names of TestClassify were tried", ptrNames)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	confirmed, plain := map[string]*tally{}, map[string]*tally{}
	for _, r := range rows {
		n := Classify(r.name, r.client)
		key := r.label
		if !r.client.IsValid() {
			key += ", no address"
		}
		count(confirmed, key, n.asConfirmed())
		count(plain, key, n.Kind)
		if r.expect == "none" && n.asConfirmed() == Dynamic {
			t.Errorf("%s (%v) is dynamic by %q: the costly kind of mistake", r.name, r.client, n.Sign)
		}
	}
	for key, c := range confirmed {
		t.Logf("%-22s %3d rows, flagged %3d (unconfirmed %3d), dynamic %3d (unconfirmed %3d)",
			key, c.rows, c.flagged, plain[key].flagged, c.dynamic, plain[key].dynamic)
	}
	atLeast(t, "dynamic names that are rdns-dynamic", confirmed["dynamic"].dynamic, confirmed["dynamic"].rows, 94)
	atLeast(t, "generic names that are rdns-generic or more", confirmed["generic"].flagged, confirmed["generic"].rows, 88)
}

func atLeast(t *testing.T, what string, n, of, percent int) {
	t.Helper()
	t.Logf("%s: %d of %d, %.1f %%", what, n, of, 100*float64(n)/float64(of))
	if 100*n < percent*of {
		t.Errorf("%s: %d of %d, want %d %%", what, n, of, percent)
	}
}

func count(tallies map[string]*tally, key string, k Kind) {
	c := tallies[key]
	if c == nil {
		c = new(tally)
		tallies[key] = c
	}
	c.rows++
	if k != Plain {
		c.flagged++
	}
	if k == Dynamic {
		c.dynamic++
	}
}

type labelled struct {
	name, label, expect string
	client              netip.Addr
}

func readNames() ([]labelled, error) {
	f, err := os.Open(ptrNames)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	var names []labelled
	for _, r := range rows[1:] {
		client, _ := netip.ParseAddr(r[3])
		names = append(names, labelled{name: r[0], label: r[1], expect: r[4], client: client})
	}
	return names, nil
}
