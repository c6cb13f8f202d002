package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
)

// An answerer answers a question; nil is no answer at all.
type answerer func(q *dns.Msg, tcp bool) *dns.Msg

// fakeDNS serves it over UDP and TCP.
func fakeDNS(t *testing.T, answer answerer) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	pc, err := net.ListenPacket("udp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		_, udp := w.RemoteAddr().(*net.UDPAddr)
		if m := answer(q, !udp); m != nil {
			w.WriteMsg(m)
		} else if !udp {
			w.Close()
		}
	})
	var started, ended sync.WaitGroup
	t.Cleanup(ended.Wait)
	for _, s := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: pc, Handler: handler}} {
		started.Add(1)
		s.NotifyStartedFunc = started.Done
		ended.Go(func() { s.ActivateAndServe() })
		t.Cleanup(func() { s.Shutdown() })
	}
	started.Wait()
	return addr
}

// honest knows org, and of the root its keys and signatures around noon; nothing else
// is there.
func honest(q *dns.Msg, tcp bool) *dns.Msg { return rootOf(noon)(q, tcp) }

// rootOf is honest at another time.
func rootOf(now time.Time) answerer {
	return func(q *dns.Msg, _ bool) *dns.Msg {
		m := new(dns.Msg).SetReply(q)
		switch strings.ToLower(q.Question[0].Name) {
		case "org.":
			m.Answer = []dns.RR{record("org. 300 IN SOA a. b. 1 2 3 4 5")}
		case ".":
			m.Answer = []dns.RR{record(". 300 IN RRSIG SOA 8 0 86400 " + now.Add(7*24*time.Hour).UTC().Format("20060102150405") + " " + now.Add(-7*24*time.Hour).UTC().Format("20060102150405") + " 1 . AAAA")}
		default:
			m.Rcode = dns.RcodeNameError
		}
		return m
	}
}

func record(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil {
		panic(err)
	}
	return rr
}

func TestDNS(t *testing.T) {
	isLarge := func(q *dns.Msg) bool { return q.Question[0].Qtype == dns.TypeDNSKEY }
	for _, tt := range []struct {
		name   string
		answer answerer
		id     string
		as     Severity
		what   string
	}{
		{"fine", honest, "", 0, ""},
		{"silent", func(*dns.Msg, bool) *dns.Msg { return nil }, "dns-answers", Error, "does not answer"},
		{"refuses", func(q *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeRefused) }, "dns-answers", Error, "REFUSED"},
		{"cannot reach anybody", func(q *dns.Msg, _ bool) *dns.Msg { return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure) }, "dns-answers", Error, "SERVFAIL"},
		{"validation fails", func(q *dns.Msg, tcp bool) *dns.Msg {
			if !q.CheckingDisabled {
				return new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
			}
			return honest(q, tcp)
		}, "dns-validation", Error, "trust anchor"},
		{"invents below .com alone", func(q *dns.Msg, tcp bool) *dns.Msg {
			m := honest(q, tcp)
			if strings.HasSuffix(q.Question[0].Name, ".com.") {
				m.Rcode, m.Answer = dns.RcodeSuccess, []dns.RR{record(q.Question[0].Name + " 60 IN A 203.0.113.1")}
			}
			return m
		}, "dns-nxdomain", Error, "invents"},
		{"no TCP", func(q *dns.Msg, tcp bool) *dns.Msg {
			if tcp {
				return nil
			}
			return honest(q, tcp)
		}, "dns-large", Warning, "over TCP"},
		{"large answers are lost", func(q *dns.Msg, tcp bool) *dns.Msg {
			if isLarge(q) {
				return nil
			}
			return honest(q, tcp)
		}, "dns-large", Warning, "large ones"},
		{"large answers come over TCP", func(q *dns.Msg, tcp bool) *dns.Msg {
			m := honest(q, tcp)
			m.Truncated = isLarge(q) && !tcp
			return m
		}, "", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := aSite(t)
			f.Servers, f.DNSWait = []netip.AddrPort{fakeDNS(t, tt.answer)}, time.Second
			var all []Finding
			for _, o := range findings(f) {
				if o.ID != "mta" {
					all = append(all, o)
				}
			}
			switch {
			case tt.id == "" && len(all) > 0, tt.id != "" && len(all) != 1:
				t.Errorf("got %+v", all)
			case tt.id != "" && (all[0].ID != tt.id || all[0].Severity != tt.as || !strings.Contains(all[0].What, tt.what) || len(all[0].Remedy) == 0):
				t.Errorf("got %+v", all[0])
			}
		})
	}
}

// TestStripped: a resolver that takes addresses of 127.0.0.0/8 away is told apart from
// a list without entries.
func TestStripped(t *testing.T) {
	for _, stripped := range []bool{true, false} {
		f := aSite(t)
		f.Servers = []netip.AddrPort{fakeDNS(t, func(q *dns.Msg, tcp bool) *dns.Msg {
			if q.Question[0].Name != "2.0.0.127.bl.example." {
				return honest(q, tcp)
			}
			m := new(dns.Msg).SetReply(q)
			if stripped && q.Question[0].Qtype == dns.TypeTXT {
				m.Answer = []dns.RR{record(`2.0.0.127.bl.example. 300 IN TXT "test"`)}
			}
			return m
		})}
		f.Status.Lists = []admin.DNSList{{List: "x", State: "empty", Reason: "its test entry is not listed", Remedy: "take it out"}}
		f.InUse = []dnsbl.List{{ID: "x", Zone: "bl.example"}}
		all := findings(f)
		i := slices.IndexFunc(all, func(o Finding) bool { return o.ID == "lists" })
		if i < 0 || strings.Contains(strings.Join(all[i].Remedy, "\n"), "rebind-domain-ok=/bl.example/") != stripped {
			t.Errorf("stripped %v: %+v", stripped, all)
		}
	}
}

// TestADeadServerIsAskedOnce: nobody waits for it again, whatever else there is to be asked.
func TestADeadServerIsAskedOnce(t *testing.T) {
	var asked atomic.Int32
	f := aSite(t)
	f.DNSWait = 20 * time.Millisecond
	f.Servers = []netip.AddrPort{fakeDNS(t, func(*dns.Msg, bool) *dns.Msg { asked.Add(1); return nil })}
	for _, id := range []string{"x", "y", "z"} {
		f.Status.Lists = append(f.Status.Lists, admin.DNSList{List: id, State: "silent", Reason: "no answer"})
		f.InUse = append(f.InUse, dnsbl.List{ID: id, Zone: id + ".example"})
	}
	if all := findings(f); !slices.ContainsFunc(all, func(o Finding) bool { return o.ID == "dns-answers" && o.Severity == Error }) {
		t.Errorf("the server is not told of: %+v", all)
	}
	if n := asked.Load(); n > dnsTries {
		t.Errorf("asked %d times, want %d at most", n, dnsTries)
	}
}
