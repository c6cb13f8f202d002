package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"mailprofiled/internal/mtatest"
)

// postfixLogName is the file that the log of Postfix is copied to while the stage stays up.
const postfixLogName = "postfix.log"

// stay leaves everything up for the reader until ctx ends, and shows what the
// two logs say meanwhile.
func (s *stage) stay(ctx context.Context, p *printer) error {
	file, err := os.Create(s.path(postfixLogName))
	if err != nil {
		return err
	}
	defer file.Close()
	p.invite(s)
	theirs := make(chan struct{})
	go func() {
		defer close(theirs)
		follow(ctx, s.postfix.Log(), 0, func(line string) { fmt.Fprintln(file, line) })
	}()
	follow(ctx, s.daemon.log, s.daemon.log.Len(), func(line string) { p.block(dim, "  ", line) })
	<-theirs
	p.line("")
	p.line("Ending Postfix, the daemon and the DNS, removing " + s.dir)
	return nil
}

// follow hands each line from the mark on to show, until ctx ends.
func follow(ctx context.Context, log *mtatest.Log, mark int, show func(line string)) {
	any := func(string) bool { return true }
	for {
		line, err := log.Wait(ctx, mark, any)
		if err != nil {
			return // ctx has ended
		}
		show(line)
		mark++
	}
}

// invite says how to talk to the stage by hand.
func (p *printer) invite(s *stage) {
	host, port, _ := strings.Cut(s.postfix.Addr(), ":")
	p.heading("KEEP=1: all stays up until Ctrl-C. Be a mail server yourself, in another terminal:")
	p.line("")
	for _, l := range []string{
		"nc -C " + host + " " + port + "          (or telnet; then type, line by line)",
		"  EHLO localhost",
		"  XCLIENT ADDR=203.0.113.45 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]",
		"  EHLO " + ourName,
		"  MAIL FROM:<me@harbour.example>",
		"  RCPT TO:<jo@" + ourDomain + ">          here the verdict is spoken",
		"  QUIT",
	} {
		p.line("    " + l)
	}
	p.line("")
	p.block("", "  ", "XCLIENT makes Postfix believe any address (ADDR=IPV6:2001:db8::1 too, LOGIN=name for a user that has "+
		"logged in). What DNS knows of names and addresses is in internal/demo/world.zone.")
	p.line("")
	for _, l := range []string{
		"config     " + s.path(configName),
		"its log    " + s.path(logName),
		"Postfix    " + s.path(postfixLogName) + " (main.cf beside it in postfix/etc)",
		"try too    cd " + s.dir,
		"           ./mailprofiled check --config " + configName,
		"           ./mailprofiled explain --config " + configName + " --client 203.0.113.45",
	} {
		p.line("  " + l)
	}
	p.line("")
	p.line("  What the daemon logs from now on:")
}
