package pagetest

import (
	"time"

	"mailprofiled/internal/engine"
)

// visits are records of three: a refused one, one that was asked to come back in
// monitor mode, and one that went on.
func visits() []*engine.Record {
	thresholds := []engine.RecordSetting{
		{Key: "verdict.tempfail_score", Value: 5, Where: "baseline standard@1"},
		{Key: "verdict.reject_score", Value: 10, Where: "/etc/mailprofiled/mailprofiled.toml:14"},
	}
	refused := &engine.Record{
		ID: "0dzl1rikxpq7", Client: "203.0.113.45", PTR: "dsl-203-0-113-45.pool.homenet.example", Helo: "dsl-203-0-113-45.pool.homenet.example",
		From: "<win@harbour.example>", Listener: "unix:/run/mailprofiled/milter.sock", Role: "mx", Stage: "rcpt", Mode: "enforce", Score: 13.5,
		Findings: []engine.RecordFinding{
			{ID: "rdns-dynamic", Points: 7, Detail: "dsl-203-0-113-45.pool.homenet.example (dsl)", Where: "/etc/mailprofiled/mailprofiled.toml:31"},
			{ID: "helo-generic", Points: 3, Detail: "dsl-203-0-113-45.pool.homenet.example (dsl)", Where: "baseline standard@1"},
			{ID: "dnsbl:spamcop", Points: 3.5, Detail: "127.0.0.2: listed", Where: "the catalogue of lists; /etc/mailprofiled/mailprofiled.toml:5"},
			{ID: "from-unrelated", Detail: "harbour.example", Where: "baseline standard@1"},
		},
		Recipients: []engine.RecordRecipient{
			{Rcpt: "<jo@example.net>", Action: "reject", Code: 550, Status: "5.7.25", Text: "The reverse DNS name of 203.0.113.45 is that of an access line", Score: 13.5,
				Reply: "550 5.7.25 The reverse DNS name of 203.0.113.45 is that of an access line; send through your provider's mail server [0dzl1rikxpq7]"},
			{Rcpt: "<postmaster@example.net>", Action: "continue", Score: 13.5},
		},
		Lookups: []engine.RecordLookup{
			{Question: "45.113.0.203.in-addr.arpa", Type: "PTR", Answer: []string{"dsl-203-0-113-45.pool.homenet.example"}, Source: "dns", MS: 21.8},
			{Question: "harbour.example", Type: "MX", Answer: []string{"10 mail.harbour.example"}, Source: "cache", AgeS: 754},
			{Question: "45.113.0.203.bl.spamcop.net", Type: "A", Answer: []string{"127.0.0.2"}, Source: "dns", MS: 3.1, Stale: true},
		},
		ListsAway: []engine.RecordListAway{{List: "dronebl", State: "refused", Reason: "it answers 127.255.255.254: asked through a public resolver"}},
		Identity:  engine.RecordIdentity{Answer: "no"}, Policy: "standard@1-3f9a2c1b", TookMS: 25, When: Noon.Add(-12 * time.Minute),
		RecipientsMore: 2, LookupsMore: 1, Thresholds: thresholds,
	}
	deferred := &engine.Record{
		ID: "1abc2rikxpq7", Client: "203.0.113.45", Helo: "mail.shop.example", From: "<news@shop.example>", Stage: "rcpt", Mode: "monitor", Score: 6, Queue: "4XyZ1k0b3qz9", Taken: true,
		Findings:   []engine.RecordFinding{{ID: "rdns-missing", Points: 6}},
		Recipients: []engine.RecordRecipient{{Rcpt: "<jo@example.net>", Action: "tempfail", Code: 450, Status: "4.7.25", Text: "The address 203.0.113.45 has no name", Score: 6}},
		Lookups:    []engine.RecordLookup{{Question: "45.113.0.203.in-addr.arpa", Type: "PTR", Answer: []string{"none"}, Source: "dns", MS: 9}},
		Identity:   engine.RecordIdentity{Answer: "yes", By: "spf"}, Policy: "standard@1-00000000", When: Noon.Add(-26 * time.Hour),
	}
	passed := &engine.Record{
		ID: "2abc2rikxpq7", Client: "198.51.100.7", PTR: "mail.good.example", Helo: "mail.good.example", From: "<>", Account: "joe@example.net", Stage: "rcpt", Mode: "enforce", Score: -2, Taken: true,
		Findings:   []engine.RecordFinding{{ID: "relation", Points: -2, Detail: "HELO mail.good.example"}},
		Recipients: []engine.RecordRecipient{{Rcpt: "<jo@example.net>", Action: "continue", Score: -2}},
		Lookups:    []engine.RecordLookup{}, Identity: engine.RecordIdentity{Answer: "yes", By: "helo"}, Policy: "standard@1-3f9a2c1b", When: Noon.Add(-50 * time.Hour), Thresholds: thresholds,
	}
	return []*engine.Record{refused, deferred, passed}
}
