package profile

import (
	"net/netip"

	"golang.org/x/net/publicsuffix"
)

// addressSign is the Sign of a name in which the client's whole address stands.
const addressSign = "the client's address"

// Read classifies the confirmed names, which costs as much as all else that is judged
// of a visit, so that Operator and Judge need not do it again. It writes to r.
func (r *RDNS) Read(client netip.Addr) {
	if r.Outcome != Found {
		return
	}
	client = client.Unmap().WithZone("")
	for i := range r.Names[:min(len(r.Names), maxPTR)] {
		if name := &r.Names[i]; name.Forward == Confirmed && !name.read {
			name.nature, name.read = Classify(name.Name, client), true
		}
	}
}

// Operator gives the registered domain of who runs the client, as its reverse DNS
// confirms it: of a name that leads back to the client and that somebody chose. A
// provider's default name says who owns the network, not who runs the server: under it
// stand all the customers. A mail word excuses such a name, for senders number their
// pools, but not one with the client's whole address in it. Of several domains it is
// always the same one. "" where there is none, or none is known.
func (r *RDNS) Operator(client netip.Addr) (domain string) {
	if r.Outcome != Found {
		return ""
	}
	client = client.Unmap().WithZone("")
	for _, name := range r.Names[:min(len(r.Names), maxPTR)] {
		if name.Forward != Confirmed {
			continue
		}
		n := name.nature
		if !name.read {
			n = Classify(name.Name, client)
		}
		if n.asConfirmed() != Plain || n.Kind != Plain && n.Sign == addressSign {
			continue
		}
		if org := ownDomain(name.Name); org != "" && (domain == "" || org < domain) {
			domain = org
		}
	}
	return domain
}

// ownDomain is the registered domain of a host name; "" for what is no host name, and
// for a suffix under which anybody may register.
func ownDomain(name string) string {
	suffix, _ := publicsuffix.PublicSuffix(name)
	if suffix == name || hostLabels(name) < 2 {
		return ""
	}
	return withOneLabelMore(name, suffix)
}
