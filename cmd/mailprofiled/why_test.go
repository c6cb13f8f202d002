package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/engine"
)

func TestPrintARecord(t *testing.T) {
	rec := &engine.Record{
		ID: "lzbg2hifo8cf", Client: "192.0.2.66", Helo: "a\x1b[2J", From: "<jo@good.example>", Stage: "rcpt", Mode: "enforce", Score: 5,
		Findings: []engine.RecordFinding{{ID: "rdns-missing", Points: 5}},
		Lookups: []engine.RecordLookup{
			{Question: "66.2.0.192.in-addr.arpa", Type: "PTR", Answer: []string{"none"}, Source: "dns", MS: 12.3},
			{Question: "good.example", Type: "MX", Answer: []string{"10 mail.good.example"}, Source: "cache", AgeS: 754},
		},
		Recipients: []engine.RecordRecipient{
			{Rcpt: "<a@here.example>", Action: "tempfail", Code: 450, Status: "4.7.25", Text: "No name", Score: 5, Reply: "450 4.7.25 No name [lzbg2hifo8cf]"},
			{Rcpt: "<postmaster@here.example>", Action: "continue", Score: 5},
		},
		Identity: engine.RecordIdentity{Answer: "no"}, Policy: "standard@1-3f9a2c1b", When: time.Date(2026, 11, 30, 21, 40, 1, 0, time.UTC), Queue: "4XyZ", Taken: true,
		RecipientsMore: 3, LookupsMore: 2,
	}
	var out bytes.Buffer
	printRecord(rec, &out)
	want := `client:    192.0.2.66
ptr:       -
helo:      "a\x1b[2J"
from:      <jo@good.example>
identity:  no
policy:    standard@1-3f9a2c1b (enforce)
when:      2026-11-30 21:40:01 UTC, and the message was taken
queue id:  4XyZ

look-ups:
  66.2.0.192.in-addr.arpa  PTR  none                  dns    12.3 ms
  good.example             MX   10 mail.good.example  cache  12m34s old
  and 2 more

findings:
  rdns-missing  5

score: 5

recipient <a@here.example>: tempfail (score 5)
  450 4.7.25 No name [lzbg2hifo8cf]

recipient <postmaster@here.example>: continue (score 5)

and 3 recipients more
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	out.Reset()
	printVisits([]*engine.Record{rec}, &out)
	if got := out.String(); !strings.Contains(got, "tempfail 450 4.7.25") || !strings.Contains(got, "<a@here.example> +4") || !strings.Contains(got, "rdns-missing:5") {
		t.Errorf("got\n%s", got)
	}
	rec.Mode, rec.Recipients[0].Reply, rec.Taken = "monitor", "", false
	out.Reset()
	printRecord(rec, &out)
	for _, want := range []string{"  450 4.7.25 No name [lzbg2hifo8cf]\n  not said: in monitor mode everything goes on\n", "UTC, and no message was taken\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
