package mtatest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startWait bounds the start of a mail server, on a loaded machine too.
const startWait = 30 * time.Second

// pickPorts gives each address with port 0 a port that is free now.
func pickPorts(addrs []string) ([]string, error) {
	if len(addrs) == 0 {
		addrs = []string{"127.0.0.1:0"}
	}
	var picked []string
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		picked = append(picked, l.Addr().String())
	}
	return picked, nil
}

// A process is one child with its own process group.
type process struct {
	cmd   *exec.Cmd
	guard *Guard
	done  chan struct{} // closed when the child has been waited for
}

// startProcess runs a command in a process group of its own; what it and its
// children print goes to log. env is added to our own environment.
func startProcess(log *Log, dir string, env []string, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a group of its own; master insists on a session
	// A grandchild that outlives the child would hold the pipe.
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	var err error
	if p.guard, err = GuardGroup(cmd.Process.Pid); err != nil {
		p.stopGroup()
		return nil, err
	}
	return p, nil
}

// stopGroup asks the child to end, and kills what of its group is left.
func (p *process) stopGroup() {
	group := p.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	timer := time.NewTimer(5 * time.Second)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
	}
	_ = syscall.Kill(-group, syscall.SIGKILL)
	<-p.done
	if p.guard != nil {
		p.guard.Release()
	}
	// The kernel takes its time with killed processes, and they hold ports.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		if len(membersOf(group)) == 0 {
			return
		}
		<-tick.C
	}
}

// membersOf lists the processes of a group that still run, by what /proc says of each.
func membersOf(group int) []string {
	// The pattern is well formed: there is no other error.
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var members []string
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// "pid (name) state ppid pgrp ...": the name may hold anything.
		_, after, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(after); len(f) > 2 && f[2] == strconv.Itoa(group) && f[0] != "Z" {
			members = append(members, string(text))
		}
	}
	return members
}

// waitForSMTP returns when every address greets, or the process has ended.
func (p *process) waitForSMTP(addrs []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	for _, addr := range addrs {
		if err := p.waitForOne(ctx, addr); err != nil {
			return err
		}
	}
	return nil
}

func (p *process) waitForOne(ctx context.Context, addr string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := greets(addr); err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended: %v", p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", addr, ctx.Err())
		case <-tick.C:
		}
	}
}

// greets reports whether a server takes a connection and says any SMTP greeting.
func greets(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	var first [4]byte
	if _, err := conn.Read(first[:]); err != nil {
		return err
	}
	if !bytes.HasPrefix(first[:], []byte("2")) && !bytes.HasPrefix(first[:], []byte("5")) && !bytes.HasPrefix(first[:], []byte("4")) {
		return fmt.Errorf("not a greeting: %q", first)
	}
	_, err = conn.Write([]byte("QUIT\r\n"))
	return err
}
