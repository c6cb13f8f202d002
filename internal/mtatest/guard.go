package mtatest

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
)

// A Guard ends a process group should we be killed before we have ended it
// ourselves. It is a child that waits for the end of a pipe from us, as no
// process can miss it: what Linux has for that, the parent-death signal, is
// taken from servers that change their user.
type Guard struct {
	cmd *exec.Cmd
	in  io.WriteCloser
}

// GuardGroup starts the guard of a group. Release must follow once the group has ended.
func GuardGroup(group int) (*Guard, error) {
	const watch = `read -r word; [ "$word" = ended ] || kill -s KILL -- "-$1"`
	g := &Guard{cmd: exec.Command("/bin/sh", "-c", watch, "guard", strconv.Itoa(group))}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return g, nil
}

// Release lets the guard go without doing anything, and waits for its end.
func (g *Guard) Release() {
	_, _ = io.WriteString(g.in, "ended\n") // if it is gone it does nothing either
	g.in.Close()
	_ = g.cmd.Wait()
}
