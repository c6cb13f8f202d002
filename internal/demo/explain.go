package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// explain runs the real command for one of the visits and shows all it prints.
func (s *stage) explain(ctx context.Context, p *printer) error {
	args := explainArgs(visitor(explained))
	p.heading("Why? The same engine answers at the prompt, for any visit:")
	p.line("")
	p.command(args)
	cmd := exec.CommandContext(ctx, "./"+args[0], args[1:]...)
	cmd.Dir = s.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("explain: %w\n%s", err, errs.String())
	}
	for l := range strings.Lines(errs.String() + out.String()) {
		l = strings.TrimRight(l, "\n")
		text := strings.TrimLeft(l, " ")
		p.block(dim, "  "+l[:len(l)-len(text)], text)
	}
	return nil
}

// command writes a command so that it can be typed, each flag beside its value.
func (p *printer) command(args []string) {
	flags := strings.ReplaceAll(strings.Join(args, " "), " --", "\n--")
	lines := wrap(flags, "\n", width-10)
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(strings.TrimSpace(l), "\n", " ")
	}
	p.line("  $ " + strings.Join(lines, " \\\n        "))
}

// explainOf is the same command for whoever stands in another folder.
func (s *stage) explainOf(who string) []string {
	args := explainArgs(visitor(who))
	args[0] = s.path(args[0])
	for i, arg := range args {
		if arg == configName {
			args[i] = s.path(configName)
		}
	}
	return args
}

// visitor is the sender of that name.
func visitor(who string) sender {
	all := senders()
	return all[slices.IndexFunc(all, func(s sender) bool { return s.who == who })]
}

func explainArgs(from sender) []string {
	return []string{"mailprofiled", "explain", "--config", configName,
		"--client", from.addr, "--helo", from.helo, "--from", from.from, "--rcpt", from.to}
}
