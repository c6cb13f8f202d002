package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stranger is a user that owns nothing here.
const stranger = 65534

// TestBadPlaces: a daemon that cannot have what it was told ends with the remedy, or
// goes on and says what it does without. It runs as root, to be an ordinary user then.
func TestBadPlaces(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can become another user: what takes one is looked at where the suite runs as root")
		return
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	program := publicProgram(t)
	for _, tt := range []struct {
		name    string
		prepare func(dir string) error // makes the fault
		lines   string                 // of the configuration; DIR is the folder
		serves  bool                   // it goes on, and says so
		says    string
	}{
		{"a directory for the socket that is another's", func(dir string) error { return os.Mkdir(dir+"/run", 0o755) },
			"milter.listen = [\"unix:DIR/run/m.sock\"]\nstate.path = \"DIR/none\"", false, "let the user that runs mailprofiled write to the directory: chown nobody DIR/run"},
		{"no directory for the socket", nil, "milter.listen = [\"unix:DIR/run/m.sock\"]\nstate.path = \"DIR/none\"", false, "install -d -o nobody -m 0750 DIR/run"},
		{"a port that is taken", nil, "milter.listen = [\"inet:" + taken.Addr().String() + "\"]\nstate.path = \"DIR/none\"", false, "is another mailprofiled running?"},
		{"an address of another machine", nil, "milter.listen = [\"inet:192.0.2.1:8891\"]\nstate.path = \"DIR/none\"", false, "name one that it has"},
		{"a configuration that is another's", func(dir string) error { return os.Chmod(dir+"/m.toml", 0o600) },
			"milter.listen = [\"unix:DIR/m.sock\"]", false, "chgrp mailprofiled, chmod 0640"},
		{"no state directory", nil, "milter.listen = [\"unix:DIR/own/m.sock\"]\nstate.path = \"DIR/none\"", true, "make the directory, with mode 0700, and let the daemon's user own it"},
		{"a state directory that is another's", func(dir string) error { return os.Mkdir(dir+"/state", 0o755) },
			"milter.listen = [\"unix:DIR/own/m.sock\"]\nstate.path = \"DIR/state\"", true, "let the daemon's user own DIR/state"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "bad-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			text := "mode = \"monitor\"\nus.domains = [\"here.example\"]\nadmin.control = \"\"\nadmin.listen = \"\"\ndns.servers = [\"127.0.0.1:1\"]\n" + strings.ReplaceAll(tt.lines, "DIR", dir) + "\n"
			err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/m.toml", []byte(text), 0o644), os.Mkdir(dir+"/own", 0o755), os.Chown(dir+"/own", stranger, stranger))
			if tt.prepare != nil {
				err = errors.Join(err, tt.prepare(dir))
			}
			if err != nil {
				t.Fatal(err)
			}
			out, code := serveAs(t, stranger, program, filepath.Join(dir, "m.toml"), tt.serves)
			if !strings.Contains(out, strings.ReplaceAll(tt.says, "DIR", dir)) {
				t.Errorf("does not say %q:\n%s", tt.says, out)
			}
			if want := map[bool]int{true: exitFine, false: exitFailed}[tt.serves]; code != want {
				t.Errorf("exit code %d:\n%s", code, out)
			}
			if strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
				t.Errorf("it broke:\n%s", out)
			}
		})
	}
}

// publicProgram is the program where any user may run it: under its own name, by
// which the test binary knows that it is meant to be it.
func publicProgram(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "program-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile(self)
	path := filepath.Join(dir, "mailprofiled")
	if err = errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(path, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveAs runs the daemon as a user until it ends, or ends it once it serves.
func serveAs(t *testing.T, uid uint32, program, config string, serves bool) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "serve", "--config", config)
	cmd.Env = append(os.Environ(), "GORACE="+noSleep)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	part := make([]byte, 4096)
	for told := false; ; {
		n, err := stderr.Read(part)
		text.Write(part[:n])
		if serves && !told && strings.Contains(text.String(), "msg=serving") {
			told = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // its code is looked at
	return text.String(), cmd.ProcessState.ExitCode()
}
