package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
)

// controlWait bounds the wait for a running daemon: a reload of large files takes
// a while.
const controlWait = 2 * time.Minute

// A controlCommand is a command that asks the running daemon.
type controlCommand struct {
	fs   *flag.FlagSet
	path *string
	json *bool
}

func newControlCommand(name, help string) controlCommand {
	fs := newFlags(name, help)
	return controlCommand{
		fs:   fs,
		path: fs.String("config", defaultConfig, "the `FILE` of the configuration, which names the control socket"),
		json: fs.Bool("json", false, "print one JSON object"),
	}
}

// run parses the flags and lets ask talk to the daemon. What went wrong is told
// with the way out.
func (c controlCommand) run(args []string, stdout, stderr io.Writer, ask func(context.Context, *admin.Client) (int, error)) int {
	if code, ok := parse(c.fs, args, stdout, stderr); !ok {
		return code
	}
	return c.talk(stderr, ask)
}

// talk lets ask talk to the daemon.
func (c controlCommand) talk(stderr io.Writer, ask func(context.Context, *admin.Client) (int, error)) int {
	socket := config.ControlSocket(*c.path)
	if socket == "" {
		fmt.Fprintf(stderr, "mailprofiled %s: %s switches the control socket off; name one in admin.control and restart\n", c.fs.Name(), *c.path)
		return exitFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, controlWait)
	defer cancel()
	code, err := ask(ctx, admin.Dial(socket))
	if err != nil {
		hint := ""
		if errors.Is(err, admin.ErrNoDaemon) {
			hint = "; is it running? start it by your service manager, or by \"mailprofiled serve\""
		}
		fmt.Fprintf(stderr, "mailprofiled %s: %v%s\n", c.fs.Name(), err, hint)
		return exitFailed
	}
	return code
}
