package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// width is what the output keeps to.
const width = 100

// The colours of a terminal.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// A printer writes for people, in colour only on a terminal.
type printer struct {
	w      io.Writer
	colour bool
}

func newPrinter(f *os.File) *printer {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	return &printer{w: f, colour: terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (p *printer) paint(code, text string) string {
	if !p.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) line(text string) { fmt.Fprintln(p.w, strings.TrimRight(text, " ")) }

// heading sets off a part of the output.
func (p *printer) heading(text string) {
	p.line("")
	p.line(p.paint(bold, text))
}

// block writes text wrapped at blanks, behind first and what is as wide in the
// lines after it.
func (p *printer) block(code, first, text string) {
	for _, l := range wrap(text, " ", width-len(first)) {
		p.line(first + p.paint(code, l))
		first = strings.Repeat(" ", len(first))
	}
}

func (p *printer) title() {
	p.line(p.paint(bold, "mailprofiled, a demonstration") + " (building and starting takes a few seconds)")
}

// intro says what is there and how to read the table.
func (p *printer) intro(s *stage) {
	p.heading("The stage")
	p.block("", "  ", fmt.Sprintf("A private Postfix on %s is the mail server %s. For each recipient it asks mailprofiled, its "+
		"milter, what to answer. Other servers come to deliver: simulated ones, by real SMTP. Their DNS is made for this, and "+
		"each answer of it takes %d ms. Nothing leaves this machine. All that mailprofiled was told:",
		s.postfix.Addr(), ourName, dnsDelay.Milliseconds()))
	p.line("")
	for l := range strings.Lines(s.config()) {
		p.line("    " + p.paint(dim, strings.TrimSuffix(l, "\n")))
	}
}

// The columns of the table.
const (
	rowFormat = "%-3s%-26s%-16s%-14s%-34s%7s"
	whoAt     = 3
	replyAt   = whoAt + 26 + 16
	whyAt     = replyAt + 14
	whyWidth  = 33
)

func (p *printer) tableHead(tempfail, reject float64) {
	p.heading("The visits")
	p.block("", "  ", fmt.Sprintf("Who comes, what it is told, why, and how long it waited for that. What speaks against it "+
		"adds points: from %g on it is asked to come back later (450), from %g on it is refused (550).", tempfail, reject))
	p.line("")
	p.line(p.paint(dim, fmt.Sprintf(rowFormat, "", "SENDER", "ADDRESS", "-> REPLY", "FINDINGS:POINTS", "MS")))
}

// row writes what came of a visit, and reports whether it is as expected.
func (p *printer) row(v visit) bool {
	wrong := v.mistakes()
	mark, code := "ok", green
	if len(wrong) > 0 {
		mark, code = "!!", red
	}
	why := wrap(orDash(v.verdict["findings"]), ",", whyWidth)
	text := fmt.Sprintf(rowFormat, mark, v.sender.who, v.sender.addr,
		fmt.Sprintf("-> %d %s", v.reply.Code, v.status()), why[0], milliseconds(v.wait))
	// The colours go in last: their bytes must not count in the columns.
	p.line(p.paint(code, text[:whoAt]) + text[whoAt:replyAt] + p.paint(v.colour(), text[replyAt:whyAt]) + text[whyAt:])
	for _, l := range why[1:] {
		p.line(strings.Repeat(" ", whyAt) + l)
	}
	if v.reply.Code >= 400 {
		p.block(dim, "     ", v.sentence())
	}
	if v.sender.note != "" {
		p.block(dim, "     ", v.sender.note)
	}
	for _, w := range wrong {
		p.block(red, "   ", w)
	}
	return len(wrong) == 0
}

// colour is that of the reply.
func (v *visit) colour() string {
	switch v.reply.Code / 100 {
	case 2:
		return green
	case 4:
		return yellow
	}
	return red
}

// closer shows a few visits from all sides.
func (p *printer) closer(visits []visit) {
	p.heading("The logs: some of the visits, as you would find them on your own server")
	for _, v := range visits {
		if !v.sender.look {
			continue
		}
		p.line("")
		p.line("  " + p.paint(bold, v.sender.who))
		for _, l := range v.postfix {
			p.block(dim, "    Postfix       ", l)
		}
		for _, l := range v.lines {
			p.block(dim, "    mailprofiled  ", l)
		}
	}
}

func (p *printer) summary(failed, all int, took time.Duration) {
	text, code := fmt.Sprintf("All %d verdicts are as expected.", all), green
	if failed > 0 {
		text, code = fmt.Sprintf("%d of %d verdicts are NOT as expected: see the rows marked !!.", failed, all), red
	}
	p.line("")
	p.line(p.paint(code, text) + fmt.Sprintf(" It took %.1f s.", took.Seconds()))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// wrap cuts text into lines of at most n octets, behind a separator where there
// is one. A longer word has a line of its own. There is always one line.
func wrap(text, sep string, n int) []string {
	var lines []string
	var line string
	for part := range strings.SplitAfterSeq(text, sep) {
		if line != "" && len(line)+len(strings.TrimRight(part, " ")) > n {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		line += part
	}
	return append(lines, line)
}
