package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/ratelimit"
)

// shareWait bounds the wait at the start for the machines that limits are shared with.
const shareWait = time.Second

// openShare has limits counted together with other machines, where the configuration
// says so. Mail does not wait for it.
func (d *daemon) openShare(cfg *config.Config) {
	d.counted.Share(cfg, d.logger, func() {
		select {
		case d.rekeyed <- struct{}{}:
		default:
		}
	}, func(b *ratelimit.Block) {
		select {
		case d.blocked <- b:
		default:
			d.unsaid.Add(1)
		}
	})
	d.counted.WaitShare(shareWait)
}

// maxBlocksUnsaid is how many blocks of other machines wait for their line in the log. More
// come at once only where a machine is new.
const maxBlocksUnsaid = 256

// followBlocks writes the lines that tell of blocks that other machines have changed, until
// ctx ends.
func (d *daemon) followBlocks(ctx context.Context) {
	for {
		select {
		case b := <-d.blocked:
			accountDesk{d}.logElsewhere(b)
		case <-ctx.Done():
			return
		}
		if n := d.unsaid.Swap(0); n > 0 {
			d.logger.Warn("more accounts were blocked or released on other machines than are told one by one", "accounts", n, "remedy", "mailprofiled accounts blocked --all")
		}
	}
}

// logElsewhere writes the line that tells of a block that another machine has changed.
func (a accountDesk) logElsewhere(b *ratelimit.Block) {
	g := a.d.enter()
	defer g.leave()
	whom, x := &ratelimit.Exception{Account: b.Account}, blockedOf(b, time.Now())
	if !b.Released.IsZero() {
		a.log(g, "account released on another machine", b.ReleasedBy, whom, "since", b.Since.Format(time.RFC3339), "blocked_by", b.By)
		return
	}
	a.log(g, "account blocked on another machine", b.By, whom, "action", x.Action, "until", dateOrNever(b.Until), "owner", b.Owner, "reason", b.Reason)
}

// followKey makes limits anew when the machines turn out to have another key than
// this one began with, until ctx ends.
func (d *daemon) followKey(ctx context.Context) {
	for {
		select {
		case <-d.rekeyed:
			d.rekey(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (d *daemon) rekey(ctx context.Context) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return
	}
	if !d.counted.Stale() {
		return
	}
	g := d.current.Load() // nobody replaces it while we have the turn
	limits, err := d.counted.Limits(g.cfg, g.rules.accounts, g.rules.directory)
	if err != nil {
		d.logger.Error("limits cannot be made with the key that machines share", "error", err.Error())
		return
	}
	r := d.resolver(g.resolver.servers, g.resolver.cache)
	d.begin(d.generation(g.cfg, g.loaded, g.rules.again(), g.hash, limits, r))
	g.leave()
	d.logger.Info("limits have the key that machines share: what this one counted before by its own does not count for new sessions")
}

// shareStatus tells how limits are shared; nil where they are not.
func (d *daemon) shareStatus() *admin.Shared {
	share := d.counted.Shared()
	if share == nil {
		return nil
	}
	st, f := share.Store.Status(), share.Fallback.Stats()
	s := &admin.Shared{
		At: d.first.State.Redis.String(), Machine: share.Store.Peers().Self(), Up: f.Up, Since: st.Since, Remedy: st.Remedy, Warning: st.Warning,
		Machines: []admin.SharedMachine{}, Calls: st.Calls, Errors: st.Errors, Locally: f.Locally,
	}
	if st.Err != nil {
		s.Error = st.Err.Error()
	}
	board := share.Board.Status()
	s.MemoryUp, s.MemorySince, s.Told, s.Heard = board.Up, board.Since, board.Told, board.Heard
	if board.Err != nil {
		s.MemoryError = board.Err.Error()
	}
	for _, m := range st.Machines {
		s.Machines = append(s.Machines, admin.SharedMachine{Name: m.Name, SilentS: m.Silent.Seconds(), Away: m.Away()})
	}
	return s
}

// sharedText says how limits are shared.
func sharedText(s *admin.Shared, now time.Time) string {
	var away []string
	for _, m := range s.Machines {
		if m.Away {
			away = append(away, m.Name)
		}
	}
	text := fmt.Sprintf("with %s at %s", count(max(len(s.Machines)-1, 0), "other machine"), s.At)
	switch {
	case !s.Up:
		text += ", which is away"
	case len(away) > 0:
		text += "; not heard of: " + strings.Join(away, ", ")
	}
	return text
}

// sharedAttention tells what is wrong with it.
func sharedAttention(s *admin.Status) []string {
	k := s.Shared
	if k == nil {
		return nil
	}
	var all []string
	if !k.Up {
		all = append(all, fmt.Sprintf("limits are not shared, since %s ago: %s. Each machine counts its part by itself. What to do: %s",
			age(s.Now.Sub(k.Since)), plain(k.Error), plain(k.Remedy)))
	} else {
		for _, m := range k.Machines {
			if m.Away {
				silent := time.Duration(m.SilentS * float64(time.Second))
				all = append(all, fmt.Sprintf("%s has not been heard of for %s: its part of each limit is left to it for an hour, and others have less. Start it, or stop it in order",
					plain(m.Name), age(silent)))
			}
		}
	}
	if k.Up && !k.MemoryUp && k.MemoryError != "" {
		all = append(all, fmt.Sprintf("what is remembered of servers is not shared, since %s ago: %s. Who is asked to come back here may be asked by another machine too",
			age(s.Now.Sub(k.MemorySince)), plain(k.MemoryError)))
	}
	if k.Warning != "" {
		all = append(all, "the shared store: "+plain(k.Warning))
	}
	return all
}

// printShared says below the limits who counts them.
func printShared(s *admin.Shared, now time.Time, w io.Writer) {
	if s != nil {
		fmt.Fprintln(w, "counted together "+plain(sharedText(s, now)))
		if !s.Up {
			fmt.Fprintf(w, "while it is away, since %s ago, each machine counts its part of each maximum\n", age(now.Sub(s.Since)))
		}
	}
}
