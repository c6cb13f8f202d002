package main

import (
	"strings"
	"testing"

	"mailprofiled/internal/admin"
)

// TestTheLineThatDecided: a record names the lines of the configuration while the
// policy of then is in force, and none of another.
func TestTheLineThatDecided(t *testing.T) {
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	v := h.begin(t)
	ask(t, v)
	v.Close()
	look := func() *admin.Why {
		t.Helper()
		for { // the record is made when the transaction has ended
			found, err := h.why(t.Context(), admin.WhyQuery{Client: "192.0.2.66", Most: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(found.Visits) == 1 {
				return found
			}
		}
	}
	rec := look().Visits[0]
	if f := rec.Findings[0]; f.ID != "rdns-missing" || !strings.Contains(f.Where, "m.toml:") {
		t.Errorf("%+v", f)
	}
	if len(rec.Thresholds) != 2 || rec.Thresholds[0].Key != "verdict.tempfail_score" || !strings.HasPrefix(rec.Thresholds[1].Where, "baseline standard@") {
		t.Errorf("%+v", rec.Thresholds)
	}
	h.write(t, judging(dns, 7))
	if r := h.reload(t.Context()); len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	if rec := look().Visits[0]; rec.Findings[0].Where != "" || rec.Thresholds != nil {
		t.Errorf("by another policy: %+v", rec)
	}
}
