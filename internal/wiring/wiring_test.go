package wiring

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// read loads a configuration.
func read(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.toml")
	if err := os.WriteFile(path, []byte("us.domains = [\"here.example\"]\ndns.servers = [\"192.0.2.53\"]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(path)
	if cfg == nil {
		t.Fatal(report)
	}
	return cfg
}

func TestDoorAt(t *testing.T) {
	cfg := read(t, `mode = "enforce"
milter.answer_at = "mail"
[[listener]]
listen = "unix:/run/mx.sock"
answer_at = "rcpt"
[[listener]]
listen = "inet:127.0.0.1:8891"
role = "submission"
exempt_networks = ["192.0.2.0/24"]
`)
	plain := read(t, "mode = \"monitor\"\nmilter.listen = [\"unix:/run/a.sock\", \"unix:/run/b.sock\"]\n")
	for _, tt := range []struct {
		name, place string
		cfg         *config.Config
		want        *engine.Door
	}{
		{"a listener", "unix:/run/mx.sock", cfg, &engine.Door{Name: "unix:/run/mx.sock", Role: "mx", Networks: []netip.Prefix{}}},
		{"what it does not set is as [milter] has it", "inet:127.0.0.1:8891", cfg, &engine.Door{
			Name: "inet:127.0.0.1:8891", Role: "submission", AnswerAtMail: true, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		}},
		{"a socket of milter.listen", "unix:/run/b.sock", plain, &engine.Door{Name: "unix:/run/b.sock", Role: "mx"}},
		{"one that is not there", "unix:/run/c.sock", plain, nil},
	} {
		got, err := DoorAt(tt.cfg, tt.place)
		if d := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" || (err == nil) != (tt.want != nil) {
			t.Errorf("%s: %v\n%s", tt.name, err, d)
		}
	}
	if n := len(Doors(plain)); n != 0 {
		t.Errorf("%d doors have settings of their own, want none", n)
	}
}

// Our own failure holds up no mail in monitor mode, whatever is configured.
func TestOnFailure(t *testing.T) {
	for mode, want := range map[string]profile.Action{"enforce": profile.TempFail, "monitor": profile.Continue} {
		cfg := read(t, "mode = \""+mode+"\"\nmilter.on_failure = \"tempfail\"\n")
		if got := MilterSettings(cfg).OnFailure; got != want {
			t.Errorf("%s: %v, want %v", mode, got, want)
		}
	}
}
