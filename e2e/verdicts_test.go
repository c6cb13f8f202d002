//go:build e2e

package e2e

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mailprofiled/internal/mtatest"
)

// A visit is one sending server with one message for jo@example.net. In its
// texts {a} is the server's address, {b} another's, and {d} a domain of its own.
type visit struct {
	name     string
	lay      func(w *world, a netip.Addr, d string) // what DNS says of it
	helo     string
	from     string
	want     string   // how the reply to RCPT begins: "250", "450 4.7.25"
	findings []string // those of the verdict with points or a lift, in any order
}

var visits = []visit{
	{
		name: "a good server is let in",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "mx.{d}", from: "a@{d}", want: "250", findings: []string{"relation"},
	}, {
		name: "a bounce of a good server is let in",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "mx.{d}", from: "", want: "250", findings: []string{"relation"},
	}, {
		name: "no PTR is deferred",
		lay:  func(w *world, a netip.Addr, d string) { w.domain(d); w.host("mail."+d, a) },
		helo: "mail.{d}", from: "a@{d}", want: "450 4.7.25", findings: []string{"rdns-missing"},
	}, {
		name: "a PTR name that leads elsewhere is deferred",
		lay: func(w *world, a netip.Addr, d string) {
			w.domain(d)
			w.host("mail."+d, a)
			w.ptr(a, "gate."+d)
			w.host("gate."+d, other(a))
		},
		helo: "mail.{d}", from: "a@{d}", want: "450 4.7.25", findings: []string{"rdns-unconfirmed"},
	}, {
		name: "a dial-up line is deferred",
		lay: func(w *world, a netip.Addr, d string) {
			w.domain(d)
			w.host("mail."+d, a)
			w.ptr(a, "dsl-pool-7.dynamic."+d)
			w.host("dsl-pool-7.dynamic."+d, a)
		},
		helo: "mail.{d}", from: "a@{d}", want: "450 4.7.25", findings: []string{"rdns-dynamic"},
	}, {
		name: "HELO with our host name is refused, of a good server too",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "mx.test", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-is-us", "helo-not-client", "helo-unrelated", "relation"},
	}, {
		name: "HELO with our domain in capitals is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "EXAMPLE.net", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-is-us", "helo-unrelated", "relation"},
	}, {
		name: "HELO with a bare address is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "{a}", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-address"},
	}, {
		name: "HELO with another's address in brackets is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "{b-literal}", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-literal-mismatch"},
	}, {
		name: "HELO with the own address in brackets is harmless",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "{a-literal}", from: "a@{d}", want: "250", findings: []string{"relation"},
	}, {
		name: "HELO localhost is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "localhost", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-localhost"},
	}, {
		name: "HELO of a bot is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "ylmf-pc", from: "a@{d}", want: "550 5.7.1", findings: []string{"helo-bot"},
	}, {
		name: "HELO with an empty label is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "mx..{d}", from: "a@{d}", want: "501 5.5.4", findings: []string{"helo-syntax"},
	}, {
		name: "a sender domain that takes no mail is refused",
		lay: func(w *world, a netip.Addr, d string) {
			w.good(a, d)
			w.mx("nomail."+d, "")
		},
		helo: "mx.{d}", from: "a@nomail.{d}", want: "550 5.7.27", findings: []string{"from-null-mx"},
	}, {
		name: "a sender domain that does not exist is refused",
		lay:  func(w *world, a netip.Addr, d string) { w.good(a, d) },
		helo: "mx.{d}", from: "a@nowhere.{d}", want: "550 5.1.8", findings: []string{"from-no-domain"},
	}, {
		name: "a sender domain without any address is refused",
		lay: func(w *world, a netip.Addr, d string) {
			w.good(a, d)
			fmt.Fprintf(w, "empty.%s. 300 IN TXT \"nothing here\"\n", d)
		},
		helo: "mx.{d}", from: "a@empty.{d}", want: "550 5.1.8", findings: []string{"from-unresolvable"},
	}, {
		name: "a HELO name of another, with all else good, is let in",
		lay: func(w *world, a netip.Addr, d string) {
			w.good(a, d)
			w.host("out."+d, other(a))
		},
		helo: "out.{d}", from: "a@{d}", want: "250", findings: []string{"helo-not-client", "relation"},
	},
}

// other is the address of somebody else, of the same family.
func other(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.MustParseAddr("2001:db8:eeee::99")
	}
	return netip.MustParseAddr("198.51.100.99")
}

// literal is an address as HELO has it (RFC 5321 section 4.1.3).
func literal(a netip.Addr) string {
	if a.Is6() {
		return "[IPv6:" + a.String() + "]"
	}
	return "[" + a.String() + "]"
}

// family is where the clients of a run come from.
var families = map[string]netip.Addr{
	"IPv4": netip.MustParseAddr("203.0.113.0"),
	"IPv6": netip.MustParseAddr("2001:db8:1::"),
}

// nth is the n-th address after a, for n under 256.
func nth(a netip.Addr, n int) netip.Addr {
	b := a.AsSlice()
	b[len(b)-1] += byte(n)
	a, _ = netip.AddrFromSlice(b)
	return a
}

func TestVerdicts(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		for family, first := range families {
			t.Run(family, func(t *testing.T) {
				w := new(world)
				for i, v := range visits {
					v.lay(w, nth(first, i+1), domainOf(i))
				}
				h := openHouse(t, kind, w.String(), "")
				for i, v := range visits {
					t.Run(v.name, func(t *testing.T) { h.receive(t, v, nth(first, i+1), domainOf(i)) })
				}
			})
		}
	})
}

func domainOf(i int) string { return fmt.Sprintf("server%d.example", i) }

// receive lets one visitor deliver, and holds reply and log line to what is wanted.
func (h *house) receive(t *testing.T, v visit, a netip.Addr, d string) {
	t.Helper()
	fill := strings.NewReplacer("{a}", a.String(), "{d}", d,
		"{a-literal}", literal(a), "{b-literal}", literal(other(a))).Replace
	mark := h.daemon.log.Len()
	c := h.hello(t, a, fill(v.helo))
	got := send(t, c, fill(v.from), "jo@example.net")
	quit(t, c)
	checkReply(t, got.Rcpts, v.want, a)
	l := h.daemon.verdict(t, mark, a)
	checkLine(t, l, map[string]string{
		"helo": fill(v.helo), "from": "<" + fill(v.from) + ">",
		"rcpts": "1", "rcpt": "<jo@example.net>", "stage": "rcpt", "mode": "enforce",
	})
	checkFindings(t, l, v.findings)
	if v.want == "250" {
		if !got.Accepted() {
			t.Errorf("the message was not taken: %v", got.End)
		}
		return
	}
	code, status, _ := strings.Cut(v.want, " ")
	checkLine(t, l, map[string]string{"code": code, "status": status, "id": replyID(got.Rcpts[0])})
}

// A reply of ours ends in the transaction's id.
var idAtEnd = regexp.MustCompile(`\[([0-9a-z]{12})\]$`)

func replyID(r mtatest.Reply) string {
	if m := idAtEnd.FindStringSubmatch(r.Text); m != nil {
		return m[1]
	}
	return ""
}

// checkReply holds the reply to a recipient to how it must begin and, where it
// is ours, to what every reply of ours promises.
func checkReply(t *testing.T, got []mtatest.Reply, want string, a netip.Addr) {
	t.Helper()
	if len(got) != 1 {
		t.Fatalf("%d replies to RCPT: it was not reached", len(got))
	}
	r := got[0]
	if !strings.HasPrefix(r.String(), want+" ") {
		t.Errorf("got %v; want %s", r, want)
	}
	if want == "250" {
		return
	}
	if strings.Contains(r.Text, "\n") || len(r.String()) > 510 {
		t.Errorf("not one line of at most 510 octets: %v", r)
	}
	for _, ch := range []byte(r.Text) {
		if ch < ' ' || ch > '~' {
			t.Errorf("not plain ASCII: %q", r.Text)
			break
		}
	}
	if replyID(r) == "" || !strings.Contains(r.Text, a.String()) {
		t.Errorf("no id at the end, or no address of the client: %v", r)
	}
}

// checkLine holds values of a log line to what is wanted.
func checkLine(t *testing.T, l line, want map[string]string) {
	t.Helper()
	for key, value := range want {
		if l.values[key] != value {
			t.Errorf("%s=%q; want %q; in %v", key, l.values[key], value, l.values)
		}
	}
}

// checkFindings compares what was found, but for what has no points.
func checkFindings(t *testing.T, l line, want []string) {
	t.Helper()
	var got []string
	for id, n := range l.findings() {
		if n != "0" && n != "-0" {
			got = append(got, id)
		}
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("findings %v; want %v; in %v", got, want, l.values)
	}
}
