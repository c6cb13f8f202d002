package doctor

import "net/netip"

// publicResolvers are resolvers for everybody, by whom runs them. DNS lists see their
// questions in place of ours, and answer them with a refusal.
var publicResolvers = map[string][]string{
	"Google":        {"8.8.8.0/24", "8.8.4.0/24", "2001:4860:4860::/48"},
	"Cloudflare":    {"1.1.1.0/24", "1.0.0.0/24", "2606:4700:4700::/48"},
	"Quad9":         {"9.9.9.0/24", "149.112.112.0/24", "2620:fe::/48"},
	"OpenDNS":       {"208.67.222.0/24", "208.67.220.0/24", "2620:119:35::/48", "2620:119:53::/48"},
	"Lumen":         {"4.2.2.0/29"},
	"Vercara":       {"64.6.64.0/24", "64.6.65.0/24", "156.154.70.0/24", "156.154.71.0/24"},
	"AdGuard":       {"94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/32"},
	"CleanBrowsing": {"185.228.168.0/24", "185.228.169.0/24"},
	"Yandex":        {"77.88.8.0/24"},
	"Comodo":        {"8.26.56.0/24", "8.20.247.0/24"},
	"Control D":     {"76.76.2.0/24", "76.76.10.0/24"},
	"DNS4EU":        {"86.54.11.0/24"},
	"Mullvad":       {"194.242.2.0/24"},
	"Hurricane":     {"74.82.42.42/32"},
	"AliDNS":        {"223.5.5.5/32", "223.6.6.6/32"},
	"DNSPod":        {"119.29.29.29/32"},
	"114DNS":        {"114.114.114.0/24", "114.114.115.0/24"},
}

// publicOwner tells who runs a resolver for everybody; "" where it is none of those.
func publicOwner(a netip.Addr) string {
	for owner, nets := range publicResolvers {
		for _, n := range nets {
			if netip.MustParsePrefix(n).Contains(a.Unmap()) {
				return owner
			}
		}
	}
	return ""
}
