package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/config"
)

// TestTheDaemonsWeb: what an MTA's client was told is counted, at once, and a
// reload shows.
func TestTheDaemonsWeb(t *testing.T) {
	dns := startDNS(t, badZone, "")
	dir := t.TempDir()
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	text := func(points float64) []byte {
		return []byte(judging(dns, points) + fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = %q\ncontrol = \"\"\n", "unix:"+h.socket, "unix:"+dir+"/web.sock"))
	}
	if err := os.WriteFile(h.path, text(6), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	runDaemon(t, h.daemon)
	get := func(path string) string {
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial("unix", dir+"/web.sock")
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
		return string(body)
	}
	if got := get("/readyz"); got != "ready\n" {
		t.Errorf("readyz: %q", got)
	}
	v := h.begin(t)
	defer v.Close()
	ask(t, v)
	if err := os.WriteFile(h.path, text(7), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := h.reload(t.Context()); len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	got := get("/metrics")
	for _, want := range []string{
		`mailprofiled_verdicts_total{action="tempfail",mode="enforce",stage="rcpt"} 1`,
		`mailprofiled_verdicts_total{action="reject",mode="enforce",stage="rcpt"} 0`,
		`mailprofiled_findings_total{finding="rdns-missing"} 1`,
		`mailprofiled_findings_total{finding="other"} 0`,
		`mailprofiled_stage_seconds_count{stage="connect"} 1`,
		`mailprofiled_stage_seconds_count{stage="rcpt"} 1`,
		`mailprofiled_sessions_open 1`,
		`mailprofiled_sessions_total 1`,
		`mailprofiled_dns_servers_up 1`,
		`mailprofiled_dns_queries_total{result="none",type="PTR"} 1`,
		`mailprofiled_retry_deferred 1`,
		`mailprofiled_limit_counters_room 4e+06`,
		`mailprofiled_limit_counters_evicted_total 0`,
		`mailprofiled_limit_counters_evicted_at_limit_total 0`,
		`mailprofiled_accounts_unnoted_total 0`,
		`mailprofiled_config_reloads_total{result="ok"} 1`,
		`mailprofiled_config_last_reload_successful 1`,
		fmt.Sprintf(`mailprofiled_policy_info{baseline="standard@1",hash=%q} 1`, strings.TrimPrefix(h.status().Policy, "standard@1-")),
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("no line %s in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "mailprofiled_policy_info{"); n != 1 {
		t.Errorf("%d policies are in force", n)
	}
}
