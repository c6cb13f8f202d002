package engine

import (
	"regexp"
	"strings"
	"testing"

	"mailprofiled/internal/logging"
)

var anID = regexp.MustCompile(` id=[0-9a-z]{12}\b`)

// TestHashedAddresses: one address is one token, however it is written and
// wherever it stands; what is no address stays.
func TestHashedAddresses(t *testing.T) {
	hash := logging.NewHasher([logging.KeySize]byte{1})
	jo := hash.Token("jo@xn--bcher-kva.example")
	for _, tt := range []struct{ from, helo, account, want string }{
		{"<jo@xn--bcher-kva.example>", "mail.good.example", "", "from=" + jo},
		{"<JO@b\u00fccher.EXAMPLE>", "mail.good.example", "", "from=" + jo},
		{"<\"jo\"@b\u00fccher.example>", "mail.good.example", "", "from=" + jo},
		{"<@relay.example:jo@b\u00fccher.example>", "mail.good.example", "", "from=" + jo},
		{"jo@b\u00fccher.example", "mail.good.example", "", "from=" + jo},
		{"<>", "mail.good.example", "", "from=<>"},
		{"<>", "jo@b\u00fccher.example", "", "helo=" + jo},
		{"<>", "[192.0.2.7]", "", "helo=[192.0.2.7]"},
		{"<>", "[192.0.2.7]", "", "ptr=mail.good.example"},
		{"<>", "mail.good.example", "jo@b\u00fccher.example", "account=" + jo},
		{"<>", "mail.good.example", "jo", "account=" + hash.Token("jo")},
		{"<jo>", "mail.good.example", "", "from=" + hash.Token("jo")},
	} {
		h := newHarness(t, world(), func(o *Options) { o.Hash = hash })
		v := h.Connect(good)
		v.Helo(tt.helo)
		v.Mail(Mail{From: tt.from, Account: tt.account})
		v.Rcpt(Rcpt{To: "<jo@b\u00fccher.example>"})
		v.EndOfMessage("Q1")
		v.Close()
		for _, want := range []string{tt.want, "rcpt=" + jo, "client=192.0.2.7"} {
			if lines := h.lines("verdict"); len(lines) != 1 || !strings.Contains(lines[0]+" ", " "+want+" ") {
				t.Errorf("%q: %q, want %s", tt, lines, want)
			}
		}
		// An id is random letters, and may say anything.
		if log := anID.ReplaceAllString(h.log.String(), ""); strings.Contains(log, "jo") || strings.Contains(log, "cher") {
			t.Errorf("%q: an address in clear in %s", tt, h.log)
		}
	}
}

func BenchmarkShownAddress(b *testing.B) {
	h := newHarness(b, world(), func(o *Options) { o.Hash = logging.NewHasher([logging.KeySize]byte{1}) })
	b.ReportAllocs()
	for b.Loop() {
		h.shownAddress("<somebody.of.ours@mail.example.net>")
	}
}
