package main

import (
	"fmt"
	"io"
	"net/netip"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/wiring"
)

// load reads the configuration for a command that needs all of it, and tells
// what is wrong with it on stderr. It returns nil when the command cannot go on.
func load(path string, stderr io.Writer) *config.Config {
	cfg, report := config.Load(path)
	if text := report.String(); text != "" {
		fmt.Fprintln(stderr, text)
	}
	if cfg == nil {
		fmt.Fprintln(stderr, "mailprofiled: the configuration has mistakes, nothing was started")
	}
	return cfg
}

// doorsOf gives the doors that a configuration has settings of their own for. One
// that is open and that it names no more keeps those it had.
func (d *daemon) doorsOf(cfg *config.Config) map[string]*engine.Door {
	named := make(map[string]bool)
	for _, c := range cfg.Doors() {
		named[c.Listen] = true
	}
	doors := wiring.Doors(cfg)
	if g := d.current.Load(); g != nil {
		for _, l := range d.doors.mta {
			if door := g.doors[l.place]; door != nil && !named[l.place] {
				doors[l.place] = door
			}
		}
	}
	return doors
}

// parseAddr reads an address typed by an operator: with or without brackets or
// the IPv6: tag of a mail log.
func parseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(trimAddr(s))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is no IP address", s)
	}
	return addr.Unmap().WithZone(""), nil
}
