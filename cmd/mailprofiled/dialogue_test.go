package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"mailprofiled/internal/config"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/miltertest"
)

// TestDialogues plays the sessions in testdata/dialogues against the daemon:
// all of it but the process. Each file holds a config.toml, a DNS zone, lines
// of names that misbehave, and the dialogue; and, for a configuration that says
// DIR/NAME.mmdb, the lines that database is made of.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := make(map[string]string)
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			parts["config.toml"] = strings.ReplaceAll(parts["config.toml"], "DIR/", databases(t, parts)+"/")
			socket := startDaemon(t, parts["config.toml"], startDNS(t, parts["zone"], parts["misbehave"]))
			miltertest.Play(t, func() net.Conn { return dial(t, socket) }, parts["dialogue"])
		})
	}
}

// databases makes those that parts hold lines of, in a folder.
func databases(t *testing.T, parts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, lines := range parts {
		if strings.HasSuffix(name, ".mmdb") {
			if err := putDatabase(filepath.Join(dir, name), lines, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

var modes = map[string]dnstest.Mode{
	"timeout": dnstest.Timeout, "servfail": dnstest.ServFail, "refused": dnstest.Refused,
	"garbage": dnstest.Garbage, "wrongid": dnstest.WrongID, "wrongname": dnstest.WrongName,
	"loop": dnstest.Loop, "huge": dnstest.Huge, "truncate": dnstest.Truncate,
}

// startDNS serves a zone until the test ends.
func startDNS(t *testing.T, zone, misbehaving string) *dnstest.Server {
	t.Helper()
	server, err := dnstest.Start(zone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	if err := misbehave(server, misbehaving); err != nil {
		t.Fatal(err)
	}
	return server
}

// misbehave takes lines "NAME MODE".
func misbehave(server *dnstest.Server, lines string) error {
	for line := range strings.Lines(lines) {
		name, mode, _ := strings.Cut(strings.TrimSpace(line), " ")
		m, ok := modes[mode]
		if !ok {
			return fmt.Errorf("misbehave: no mode %q", mode)
		}
		server.Misbehave(name, m)
	}
	return nil
}

// startDaemon serves the configuration, with the DNS server and a socket put
// in, until the test ends, and returns the socket's path.
func startDaemon(t *testing.T, text string, dns *dnstest.Server) string {
	t.Helper()
	dir := t.TempDir()
	socket := filepath.Join(dir, "milter.sock")
	text = fmt.Sprintf("milter.listen = [%q]\ndns.servers = [%q]\nstate.path = %q\n", "unix:"+socket, dns.Addr(), filepath.Join(dir, "none")) + text // before any table
	path := filepath.Join(dir, "mailprofiled.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, report := config.Load(path)
	if cfg == nil {
		t.Fatal(report)
	}
	runDaemon(t, newDaemon(cfg, io.Discard))
	return socket
}

// stateless is for configurations of which nothing is to be kept: the default place
// is that of the machine's own daemon.
const stateless = "state.path = \"/no/such/place\"\n"

// runDaemon lets a daemon serve until the test ends.
func runDaemon(t *testing.T, d *daemon) {
	t.Helper()
	if strings.HasPrefix(d.first.State.Path, "/var/") {
		t.Fatalf("state.path is %s: the test would read and write the state of this machine", d.first.State.Path)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- d.serve(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("serve: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
