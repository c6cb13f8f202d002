package socketmap

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// A place is where a map is: a socket, and the name of the map there.
type place struct {
	network, address string
	name             string
}

const written = `write "unix:/path:name" or "inet:host:port:name"`

// parsePlace reads what Postfix writes behind "socketmap:".
func parsePlace(text string) (place, error) {
	text = strings.TrimPrefix(text, "socketmap:")
	kind, rest, _ := strings.Cut(text, ":")
	cut := strings.LastIndexByte(rest, ':')
	if kind != "unix" && kind != "inet" {
		return place{}, errors.New("neither unix: nor inet:; " + written)
	}
	if cut <= 0 || cut == len(rest)-1 {
		return place{}, errors.New("no name of a map at its end; " + written)
	}
	address, name := rest[:cut], rest[cut+1:]
	if strings.ContainsAny(name, " \t\r\n\x00") || len(name) > 200 {
		return place{}, errors.New("the name of the map has a space in it, or is too long; " + written)
	}
	if kind == "unix" {
		if !filepath.IsAbs(address) {
			return place{}, errors.New("the path is relative, and would depend on where the daemon is started; " + written)
		}
		return place{network: "unix", address: address, name: name}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return place{}, errors.New("no host and port; " + written)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return place{}, errors.New("port " + strconv.Quote(port) + " is none; " + written)
	}
	return place{network: "tcp", address: net.JoinHostPort(host, port), name: name}, nil
}
