//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailprofiled/internal/mtatest"
)

// A daemon is the shipped program, serving.
type daemon struct {
	dir, socket string
	log         *mtatest.Log
	cmd         *exec.Cmd
	done        chan struct{} // closed when it has ended
}

// points are set, not left to the baseline: what a finding weighs may be
// measured anew, and these tests are of the way to a verdict. Each number is
// another, so that it is plain who speaks.
var points = map[string]float64{
	"rdns-missing":          6.0,
	"rdns-unconfirmed":      5.5,
	"rdns-generic":          5.2,
	"rdns-dynamic":          6.2,
	"helo-not-fqdn":         2.0,
	"helo-unresolvable":     2.5,
	"helo-not-client":       0.5,
	"helo-unrelated":        0.3,
	"helo-generic":          2.2,
	"from-syntax":           2.6,
	"from-bogus-mx":         5.4,
	"bounce-many-rcpts":     5.3,
	"relation":              -3.0,
	"rdns-error":            0,
	"from-error":            0,
	"helo-localhost":        12.0,
	"helo-is-us":            12.2,
	"helo-address":          11.0,
	"helo-literal-mismatch": 11.2,
	"helo-bot":              11.4,
	"helo-syntax":           11.6,
	"helo-missing":          11.8,
	"from-no-domain":        10.2,
	"from-unresolvable":     10.4,
	"from-null-mx":          10.6,
	"helo-holds-address":    0,
	"unnamed-elsewhere":     0,
	"unnamed-bare":          0,
	"generic-elsewhere":     0,
	"generic-bare":          0,
	"unrelated-elsewhere":   0,
	"unrelated-bare":        0,
}

// daemonConfig is a whole configuration but for milter.listen, which startDaemon
// puts in. extra are top-level keys; one that is set there is not set here.
func daemonConfig(dns netip.AddrPort, extra string) string {
	var b strings.Builder
	put := func(key, value string) {
		if !strings.Contains("\n"+extra, "\n"+key+" ") {
			fmt.Fprintf(&b, "%s = %s\n", key, value)
		}
	}
	b.WriteString(extra)
	put("mode", `"enforce"`)
	put("us.domains", `["example.net"]`)
	put("us.names", `["mail.example.net"]`)
	put("dns.servers", fmt.Sprintf("[%q]", dns))
	put("dns.budget", `"5s"`)
	b.WriteString("[points]\n")
	for id, n := range points {
		fmt.Fprintf(&b, "%q = %.1f\n", id, n)
	}
	return b.String()
}

// startDaemon starts it in a folder of its own; it ends with the test.
func startDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "daemon-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix comes as its own user
		t.Fatal(err)
	}
	d := &daemon{dir: dir, socket: filepath.Join(dir, "milter.sock"), log: new(mtatest.Log)}
	listen := fmt.Sprintf("milter.listen = [%q]\nmilter.socket_mode = \"0666\"\n", "unix:"+d.socket)
	if hasGroup("postfix") {
		listen = fmt.Sprintf("milter.listen = [%q]\nmilter.socket_mode = \"0660\"\nmilter.socket_group = \"postfix\"\n", "unix:"+d.socket)
	}
	if strings.Contains(config, "milter.listen") {
		listen = "milter.socket_mode = \"0666\"\n"
	}
	if err := os.WriteFile(d.configPath(), []byte(listen+config), 0o640); err != nil {
		t.Fatal(err)
	}
	d.start(t)
	return d
}

func (d *daemon) configPath() string { return filepath.Join(d.dir, "mailprofiled.toml") }

// start runs it, for a second time too, and returns when it serves.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	mark := d.log.Len()
	cmd := exec.Command(os.Getenv("E2E_DAEMON"), "serve", "--config", d.configPath())
	cmd.Stdout, cmd.Stderr = d.log, d.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // its state is asked for
	}()
	d.cmd, d.done = cmd, done
	t.Cleanup(func() { d.end(t, cmd, done) })
	ctx, cancel := context.WithCancel(waiting(t))
	defer cancel()
	go func() {
		select {
		case <-done: // no use waiting on
			cancel()
		case <-ctx.Done():
		}
	}()
	if _, err := d.log.Wait(ctx, mark, mtatest.Containing("msg=serving")); err != nil {
		t.Fatal(err)
	}
}

// end stops what still runs, and holds it to a clean end.
func (d *daemon) end(t *testing.T, cmd *exec.Cmd, done <-chan struct{}) {
	select {
	case <-done: // by the test's own doing
		return
	default:
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		_ = cmd.Process.Kill()
		<-done
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the daemon ended by %v; its log:\n%s", cmd.ProcessState, d.log)
	}
}

// signal sends a signal to it and nobody else.
func (d *daemon) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ended waits for its end and gives the exit code, -1 when a signal did it.
func (d *daemon) ended(t *testing.T) int {
	t.Helper()
	select {
	case <-d.done:
	case <-waiting(t).Done():
		t.Fatalf("the daemon does not end; its log:\n%s", d.log)
	}
	return d.cmd.ProcessState.ExitCode()
}
