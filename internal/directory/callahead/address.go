package callahead

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// A hop is the next server of the mail.
type hop struct {
	lmtp             bool
	network, address string
}

const written = `write "lmtp:host:port", "smtp:host:port" or "lmtp:unix:/path"`

// ports are the usual ones, where none is written.
const (
	smtpPort = "25"
	lmtpPort = "24" // RFC 2033 section 5
)

func parseHop(text string) (hop, error) {
	kind, rest, _ := strings.Cut(text, ":")
	h, port := hop{network: "tcp"}, smtpPort
	switch kind {
	case "lmtp":
		h.lmtp, port = true, lmtpPort
	case "smtp":
	default:
		return hop{}, errors.New("neither lmtp: nor smtp:; " + written)
	}
	if path, ok := strings.CutPrefix(rest, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return hop{}, errors.New("the path is relative, and would depend on where the daemon is started; " + written)
		}
		h.network, h.address = "unix", path
		return h, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(rest, "inet:"), "["), "]")
	if h2, p, err := net.SplitHostPort(strings.TrimPrefix(rest, "inet:")); err == nil {
		host, port = h2, p
	} else if strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return hop{}, errors.New("no host and port; " + written)
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n/[]@") {
		return hop{}, errors.New("no host; " + written)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return hop{}, errors.New("port " + strconv.Quote(port) + " is none; " + written)
	}
	h.address = net.JoinHostPort(host, port)
	return h, nil
}
