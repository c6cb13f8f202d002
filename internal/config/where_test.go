package config

import "testing"

func TestWhereAFindingGetsItsWeight(t *testing.T) {
	cfg, report := Parse("m.toml", []byte(`mode = "monitor"
baseline = "standard@1"
verdict.reject_score = 9.0
lists.use = ["spamcop", "bl.example"]
[points]
"rdns-missing" = 7.0
"dnsbl:spamcop" = 2.0
[[lists.own]]
id = "bl.example"
zone = "bl.example.net"
ask = ["ip4"]
at = ["connect"]
codes = [ { answer = "127.0.0.2", points = 8.0 } ]
[[limit]]
name = "outgoing"
per = "account"
max = 5000
window = "24h"
action = "tempfail"
`))
	if cfg == nil {
		t.Fatal(report)
	}
	for finding, want := range map[string]string{
		"rdns-missing":       "m.toml:6",
		"rdns-generic":       "baseline standard@1",
		"dnsbl:spamcop":      "m.toml:7",
		"dnsbl:bl.example":   "m.toml:8",
		"rhsbl:bl.example":   "m.toml:8",
		"dnsbl:psbl":         "the catalogue of lists; m.toml:4",
		"limit:outgoing":     "m.toml:14",
		"limit:new accounts": "built in",
		"local-deny":         "",
		"account-blocked":    "accounts block",
		"account-hijack":     "default",
	} {
		if got := cfg.WhereOf(finding); got != want {
			t.Errorf("%s: %q, want %q", finding, got, want)
		}
	}
	for key, want := range map[string]string{"verdict.reject_score": "m.toml:3", "verdict.tempfail_score": "baseline standard@1", "dns.budget": "default"} {
		if got := cfg.WhereOfKey(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}
