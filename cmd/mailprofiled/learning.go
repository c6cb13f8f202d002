package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/ratelimit"
)

const accountsLearnHelp = `
Tells until when accounts that are first seen here are of unknown age, not new, and on
how many of them limits by age only report now. --end ends that time: who is seen from
now on is new, and who was seen before stays of unknown age. --until begins it anew or
changes its end: after an old backup was put back, when customers come over from another
server, or after a long time without mailprofiled. It outlives restarts; a loss of state
begins it anew by itself.`

func runAccountsLearn(args []string, stdout, stderr io.Writer) int {
	c := newControlCommand("accounts learn", accountsLearnHelp)
	var ask admin.LearnAsk
	c.fs.StringVar(&ask.Until, "until", "", "learn until this last `DATE`, UTC, such as 2026-12-31, or a time, 2026-12-31T08:00:00Z")
	c.fs.BoolVar(&ask.End, "end", false, "end it now")
	return c.run(args, stdout, stderr, func(ctx context.Context, daemon *admin.Client) (int, error) {
		tell := daemon.Learning
		if ask != (admin.LearnAsk{}) {
			tell = func(ctx context.Context) (*admin.Learning, error) { return daemon.Learn(ctx, ask) }
		}
		l, err := tell(ctx)
		switch {
		case err != nil:
			return exitFailed, err
		case *c.json:
			if code := printJSON(l, stdout, stderr); code != exitFine {
				return code, nil
			}
		default:
			printLearning(l, stdout)
		}
		if l.Unkept != "" {
			return exitFailed, errors.New("done, but " + l.Unkept)
		}
		return exitFine, nil
	})
}

// printLearning prints the time of learning for people.
func printLearning(l *admin.Learning, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	until := "over since " + minuteText(l.Learnt) + ": who is first seen now is new"
	if l.Learning {
		until = "until " + minuteText(l.Learnt) + ": who is first seen before is of unknown age, and limits by age only report"
	}
	fmt.Fprintf(tw, "learning\t%s\nstate\tsince %s\naccounts\t%d known\n", until, minuteText(l.Began), l.Accounts)
	switch {
	case !l.ByAge:
		fmt.Fprintln(tw, "\tno limit asks for their age")
	case l.Unknown > 0:
		fmt.Fprintf(tw, "\t%d of unknown age that may be younger than %s: limits by age only report on them, unless accounts.file or the directory knows better\n", l.Unknown, l.Below)
	default:
		fmt.Fprintf(tw, "\tof each it is known whether it is younger than %s\n", l.Below)
	}
	tw.Flush()
}

// Learning tells of the time of learning.
func (a accountDesk) Learning() *admin.Learning {
	g := a.d.enter()
	defer g.leave()
	now, accounts := time.Now(), a.d.counted.Accounts
	below := oldestAsked(g.cfg.Limits)
	l := &admin.Learning{Now: now, Accounts: accounts.Stats().Keys, ByAge: below > 0, Below: spanText(below)}
	l.Began, l.Learnt = accounts.Began(now)
	l.Learning = now.Before(l.Learnt)
	l.Unknown = accounts.Learners(below, now)
	return l
}

// oldestAsked is the highest age that limits ask for; 0 where none asks.
func oldestAsked(limits []ratelimit.Limit) time.Duration {
	most := time.Duration(0)
	for i := range limits {
		l := &limits[i]
		most = max(most, l.When.YoungerThan, l.When.OlderThan)
		if n := len(l.Steps); n > 0 {
			most = max(most, l.Steps[n-1].Until)
		}
	}
	return most
}

// Learn changes the time of learning.
func (a accountDesk) Learn(ctx context.Context, by string, ask admin.LearnAsk) (*admin.Learning, error) {
	now, accounts := time.Now(), a.d.counted.Accounts
	_, learnt := accounts.Began(now)
	until := now
	switch {
	case ask.End == (ask.Until != ""):
		return nil, errors.New("give one of --until and --end")
	case ask.End && !now.Before(learnt):
		return nil, fmt.Errorf("it is over already, since %s", minuteText(learnt))
	case !ask.End:
		var err error
		if until, err = lastMoment(ask.Until); err != nil {
			return nil, err
		}
		if !now.Before(until) {
			return nil, fmt.Errorf("%s is over, in UTC; name a later one, or use --end", ask.Until)
		}
		if until.Sub(now) > maxLearn {
			return nil, fmt.Errorf("%s is more than ten years away: limits by age would never refuse anybody", ask.Until)
		}
	}
	a.d.learnTurn.Lock()
	accounts.Learn(until, now)
	a.d.learnTurn.Unlock()
	a.d.logger.Info("time of learning changed by command", "by", by, "until", until.UTC().Format(time.RFC3339), "before", learnt.UTC().Format(time.RFC3339))
	l := a.Learning()
	l.Kept, l.Unkept = a.d.keep(ctx)
	return l, nil
}

// maxLearn is how far away the end of learning may be, as for accounts.learn.
const maxLearn = 3650 * 24 * time.Hour
