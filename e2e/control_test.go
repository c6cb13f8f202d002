//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/mtatest"
)

// ask runs a command against the daemon of a house, and gives its output and
// whether it was content.
func (h *house) ask(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	cmd := exec.Command(os.Getenv("E2E_DAEMON"), append(args, "--config", h.daemon.configPath())...)
	text, err := cmd.Output()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		t.Fatal(err)
	}
	return string(text), err == nil
}

// change replaces a word of the configuration.
func (h *house) change(t *testing.T, old, new string) {
	t.Helper()
	text, err := os.ReadFile(h.daemon.configPath())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("no %s in\n%s", old, text)
	}
	if err := os.WriteFile(h.daemon.configPath(), []byte(strings.Replace(string(text), old, new, 1)), 0o640); err != nil {
		t.Fatal(err)
	}
}

// A daemon behind a real mail server tells what that is, and is changed under its
// sessions: each ends by the settings it began with.
func TestTheDaemonIsAskedAndChanged(t *testing.T) {
	withBoth(t, func(t *testing.T, kind string) {
		dir, err := os.MkdirTemp("", "control-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		h := openHouse(t, kind, sessionZone(), fmt.Sprintf("admin.control = %q\nadmin.listen = %q\n",
			filepath.Join(dir, "control.sock"), "unix:"+filepath.Join(dir, "web.sock")))
		old := h.hello(t, bad4, "mail.bad.example")
		do(t, old, "MAIL FROM:<a@bad.example>", 250)
		h.checkMTA(t)

		h.change(t, `mode = "enforce"`, `mode = "monitr"`)
		if out, ok := h.ask(t, "reload"); ok || !strings.Contains(out, `mode is "monitr": not known; did you mean "monitor"?`) {
			t.Errorf("a bad file was taken over:\n%s", out)
		}
		h.change(t, `"monitr"`, `"monitor"`)
		if out, ok := h.ask(t, "reload"); !ok || !strings.Contains(out, "mode monitor") {
			t.Errorf("a good file was not taken over:\n%s", out)
		}
		do(t, old, "RCPT TO:<jo@example.net>", 450)
		quit(t, old)
		h.delivered(t, true)

		mark := h.daemon.log.Len()
		h.change(t, `mode = "monitor"`, `mode = "enforce"`)
		h.daemon.signal(t, syscall.SIGHUP)
		if _, err := h.daemon.log.Wait(waiting(t), mark, mtatest.Containing("msg=reloaded", "mode=enforce")); err != nil {
			t.Fatal(err)
		}
		h.delivered(t, false)
	})
}

// delivered has a client of no good name try, and checks whether it is let in.
func (h *house) delivered(t *testing.T, want bool) {
	t.Helper()
	c := h.hello(t, bad6, "mail.bad.example")
	d := send(t, c, "b@bad.example", "al@example.net")
	quit(t, c)
	if d.Accepted() != want {
		t.Errorf("let in: %v, want %v: %v", d.Accepted(), want, d.Last())
	}
}

// checkMTA holds status to what a real MTA negotiates.
func (h *house) checkMTA(t *testing.T) {
	t.Helper()
	out, ok := h.ask(t, "status", "--json")
	var s struct {
		Sessions struct{ Open, Total int }
		MTA      *struct {
			Name            string
			Offered, Agreed struct{ Version, Actions, Protocol uint32 }
			MacroLists      bool `json:"macro_lists"`
		}
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil || !ok || s.MTA == nil {
		t.Fatalf("status: %v\n%s", err, out)
	}
	if s.Sessions.Open < 1 || s.Sessions.Total < 1 || s.MTA.Name != "mx.test" || s.MTA.Offered.Version != 6 || s.MTA.Agreed.Protocol != 0xf70 || !s.MTA.MacroLists {
		t.Errorf("%+v, %+v", s.Sessions, *s.MTA)
	}
}
