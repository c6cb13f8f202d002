package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"mailprofiled/internal/act"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/local"
)

// An actDesk does what is asked for at the page. It is act.Hand.
type actDesk struct {
	d    *daemon
	turn *sync.Mutex // of who writes to the file of who is allowed
}

func (a actDesk) Raise(by string, g admin.Grant) (*admin.Changed, error) {
	return accountDesk{a.d}.Raise(by, g)
}

func (a actDesk) Release(ctx context.Context, by, account string) (*admin.BlockChange, error) {
	return accountDesk{a.d}.Release(ctx, by, account)
}

func (a actDesk) ForgetServer(by, name string) (*admin.Forgotten, error) {
	return serverDesk{a.d}.ForgetServer(by, name)
}

func (a actDesk) ReportServer(by, what, word string) error {
	return serverDesk{a.d}.ReportServer(by, what, word)
}

// AllowsInto names the file of the configuration in force.
func (a actDesk) AllowsInto() string { return a.d.current.Load().cfg.Admin.AllowFile }

// Allow writes a line for an address, and has it taken in.
func (a actDesk) Allow(by string, ask act.Allowance) error {
	path := a.AllowsInto()
	if path == "" {
		return errors.New("no server is allowed at the page: admin.allow_file names no file")
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(ask.Client))
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("%+q is no address", ask.Client[:min(len(ask.Client), 100)])
	}
	now := time.Now().UTC()
	last, err := time.Parse(time.DateOnly, ask.Until)
	switch {
	case err != nil:
		return fmt.Errorf("%+q is no date; write it as %s", ask.Until[:min(len(ask.Until), 40)], now.AddDate(0, 0, 7).Format(time.DateOnly))
	case !now.Before(last.AddDate(0, 0, 1)):
		return fmt.Errorf("%s is over, in UTC; name a later day", ask.Until)
	case last.After(now.AddDate(0, 0, act.MaxDays)):
		return fmt.Errorf("at most %d days: for longer write a [[local]]", act.MaxDays)
	case len(ask.Owner) > maxNote || len(ask.Reason) > maxNote:
		return fmt.Errorf("owner and reason have %d octets each at most", maxNote)
	}
	parts := []string{}
	for _, text := range []string{ask.Reason, ask.Owner, "by " + by} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	a.turn.Lock()
	defer a.turn.Unlock()
	return local.Append(path, addr, last, strings.Join(parts, "; "))
}
