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
	p.line("\nEnding it all, and removing " + s.dir)
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
	p.heading("KEEP=1: all stays up until Ctrl-C. Be a mail server yourself, from another terminal:")
	p.line("")
	for _, l := range [][2]string{
		{"nc " + host + " " + port, "or telnet"},
		{"EHLO localhost", ""},
		{"XCLIENT ADDR=203.0.113.45 NAME=[UNAVAILABLE]", "now you are 203.0.113.45"},
		{"EHLO " + ourName, "and claim to be us"},
		{"MAIL FROM:<me@harbour.example>", ""},
		{"RCPT TO:<jo@" + ourDomain + ">", "550 5.7.1: here the verdict is spoken"},
		{"RCPT TO:<postmaster>", "250"},
		{"QUIT", "and here it is logged"},
	} {
		p.line(fmt.Sprintf("    %-50s", l[0]) + p.paint(dim, l[1]))
	}
	p.line("")
	p.block("", "  ", "Ask why, for this visit or any other; it asks the DNS that was made for all this:")
	p.line("")
	p.command(s.explainOf(explained))
	p.line("")
	p.block("", "  ", "Or ask the daemon itself: status, top, lists, limits, servers show 203.0.113.20, why 203.0.113.20; and look at its page:")
	p.line("")
	p.command([]string{s.path("mailprofiled"), "status", "--config", s.path(configName)})
	p.command([]string{"curl", "--unix-socket", s.path(pageName), "http://localhost/"})
	p.line("")
	p.block("", "  ", "XCLIENT makes Postfix believe any client: ADDR=IPV6:2001:db8::1 too, and LOGIN=name is a user who has "+
		"logged in. What DNS knows stands in internal/demo/world.zone. Everything else is here:")
	p.line("")
	for _, l := range [][2]string{
		{"configuration", s.path(configName)},
		{"its log", s.path(logName)},
		{"log of Postfix", s.path(postfixLogName)},
		{"its main.cf", s.path("postfix/etc/main.cf")},
		{"the program", s.path("mailprofiled") + " help"},
	} {
		p.line(fmt.Sprintf("    %-16s%s", l[0], l[1]))
	}
	p.heading("What mailprofiled logs from now on:")
}
