package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// A place is a server and the part of its tree to search.
type place struct {
	network, address string
	host             string // for its certificate
	tls              bool   // from the first octet on
	base             string
	scope            int
	filter           string // "" where the URL has none
}

const written = `write "ldap://host/dc=example,dc=net"`

// parsePlace reads a URL of RFC 4516: scheme, host, base, and behind question marks
// attributes (which are not asked for), the scope and a filter.
func parsePlace(text string) (place, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return place{}, errors.New("no URL; " + written)
	}
	hostport, rest, _ := strings.Cut(rest, "/")
	p := place{network: "tcp", scope: ldap.ScopeWholeSubtree}
	if strings.Contains(hostport, "@") {
		return place{}, errors.New("a name before the host; give who to bind as, and the password, in keys of their own")
	}
	var err error
	switch scheme {
	case "ldap":
		err = p.at(hostport, "389")
	case "ldaps":
		p.tls = true
		err = p.at(hostport, "636")
	case "ldapi":
		p.network = "unix"
		p.address, err = url.PathUnescape(hostport)
		if err != nil || !filepath.IsAbs(p.address) {
			err = errors.New(`no path of a socket; write "ldapi://%2Frun%2Fslapd%2Fldapi/dc=example,dc=net"`)
		}
	default:
		err = errors.New("neither ldap:, ldaps: nor ldapi:; " + written)
	}
	if err != nil {
		return place{}, err
	}
	return p, p.below(rest)
}

func (p *place) at(hostport, port string) error {
	p.host = strings.Trim(hostport, "[]")
	if h, written, err := net.SplitHostPort(hostport); err == nil {
		p.host, port = h, written
	} else if strings.Contains(p.host, ":") && net.ParseIP(p.host) == nil {
		return errors.New("no host and port; " + written)
	}
	if p.host == "" || strings.ContainsAny(p.host, " \t\r\n,") {
		return errors.New("no host; " + written)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("port " + strconv.Quote(port) + " is none; " + written)
	}
	p.address = net.JoinHostPort(p.host, port)
	return nil
}

// below reads what stands behind the host: base, attributes, scope, filter.
func (p *place) below(rest string) error {
	parts := strings.Split(rest, "?")
	for i := range parts {
		var err error
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return errors.New("a % that starts no code; write %25 for it")
		}
	}
	parts = append(parts, "", "", "")
	p.base, p.filter = parts[0], parts[3]
	if p.base == "" {
		return errors.New("no base to search below; " + written)
	}
	if _, err := ldap.ParseDN(p.base); err != nil {
		return errors.New("its base is no distinguished name; " + written)
	}
	switch parts[2] {
	case "", "sub":
	case "one":
		p.scope = ldap.ScopeSingleLevel
	case "base":
		p.scope = ldap.ScopeBaseObject
	default:
		return errors.New("scope " + strconv.Quote(parts[2]) + " is none; write sub, one or base")
	}
	return nil
}

// tlsConfig is what the server has to show, where TLS is spoken.
func (p *place) tlsConfig(o Options) (*tls.Config, error) {
	if o.StartTLS && (p.tls || p.network == "unix") {
		return nil, &OptionError{"StartTLS", errors.New("the connection is private already; remove it, or write ldap:// in the URL")}
	}
	cfg := &tls.Config{ServerName: p.host, MinVersion: tls.VersionTLS12}
	if o.CA == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(o.CA)
	if err != nil {
		return nil, &OptionError{"CA", errors.New("cannot be read: " + err.Error() + "; name a file of certificates in PEM form")}
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(text) {
		return nil, &OptionError{"CA", errors.New("no certificate in " + o.CA + "; name a file of certificates in PEM form")}
	}
	return cfg, nil
}
