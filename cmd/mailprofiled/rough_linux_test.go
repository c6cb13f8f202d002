package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/logging"
)

// openHouse writes the configuration of a daemon that can be asked and scraped,
// and whose start warns of nothing.
func openHouse(t *testing.T, dns *dnstest.Server) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{dir: dir, path: filepath.Join(dir, "m.toml"), socket: filepath.Join(dir, "milter.sock")}
	text := "exempt.networks = [\"10.0.0.0/8\"]\n" + judging(dns, 6) + fmt.Sprintf("[milter]\nlisten = [%q]\n[admin]\nlisten = %q\ncontrol = %q\n",
		"unix:"+h.socket, "unix:"+h.web(), h.control())
	if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) web() string     { return filepath.Join(h.dir, "web.sock") }
func (h *house) control() string { return filepath.Join(h.dir, "control.sock") }

// visitRightly has the nameless client come, who is deferred each time.
func (h *house) visitRightly(t *testing.T) {
	t.Helper()
	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Status != "4.7.25" {
		t.Errorf("answer %v, want the deferral of a client without a name", a)
	}
	if err := v.Quit(); err != nil {
		t.Error(err)
	}
}

// lost gives how many log lines are lost, by the metric.
func (h *house) lost(t *testing.T) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", h.web())
	}}}
	resp, err := client.Get("http://daemon/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "mailprofiled_log_lost_lines_total "); ok {
			return n
		}
	}
	t.Fatal("no mailprofiled_log_lost_lines_total")
	return ""
}

// TestControlFlood: five hundred connections to the control socket at once. Each
// is answered or told that there are too many, the mail goes on meanwhile, and
// their descriptors come back.
func TestControlFlood(t *testing.T) {
	idle := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, idle) })
	h := openHouse(t, startDNS(t, badZone, ""))
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	runDaemon(t, h.daemon)
	h.visitRightly(t) // it opens what stays open
	quiet := func() bool { return h.server.Stats().Open == 0 }
	eventually(t, "the first session ends", quiet)
	before := descriptors(t)

	var conns []net.Conn
	for range 500 {
		c := dial(t, h.control())
		conns = append(conns, c)
		// One that is sent away is closed already: its answer can be read all the same.
		_, _ = io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n")
	}
	h.visitRightly(t)
	answers := map[string]int{}
	for _, c := range conns {
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Errorf("no answer: %q, %v", line, err)
		}
		answers[strings.TrimSpace(line)]++
		c.Close()
	}
	served, busy := answers["HTTP/1.1 200 OK"], answers["HTTP/1.1 503 Service Unavailable"]
	if served == 0 || served+busy != len(conns) {
		t.Errorf("answers to %d connections: %v", len(conns), answers)
	}
	h.visitRightly(t)
	eventually(t, fmt.Sprintf("as few descriptors as before, %d", before), func() bool { return quiet() && descriptors(t) <= before })
	if _, err := admin.Dial(h.control()).Status(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// descriptors counts the open ones of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// TestHangupStorm: thousands of SIGHUPs under load. The daemon judges on, and
// what stood in the files at the last one is in force.
func TestHangupStorm(t *testing.T) {
	ours := make(chan os.Signal, 1) // one that is late must not find nobody to take it
	signal.Notify(ours, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(ours) })
	dns := startDNS(t, badZone, "")
	h := newHouse(t, judging(dns, 6))
	hangup := func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Error(err)
		}
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for !over(done) {
			hangup()
		}
	})
	for range 100 {
		h.visitRightly(t)
	}
	close(done)
	all.Wait()
	before := h.status()
	h.write(t, judging(dns, 7))
	hangup()
	eventually(t, "the last SIGHUP counts", func() bool { return h.status().Policy != before.Policy })
	if st := h.status(); st.Sessions.Total != 100 || len(st.Config.Refused) > 0 || !before.Config.Loaded.After(h.started) {
		t.Errorf("after the storm: %+v, %+v", st.Sessions, st.Config)
	}
}

// serveTo starts the daemon as a process whose stderr is log, and waits until it
// can be asked. end ends it by SIGTERM.
func (h *house) serveTo(t *testing.T, log *os.File) (end func()) {
	t.Helper()
	daemon := exec.Command("mailprofiled", "serve", "--config", h.path) // as the scripts find it
	daemon.Env = append(os.Environ(), "GORACE="+noSleep)
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended { // after a failure
			daemon.Process.Kill()
			daemon.Wait()
		}
	})
	eventually(t, "the daemon can be asked", func() bool {
		_, err := admin.Dial(h.control()).Status(t.Context())
		return err == nil
	})
	return func() {
		t.Helper()
		if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		ended = true
		if err := daemon.Wait(); err != nil {
			t.Errorf("the daemon ended by %v, want exit 0", err)
		}
	}
}

// linesOfFive is what the log has of five visits: a verdict each, and that the
// daemon serves.
const linesOfFive = 6

// TestFullDiskBehindTheLog: each line is lost and counted, and no mail waits.
func TestFullDiskBehindTheLog(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	h := openHouse(t, startDNS(t, badZone, ""))
	end := h.serveTo(t, full)
	for range 5 {
		h.visitRightly(t)
	}
	eventually(t, "lost lines are counted", func() bool {
		s, err := admin.Dial(h.control()).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Log.LostLines >= linesOfFive && fmt.Sprint(s.Log.LostLines) == h.lost(t) && strings.Contains(strings.Join(attention(s), "\n"), "is the disk full?")
	})
	end()
}

// TestLogNobodyReads: a pipe is full and stays so. The daemon starts, judges and
// ends all the same.
func TestLogNobodyReads(t *testing.T) {
	r, w := fullPipe(t)
	defer r.Close()
	defer w.Close()
	h := openHouse(t, startDNS(t, badZone, ""))
	end := h.serveTo(t, w)
	for range 5 {
		h.visitRightly(t)
	}
	end()
}

// TestLogNobodyReadsIsCounted: once the daemon's own buffer is full, too, lines
// are lost and counted.
func TestLogNobodyReadsIsCounted(t *testing.T) {
	r, w := fullPipe(t)
	out := logging.NewWriter(w)
	t.Cleanup(func() {
		r.Close() // the write that hangs fails
		out.Close(time.Minute)
		w.Close()
	})
	for out.Lost() == 0 {
		out.Write([]byte(strings.Repeat("x", 1<<16) + "\n"))
	}
	for line := []byte("x\n"); ; { // to the last byte
		before := out.Lost()
		if out.Write(line); out.Lost() > before {
			break
		}
	}
	before := out.Lost()
	h := openHouse(t, startDNS(t, badZone, ""))
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, out)
	h.daemon.lost = out.Lost
	runDaemon(t, h.daemon)
	for range 5 {
		h.visitRightly(t)
	}
	eventually(t, "lost lines are counted", func() bool {
		n := h.status().Log.LostLines
		return n >= before+linesOfFive && fmt.Sprint(n) == h.lost(t)
	})
}

// fullPipe gives a pipe that takes no more.
func fullPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	size, err := unix.FcntlInt(w.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return r, w
}
