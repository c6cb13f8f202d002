package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is one side under load: the shipped daemon, or this program again in
// one of its roles. It logs to a file.
type process struct {
	name   string
	socket string // "": it serves nobody
	log    string // path
	cmd    *exec.Cmd
	file   *os.File
	input  io.WriteCloser // of a role: one order a line
	output *bufio.Reader  // its answers; nil for the shipped daemon
	ended  chan struct{}  // closed when it has ended
	err    error          // how; after ended
}

// startTime is how long a process may take until it serves.
const startTime = 20 * time.Second

// startRole starts this program again in a role, with its arguments.
func startRole(ctx context.Context, dir, name, socket string, role ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return startRoleOf(ctx, self, dir, name, socket, role...)
}

// startRoleOf is startRole of another build of this program.
func startRoleOf(ctx context.Context, exe, dir, name, socket string, role ...string) (p *process, err error) {
	p = &process{name: name, socket: socket, cmd: exec.Command(exe, append([]string{roleCommand}, role...)...)}
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.output = bufio.NewReader(output)
	return p, p.start(ctx, dir)
}

// startDaemon starts the shipped daemon with a configuration; env is one variable
// more for it, or "".
func startDaemon(ctx context.Context, dir, name, socket, env, exe, config string) (*process, error) {
	p := &process{name: name, socket: socket, cmd: exec.Command(exe, "serve", "--config", config)}
	if env != "" {
		p.cmd.Env = append(os.Environ(), env)
	}
	return p, p.start(ctx, dir)
}

// start returns once the process takes connections; a failed one is ended. When
// ctx ends, so does the process, and with it whatever waits for it.
func (p *process) start(ctx context.Context, dir string) error {
	p.log = dir + "/" + p.name + ".log"
	file, err := os.Create(p.log)
	if err != nil {
		return err
	}
	p.file, p.cmd.Stderr, p.ended = file, file, make(chan struct{})
	dieWithUs(p.cmd)
	if err := p.cmd.Start(); err != nil {
		file.Close()
		return err
	}
	forget := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	go func() {
		p.err = p.cmd.Wait()
		forget()
		file.Close()
		close(p.ended)
	}()
	if p.socket == "" {
		return nil
	}
	if err := p.awaitSocket(ctx); err != nil {
		p.kill()
		return fmt.Errorf("%s: %w\n%s", p.name, err, lastLines(p.log))
	}
	return nil
}

func (p *process) awaitSocket(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("unix", p.socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("ended before it served: %w", errors.Join(p.err, err))
		case <-ctx.Done():
			return fmt.Errorf("does not serve: %w", err)
		case <-tick.C:
		}
	}
}

// stop ends the process as its owner would, and reports how it went.
func (p *process) stop() error {
	if p.output != nil {
		p.input.Close() // a role ends with its orders
	} else if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	late := time.NewTimer(startTime)
	defer late.Stop()
	select {
	case <-p.ended:
	case <-late.C:
		p.kill()
		return fmt.Errorf("%s: did not end in %v", p.name, startTime)
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.name, p.err, lastLines(p.log))
	}
	return nil
}

// kill ends the process at once; one that has ended already is no matter.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// cpu is what the process has used so far.
func (p *process) cpu() (time.Duration, error) { return cpuTime(p.cmd.Process.Pid) }

// rss is the memory of the process, in bytes, as the kernel counts it.
func (p *process) rss() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}

// socketsTo counts the UDP sockets that are connected to a port of loopback.
func socketsTo(port int) (int, error) {
	table, err := os.ReadFile("/proc/net/udp")
	return bytes.Count(table, fmt.Appendf(nil, " 0100007F:%04X 01 ", port)), err // "local remote state", of one that is connected
}

// order gives a role an order and returns its answer, one line.
func (p *process) order(words ...any) (string, error) {
	if _, err := fmt.Fprintln(p.input, words...); err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	line, err := p.output.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s: %v: %w\n%s", p.name, words, err, lastLines(p.log))
	}
	line = strings.TrimSpace(line)
	if text, failed := strings.CutPrefix(line, "error "); failed {
		return "", fmt.Errorf("%s: %v: %s", p.name, words, text)
	}
	return line, nil
}

// lastLines shows the end of a log, for who has to find out what went wrong.
func lastLines(path string) string {
	const most = 2000
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		_, _ = f.Seek(max(0, info.Size()-most), io.SeekStart) // from the start then
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
