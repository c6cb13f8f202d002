package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"

	"mailprofiled/internal/systemd"
	"mailprofiled/internal/unixsock"
	"mailprofiled/milter"
)

// doors are the listeners of a daemon. They stay open under reloads.
type doors struct {
	mta          []mtaDoor
	control, web net.Listener // nil where there is none
}

// An mtaDoor is one listener for MTAs, and its place as the configuration names
// it: by that a reload knows it again.
type mtaDoor struct {
	net.Listener
	place string
}

// open opens all doors or none. A default place for control socket or metrics
// that cannot be opened is done without: whoever runs us by hand, or a second time
// on one machine, has not asked for it.
func (d *daemon) open() (err error) {
	defer func() {
		if err != nil {
			d.doors.close()
		}
	}()
	if err := d.doors.take(d.handed); err != nil {
		return err
	}
	if err := d.openToMTAs(); err != nil {
		return err
	}
	a := d.first.Admin
	if d.doors.control == nil && a.Control != "" {
		l, err := unixsock.Listen(a.Control, 0, a.ControlGroup)
		if err := d.doubt("admin.control", a.Control, err); err != nil {
			return err
		}
		d.doors.control = l
	}
	if d.doors.web == nil && a.Listen != "" {
		l, err := listenWeb(a.Listen, a.ControlGroup)
		if err := d.doubt("admin.listen", a.Listen, err); err != nil {
			return err
		}
		d.doors.web = l
	}
	return nil
}

// openToMTAs opens the doors of the configuration, if the service manager has
// handed none. Those it has handed stand in place of all, and have the settings of
// the [[listener]] of the same place.
func (d *daemon) openToMTAs() error {
	if len(d.doors.mta) > 0 {
		d.tellStrays()
		return nil
	}
	for _, c := range d.first.Doors() {
		l, err := milter.Listen(c.Listen, c.SocketMode, c.SocketGroup)
		if err != nil {
			return err
		}
		d.doors.mta = append(d.doors.mta, mtaDoor{l, c.Listen})
	}
	return nil
}

// tellStrays warns where handed sockets and those of the configuration do not go
// together.
func (d *daemon) tellStrays() {
	if len(d.first.Listeners) == 0 {
		if _, named := d.first.Origin("milter.listen"); named {
			d.tellShut("milter.listen", d.first.Milter.Listen)
		}
		return
	}
	var places []string
	for _, c := range d.first.Listeners {
		places = append(places, c.Listen)
	}
	for _, l := range d.doors.mta {
		if !slices.Contains(places, l.place) {
			d.logger.Warn("a socket of systemd is in no [[listener]], and judged as [milter] says", "listen", l.place)
		}
	}
	d.tellShut("[[listener]]", places)
}

// tellShut warns of places that the configuration names and nobody has opened.
func (d *daemon) tellShut(key string, places []string) {
	open := d.doors.listen()
	for _, place := range places {
		if !slices.Contains(open, place) {
			d.logger.Warn("a socket of "+key+" is not open: systemd hands others in place of all", "listen", place,
				"remedy", "make a .socket unit for it too, or systemctl disable --now those there are, and restart")
		}
	}
}

// doubt makes of a failure to listen a warning, where the operator has not named
// the place.
func (d *daemon) doubt(key, at string, err error) error {
	if err == nil {
		return nil
	}
	if origin, named := d.first.Origin(key); named {
		return fmt.Errorf("%s:%d: %s %s: %w", origin.File, origin.Line, key, at, err)
	}
	d.logger.Warn(key+" cannot be opened at its default place, going on without it", "at", at, "error", err.Error())
	return nil
}

func listenWeb(at, group string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(at, "unix:"); ok {
		return unixsock.Listen(path, 0, group)
	}
	l, err := net.Listen("tcp", at)
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, unixsock.ErrInUse
	case errors.As(err, &op): // its own text repeats the address
		return nil, op.Err
	}
	return l, err
}

// take gives the sockets of the service manager their purposes, by name. A unit
// that names none is for the MTA.
func (ds *doors) take(handed []systemd.Socket) error {
	var errs []error
	for _, s := range handed {
		switch {
		case s.Name == "control" && ds.control == nil:
			ds.control = s
		case s.Name == "admin" && ds.web == nil:
			ds.web = s
		case s.Name == "milter", s.Name == "unknown", strings.HasSuffix(s.Name, ".socket"):
			ds.mta = append(ds.mta, mtaDoor{s, placeOf(s)})
		default:
			s.Close()
			errs = append(errs, fmt.Errorf("socket %q of systemd: not known, or there twice; name it milter, control or admin by FileDescriptorName=", s.Name))
		}
	}
	return errors.Join(errs...)
}

func (ds *doors) close() {
	for _, l := range ds.mta {
		l.Close()
	}
	for _, l := range []net.Listener{ds.control, ds.web} {
		if l != nil {
			l.Close()
		}
	}
}

// listen names the places where an MTA can connect, as milter.listen does.
func (ds *doors) listen() []string {
	names := make([]string, 0, len(ds.mta))
	for _, l := range ds.mta {
		names = append(names, placeOf(l))
	}
	return names
}

// placeOf names the place of a listener as milter.listen does.
func placeOf(l net.Listener) string {
	at := l.Addr().String()
	switch {
	case l.Addr().Network() == "unix":
		return "unix:" + at
	case strings.HasPrefix(at, "["):
		return "inet6:" + at
	}
	return "inet:" + at
}

// webAddr names the place of the metrics, as admin.listen does; "" for nowhere.
func (ds *doors) webAddr() string {
	switch {
	case ds.web == nil:
		return ""
	case ds.web.Addr().Network() == "unix":
		return "unix:" + ds.web.Addr().String()
	}
	return ds.web.Addr().String()
}

func (ds *doors) controlAddr() string {
	if ds.control == nil {
		return ""
	}
	return ds.control.Addr().String()
}
