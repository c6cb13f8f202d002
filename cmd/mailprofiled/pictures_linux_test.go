package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"mailprofiled/internal/config"
)

// A terminal is one that a command writes to.
type terminal struct{ keyboard, screen *os.File }

// openTerminal opens a pseudo-terminal.
func openTerminal(t *testing.T) terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no pseudo-terminals here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	n := 0
	conn, err := master.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) {
			if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
				n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return terminal{master, screen}
}

// shows runs a command and gives what the terminal shows of it.
func (term terminal) shows(t *testing.T, run func(stdout io.Writer) int) string {
	t.Helper()
	read := make(chan string)
	go func() {
		text, _ := io.ReadAll(term.keyboard) // it ends with an error when nobody has it open
		read <- string(text)
	}()
	code := run(term.screen)
	term.screen.Close()
	text := strings.ReplaceAll(<-read, "\r\n", "\n")
	if code != exitFine {
		t.Fatalf("exit %d: %s", code, text)
	}
	return text
}

// TestCommandsDrawOnATerminal: status and top draw there, by what it can show, and
// write plain text into a file and to a dumb one.
func TestCommandsDrawOnATerminal(t *testing.T) {
	h := openHouse(t, startDNS(t, badZone, ""))
	cfg, report := config.Load(h.path)
	if cfg == nil {
		t.Fatal(report)
	}
	h.daemon = newDaemon(cfg, io.Discard)
	runDaemon(t, h.daemon)
	h.visitRightly(t)
	status := func(out io.Writer) int { return runStatus([]string{"--config", h.path}, out, os.Stderr) }
	top := func(out io.Writer) int {
		return runServersTop([]string{"--by", "waiting", "--config", h.path}, out, os.Stderr)
	}
	for _, tt := range []struct {
		name, term, lang string
		want, not        []string
		run              func(io.Writer) int
	}{
		{"status in Unicode", "xterm", "C.UTF-8", []string{"tempfail         1 100.0%  ████████████████████\n", "24 hours   tempfail ", "█  at most 1 in 45m\n", "rdns-missing           1  ████████████████████\n"}, nil, status},
		{"status in ASCII", "linux", "C", []string{"tempfail         1 100.0%  ####################\n", "#  at most 1 in 45m\n"}, []string{"█"}, status},
		{"status on a dumb terminal", "dumb", "C.UTF-8", []string{"verdicts   continue 0 (0.0%), tempfail 1 (100.0%)"}, []string{"█", "24 hours"}, status},
		{"top", "xterm", "C.UTF-8", []string{"BY WAITING", "192.0.2.66  ██████████  "}, nil, top},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range map[string]string{"TERM": tt.term, "LC_ALL": tt.lang} {
				t.Setenv(name, value)
			}
			text := openTerminal(t).shows(t, tt.run)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in\n%s", want, text)
				}
			}
			for _, not := range tt.not {
				if strings.Contains(text, not) {
					t.Errorf("%q in\n%s", not, text)
				}
			}
		})
	}
	t.Setenv("LC_ALL", "C.UTF-8")
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if status(file) != exitFine || top(file) != exitFine {
		t.Fatal("no status")
	}
	text, err := os.ReadFile(file.Name())
	if err != nil || strings.Contains(string(text), "█") || !strings.Contains(string(text), "tempfail 1 (100.0%)") {
		t.Errorf("in a file, %v:\n%s", err, text)
	}
}
