package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// keepTime bounds the wait of a command for the disk; the answer must be on its way
// before the control socket gives up on it.
const keepTime = 5 * time.Second

// blockFinding is what mail of a blocked account is refused by.
const blockFinding = "account-blocked"

// Blocked lists blocked accounts, the longest blocked first.
func (a accountDesk) Blocked(ended bool) *admin.BlockedAccounts {
	g := a.d.enter()
	defer g.leave()
	now := time.Now()
	l := &admin.BlockedAccounts{Now: now, Mode: mode(g.cfg), Accounts: []admin.BlockedAccount{}}
	for _, b := range a.d.counted.Blocks.All() {
		if ended || b.Holds(now) {
			l.Accounts = append(l.Accounts, blockedOf(&b, now))
		}
	}
	slices.SortFunc(l.Accounts, func(x, y admin.BlockedAccount) int {
		return cmp.Or(x.Since.Compare(y.Since), strings.Compare(x.Account, y.Account))
	})
	return l
}

func blockedOf(b *ratelimit.Block, now time.Time) admin.BlockedAccount {
	x := admin.BlockedAccount{
		Account: b.Account, Blocked: b.Holds(now), Since: b.Since, Until: b.Until, Action: profile.TempFail.String(),
		Auto: b.Auto, By: b.By, Owner: b.Owner, Reason: b.Reason, Ended: b.End(now), ReleasedBy: b.ReleasedBy,
	}
	if b.Reject {
		x.Action = profile.Reject.String()
	}
	return x
}

// lastBlock is the last block of an account; nil for none.
func (a accountDesk) lastBlock(key string, now time.Time) *admin.BlockedAccount {
	b, ok := a.d.counted.Blocks.Last(key)
	if !ok {
		return nil
	}
	x := blockedOf(&b, now)
	return &x
}

// Block keeps an account from sending.
func (a accountDesk) Block(ctx context.Context, by string, ask admin.BlockAsk) (*admin.BlockChange, error) {
	g := a.d.enter()
	defer g.leave()
	now := time.Now()
	b, err := g.blockAsked(&ask, by, now)
	if err != nil {
		return nil, err
	}
	if *b, err = a.d.counted.Blocks.Add(*b, now); err != nil {
		return nil, err
	}
	changed := &admin.BlockChange{Block: blockedOf(b, now), Held: true, Notes: []string{}}
	a.log(g, "account blocked by command", by, &ratelimit.Exception{Account: b.Account}, "action", changed.Block.Action,
		"until", dateOrNever(b.Until), "owner", b.Owner, "reason", b.Reason)
	_, age := a.subject(g, b.Account, now)
	changed.Unseen = age.State == admin.AgeUnseen
	if why := unheld(g.cfg); why != "" {
		changed.Held = false
		changed.Notes = append(changed.Notes, why)
	}
	a.elsewhere(changed)
	a.keep(ctx, changed)
	return changed, nil
}

// unheld says why mail of blocked accounts goes on all the same; "" where it does not.
func unheld(cfg *config.Config) string {
	switch rule := cfg.Policy.Points[blockFinding].Rule; {
	case rule == profile.Off || rule == profile.Monitor:
		return fmt.Sprintf("[points] has %q = %q: its mail is not refused", blockFinding, cfg.Policy.Points[blockFinding])
	case cfg.Monitor:
		return "the mode is monitor: the log tells of its mail, and nothing is refused"
	}
	return ""
}

// blockAsked is the block that is asked for.
func (g *generation) blockAsked(ask *admin.BlockAsk, by string, now time.Time) (*ratelimit.Block, error) {
	b := &ratelimit.Block{By: cmp.Or(by, "command"), Owner: ask.Owner, Reason: ask.Reason}
	var err error
	if b.Account, err = g.keyOf(ask.Account); err != nil {
		return nil, err
	}
	for what, text := range map[string]string{"owner": b.Owner, "reason": b.Reason} {
		if len(text) > maxNote || strings.ContainsFunc(text, unicode.IsControl) {
			return nil, fmt.Errorf("the %s is longer than %d octets, or more than one line", what, maxNote)
		}
	}
	switch ask.Action {
	case "", profile.TempFail.String():
	case profile.Reject.String():
		b.Reject = true
	default:
		return nil, fmt.Errorf("%+q is no action; use tempfail or reject", ask.Action)
	}
	if ask.Until == "" {
		return b, nil
	}
	if b.Until, err = lastMoment(ask.Until); err != nil {
		return nil, err
	}
	if !now.Before(b.Until) {
		return nil, fmt.Errorf("%s is over, in UTC; name a later one", ask.Until)
	}
	return b, nil
}

// lastMoment reads a day, which ends at midnight UTC, or a time.
func lastMoment(text string) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%+q is neither a day nor a time; write it as 2026-12-31, or as 2026-12-31T08:00:00Z", text)
	}
	return t.UTC(), nil
}

// Release lets a blocked account send again.
func (a accountDesk) Release(ctx context.Context, by, name string) (*admin.BlockChange, error) {
	g := a.d.enter()
	defer g.leave()
	key, err := g.keyOf(name)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	b, ok := a.d.counted.Blocks.Release(key, cmp.Or(by, "command"), now)
	if !ok {
		if last := a.lastBlock(key, now); last != nil {
			return nil, fmt.Errorf("the account is not blocked; it was until %s", minuteText(last.Ended))
		}
		return nil, errors.New("the account is not blocked: is it the login, as the log has it?")
	}
	a.d.counted.Hijack.Release(a.d.counted.Hijack.Account(key), now)
	changed := &admin.BlockChange{Block: blockedOf(&b, now), Notes: []string{}}
	a.log(g, "account released by command", by, &ratelimit.Exception{Account: key}, "since", b.Since.Format(time.RFC3339), "blocked_by", b.By)
	a.elsewhere(changed)
	a.keep(ctx, changed)
	return changed, nil
}

// elsewhere notes where a change does not hold on the other machines at once.
func (a accountDesk) elsewhere(changed *admin.BlockChange) {
	if s := a.d.counted.Shared(); s != nil && !s.Board.Status().Up {
		changed.Notes = append(changed.Notes, "the store that machines share cannot be asked now: the others hear of it when that is back, or by the same command on each")
	}
}

// keep waits until a change is on disk, and notes how that went.
func (a accountDesk) keep(ctx context.Context, changed *admin.BlockChange) {
	if a.d.state == nil {
		changed.Notes = append(changed.Notes, "no state is kept here: it ends with the daemon")
	}
	changed.Kept, changed.Unkept = a.d.keep(ctx)
}

// keep waits until all that has changed is on disk, and says why it is not, where state is
// kept. What is not there holds all the same, until the daemon ends.
func (d *daemon) keep(ctx context.Context) (kept bool, why string) {
	if d.state == nil {
		return false, ""
	}
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	if err := d.state.Sync(ctx); err != nil {
		d.logger.Error("a change by command is not on disk", "error", err.Error())
		return false, "it is not on disk, and ends with the daemon: " + err.Error()
	}
	return true, ""
}

// blockedStatus tells of accounts that may not send.
func (d *daemon) blockedStatus(now time.Time) admin.BlockedStatus {
	n, newest := d.counted.Blocks.Held(now)
	s := admin.BlockedStatus{Accounts: n}
	if newest != nil {
		s.Newest = newest.Since
	}
	return s
}
