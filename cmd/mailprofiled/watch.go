package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"time"

	"mailprofiled/internal/systemd"
	"mailprofiled/milter"
)

// watch gives the service manager a sign of life, twice as often as it wants one,
// as long as the self-test passes. Without a sign in time it restarts us.
func (d *daemon) watch(ctx context.Context) {
	every := d.manager.Watchdog / 2
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		test, cancel := context.WithTimeout(ctx, every)
		err := d.selfTest(test)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.logger.Error("self-test failed, systemd gets no sign of life", "error", err.Error())
		default:
			d.notify(systemd.Alive)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// selfTest does what an MTA does at each of our doors, and goes once through the
// resolver, without asking anybody outside: their trouble is no reason to restart.
func (d *daemon) selfTest(ctx context.Context) error {
	for _, l := range d.doors.mta {
		if err := milter.Probe(ctx, l.Addr()); err != nil && !alive(err) {
			return err
		}
	}
	through := make(chan struct{})
	go func() { // it ends at once, or hangs on a lock that is lost: then we are restarted
		defer close(through)
		d.current.Load().resolver.Stats()
	}()
	select {
	case <-through:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("resolver: %w", ctx.Err())
	}
}

// alive tells failures of a probe that a restart would not mend: no place left, no
// descriptor left, or a socket that we may not use ourselves.
func alive(err error) bool {
	return errors.Is(err, milter.ErrTurnedAway) || errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, net.ErrClosed)
}
