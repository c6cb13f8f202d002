package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"mailprofiled/internal/mtatest"
)

const (
	startWait = 20 * time.Second // for the daemon to serve
	stopWait  = 10 * time.Second // for it to end by itself
)

// build makes the real binary, as a user would get it.
func build(ctx context.Context, to string) error {
	// Without version control stamps: under sudo git refuses a checkout of another user.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", to, "mailprofiled/cmd/mailprofiled")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the daemon, from the source tree: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// A daemon is a running "mailprofiled serve".
type daemon struct {
	log   *mtatest.Log
	file  *os.File // the same lines, for the reader
	cmd   *exec.Cmd
	guard *mtatest.Guard
	done  chan struct{} // closed when it has ended
}

// startDaemon runs the daemon of the stage in dir and returns when it serves.
func startDaemon(ctx context.Context, dir string) (*daemon, error) {
	file, err := os.Create(filepath.Join(dir, logName))
	if err != nil {
		return nil, err
	}
	d := &daemon{log: new(mtatest.Log), file: file, done: make(chan struct{})}
	d.cmd = exec.Command("./mailprofiled", "serve", "--config", configName)
	d.cmd.Dir = dir
	d.cmd.Stderr = io.MultiWriter(d.log, file)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is ours to pass on, after Postfix
	if err := d.cmd.Start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // stop looks at how it ended
	}()
	if d.guard, err = mtatest.GuardGroup(d.cmd.Process.Pid); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	if err := d.waitUntilItServes(ctx); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

func (d *daemon) waitUntilItServes(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	go func() {
		select {
		case <-d.done: // no use waiting any longer
			cancel()
		case <-ctx.Done():
		}
	}()
	for _, line := range []string{"msg=serving", `msg="list state" list=watch from=untested to=up`} {
		if _, err := d.log.Wait(ctx, 0, mtatest.Containing(line)); err != nil {
			return fmt.Errorf("the daemon did not come up: %w", err)
		}
	}
	return nil
}

// stop asks the daemon to end, and makes it end if it does not.
func (d *daemon) stop() error {
	defer d.file.Close()
	_ = d.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
		_ = d.cmd.Process.Kill()
		<-d.done
	}
	if d.guard != nil {
		d.guard.Release()
	}
	if !d.cmd.ProcessState.Success() {
		return fmt.Errorf("the daemon ended badly: %v; its log ends:\n%s", d.cmd.ProcessState, lastLines(d.log, 10))
	}
	return nil
}

func lastLines(log *mtatest.Log, n int) string {
	lines := log.Since(max(0, log.Len()-n))
	var b bytes.Buffer
	for _, line := range lines {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}
