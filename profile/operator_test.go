package profile

import (
	"net/netip"
	"testing"
)

func TestOperator(t *testing.T) {
	c7 := netip.MustParseAddr("192.0.2.7")
	ptr := func(name string, f Forward) PTR { return PTR{Name: name, Forward: f} }
	for _, tt := range []struct {
		name  string
		names []PTR
		want  string
	}{
		{"a name that somebody chose", []PTR{ptr("mail.good.example", Confirmed)}, "good.example"},
		{"a pool with numbers, of mail servers", []PTR{ptr("mail-ot1-f41.big.example", Confirmed)}, "big.example"},
		{"a part of the address, of mail servers", []PTR{ptr("a2-7.smtp-out.big.example", Confirmed)}, "big.example"},
		{"it does not lead back", []PTR{ptr("mail.good.example", Mismatch)}, ""},
		{"it is not known whether it leads back", []PTR{ptr("mail.good.example", ForwardFailed)}, ""},
		{"a provider's default name", []PTR{ptr("static-192-0-2-7.hoster.example", Confirmed)}, ""},
		{"the same with a mail word: all customers have such", []PTR{ptr("mail-192-0-2-7.hoster.example", Confirmed)}, ""},
		{"a home line", []PTR{ptr("dsl-192-0-2-7.pool.isp.example", Confirmed)}, ""},
		{"of two the same one in either order", []PTR{ptr("mx.b.example", Confirmed), ptr("mx.a.example", Confirmed)}, "a.example"},
		{"in either order", []PTR{ptr("mx.a.example", Confirmed), ptr("mx.b.example", Confirmed)}, "a.example"},
		{"the default name beside it says nothing", []PTR{ptr("static-192-0-2-7.a.example", Confirmed), ptr("mx.b.example", Confirmed)}, "b.example"},
		{"under a suffix of several labels", []PTR{ptr("mx.shop.co.uk", Confirmed)}, "shop.co.uk"},
		{"a suffix itself is nobody's", []PTR{ptr("co.uk", Confirmed)}, ""},
		{"a customer's name under a suffix for customers", []PTR{ptr("mx.shop.github.io", Confirmed)}, "shop.github.io"},
		{"no name", nil, ""},
	} {
		r := RDNS{Outcome: Found, Names: tt.names}
		if got := r.Operator(c7); got != tt.want {
			t.Errorf("%s: %v gives %q, want %q", tt.name, tt.names, got, tt.want)
		}
		r.Read(c7)
		if got := r.Operator(c7); got != tt.want {
			t.Errorf("%s: read before, %v gives %q, want %q", tt.name, tt.names, got, tt.want)
		}
		for _, o := range []Outcome{NotAsked, NoData, NoName, Failed} {
			if r.Outcome = o; r.Operator(c7) != "" {
				t.Errorf("%s: an operator by an answer that was not had", tt.name)
			}
		}
	}
}

func BenchmarkOperator(b *testing.B) {
	r := RDNS{Outcome: Found, Names: []PTR{{Name: "mail-ot1-f41.big.example", Forward: Confirmed}}}
	client := netip.MustParseAddr("192.0.2.7")
	b.ReportAllocs()
	r.Read(client)
	for b.Loop() {
		r.Operator(client)
	}
}
