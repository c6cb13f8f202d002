// Package geotest makes databases of countries and networks for tests. It is not
// shipped.
package geotest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"go4.org/netipx"
)

// The types that databases call themselves by.
const (
	Country = "GeoLite2-Country"
	ASN     = "GeoLite2-ASN"
)

// Options are what differs from database to database. The zero Options are those
// of a database of countries, in IPv6, built now.
type Options struct {
	Type       string    // Country by default; one that ends in ASN holds networks
	Built      time.Time // zero: now
	IP4        bool      // it holds IPv4 only
	RecordSize int       // 24, 28 (default) or 32
}

// Make makes a database of lines "NETWORK VALUE". A value is two letters of a
// country, two with "registered:" before them, or "-" for a record that says
// nothing; in a database of networks it is "NUMBER NAME".
func Make(o Options, lines string) ([]byte, error) {
	kind := o.Type
	if kind == "" {
		kind = Country
	}
	settings := mmdbwriter.Options{
		DatabaseType: kind, RecordSize: 28, IncludeReservedNetworks: true, DisableIPv4Aliasing: true,
		Description: map[string]string{"en": "a test"},
	}
	if o.IP4 {
		settings.IPVersion = 4
	}
	if o.RecordSize != 0 {
		settings.RecordSize = o.RecordSize
	}
	if settings.BuildEpoch = o.Built.Unix(); o.Built.IsZero() {
		settings.BuildEpoch = time.Now().Unix()
	}
	tree, err := mmdbwriter.New(settings)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		network, value, _ := strings.Cut(line, " ")
		p, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		record, err := recordOf(value, strings.HasSuffix(kind, "ASN"))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		if err := tree.Insert(netipx.PrefixIPNet(p), record); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	var b bytes.Buffer
	_, err = tree.WriteTo(&b)
	return b.Bytes(), err
}

func recordOf(value string, networks bool) (mmdbtype.Map, error) {
	if networks {
		number, name, _ := strings.Cut(value, " ")
		n, err := strconv.ParseUint(number, 10, 32)
		return mmdbtype.Map{
			"autonomous_system_number":       mmdbtype.Uint32(uint32(n)),
			"autonomous_system_organization": mmdbtype.String(name),
		}, err
	}
	country := func(code string) mmdbtype.Map {
		return mmdbtype.Map{"iso_code": mmdbtype.String(code), "geoname_id": mmdbtype.Uint32(1)}
	}
	continent := mmdbtype.Map{"code": mmdbtype.String("EU")}
	if code, ok := strings.CutPrefix(value, "registered:"); ok {
		return mmdbtype.Map{"continent": continent, "registered_country": country(code)}, nil
	}
	if value == "-" {
		return mmdbtype.Map{"continent": continent}, nil
	}
	return mmdbtype.Map{"continent": continent, "country": country(value), "registered_country": country("ZZ")}, nil
}
