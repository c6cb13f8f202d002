package page_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"mailprofiled/internal/page"
	"mailprofiled/internal/pagetest"
)

// TestAFindingOverTime: each finding of the overview leads to its own charts.
func TestAFindingOverTime(t *testing.T) {
	d := open(pagetest.Full(), true, page.Access{})
	if _, text := d.get("/"); !strings.Contains(text, `<a href="/finding?id=dnsbl%3aspamcop">`) {
		t.Error("a finding leads nowhere")
	}
	code, text := d.get("/finding?id=dnsbl%3aspamcop")
	for _, want := range []string{"Last hour", "Last 24 hours", "Last 7 days", `class="finding" d="M`, "<title>Tue 11:59 to 12:00 UTC: "} {
		if code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%d, no %q in\n%s", code, want, text)
		}
	}
	if strings.Contains(text, "continue") {
		t.Error("there are verdicts in the charts of a finding")
	}
	if _, text := d.get("/finding?id=rdns-none-such"); !strings.Contains(text, "not found within a week") {
		t.Errorf("a finding that never was:\n%s", text)
	}
	if _, text := d.get("/finding?id=" + url.QueryEscape("<script>\u202e")); strings.Contains(text, "<script") || strings.Contains(text, "\u202e") {
		t.Errorf("a finding of a stranger:\n%s", text)
	}
	for _, id := range []string{"", "reject", strings.Repeat("x", 201)} {
		if code, _ := d.get("/finding?id=" + id); code != http.StatusNotFound {
			t.Errorf("%q: %d", id, code)
		}
	}
}

// TestBarsTellWhatTheyHold, to a pointer that rests on one.
func TestBarsTellWhatTheyHold(t *testing.T) {
	_, text := open(pagetest.Full(), true, page.Access{}).get("/")
	if n := strings.Count(text, "<title>"); n < 60+90+80 {
		t.Errorf("%d bars tell", n)
	}
	if !strings.Contains(text, "<title>Tue 11:59 to 12:00 UTC: ") || !strings.Contains(text, ", tempfail ") {
		t.Error("the last minute does not tell its verdicts")
	}
}
