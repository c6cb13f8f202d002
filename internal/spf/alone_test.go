package spf

import (
	"context"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	library "blitiri.com.ar/go/spf"
)

// alone are the cases of the suite that the library by itself does not follow,
// and why. What stands around it here makes up for them. docs/spf.md publishes
// the list.
var alone = map[string]string{
	"a-bad-domain":                 "a port behind a domain is not seen as an error",
	"a-bad-toplabel":               "a last label that starts with a hyphen is not seen as an error",
	"a-colon-domain":               "a / inside a domain is taken for an error",
	"a-colon-domain-ip4mapped":     "a / inside a domain is taken for an error",
	"a-null":                       "a NUL in a domain is not seen as an error",
	"a-numeric":                    "an address where a domain must be is not seen as an error",
	"a-numeric-toplabel":           "a last label of digits is not seen as an error",
	"a-only-toplabel":              "a domain of one label is not seen as an error",
	"a-only-toplabel-trailing-dot": "a domain of one label is not seen as an error",
	"bare-ip6":                     "an error behind the term that decides is not seen",
	"cidr4-032":                    "a mask with a leading zero is not seen as an error",
	"control-char-policy":          "a control character is not seen as an error",
	"detect-errors-anywhere":       "an error behind the term that decides is not seen",
	"exp-empty-domain":             "exp= is not read",
	"exp-only-macro-char":          "exp= is not read",
	"exp-syntax-error":             "exp= is not read",
	"exp-twice":                    "exp= is not read",
	"invalid-domain":               "a domain without a dot is not seen as an error",
	"mx-bad-domain":                "a port behind a domain is not seen as an error",
	"mx-bad-toplab":                "a last label that starts with a hyphen is not seen as an error",
	"mx-colon-domain":              "a / inside a domain is taken for an error",
	"mx-colon-domain-ip4mapped":    "a / inside a domain is taken for an error",
	"mx-null":                      "a NUL in a domain is not seen as an error",
	"mx-numeric-top-label":         "a last label of digits is not seen as an error",
	"non-ascii-policy":             "octets outside ASCII are not seen as an error",
	"p-macro-multiple":             "the macro p is always unknown",
	"redirect-empty-domain":        "an error behind the term that decides is not seen",
	"redirect-is-modifier":         "an error behind the term that decides is not seen",
	"redirect-syntax-error":        "an error behind the term that decides is not seen",
	"unknown-modifier-syntax":      "an error behind the term that decides is not seen",
}

// bare is a world as the library expects it, with nothing of ours in between.
type bare struct{ *world }

func (b bare) LookupTXT(ctx context.Context, name string) ([]string, error) {
	a, err := b.find(typeTXT, name)
	return a.Texts, err
}

func (b bare) LookupMX(ctx context.Context, name string) (mxs []*net.MX, err error) {
	a, err := b.find(typeMX, name)
	for _, host := range a.Names {
		mxs = append(mxs, &net.MX{Host: host})
	}
	return mxs, err
}

func (b bare) LookupIPAddr(ctx context.Context, name string) (addrs []net.IPAddr, err error) {
	four, err := b.find(typeA, name)
	six, err6 := b.find(typeAAAA, name)
	for _, a := range append(slices.Clone(four.Addrs), six.Addrs...) {
		addrs = append(addrs, net.IPAddr{IP: a.AsSlice()})
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	if err == nil {
		err = err6
	}
	return nil, err
}

func (b bare) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	a, err := b.find(typePTR, reverse(netip.MustParseAddr(addr)))
	return a.Names, err
}

func (b bare) find(t rrtype, target string) (Answer, error) {
	name, ok := asked(target)
	if !ok {
		return Answer{}, errNotFound
	}
	switch a := b.world.find(t, name, 0); a.Status {
	case Failed:
		return a, &net.DNSError{Err: a.Reason, IsTemporary: true}
	case NoName:
		return a, errNotFound
	default:
		return a, nil
	}
}

// checkAlone is the result of the library by itself.
func checkAlone(w *world, q Query) Outcome {
	got, _ := library.CheckHostWithSender(net.IP(q.Client.AsSlice()), q.Helo, q.Sender, library.WithResolver(bare{w}))
	return results[got]
}

func TestLibraryAlone(t *testing.T) {
	followed := 0
	for _, s := range suites(t) {
		w := s.world()
		for name, test := range s.Tests {
			got := checkAlone(w, Query{Client: netip.MustParseAddr(test.Host), Helo: test.Helo, Sender: test.MailFrom})
			ok := slices.Contains(test.Result, got.String())
			_, listed := alone[name]
			switch {
			case ok && listed:
				t.Errorf("%s: the library follows it now: take it off the list", name)
			case ok:
				followed++
			case !listed:
				t.Errorf("%s: %q: got %v, want %v", s.Description, name, got, test.Result)
			}
		}
	}
	if followed+len(alone) != 203 {
		t.Errorf("%d followed and %d listed, want 203", followed, len(alone))
	}
}

// TestPublished compares both lists with what docs/spf.md tells operators.
func TestPublished(t *testing.T) {
	page, err := os.ReadFile("../../docs/spf.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = row[2]
	}
	for name, why := range alone {
		if !strings.EqualFold(rows[name], why) {
			t.Errorf("docs/spf.md says %q of %s, want %q", rows[name], name, why)
		}
		delete(rows, name)
	}
	for name, why := range rows {
		t.Errorf("docs/spf.md has %s (%s), which the library follows", name, why)
	}
}
