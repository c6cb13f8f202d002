package wiring

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// TestALimitThatOnlyWatchesStopsNoOther: [points] has "a" only told of, or off, and
// "b" counts what goes past it.
func TestALimitThatOnlyWatchesStopsNoOther(t *testing.T) {
	const limits = `mode = "enforce"
[[limit]]
name = "a"
per = "account"
count = "messages"
max = 2
window = "1h"
[[limit]]
name = "b"
per = "account"
count = "messages"
max = 5
window = "24h"
`
	for _, tt := range []struct {
		name, points string
		through      int
		speaks       string // at the mail behind those
	}{
		{"both refuse", "", 2, "2 messages in 1 hour "},
		{"one is only told of", "[points]\n\"limit:a\" = \"monitor\"\n", 5, "5 messages in 24 hours "},
		{"one is off", "[points]\n\"limit:a\" = \"off\"\n", 5, "5 messages in 24 hours "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := read(t, limits+tt.points)
			counted, err := NewCounters(cfg, nil, time.Now()).Limits(cfg, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			e := NewEngine(cfg, Parts{Limits: counted, Logger: slog.New(slog.DiscardHandler)})
			v := e.Connect(engine.Client{Local: true})
			defer v.Close()
			send := func() engine.Answer {
				v.Mail(engine.Mail{From: "<jo@here.example>", Account: "jo"})
				a := v.Rcpt(engine.Rcpt{To: "<user@there.example>"})
				v.EndOfMessage("")
				return a
			}
			for n := range tt.through {
				if a := send(); a.Action != profile.Continue {
					t.Fatalf("mail %d: %+v", n+1, a)
				}
			}
			if a := send(); a.Action != profile.TempFail || !strings.HasPrefix(a.Text, tt.speaks) {
				t.Errorf("behind %d: %+v, want tempfail by %q", tt.through, a, tt.speaks)
			}
		})
	}
}
