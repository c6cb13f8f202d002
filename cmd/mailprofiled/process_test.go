package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mailprofiled/internal/miltertest"
)

// TestLogNobodyReadsAnyMore: when the reader of stderr goes away, the mail goes on.
func TestLogNobodyReadsAnyMore(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "milter.sock")
	path := filepath.Join(dir, "mailprofiled.toml")
	text := stateless + "mode = \"enforce\"\ndns.servers = [\"127.0.0.1:1\"]\nmilter.listen = [\"unix:" + socket + "\"]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("mailprofiled", "serve", "--config", path) // as the scripts find it
	daemon.Env = append(os.Environ(), "GORACE="+noSleep)
	daemon.Stderr = w
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer daemon.Process.Kill() // after a failure: it has ended else
	w.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() && !strings.Contains(lines.Text(), "msg=serving") {
	}
	r.Close()
	for range 3 {
		miltertest.Play(t, func() net.Conn { return dial(t, socket) },
			"connect 127.0.0.1\nhelo here.example\nmail <a@here.example>\nrcpt <b@here.example>\neom\nquit\n")
	}
	if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Wait(); err != nil {
		t.Errorf("the daemon ended by %v, want exit 0", err)
	}
}
