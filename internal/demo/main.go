// Command demo shows mailprofiled at work on one machine, in seconds: a private
// Postfix with the daemon attached, a DNS world of their own, and simulated mail
// servers that come to deliver. It is run by "make demo", needs root for Postfix,
// and keeps everything in a temporary folder; the machine's own mail is left alone.
//
// It exits with 1 if a verdict is not the expected one. With KEEP=1 in the
// environment all stays up afterwards, to talk to by hand, until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"mailprofiled/profile"
)

// showTime bounds everything but the staying with KEEP=1.
const showTime = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, newPrinter(os.Stdout), os.Getenv("KEEP") == "1")
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run is the whole demo. Its error is for people.
func run(ctx context.Context, p *printer, keep bool) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("run as root: it starts a private Postfix (yours is left alone)")
	}
	s, err := newStage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.strike()) }()
	failed, err := show(ctx, s, p)
	if ctx.Err() != nil {
		return errors.New("interrupted") // what broke off is of no interest
	}
	if err != nil {
		return err
	}
	if keep {
		if err := s.stay(ctx, p); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d verdicts are not as expected", failed, len(senders()))
	}
	return nil
}

// show builds the world, plays all visits and looks closer at some. It returns
// how many verdicts were not as expected.
func show(ctx context.Context, s *stage, p *printer) (failed int, err error) {
	ctx, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()
	began := time.Now()
	p.title()
	if err := s.raise(ctx); err != nil {
		return 0, err
	}
	p.intro(s)
	policy, err := profile.Baseline("standard")
	if err != nil {
		return 0, err
	}
	p.tableHead(policy.TempfailScore, policy.RejectScore)
	var visits []visit
	for _, from := range senders() {
		v, err := s.play(ctx, from)
		if err != nil {
			return failed, fmt.Errorf("%s (%s): %w", from.who, from.addr, err)
		}
		if !p.row(v) {
			failed++
		}
		visits = append(visits, v)
	}
	p.closer(visits)
	if err := s.explain(ctx, p); err != nil {
		return failed, err
	}
	p.summary(failed, len(visits), time.Since(began))
	return failed, nil
}
