package admin

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/resolver"
	"mailprofiled/internal/unixsock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// aStatus is that of a daemon at work.
func aStatus() *Status {
	s := &Status{
		Version: "0.1.0", Commit: "abc", PID: 42, Started: start, Now: start.Add(time.Hour), State: Serving,
		Mode: "enforce", Policy: "standard@1-3f9a2c1b",
		Config:   Config{Path: "/etc/m.toml", Files: []string{"/etc/m.toml"}, Loaded: start, Settings: "5e77", Refused: []string{}},
		Listen:   []string{"unix:/run/m.sock"},
		Doors:    []Door{{Listen: "unix:/run/m.sock", Role: "mx", AnswerAt: "rcpt"}},
		Sessions: Sessions{Open: 3, Limit: 4000, Total: 10, Limited: 2, TurnedAway: 1},
		MTA:      &MTA{LastCommand: start.Add(59 * time.Minute), Name: "mx.example.net"},
		Verdicts: map[string]uint64{"continue": 5},
		Findings: map[string]uint64{},
		Local:    []LocalRule{},
		Lists: []DNSList{
			{List: "zen", State: "up", Asked: 9, Hits: 4, Unknown: 2, Visits: 5, Alone: 1, Harsher: 3, Softer: 6, Undeclared: 7},
			{List: "gone", State: "silent"},
		},
	}
	s.Resolver(resolver.Stats{
		Queries:   []resolver.QueryCount{{Type: "MX", Result: "none", N: 4}},
		Durations: []uint64{1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1},
		Total:     6 * time.Second, Hits: 7, Entries: 8, Bytes: 900,
		Servers: []resolver.ServerStats{{Up: false}, {Up: true, RTT: 1500 * time.Microsecond}},
	})
	return s
}

var quiet = slog.New(slog.DiscardHandler)

// listen opens a unix socket in a folder of its own.
func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := unixsock.Listen(filepath.Join(t.TempDir(), "c.sock"), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run serves until the test ends.
func run(t testing.TB, l net.Listener, serve func(context.Context, net.Listener) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}
