package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/store"
	"mailprofiled/internal/wiring"
)

// closeStateTime bounds the wait for the last writing of the state.
const closeStateTime = 10 * time.Second

// muchState is from how many bytes on disk on memory is given back behind a start.
const muchState = 8 << 20

// openState opens the state directory and makes the counters, with what is kept
// there. Without a directory nothing is kept, and that is said: mail goes on, and
// what is counted begins anew with each start. The daemon that a directory belongs
// to does not share it.
func (d *daemon) openState(cfg *config.Config) error {
	dir := cfg.State.Path
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		d.logger.Warn("no state is kept: limits begin anew with each start", "path", dir,
			"remedy", "make the directory, with mode 0700, and let the daemon's user own it")
		d.counted = wiring.NewCounters(cfg, nil, time.Now())
		return nil
	}
	kept, err := store.Open(store.Options{Dir: dir, Logger: d.logger})
	if err != nil {
		return fmt.Errorf("state.path: %w", err)
	}
	d.counted = wiring.NewCounters(cfg, kept, time.Now())
	d.state = kept
	loaded := kept.Start()
	if loaded.Bytes > muchState {
		debug.FreeOSMemory() // what reading took is more than what is held, and nothing else would give it back for long
	}
	d.logger.Info("state loaded", "path", dir, "bytes", loaded.Bytes, "took", loaded.Took.String(),
		"accounts", d.counted.Accounts.Stats().Keys, "counters", d.counted.Table.Stats().Keys, "lost", loaded.Lost)
	return nil
}

// closeState writes what has changed since the last writing.
func (d *daemon) closeState() {
	if d.state == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeStateTime)
	defer cancel()
	if err := d.state.Close(ctx); err != nil {
		d.logger.Error("the last of the state could not be written", "error", err.Error())
	}
}

// stateStatus tells how the state is kept.
func (d *daemon) stateStatus() admin.Store {
	s := admin.Store{Accounts: d.counted.Accounts.Stats().Keys, Counters: d.counted.Table.Stats().Keys}
	if d.state == nil {
		return s
	}
	st := d.state.Status()
	s.Path, s.Kept, s.Errors, s.Bytes, s.SetAside = st.Path, st.Kept, st.Errors, st.Bytes, st.SetAside
	s.LastWrite, s.Since, s.Remedy = st.LastWrite, st.Since, st.Remedy
	if st.Err != nil {
		s.Error = st.Err.Error()
	}
	return s
}
