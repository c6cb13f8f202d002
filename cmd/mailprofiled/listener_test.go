package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/miltertest"
	"mailprofiled/internal/systemd"
)

// doorsIn writes a configuration of two doors: at the first one the strangers
// are judged at RCPT, the second is for submission, with more settings.
func doorsIn(t *testing.T, dir, text, submission string) (path string, places [2]string) {
	t.Helper()
	path, places = filepath.Join(dir, "m.toml"), [2]string{filepath.Join(dir, "mx.sock"), filepath.Join(dir, "submission.sock")}
	text += fmt.Sprintf("[admin]\nlisten = \"\"\ncontrol = \"\"\n[[listener]]\nlisten = %q\n[[listener]]\nlisten = %q\nrole = \"submission\"\n%s",
		"unix:"+places[0], "unix:"+places[1], submission)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, places
}

// answersAt plays one transaction of a client without a reverse name, and gives
// the answers at MAIL and RCPT.
func answersAt(t *testing.T, socket, client, account string) string {
	t.Helper()
	v := miltertest.NewVisit(dial(t, socket), miltertest.Postfix())
	defer v.Close()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(v.Negotiate())
	_, err := v.Connect(miltertest.Peer{Addr: netip.MustParseAddr(client), Port: 25})
	must(err)
	_, err = v.Helo("mail.bad.example")
	must(err)
	a, err := v.Mail("<jo@good.example>", account)
	must(err)
	if a.Status != "" {
		must(v.Quit())
		return "mail " + a.Status
	}
	a, err = v.Rcpt("<user@here.example>")
	must(err)
	must(v.Quit())
	return strings.TrimSpace("rcpt " + a.Status)
}

// TestDoorsDiffer: what a door has of its own holds there alone, a reload changes
// it, and sockets stay until a restart.
func TestDoorsDiffer(t *testing.T) {
	text := judging(startDNS(t, badZone, ""), 12)
	dir := t.TempDir()
	path, places := doorsIn(t, dir, text, "answer_at = \"mail\"\nexempt_networks = [\"198.51.100.0/24\"]\n")
	cfg, report := config.Load(path)
	if cfg == nil {
		t.Fatal(report)
	}
	d := newDaemon(cfg, io.Discard)
	runDaemon(t, d)
	type visit struct {
		door            int
		client, account string
		want            string
	}
	play := func(when string, visits []visit) {
		t.Helper()
		for _, v := range visits {
			if got := answersAt(t, places[v.door], v.client, v.account); got != v.want {
				t.Errorf("%s: %+v: %s", when, v, got)
			}
		}
	}
	play("at the start", []visit{
		{0, "192.0.2.66", "", "rcpt 5.7.25"},
		{1, "192.0.2.66", "", "mail 5.7.25"}, // not authenticated: judged as on MX
		{1, "192.0.2.66", "jo", "rcpt"},
		{0, "192.0.2.66", "jo", "rcpt"},
		{0, "198.51.100.9", "", "rcpt 5.7.25"},
		{1, "198.51.100.9", "", "rcpt"}, // exempt at this door
	})
	want := []admin.Door{
		{Listen: "unix:" + places[0], Role: "mx", AnswerAt: "rcpt", Own: true},
		{Listen: "unix:" + places[1], Role: "submission", AnswerAt: "mail", Exempt: 1, Own: true},
	}
	if diff := cmp.Diff(want, d.status().Doors); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}

	before := cfg.PolicyID()
	doorsIn(t, dir, text, "exempt_networks = [\"192.0.2.66\"]\n")
	r := d.reload(context.Background())
	if len(r.Errors)+len(warnings(r, "listen")) > 0 || r.Policy == before {
		t.Errorf("reload: %+v", r)
	}
	play("after a reload", []visit{
		{1, "192.0.2.66", "", "rcpt"},
		{1, "198.51.100.9", "", "rcpt 5.7.25"},
		{0, "192.0.2.66", "", "rcpt 5.7.25"},
	})

	// The submission door goes, another comes: it stays open, as it was.
	doorsIn(t, dir, text, "")
	moved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(moved), "submission.sock", "other.sock")), 0o600); err != nil {
		t.Fatal(err)
	}
	r = d.reload(context.Background())
	if got := warnings(r, "restart to"); len(got) != 2 || !strings.Contains(got[0]+got[1], "restart to open it") || !strings.Contains(got[0]+got[1], "restart to close it") {
		t.Errorf("reload: %+v", r)
	}
	play("after its end", []visit{{1, "192.0.2.66", "", "rcpt"}, {1, "198.51.100.9", "", "rcpt 5.7.25"}})
}

func warnings(r *admin.Reload, of string) []string {
	var found []string
	for _, text := range r.Warnings {
		if strings.Contains(text, of) {
			found = append(found, text)
		}
	}
	return found
}

// TestHandedDoors: a socket of the service manager has the settings of the
// [[listener]] of its place; one without is judged as [milter] says.
func TestHandedDoors(t *testing.T) {
	path, places := doorsIn(t, t.TempDir(), judging(startDNS(t, badZone, ""), 12), "answer_at = \"mail\"\n")
	cfg, report := config.Load(path)
	if cfg == nil {
		t.Fatal(report)
	}
	stray := filepath.Join(t.TempDir(), "stray.sock")
	var log strings.Builder
	d := newDaemon(cfg, &log)
	for _, place := range []string{places[1], stray} {
		l, err := net.Listen("unix", place)
		if err != nil {
			t.Fatal(err)
		}
		d.handed = append(d.handed, systemd.Socket{Listener: l, Name: "milter"})
	}
	t.Run("serving", func(t *testing.T) {
		runDaemon(t, d)
		for socket, want := range map[string]string{places[1]: "mail 5.7.25", stray: "rcpt 5.7.25"} {
			if got := answersAt(t, socket, "192.0.2.66", ""); got != want {
				t.Errorf("%s: %s, want %s", socket, got, want)
			}
		}
	})
	for _, want := range []string{"in no [[listener]]", "is not open"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("%q is said %d times in\n%s", want, n, log.String())
		}
	}
}
