package mtatest

import (
	"os/exec"
	"syscall"
	"testing"
)

// startGuarded starts a guarded process that waits for ever.
func startGuarded(t *testing.T) (*exec.Cmd, *Guard) {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g, err := GuardGroup(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, g
}

func signalOf(cmd *exec.Cmd) syscall.Signal {
	_ = cmd.Wait() // how it ended is in its state
	return cmd.ProcessState.Sys().(syscall.WaitStatus).Signal()
}

func TestGuardEndsTheGroupWhenWeAreGone(t *testing.T) {
	cmd, g := startGuarded(t)
	g.in.Close() // as the kernel does when we are killed
	if err := g.cmd.Wait(); err != nil {
		t.Errorf("guard: %v", err)
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	if got := signalOf(cmd); got != syscall.SIGKILL {
		t.Errorf("ended by %v", got)
	}
}

func TestGuardThatIsReleasedDoesNothing(t *testing.T) {
	cmd, g := startGuarded(t)
	g.Release()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if got := signalOf(cmd); got != syscall.SIGTERM {
		t.Errorf("ended by %v, and not by us", got)
	}
}
