package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mailprofiled/internal/act"
	"mailprofiled/internal/config"
	"mailprofiled/internal/miltertest"
)

// TestAServerIsAllowedAtThePage: a line is written, and what it says is judged by.
func TestAServerIsAllowedAtThePage(t *testing.T) {
	dns := startDNS(t, badZone, "")
	dir := t.TempDir()
	allowed, secret := filepath.Join(dir, "allowed.txt"), filepath.Join(dir, "token")
	for path, text := range map[string]string{allowed: "", secret: "0123456789abcdef\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	text := fmt.Sprintf("local = [ { match = [%q], action = \"allow\" } ]\n", "file:"+allowed) + judging(dns, 6) +
		fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = \"\"\ncontrol = \"\"\nactions = true\ntoken = %q\nallow_file = %q\n", "unix:"+h.socket, "file:"+secret, allowed)
	if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	runDaemon(t, h.daemon)
	desk := actDesk{h.daemon, new(sync.Mutex)}
	if !h.pageAccess().Actions || desk.AllowsInto() != allowed {
		t.Fatalf("%+v, %q", h.pageAccess(), desk.AllowsInto())
	}
	answer := func() miltertest.Answer {
		t.Helper()
		v := h.begin(t)
		defer v.Close()
		return ask(t, v)
	}
	before := answer()
	now := time.Now().UTC()
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	for name, bad := range map[string]act.Allowance{
		"no address":     {Client: "mail.example", Until: day(7)},
		"a network":      {Client: "192.0.2.0/24", Until: day(7)},
		"no day":         {Client: "192.0.2.66"},
		"a day gone by":  {Client: "192.0.2.66", Until: day(-2)},
		"too far":        {Client: "192.0.2.66", Until: day(act.MaxDays + 2)},
		"another line":   {Client: "192.0.2.66", Until: day(7), Reason: "x\x00y"},
		"another date":   {Client: "192.0.2.66", Until: day(7), Reason: "x expires=2099-01-01"},
		"a long comment": {Client: "192.0.2.66", Until: day(7), Owner: strings.Repeat("x", 201)},
	} {
		if err := desk.Allow("uid 0", bad); err == nil {
			t.Errorf("%s: allowed", name)
		}
	}
	if err := desk.Allow("page, uid 0", act.Allowance{Client: "192.0.2.66", Until: day(7), Owner: "jo", Reason: "ticket 4711"}); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(allowed)
	if want := "client:192.0.2.66 expires=" + day(7) + " # ticket 4711; jo; by page, uid 0\n"; err != nil || string(written) != want {
		t.Errorf("%v, the file has %q, want %q", err, written, want)
	}
	h.refresh(t.Context(), now.Add(time.Minute))
	if after := answer(); before.Code == after.Code {
		t.Errorf("before %v, after %v", before, after)
	}
}
