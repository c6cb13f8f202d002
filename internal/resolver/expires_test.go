package resolver

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

func TestAnswersSayWhenToAskAgain(t *testing.T) {
	server, err := dnstest.Start("a.example. 600 IN A 192.0.2.7\n")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	r := New(Config{Servers: []netip.AddrPort{server.Addr()}})
	defer r.Close()
	asked := r.Lookup(context.Background(), "a.example", dns.TypeA)
	kept, ok := r.Cached("a.example", dns.TypeA)
	for name, a := range map[string]Answer{"asked": asked, "kept": kept} {
		left := time.Until(a.Expires)
		if !ok || left <= 5*time.Minute || left > 10*time.Minute {
			t.Errorf("%s: expires in %v, want the TTL of 10 minutes", name, left)
		}
	}
}
