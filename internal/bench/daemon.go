package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// build makes the daemon as it is shipped.
func (b *bench) build() error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.exe(), "mailprofiled/cmd/mailprofiled")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) exe() string { return filepath.Join(b.dir, "mailprofiled") }

// configure writes a configuration for a process of the given name. It has rules
// of the operator's own, in which no sender is, limits that all senders are counted
// in and none meets, and a folder for its state; more stands in [dns] and behind it.
func (b *bench) configure(name string, budget time.Duration, more string) (path, socket string, err error) {
	names, networks, err := b.lists()
	if err != nil {
		return "", "", err
	}
	socket = filepath.Join(b.dir, name+".sock")
	state := filepath.Join(b.dir, name+".state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", "", err
	}
	text := fmt.Sprintf(`mode = "enforce"

[us]
names   = ["mx.example.net"]
domains = ["example.net"]

[milter]
listen = ["unix:%s"]

[dns]
servers = ["127.0.0.1:%d"]
budget  = "%gs"
%s
[admin]
control = "%s"
listen  = "unix:%s"

[[local]]
match  = ["file:%s"]
action = "deny"

[[local]]
match  = ["file:ip4trie:%s"]
action = "points"
points = 3.0

[[limit]]
name   = "client"
per    = "client"
count  = "recipients"
max    = 1000000
window = "1h"

[[limit]]
name   = "network"
per    = "network"
max    = 1000000
window = "24h"

[state]
path = "%s"
`, socket, b.world.port(), budget.Seconds(), more, b.control(name), b.web(name), names, networks, state)
	path = filepath.Join(b.dir, name+".toml")
	return path, socket, os.WriteFile(path, []byte(text), 0o600)
}

func (b *bench) control(name string) string { return filepath.Join(b.dir, name+".control") }

func (b *bench) web(name string) string { return filepath.Join(b.dir, name+".web") }

// lists writes the files of the operator's own rules: so many names that are
// asked about PTR, HELO and sender, and so many networks.
func (b *bench) lists() (names, networks string, err error) {
	var n, w bytes.Buffer
	for i := range b.rules {
		fmt.Fprintf(&n, "%s:n%d.listed.example # ticket %d\n", [...]string{"ptr", "helo", "from"}[i%3], i, i)
		if i < 1<<16 {
			fmt.Fprintf(&w, "10.%d.%d.0/24\n", i>>8, i&0xff)
		}
	}
	names, networks = filepath.Join(b.dir, "names.txt"), filepath.Join(b.dir, "networks.txt")
	return names, networks, errors.Join(os.WriteFile(names, n.Bytes(), 0o600), os.WriteFile(networks, w.Bytes(), 0o600))
}

// usualBudget is the dns.budget where DNS is alive.
const usualBudget = 5 * time.Second

// daemon starts the shipped daemon.
func (b *bench) daemon(name string, budget time.Duration) (*process, error) {
	return b.daemonWith(name, budget, "")
}

func (b *bench) daemonWith(name string, budget time.Duration, more string) (*process, error) {
	config, socket, err := b.configure(name, budget, more)
	if err != nil {
		return nil, err
	}
	return startDaemon(b.ctx, b.dir, name, socket, b.env, b.exe(), config)
}

// wired starts the daemon in a process of ours.
func (b *bench) wired(name string) (*process, error) { return b.wiredWith(name, "") }

func (b *bench) wiredWith(name, more string) (*process, error) {
	config, socket, err := b.configure(name, usualBudget, more)
	if err != nil {
		return nil, err
	}
	return startRole(b.ctx, b.dir, name, socket, "wired", config)
}

// A tally is what a log tells of its transactions.
type tally struct {
	verdicts  int // msg=verdict
	continued int // those of them with action=continue
	messages  int // msg=message
	clients   int // distinct ones of the verdicts
}

func readLog(path string) (tally, error) {
	var t tally
	f, err := os.Open(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	clients := make(map[string]bool)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Bytes()
		switch {
		case bytes.Contains(line, []byte(" msg=message ")):
			t.messages++
		case bytes.Contains(line, []byte(" msg=verdict ")):
			t.verdicts++
			if bytes.Contains(line, []byte(" action=continue ")) {
				t.continued++
			}
			_, rest, _ := bytes.Cut(line, []byte(" client="))
			client, _, _ := bytes.Cut(rest, []byte(" "))
			clients[string(client)] = true
		}
	}
	t.clients = len(clients)
	return t, lines.Err()
}

// finish stops a daemon, and holds its log against what it was given. It must
// have said continue to every one.
func (b *bench) finish(p *process, given samples, clients int) error {
	if err := p.stop(); err != nil {
		return err
	}
	t, err := readLog(p.log)
	if err != nil {
		return err
	}
	b.check(given.continued == given.count, "%s: %d of %d recipients refused", p.name, given.count-given.continued, given.count)
	want := tally{verdicts: given.count, continued: given.count, messages: given.count, clients: clients}
	b.check(t == want, "%s: %d transactions of %d clients, in the log: %d verdicts, of them %d continue, %d messages, %d clients",
		p.name, given.count, clients, t.verdicts, t.continued, t.messages, t.clients)
	b.print("log lines: %d verdicts and %d messages for %d transactions of %d clients", t.verdicts, t.messages, given.count, t.clients)
	return nil
}
