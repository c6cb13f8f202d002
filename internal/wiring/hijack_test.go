package wiring

import (
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/hijack"
	"mailprofiled/ratelimit"
)

// TestHijackSettingsAreThoseShipped: the defaults of the configuration are those that the
// room has and that its stories are told by.
func TestHijackSettingsAreThoseShipped(t *testing.T) {
	cfg := config.Default()
	if got := cfg.Hijack.Settings(); got != hijack.DefaultSettings() {
		t.Errorf("got %+v\nwant %+v", got, hijack.DefaultSettings())
	}
	if cfg.Hijack.Bytes != hijack.DefaultBytes {
		t.Errorf("%d bytes", cfg.Hijack.Bytes)
	}
	c := NewCounters(cfg, nil, time.Now())
	if h := c.Hijacks(cfg, nil); h.Action != engine.HijackReport || h.Watch != c.Hijack || h.Exempt("jo@example.net") {
		t.Errorf("%+v", h)
	}
}

func TestWhoIsExempt(t *testing.T) {
	cfg, report := config.Parse("m.toml", []byte("mode = \"monitor\"\naccounts.hijack.exempt = [\"News@Example.net\", \"@lists.example\"]\n"))
	if cfg == nil {
		t.Fatal(report)
	}
	for account, want := range map[string]bool{
		"news@example.net": true, "jo@example.net": false, "a@lists.example": true, "a@b@lists.example": true,
		"a@sub.lists.example": false, "lists.example": false, "@lists.example": true, "": false,
	} {
		if got := cfg.Hijack.Exempts(account); got != want {
			t.Errorf("%q: %v", account, got)
		}
	}
}

// TestAnAlarm blocks, counts and tells; a reason is cut to what a block may hold.
func TestAnAlarm(t *testing.T) {
	var log strings.Builder
	var told []*engine.HijackEvent
	a := &Alarm{Blocks: new(ratelimit.Blocks), Counts: new(hijack.Events), Logger: slog.New(slog.NewTextHandler(&log, nil)), Tell: func(ev *engine.HijackEvent) { told = append(told, ev) }}
	ev := &engine.HijackEvent{ID: "x", At: time.Now(), Account: "jo", Shown: "Jo", Signs: "networks:5,jump:5", Detail: strings.Repeat("ü", 300), Action: engine.HijackBlock, Score: 10}
	a.Block(ev)
	a.Stolen(ev)
	if b := a.Blocks.Find("jo", time.Now()); b == nil || !b.Auto || b.By != "account-hijack" || b.Reason != strings.Repeat("ü", 100) {
		t.Errorf("%+v", b)
	}
	if last, n := a.Counts.Last(5); n != 1 || last[0].Account != "Jo" || last[0].Action != "block" || len(told) != 1 {
		t.Errorf("%+v, told %d times", last, len(told))
	}
	a.Block(&engine.HijackEvent{At: time.Now(), Account: "no\nlogin", Shown: "x"})
	if !strings.Contains(log.String(), "could not be blocked") {
		t.Errorf("the log says %s", &log)
	}
}

// TestEventsAreBounded, and the newest stand first.
func TestEventsAreBounded(t *testing.T) {
	e := new(hijack.Events)
	for i := range 1000 {
		e.Note(hijack.Event{Score: float64(i)})
	}
	last, n := e.Last(1 << 30)
	if n != 1000 || e.Total() != 1000 || len(last) != 256 || last[0].Score != 999 || last[255].Score != 744 {
		t.Errorf("%d of %d", len(last), n)
	}
	if last, _ := e.Last(-1); len(last) != 0 {
		t.Error("less than none")
	}
}

// TestNotices say what happened, and what was done.
func TestNotices(t *testing.T) {
	ev := engine.HijackEvent{
		ID: "k2v9w0q4x7ab", At: time.Date(2026, 3, 2, 1, 2, 3, 4, time.UTC), Client: netip.MustParseAddr("203.0.113.9"), Account: "jo@example.net",
		Shown: "Jo@example.net", Action: engine.HijackBlock, Score: 10, Signs: "networks:5,jump:5", Detail: "14 networks in 24h",
	}
	text, err := json.Marshal(NoticeOf(&ev, "mx1"))
	want := `{"event":"account-hijack","text":"mx1: the account Jo@example.net seems stolen, and it is blocked: 14 networks in 24h","host":"mx1","at":"2026-03-02T01:02:03Z","id":"k2v9w0q4x7ab",` +
		`"account":"Jo@example.net","client":"203.0.113.9","action":"block","mode":"enforce","score":10,"signs":["networks:5","jump:5"],"detail":"14 networks in 24h"}`
	if err != nil || string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	ev.Monitor, ev.Client = true, netip.Addr{}
	if n := NoticeOf(&ev, "mx1"); n.Mode != "monitor" || !strings.Contains(n.Text, "and nothing was done (monitor): ") || n.Client != "" {
		t.Errorf("%+v", n)
	}
}
