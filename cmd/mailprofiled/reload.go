package main

import (
	"context"
	"fmt"
	"io"

	"mailprofiled/internal/admin"
)

const reloadHelp = `
Has the running daemon read its configuration again, and waits until it is in
force. Sessions go on, each by the settings it began with. A configuration with
mistakes changes nothing: they are printed as "file:line: what; remedy", and the
exit code is 1. What takes a restart, such as other sockets, is said.`

func runReload(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("reload", reloadHelp)
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		r, err := daemon.Reload(ctx)
		if err != nil {
			return exitFailed, err
		}
		code := exitFine
		if len(r.Errors) > 0 {
			code = exitFailed
		}
		if *c.json {
			return max(code, printJSON(r, stdout, stderr)), nil
		}
		for _, text := range append(r.Errors, r.Warnings...) {
			fmt.Fprintln(stdout, text)
		}
		if code == exitFine {
			fmt.Fprintf(stdout, "%s: reloaded, policy %s, mode %s\n", r.Config, r.Policy, r.Mode)
		} else {
			fmt.Fprintf(stderr, "mailprofiled reload: %s, nothing was changed; policy %s stays in force\n", count(len(r.Errors), "mistake"), r.Policy)
		}
		return code, nil
	})
}
