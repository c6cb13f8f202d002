package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// maxOutput is how much of what a command prints is kept for the log.
const maxOutput = 512

// environment is what a command has of ours: no more than where programs are.
var environment = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}

// runCommand gives a message to the command on its standard input, and waits for it. At the
// end of ctx the command is killed, with all that it started.
func runCommand(ctx context.Context, o *Settings, m message) error {
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Env, cmd.Dir = environment, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a child that has left the group may hold our pipes
	cmd.Stdin = bytes.NewReader(append(bytes.Clone(m.body), '\n'))
	var said head
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success():
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: not done in time", o.Command[0])
	}
	if text := strings.TrimSpace(string(said.text)); text != "" {
		return fmt.Errorf("%s: %w: %s", o.Command[0], err, strings.ToValidUTF8(text, "?"))
	}
	return fmt.Errorf("%s: %w", o.Command[0], err)
}

// A head keeps the beginning of what is written to it. It has no other way in: io.Copy
// would take that of a bytes.Buffer.
type head struct{ text []byte }

func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), maxOutput-len(h.text))]...)
	return len(b), nil
}
