package main

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailprofiled/internal/config"
)

// serveDNS answers on a loopback port until the test ends.
func serveDNS(t *testing.T, answer dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{PacketConn: conn, Handler: answer, NotifyStartedFunc: func() { close(ready) }}
	go func() {
		defer close(ended)
		if err := server.ActivateAndServe(); err != nil {
			t.Error(err)
		}
	}()
	<-ready
	t.Cleanup(func() {
		if err := server.Shutdown(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func replyWith(rcode int, records ...string) dns.HandlerFunc {
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetRcode(q, rcode)
		for _, r := range records {
			rr, err := dns.NewRR(q.Question[0].Name + " 60 IN " + r)
			if err == nil && rr.Header().Rrtype == q.Question[0].Qtype {
				m.Answer = append(m.Answer, rr)
			}
		}
		w.WriteMsg(m)
	}
}

func TestProbeDNS(t *testing.T) {
	onlyInvalid := func(w dns.ResponseWriter, q *dns.Msg) {
		if strings.HasSuffix(q.Question[0].Name, ".invalid.") {
			replyWith(dns.RcodeNameError)(w, q)
			return
		}
		replyWith(dns.RcodeServerFailure)(w, q)
	}
	tests := []struct {
		name   string
		answer dns.HandlerFunc
		want   string // a pattern; "" when nothing is wrong
	}{
		{"a server that says NXDOMAIN is fine", replyWith(dns.RcodeNameError), ""},
		{"one that sends everybody to its own page is not", replyWith(dns.RcodeSuccess, "A 192.0.2.80"), `invents names that do not exist: .*; ask another server$`},
		{"nor one for which every name exists", replyWith(dns.RcodeSuccess), `invents names that do not exist`},
		{"one that fails", replyWith(dns.RcodeServerFailure), `gives no usable answer \(servfail\); `},
		{"one that refuses us", replyWith(dns.RcodeRefused), `gives no usable answer \(refused\); see that it runs and serves this machine$`},
		{"one that reaches nobody", onlyInvalid, `cannot look up names \(servfail\); see that it reaches the Internet$`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serveDNS(t, tt.answer)
			cfg, report := config.Parse("m.toml", []byte("mode = \"monitor\"\n\ndns.servers = [\""+server.String()+"\"]\n"))
			if cfg == nil {
				t.Fatal(report)
			}
			got := strings.Join(probeDNS(context.Background(), cfg), "\n")
			if tt.want == "" && got != "" {
				t.Errorf("got %q, want nothing", got)
			}
			if tt.want != "" && !regexp.MustCompile(`^m\.toml:3: DNS server 127\.0\.0\.1:\d+ `+tt.want).MatchString(got) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNameserverLine(t *testing.T) {
	text := "# by hand\nsearch example.net\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # x\nnameserver\n"
	for server, want := range map[string]int{"192.0.2.1": 3, "2001:db8::1": 4, "192.0.2.9": 1} {
		if got := nameserverLine(text, netip.MustParseAddr(server)); got != want {
			t.Errorf("%s: line %d, want %d", server, got, want)
		}
	}
}
