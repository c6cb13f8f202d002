package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/hijack"
	"mailprofiled/internal/wiring"
	"mailprofiled/profile"
)

const accountsSuspectsHelp = `
Names the accounts that began to seem stolen since the daemon's start, the last 256 at
most, with the signs of that moment and the action. How an account stands now:
"accounts show NAME"; "accounts reset NAME" forgets what speaks against it.`

func runAccountsSuspects(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts suspects", accountsSuspectsHelp)
	n := c.fs.Int("n", 20, "how `MANY` to name")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		s, err := daemon.Suspects(ctx, *n)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			return printJSON(s, stdout, stderr), nil
		}
		printSuspects(s, stdout)
		return exitFine, nil
	})
}

func printSuspects(s *admin.Suspects, w io.Writer) {
	if len(s.Accounts) == 0 {
		fmt.Fprintln(w, "no account has seemed stolen")
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ACCOUNT\tSINCE\tACTION\tCLIENT\tSCORE\tSIGNS")
	for _, a := range s.Accounts {
		action := a.Action
		if a.Monitor {
			action += " (monitor)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%g\t%s\n", plain(a.Account), minuteText(a.At), action, orDash(a.Client), a.Score, plain(a.Detail))
	}
	tw.Flush()
}

// printHijack prints what is thought of an account.
func printHijack(h *admin.AccountHijack, w io.Writer) {
	switch h.State {
	case admin.HijackOff:
		return
	case admin.HijackExempt:
		fmt.Fprintln(w, "\nsigns of theft: it is exempt (accounts.hijack.exempt)")
		return
	}
	state := "not suspected"
	switch h.State {
	case admin.HijackSuspected:
		state = "SUSPECTED"
		if !h.Since.IsZero() {
			state += " since " + minuteText(h.Since)
		}
	case admin.HijackLearning:
		state = "nobody is suspected yet (accounts.hijack.learn)"
	}
	fmt.Fprintf(w, "\nsigns of theft: %g of %g points, %s\n", h.Score, h.Threshold, state)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range h.Signs {
		points := "-"
		if s.Is {
			points = fmt.Sprintf("%g", s.Points)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", s.Sign, points, s.Words)
	}
	tw.Flush()
}

// Suspects names the accounts that last began to seem stolen.
func (a accountDesk) Suspects(n int) *admin.Suspects {
	s := &admin.Suspects{Accounts: []admin.SuspectAccount{}}
	var last []hijack.Event
	last, s.Total = a.d.counted.Events.Last(n)
	for _, e := range last {
		x := admin.SuspectAccount{Account: e.Account, At: e.At, Score: e.Score, Signs: e.Signs, Detail: e.Detail, Action: e.Action, Monitor: e.Monitor}
		if e.Client.IsValid() {
			x.Client = e.Client.String()
		}
		s.Accounts = append(s.Accounts, x)
	}
	return s
}

// hijack tells what is thought of an account.
func (a accountDesk) hijack(g *generation, key string, now time.Time) *admin.AccountHijack {
	h := &admin.AccountHijack{State: admin.HijackQuiet, Threshold: g.cfg.Hijack.Threshold, Signs: []admin.AccountSign{}}
	s := a.d.counted.Hijack.Look(a.d.counted.Hijack.Account(key), new(hijack.Evidence), now)
	h.Score, h.Since = s.Score, s.Since
	for sign := range hijack.Signs {
		points, is := s.Points(sign)
		h.Signs = append(h.Signs, admin.AccountSign{Sign: sign.String(), Is: is, Points: points, Words: s.Words(sign)})
	}
	switch {
	case g.cfg.Policy.Points[hijackFinding].Rule == profile.Off:
		h.State = admin.HijackOff
	case g.cfg.Hijack.Exempts(key):
		h.State = admin.HijackExempt
	case s.Over || !s.Since.IsZero():
		h.State = admin.HijackSuspected
	case s.Learning:
		h.State = admin.HijackLearning
	}
	return h
}

// hijackFinding is what mail of an account that seems stolen has.
const hijackFinding = "account-hijack"

// hijackStatus tells how stolen accounts are told.
func (d *daemon) hijackStatus(g *generation) admin.HijackStatus {
	st := d.counted.Hijack.Stats(time.Now())
	s := admin.HijackStatus{Action: g.cfg.Hijack.Action, Accounts: st.Accounts, Room: st.Room, Evicted: st.Evicted, Learning: st.Learning, Events: d.counted.Events.Total()}
	if g.cfg.Policy.Points[hijackFinding].Rule == profile.Off {
		s.Action = admin.HijackOff
	}
	if s.Learning {
		s.Learnt = st.Began.Add(g.cfg.Hijack.Learn)
	}
	return s
}

// hijackText says the same in words.
func hijackText(s *admin.HijackStatus) string {
	text := fmt.Sprintf("%s, %s remembered", s.Action, count(s.Accounts, "account"))
	if s.Learning && s.Action != admin.HijackOff {
		text += "; nobody is suspected before " + minuteText(s.Learnt)
	}
	if s.Events > 0 {
		text += fmt.Sprintf("; %s seemed stolen: mailprofiled accounts suspects", count(int(s.Events), "account"))
	}
	return text
}

// hijacks tells stolen accounts for a generation.
func (d *daemon) hijacks(g *generation) engine.Hijack {
	return d.counted.Hijacks(g.cfg, &wiring.Alarm{Blocks: d.counted.Blocks, Logger: d.logger, Counts: d.counted.Events, Tell: d.tellStolen})
}
