package profile

import (
	"fmt"
	"math/rand"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestFreshNames draws names and addresses anew in each run, so that nothing
// can be right because it is known by heart.
func TestFreshNames(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewSource(seed))
	p := standard(t)
	for range 2000 {
		d := drawNames(rng)
		for _, tc := range []struct {
			name string
			s    Session
			want Action
			id   string // that must be among the findings; "" for none against the client
		}{
			{"a chosen name, said in HELO", d.visit(ptr(d.host, Confirmed), d.host), Continue, "relation"},
			{"a line", d.visit(ptr(d.line, Confirmed), d.host), TempFail, "rdns-dynamic"},
			{"a default name", d.visit(ptr(d.generic, Confirmed), d.host), Continue, "rdns-generic"},
			{"a default name of a mail service, confirmed", d.visit(ptr(d.mailer, Confirmed), d.mailer), Continue, "relation"},
			{"no PTR", d.visit(RDNS{Outcome: NoName}, d.host), TempFail, "rdns-missing"},
			{"PTR failed", d.visit(RDNS{Outcome: Failed}, d.host), Continue, "rdns-error"},
			{"our own name", d.visit(ptr(d.host, Confirmed), strings.ToUpper(d.us)), Reject, "helo-is-us"},
			{"a customer's name under ours", d.visit(ptr("www."+d.us, Confirmed), "www."+d.us), Continue, "relation"},
			{"another's literal", d.visit(ptr(d.host, Confirmed), "["+d.stranger.String()+"]"), Reject, "helo-literal-mismatch"},
			{"a bare address", d.visit(ptr(d.host, Confirmed), d.client.String()), Reject, "helo-address"},
		} {
			j := Judge(&tc.s, p)
			v := j.Decide(&Recipient{Raw: "<" + d.word() + "@" + d.us + ">", Number: 1}, false)
			if v.Action != tc.want || !strings.Contains(" "+idsOf(j.Findings)+" ", " "+tc.id+" ") {
				t.Fatalf("%s: %v for %q, want %v with %s\n%s", tc.name, v.Action, idsOf(j.Findings), tc.want, tc.id, show(tc.s))
			}
			if v.Action != Continue && !strings.Contains(v.Text, d.client.String()) {
				t.Fatalf("%s: %q does not name %v", tc.name, v.Text, d.client)
			}
		}
	}
}

// drawn is one set of names.
type drawn struct {
	rng                         *rand.Rand
	client, stranger            netip.Addr
	us                          string
	host, line, generic, mailer string
}

func drawNames(rng *rand.Rand) *drawn {
	d := &drawn{rng: rng}
	d.client, d.stranger = d.address(), d.address()
	suffix := pick(rng, []string{"com", "net", "co.uk", "com.br", "example", "org"})
	domain := d.word() + "." + suffix
	d.us = d.word() + d.word() + ".net"
	d.host = d.word() + "." + domain
	encoded := d.encode()
	d.line = pick(rng, []string{"%s.dsl.", "dyn-%s.", "%s.dhcp.", "cpe-%s.", "%s.cable.", "pppoe-%s."})
	d.line = fmt.Sprintf(d.line, encoded) + domain
	d.generic = pick(rng, []string{"host-%s.", "ip-%s.", "%s.static.", "unit%s."})
	d.generic = fmt.Sprintf(d.generic, encoded) + domain
	d.mailer = fmt.Sprintf(pick(rng, []string{"o-%s.smtp.", "%s.mail-out.", "mta-%s.", "%s.relay."}), encoded) + domain
	return d
}

// address draws a public one, neither loopback nor multicast.
func (d *drawn) address() netip.Addr {
	var b [4]byte
	for i := range b {
		b[i] = byte(20 + d.rng.Intn(100))
	}
	return netip.AddrFrom4(b)
}

// encode writes the client's address in one of the ways that are seen.
func (d *drawn) encode() string {
	b := d.client.As4()
	if d.rng.Intn(2) == 0 {
		b = [4]byte{b[3], b[2], b[1], b[0]}
	}
	switch d.rng.Intn(4) {
	case 0:
		return fmt.Sprintf("%x%02x%02x%02x", b[0], b[1], b[2], b[3])
	case 1:
		return fmt.Sprintf("%03d-%03d-%03d-%03d", b[0], b[1], b[2], b[3])
	}
	return strings.Join([]string{fmt.Sprint(b[0]), fmt.Sprint(b[1]), fmt.Sprint(b[2]), fmt.Sprint(b[3])}, pick(d.rng, []string{"-", "_", "x"}))
}

// word draws a word of vowels and consonants that is no word of the trade.
func (d *drawn) word() string {
	var b strings.Builder
	for range 3 + d.rng.Intn(3) {
		b.WriteByte(pick(d.rng, []byte("bgkqvz")))
		b.WriteByte(pick(d.rng, []byte("aeou")))
	}
	return b.String()
}

// visit is a stranger with a sender that can be answered.
func (d *drawn) visit(rdns RDNS, helo string) Session {
	sender := ParseSender("<" + d.word() + "@" + d.word() + ".example>")
	sender.MX, sender.Host = NoData, hostAt(d.stranger)
	return Session{
		Client: d.client, Us: &Us{Domains: []string{d.us}}, RDNS: rdns,
		Helo:   Helo{Given: Shown, Name: helo, Host: hostAt(d.client), MX: NoData},
		Sender: sender,
	}
}
