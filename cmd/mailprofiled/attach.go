package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mailprofiled/internal/attach"
	"mailprofiled/internal/config"
)

const attachHelp = `
Prints the lines by which Postfix or Sendmail on this machine asks mailprofiled, and
changes nothing. All that is no line is a comment. The exit code is 1 where
something else has to be done first: it is said, too.`

// attachTimeout is how long postconf may take.
const attachTimeout = 20 * time.Second

// The places of Debian.
const (
	sendmailMC = "/etc/mail/sendmail.mc"
	sendmailM4 = "/etc/mail/m4/mailprofiled.m4"
)

func runAttach(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("attach postfix|sendmail", attachHelp)
	path := fs.String("config", defaultConfig, "the configuration, a `FILE`; conf.d/*.toml beside it is read too")
	postfix := fs.String("postfix", "", "the configuration `DIRECTORY` of Postfix; usually that which postconf knows")
	mc := fs.String("mc", sendmailMC, "the `FILE` that sendmail.cf is made of")
	mta, code, ok := parseWord(fs, args, stdout, stderr)
	if !ok {
		return code
	}
	if mta != "postfix" && mta != "sendmail" {
		fmt.Fprintf(stderr, "mailprofiled attach: say postfix or sendmail\n")
		return exitMisuse
	}
	cfg := load(*path, stderr)
	if cfg == nil {
		return exitFailed
	}
	paper, err := attachPaper(mta, *postfix, *mc, oursOf(cfg))
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled attach: %v\n", err)
		return exitFailed
	}
	fmt.Fprint(stdout, paper)
	if paper.Unfit {
		return exitFailed
	}
	return exitFine
}

func attachPaper(mta, postfix, mc string, ours attach.Ours) (*attach.Paper, error) {
	if mta == "sendmail" {
		s, err := attach.ReadSendmail(mc, sendmailM4)
		if err != nil {
			return nil, err
		}
		return s.Paper(ours), nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), attachTimeout)
	defer cancel()
	p, err := attach.ReadPostfix(ctx, postfix)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return nil, fmt.Errorf("postconf did not answer within %v", attachTimeout)
	}
	if err != nil {
		return nil, err
	}
	return p.Paper(ours), nil
}

// oursOf is what an MTA has to know of a configuration.
func oursOf(cfg *config.Config) attach.Ours {
	o := attach.Ours{Config: cfg.Path, Budget: cfg.DNS.Budget, Enforce: !cfg.Monitor}
	for _, door := range cfg.Doors() {
		if door.Role != config.RoleSubmission {
			o.Sockets = append(o.Sockets, door.Listen)
		}
	}
	return o
}
