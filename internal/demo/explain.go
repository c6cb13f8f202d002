package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// explain runs the real command for one of the visits and shows all it prints.
func (s *stage) explain(ctx context.Context, p *printer) error {
	var args []string
	for _, from := range senders() {
		if from.who == explained {
			args = explainArgs(from)
		}
	}
	p.heading("Why? The same engine answers at the prompt, for any visit:")
	p.line("")
	p.line("  $ " + strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "./"+args[0], args[1:]...)
	cmd.Dir = s.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("explain: %w\n%s", err, errs.String())
	}
	for l := range strings.Lines(errs.String() + out.String()) {
		p.line("  " + p.paint(dim, strings.TrimSuffix(l, "\n")))
	}
	return nil
}

func explainArgs(from sender) []string {
	return []string{"mailprofiled", "explain", "--config", configName,
		"--client", from.addr, "--helo", from.helo, "--from", from.from, "--rcpt", from.to}
}
