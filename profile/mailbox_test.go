package profile

import (
	"net/netip"
	"testing"
)

func TestMailbox(t *testing.T) {
	const want = "help@xn--mller-kva.example"
	for _, raw := range []string{
		"<help@xn--mller-kva.example>", "help@xn--mller-kva.example", "<Help@XN--mller-kva.EXAMPLE.>", "<\"help\"@xn--mller-kva.example>",
		"<help@m\u00fcller.example>", "<@a.example,@b.example:help@xn--mller-kva.example>",
		"< help@xn--mller-kva.example >", " <help @ xn--mller-kva.example>\t", "<\\help@xn--mller-kva.example>",
	} {
		if got := Mailbox(raw); got != want {
			t.Errorf("Mailbox(%q) = %q, want %q", raw, got, want)
		}
	}
	for raw, want := range map[string]string{"<Postmaster>": "postmaster", "<>": "", "": "", "<a@[192.0.2.7]>": "a@[192.0.2.7]", "<a@\xff>": "a@\xff"} {
		if got := Mailbox(raw); got != want {
			t.Errorf("Mailbox(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestAStaleAnswerDeniesNoLift(t *testing.T) {
	p, err := Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	s := Session{
		Client: netip.MustParseAddr("192.0.2.7"),
		RDNS:   RDNS{Outcome: NoName},
		Helo:   Helo{Given: Shown, Name: "host"},
		Sender: ParseSender("<joe>@good.example"),
	}
	s.Sender.Domain, s.Sender.MX = "good.example", Found
	s.Sender.Exchanges = []Exchange{{Name: "mx.good.example", Host: Host{A: Found, AAAA: NoData}}}
	s.Sender.Host = Host{A: NoData, AAAA: NoData}
	if v := Judge(&s, p).Decide(nil, false); v.Action != Reject {
		t.Fatalf("with fresh answers: %+v, want reject, or this test shows nothing", v)
	}
	s.Sender.Stale = true
	if v := Judge(&s, p).Decide(nil, false); v.Action != TempFail || !v.Capped {
		t.Errorf("MX past its expiry: %+v, want a capped tempfail", v)
	}
	s.Sender.Stale, s.Sender.Exchanges[0].Host.Stale = false, true
	if v := Judge(&s, p).Decide(nil, false); v.Action != TempFail || !v.Capped {
		t.Errorf("addresses of the MX past their expiry: %+v, want a capped tempfail", v)
	}
}
