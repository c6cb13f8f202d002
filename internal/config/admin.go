package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// Admin is where the daemon tells of itself.
type Admin struct {
	Listen       string   // "host:port" on loopback or "unix:/path"; "" for nowhere
	Control      string   // absolute path of the control socket; "" for none
	ControlGroup string   // name or number; "" keeps our own
	Token        Secret   // who shows it may read the page; none: nobody over TCP, everybody on a unix socket
	Actions      bool     // who has Token may act at the page too
	AllowFile    string   // absolute path of a file of [[local]], to which the page may add; "" for none
	Hosts        []string // names under which the page is read, besides those of loopback; canonical
}

func adminKeys() []Key {
	return append([]Key{
		{
			Name: "admin.listen", Default: "127.0.0.1:8892",
			Kind:  textKind("loopback address or socket", "127.0.0.1:8892", adminDoor, formatText),
			Doc:   `Where /metrics, /healthz and /readyz are, and the page: an address and port on loopback, or "unix:/path"; empty is nowhere. The page is there on a unix socket, and elsewhere with admin.token.`,
			field: func(c *Config) any { return &c.Admin.Listen },
		},
		{
			Name: "admin.control", Default: "/run/mailprofiled/control.sock",
			Kind:  textKind("path", "/run/mailprofiled/control.sock", controlSocket, formatText),
			Doc:   "The socket of the commands that ask the daemon or change it (status, why, accounts, reload, ...), with mode 0660; empty is none.",
			field: func(c *Config) any { return &c.Admin.Control },
		},
		{
			Name: "admin.control_group", Kind: groupKind(), Default: "",
			Doc:   "Who may use that socket: a group; empty keeps the daemon's own.",
			field: func(c *Config) any { return &c.Admin.ControlGroup },
		},
		{
			Name: "admin.token", Kind: tokenKind(), Default: "", Hot: true,
			Doc:   `Who shows it may read the page: "file:/path", whose one line it is, of 16 characters or more. Where it is set it is asked for on a unix socket too. Empty: the page is on a unix socket only.`,
			field: func(c *Config) any { return &c.Admin.Token },
		},
		{
			Name: "admin.hosts", Kind: hostsKind(false, "host names"), Default: []any{}, Hot: true,
			Doc:   "Names under which the page may be read, besides localhost and the addresses of loopback: that of a web server before it.",
			field: func(c *Config) any { return &c.Admin.Hosts },
		},
		{
			Name: "admin.actions", Kind: boolKind(), Default: false, Hot: true,
			Doc:   "Whether who shows admin.token may do things at the page too: raise a limit, release an account, allow a server for a time, forget it, report it. Without a token nothing is done.",
			field: func(c *Config) any { return &c.Admin.Actions },
		},
		{
			Name: "admin.allow_file", Default: "", Hot: true,
			Kind:  textKind("path", "/var/lib/mailprofiled/allowed.txt", allowFile, formatText),
			Doc:   `A file to which the page adds a line for each server that is allowed there, with its last day. It must be there, be the daemon's to write, and stand in a [[local]] with action = "allow" as "file:/path". Empty: no server is allowed at the page.`,
			field: func(c *Config) any { return &c.Admin.AllowFile },
		},
	}, scopedKeys()...)
}

// The length of a token, in characters.
const (
	minToken = 16
	maxToken = 256
)

// tokenKind takes a secret that nobody guesses, and that a header can carry; or
// nothing.
func tokenKind() Kind {
	k := secretKind()
	parse := k.parse
	k.parse = func(raw any, s spot) (any, bool) {
		v, ok := parse(raw, s)
		if !ok {
			return v, false
		}
		const make = "make one: openssl rand -hex 24"
		token := v.(Secret).value
		switch {
		case token == "":
			return v, true
		case len(token) < minToken:
			s.fail(s.name+" has fewer than 16 characters: it could be guessed", make)
		case len(token) > maxToken:
			s.fail(s.name+" has more than 256 characters", make)
		case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
			s.fail(s.name+" holds a space, or what is not ASCII", make)
		default:
			return v, true
		}
		return nil, false
	}
	return k
}

// adminDoor takes an address on loopback, a unix socket, or nothing: metrics have no
// password, and nothing here speaks TLS.
func adminDoor(text string, s spot) (any, bool) {
	const example = `write "127.0.0.1:8892" or "unix:/path"`
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "":
		return "", true
	case kind == "unix":
		path, ok := socketPath(text, rest, "unix:", "admin.sock", s)
		return "unix:" + path, ok
	case strings.HasPrefix(text, "/"):
		return s.bad(quote(text), "not an address and a port", "write "+quote("unix:"+text))
	case kind == "inet" || kind == "inet6" || kind == "tcp":
		return s.bad(quote(text), "not an address and a port", "write "+quote(rest))
	}
	hostname, port, err := net.SplitHostPort(text)
	if err != nil {
		return s.bad(quote(text), "not an address and a port", example)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil:
		return s.bad(quote(text), "the port is no number up to 65535", "write "+quote(net.JoinHostPort(hostname, "8892")))
	case !loopback(hostname):
		return s.bad(quote(text), "not on loopback, and nothing here speaks TLS",
			"listen on "+quote(net.JoinHostPort("127.0.0.1", port))+`, and reach it by ssh -L or a proxy of your own`)
	case n == 0:
		s.odd(quote(text), "port 0 is any free port", "name the port, or find it in the log")
	}
	return net.JoinHostPort(hostname, strconv.FormatUint(n, 10)), true
}

// controlSocket takes the path of a socket, or nothing.
func controlSocket(text string, s spot) (any, bool) {
	if text == "" {
		return "", true
	}
	if rest, ok := strings.CutPrefix(text, "unix:"); ok {
		return s.bad(quote(text), "a path is meant here", "write "+quote(rest))
	}
	path, ok := socketPath(text, text, "", "control.sock", s)
	return path, ok
}

func allowFile(text string, s spot) (any, bool) {
	if text == "" {
		return "", true
	}
	return wholePath(text, s, "/var/lib/mailprofiled")
}

// checkActions refuses actions that anybody could do, or that would do nothing.
func (l *loader) checkActions(c *Config) {
	if !l.sound("admin.actions", "admin.token", "admin.allow_file") {
		return
	}
	a := &c.Admin
	if a.Actions && a.Token.Reveal() == "" {
		l.at("admin.actions").fail("admin.actions is true, and there is no admin.token: nobody could show that he may act", `write admin.token = "file:/etc/mailprofiled/page.token", or leave admin.actions out`)
	}
	if a.AllowFile == "" {
		return
	}
	for i := range c.Local {
		if c.Local[i].Action == LocalAllow && slices.Contains(c.Local[i].Match, "file:"+a.AllowFile) {
			return
		}
	}
	l.at("admin.allow_file").fail("admin.allow_file is in no [[local]] that allows: what is written there would let nobody in",
		`write [[local]] with match = [`+quote("file:"+a.AllowFile)+`] and action = "allow"`)
}

// checkSockets refuses one place for two purposes.
func (l *loader) checkSockets(c *Config) {
	taken := map[string]string{}
	for _, door := range c.Doors() {
		taken[strings.TrimPrefix(strings.TrimPrefix(door.Listen, "inet6:"), "inet:")] = door.key
	}
	for _, d := range []struct{ key, at string }{
		{"admin.listen", c.Admin.Listen},
		{"admin.control", "unix:" + c.Admin.Control},
	} {
		if other, double := taken[d.at]; double && l.sound(other, d.key) {
			l.at(d.key, other).fail(d.key+" and "+keyName(other)+" are both "+quote(strings.TrimPrefix(d.at, "unix:")), "give each a place of its own")
		}
		taken[d.at] = d.key
	}
}

// ControlSocket gives the path of the control socket by the configuration at
// path, as far as that can be read: whoever asks a daemon what is wrong may have
// a file with mistakes.
func ControlSocket(path string) string {
	l := newLoader(tree(), &Report{})
	sources, _ := read(path, l.report)
	for _, src := range sources {
		if src != nil {
			l.add(src)
		}
	}
	if set, ok := l.settings["admin.control"]; ok && set.value != nil {
		return set.value.(string)
	}
	return Default().Admin.Control
}
