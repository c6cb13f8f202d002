package config

import "strings"

// called gives what other programs, and habit, call things by the key or section
// that they have here.
var called = map[string]string{
	"dnsbl": "lists", "dnsbls": "lists", "rbl": "lists", "rbls": "lists", "blocklists": "lists", "blacklists": "lists",
	"limits": "limit", "ratelimit": "limit", "ratelimits": "limit", "rate_limit": "limit",
	"whitelist": "exempt", "allowlist": "exempt", "mynetworks": "exempt.networks", "trusted_networks": "exempt.networks",
	"blacklist": "local", "blocklist": "local", "denylist": "local", "locals": "local",
	"greylist": "retry", "greylisting": "retry",
	"users": "directory", "recipients": "directory", "account": "accounts", "exception": "accounts.exception", "exceptions": "accounts.exception", "metrics": "admin", "control": "admin", "socket": "milter.listen",
	"listeners": "listener", "scores": "points", "weights": "points", "findings": "points",
	"geoip": "geo", "maxmind": "geo", "asn": "geo.asn", "country": "geo.country",
	"spf": "points",
}

// calledHere says how a section or key at the top of a file is called here, ""
// when its name is none that we know from elsewhere.
func (l *loader) calledHere(s spot, name string) string {
	here, ok := called[strings.ToLower(name)]
	if !ok || s.name != cut(name, 60) {
		return ""
	}
	n := l.schema
	for part := range strings.SplitSeq(here, ".") {
		n = n.find(part)
	}
	shown := "[" + here + "]"
	switch {
	case n.array != nil:
		shown = "[[" + here + "]]"
	case n.key != nil:
		shown = here
	}
	switch {
	case n.later():
		return "that is " + shown + " here, " + notYet + ": remove it"
	case name == "spf":
		return `SPF is always asked: weigh its findings under [points], such as "spf-fail" = 4.0`
	}
	return "that is " + shown + " here"
}
