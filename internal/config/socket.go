package config

import (
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is what fits into sun_path with its NUL (unix(7)).
const maxSocketPath = 107

// door checks one socket to listen on: "unix:/path", "inet:host:port" or
// "inet6:[address]:port".
func door(text string, s spot) (any, bool) {
	kind, rest, _ := strings.Cut(text, ":")
	switch kind {
	case "unix":
		path, ok := socketPath(text, rest, "unix:", "milter.sock", s)
		return "unix:" + path, ok
	case "inet", "inet6":
		return inetDoor(text, kind, rest, s)
	}
	remedy := `write "unix:/path" or "inet:127.0.0.1:8891"`
	switch {
	case kind == "local":
		remedy = "write " + quote("unix:"+rest)
	case strings.HasPrefix(text, "/"):
		remedy = "write " + quote("unix:"+text)
	case kind == "tcp", kind == "tcp4":
		remedy = "write " + quote("inet:"+rest)
	default:
		if _, _, err := net.SplitHostPort(text); err == nil {
			remedy = "write " + quote("inet:"+text)
		}
	}
	return s.bad(quote(text), "not a socket", remedy)
}

// socketPath checks the path of a unix socket. The setting has it behind prefix;
// name is what such a socket is usually called.
func socketPath(text, file, prefix, name string, s spot) (path string, ok bool) {
	var what, remedy string
	switch {
	case file == "":
		what, remedy = "the path is missing", "write "+quote(prefix+"/run/mailprofiled/"+name)
	case !strings.HasPrefix(file, "/"):
		what = "a relative path: it would depend on where the daemon is started"
		remedy = "write the whole path: " + quote(prefix+filepath.Join("/run/mailprofiled", file))
	case strings.ContainsFunc(file, func(r rune) bool { return r < ' ' || r == 0x7f }):
		what, remedy = "a control character in the path", "remove it"
	case strings.HasSuffix(file, "/"):
		what, remedy = "a directory", "name the socket: "+quote(prefix+filepath.Join(file, name))
	case len(file) > maxSocketPath || len(filepath.Dir(file)) > maxSocketPath-10:
		// The socket is made beside its place under a name of nine octets.
		what, remedy = "longer than the 107 octets that a socket's path may have", "choose a shorter path"
	default:
		return filepath.Clean(file), true
	}
	_, ok = s.bad(quote(text), what, remedy)
	return "", ok
}

func inetDoor(text, kind, rest string, s spot) (any, bool) {
	if port, at, ok := strings.Cut(rest, "@"); ok { // as sendmail.mc writes it
		return s.bad(quote(text), "port and host are the other way round here", "write "+quote(kind+":"+net.JoinHostPort(at, port)))
	}
	hostname, port, err := net.SplitHostPort(rest)
	if err != nil {
		if _, numErr := strconv.Atoi(rest); numErr == nil {
			return s.bad(quote(text), "the address is missing", "write "+quote(kind+":127.0.0.1:"+rest))
		}
		return s.bad(quote(text), "not an address and a port", `write "inet:127.0.0.1:8891" or "inet6:[::1]:8891"`)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return s.bad(quote(text), "the port is no number up to 65535", "write "+quote(kind+":"+net.JoinHostPort(hostname, "8891")))
	}
	if hostname == "" {
		return s.bad(quote(text), "the address is missing", "write "+quote(kind+":"+net.JoinHostPort("127.0.0.1", port)))
	}
	if what, remedy := badHost(kind, hostname); what != "" {
		return s.bad(quote(text), what, remedy)
	}
	if n == 0 {
		s.odd(quote(text), "port 0 is any free port, and the MTA cannot know which", "name the port")
	}
	if !loopback(hostname) {
		s.odd(quote(text), "whoever reaches this port can speak as the MTA", "listen on loopback, or let a firewall admit the MTA only")
	}
	if strings.Contains(hostname, ":") {
		kind = "inet6"
	}
	return kind + ":" + net.JoinHostPort(hostname, strconv.FormatUint(n, 10)), true
}

// badHost refuses what cannot be listened on.
func badHost(kind, hostname string) (what, remedy string) {
	a, err := netip.ParseAddr(hostname)
	switch {
	case err != nil && (badLabels(strings.ToLower(hostname)) != "" || strings.Trim(hostname, "0123456789.") == ""):
		return "not an address", `write "inet:127.0.0.1:8891" or "inet6:[::1]:8891"`
	case err != nil:
		return "", ""
	case kind == "inet6" && a.Is4():
		return "an IPv4 address", "write inet: before it"
	case a.IsMulticast():
		return "a multicast address", "name an address of this machine"
	}
	return "", ""
}

func loopback(hostname string) bool {
	a, err := netip.ParseAddr(hostname)
	return err == nil && a.Unmap().IsLoopback() || strings.EqualFold(hostname, "localhost")
}

// modeKind takes the permissions of a socket. To connect to a unix socket
// takes the right to write to it.
func modeKind() Kind {
	return textKind("octal mode", "0660", func(text string, s spot) (any, bool) {
		mode, err := strconv.ParseUint(text, 8, 16)
		switch {
		case err != nil || len(text) < 3 || len(text) > 4:
			return s.bad(quote(text), "not a file mode", `write three or four octal digits: "0660"`)
		case mode > 0o777:
			return s.bad(quote(text), "setuid, setgid and sticky bits mean nothing on a socket", fmt.Sprintf(`use "0%03o"`, mode&0o777))
		case mode&0o222 == 0:
			return s.bad(quote(text), "nobody may connect: that takes the right to write", `use "0660"`)
		case mode&0o002 != 0:
			s.odd(quote(text), "any local user can then speak as the MTA", `use "0660" and set milter.socket_group to the MTA's group`)
		}
		return fs.FileMode(mode), true
	}, func(v any) string { return fmt.Sprintf(`"%04o"`, uint32(v.(fs.FileMode))) })
}

// groupKind takes a group by name or number. One that this machine does not
// know is warned of only: the file may be meant for another.
func groupKind() Kind {
	return textKind("group", "postfix", func(text string, s spot) (any, bool) {
		if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == ':' || r == '/' || r == 0x7f }) {
			return s.bad(quote(text), "not the name of a group", `write it alone: "postfix"`)
		}
		_, numberErr := strconv.ParseUint(text, 10, 32)
		if _, err := user.LookupGroup(text); err != nil && numberErr != nil && text != "" {
			s.odd(quote(text), "no group of this machine", "create it before the start, or correct it")
		}
		return text, true
	}, formatText)
}
