package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"mailprofiled/profile"
)

func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(NewMetrics(aStatus).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// scrape gives the lines of /metrics that are ours.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	code, body := get(t, &Web{Metrics: m, Status: aStatus, Logger: quiet}, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	return body
}

func get(t *testing.T, web *Web, path string) (int, string) {
	t.Helper()
	l := listen(t)
	run(t, l, web.Serve)
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", l.Addr().String())
	}}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("http://x" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestMetricsFromTheStart: what has a closed set of labels stands there with zeros.
func TestMetricsFromTheStart(t *testing.T) {
	got := scrape(t, NewMetrics(func() *Status { return &Status{Policy: "standard@1-3f9a2c1b", Version: "0.1.0", Commit: "abc"} }))
	for _, want := range []string{
		`mailprofiled_verdicts_total{action="reject",mode="enforce",stage="rcpt"} 0`,
		`mailprofiled_verdicts_total{action="continue",mode="monitor",stage="mail"} 0`,
		`mailprofiled_findings_total{finding="rdns-missing"} 0`,
		`mailprofiled_findings_total{finding="retry-passed"} 0`,
		`mailprofiled_findings_total{finding="other"} 0`,
		`mailprofiled_sessions_open 0`,
		`mailprofiled_stage_seconds_bucket{stage="connect",le="0.001"} 0`,
		`mailprofiled_stage_seconds_count{stage="eom"} 0`,
		`mailprofiled_dns_queries_total{result="refused",type="PTR"} 0`,
		`mailprofiled_dns_seconds_bucket{le="+Inf"} 0`,
		`mailprofiled_cache_hits_total 0`,
		`mailprofiled_cache_entries 0`,
		`mailprofiled_store_errors_total 0`,
		`mailprofiled_config_reloads_total{result="ok"} 0`,
		`mailprofiled_config_reloads_total{result="failed"} 0`,
		`mailprofiled_config_last_reload_successful 1`,
		`mailprofiled_mta_last_command_timestamp_seconds 0`,
		`mailprofiled_policy_info{baseline="standard@1",hash="3f9a2c1b"} 1`,
		`mailprofiled_build_info{commit="abc",version="0.1.0"} 1`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	for _, family := range []string{"go_goroutines ", "process_open_fds "} {
		if !strings.Contains(got, "\n"+family) {
			t.Errorf("no %s", family)
		}
	}
}

func TestMetricsCount(t *testing.T) {
	m := NewMetrics(aStatus)
	visit := []profile.Finding{{ID: "rdns-missing", Points: 6}, {ID: "helo-unrelated", Points: 1}, {ID: "dnsbl:zen", Points: 3}}
	m.Verdict(profile.TempFail, "rcpt", "enforce", visit, nil)
	m.Verdict(profile.Reject, "rcpt", "enforce", visit, []profile.Finding{{ID: "no-such-kind:x"}, {ID: "dnswl:good"}})
	m.Verdict(profile.Continue, "mail", "monitor", nil, nil)
	m.Verdict(profile.Continue, "no such stage", "monitor", nil, nil)
	m.Wait("rcpt", 30*time.Millisecond)
	m.Wait("no such stage", time.Second)
	m.Reloaded(true)
	m.Reloaded(false)
	m.Reloaded(false)
	over := []profile.Finding{{ID: "limit:new accounts"}, {ID: "limit:told", Monitor: true}}
	m.limits.note(profile.TempFail, "enforce", over)
	m.limits.note(profile.TempFail, "monitor", over) // nothing is refused then
	m.limits.note(profile.Continue, "enforce", over[1:])
	m.KnowLimits([]string{"quiet"})
	got := scrape(t, m)
	for _, want := range []string{
		`mailprofiled_verdicts_total{action="tempfail",mode="enforce",stage="rcpt"} 1`,
		`mailprofiled_verdicts_total{action="continue",mode="monitor",stage="mail"} 1`,
		`mailprofiled_findings_total{finding="rdns-missing"} 2`,
		`mailprofiled_findings_total{finding="other"} 1`,
		`mailprofiled_stage_seconds_bucket{stage="rcpt",le="0.025"} 0`,
		`mailprofiled_stage_seconds_bucket{stage="rcpt",le="0.05"} 1`,
		`mailprofiled_config_reloads_total{result="ok"} 1`,
		`mailprofiled_config_reloads_total{result="failed"} 2`,
		`mailprofiled_findings_total{finding="dnsbl:zen"} 2`,
		`mailprofiled_findings_total{finding="dnswl:good"} 1`,
		`mailprofiled_list_up{list="zen"} 1`,
		`mailprofiled_list_up{list="gone"} 0`,
		`mailprofiled_list_hits_total{list="zen"} 5`,
		`mailprofiled_list_queries_total{list="zen"} 9`,
		`mailprofiled_list_unknown_total{list="zen"} 2`,
		`mailprofiled_list_harsher_total{list="zen"} 3`,
		`mailprofiled_list_softer_total{list="zen"} 6`,
		`mailprofiled_list_undeclared_total{list="zen"} 7`,
		`mailprofiled_list_hits_total{list="gone"} 0`,
		`mailprofiled_limit_refusals_total{limit="new accounts"} 1`,
		`mailprofiled_limit_reports_total{limit="new accounts"} 1`,
		`mailprofiled_limit_refusals_total{limit="told"} 0`,
		`mailprofiled_limit_reports_total{limit="told"} 3`,
		`mailprofiled_limit_refusals_total{limit="quiet"} 0`,
		`mailprofiled_accounts_learning 0`,

		`mailprofiled_sessions_open 3`,
		`mailprofiled_sessions_total 10`,
		`mailprofiled_sessions_refused_total 3`,
		`mailprofiled_dns_queries_total{result="none",type="MX"} 4`,
		`mailprofiled_dns_seconds_bucket{le="0.001"} 1`,
		`mailprofiled_dns_seconds_bucket{le="0.01"} 3`,
		`mailprofiled_dns_seconds_bucket{le="5"} 3`,
		`mailprofiled_dns_seconds_bucket{le="+Inf"} 4`,
		`mailprofiled_dns_seconds_sum 6`,
		`mailprofiled_dns_servers 2`,
		`mailprofiled_dns_servers_up 1`,
		`mailprofiled_cache_hits_total 7`,
		`mailprofiled_cache_entries 8`,
		`mailprofiled_cache_bytes 900`,
		`mailprofiled_mta_last_command_timestamp_seconds 1.79552514e+09`,
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if v := m.Verdicts(); v["tempfail"] != 1 || v["reject"] != 1 || v["continue"] != 1 {
		t.Errorf("verdicts: %v", v)
	}
	if f := m.Findings(); len(f) != 5 || f["rdns-missing"] != 2 || f["dnsbl:zen"] != 2 {
		t.Errorf("findings: %v", f)
	}
}

// TestNamedFindingsAreBounded: however many names come, by however many at once,
// there are not many more counters than the bound; the rest are the other finding.
func TestNamedFindingsAreBounded(t *testing.T) {
	m := NewMetrics(aStatus)
	const many, at = 3 * maxNamed, 4
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for i := range many {
				m.Verdict(profile.Reject, "rcpt", "enforce", []profile.Finding{{ID: "rhsbl:" + strconv.Itoa(i)}}, nil)
			}
		})
	}
	all.Wait()
	found, sum := m.Findings(), uint64(0)
	for _, n := range found {
		sum += n
	}
	if len(found) > 1+maxNamed || sum != at*many || found[otherFinding] == 0 {
		t.Errorf("%d counters, %d findings in them, of these %d other", len(found), sum, found[otherFinding])
	}
}

// TestCountingAllocatesNothing on the way to a verdict, once a finding is known.
func TestCountingAllocatesNothing(t *testing.T) {
	m := NewMetrics(aStatus)
	visit := []profile.Finding{{ID: "rdns-missing"}, {ID: "dnsbl:zen"}, {ID: "no-such-kind:x"}}
	m.Verdict(profile.Reject, "rcpt", "enforce", visit, nil)
	if n := testing.AllocsPerRun(100, func() { m.Verdict(profile.Reject, "rcpt", "enforce", visit, nil) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestMetricsTogether: counting, scraping and looking at once.
func TestMetricsTogether(t *testing.T) {
	m := NewMetrics(aStatus)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 1000 {
				m.Verdict(profile.Reject, "rcpt", "enforce", []profile.Finding{{ID: "helo-is-us"}}, nil)
				m.Wait("rcpt", time.Millisecond)
			}
		})
		all.Go(func() {
			if _, err := m.registry.Gather(); err != nil {
				t.Error(err)
			}
			m.Verdicts()
		})
	}
	all.Wait()
	if got := m.Verdicts()["reject"]; got != 4000 {
		t.Errorf("%d verdicts, want 4000", got)
	}
}

func TestHealth(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Status)
		code   int
		want   string
	}{
		{"at work", func(*Status) {}, 200, "ready\n"},
		{"stopping", func(s *Status) { s.State = Stopping }, 503, "not ready: not serving: stopping\n"},
		{"no DNS", func(s *Status) { s.DNS.Servers[1].Up = false }, 503, "not ready: no DNS server answers\n"},
		{"nothing yet", func(s *Status) { *s = Status{State: Serving} }, 503,
			"not ready: no configuration is loaded; no MTA can connect; no DNS server answers\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			web := &Web{Metrics: NewMetrics(aStatus), Logger: quiet, Status: func() *Status {
				s := aStatus()
				tt.change(s)
				return s
			}}
			if code, body := get(t, web, "/readyz"); code != tt.code || body != tt.want {
				t.Errorf("got %d %q, want %d %q", code, body, tt.code, tt.want)
			}
			if code, body := get(t, web, "/healthz"); code != 200 || body != "alive\n" {
				t.Errorf("healthz: %d %q", code, body)
			}
			if code, _ := get(t, web, "/debug/pprof/"); code != 404 {
				t.Errorf("elsewhere: %d", code)
			}
		})
	}
}

func BenchmarkVerdict(b *testing.B) {
	m := NewMetrics(aStatus)
	visit := []profile.Finding{{ID: "rdns-dynamic"}, {ID: "helo-generic"}, {ID: "helo-unrelated"}}
	own := []profile.Finding{{ID: "retry-passed"}}
	b.ReportAllocs()
	for b.Loop() {
		m.Verdict(profile.TempFail, "rcpt", "enforce", visit, own)
	}
}

func BenchmarkWait(b *testing.B) {
	m := NewMetrics(aStatus)
	b.ReportAllocs()
	for b.Loop() {
		m.Wait("rcpt", 12*time.Millisecond)
	}
}

func BenchmarkScrape(b *testing.B) {
	m := NewMetrics(aStatus)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
