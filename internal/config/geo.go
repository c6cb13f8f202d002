package config

import "strings"

// Geo are the databases of countries and networks: paths, "" for none.
type Geo struct{ Country, ASN string }

// A GeoFile is one database that the configuration names. What is in it, and
// whether it is there, is for the room of databases.
type GeoFile struct {
	Kind string // country or asn
	Path string // absolute
	At   Origin // of its key
}

func geoKeys() []Key {
	return []Key{
		{
			Name: "geo.country", Default: "", Hot: true, Kind: databaseKind("/var/lib/GeoIP/GeoLite2-Country.mmdb"),
			Doc:   `An mmdb of countries, or of cities, by whichever vendor: for country:XX in [[local]]. It is read into memory, and again when it changes; at most 512 MiB. Empty: none.`,
			field: func(c *Config) any { return &c.Geo.Country },
		},
		{
			Name: "geo.asn", Default: "", Hot: true, Kind: databaseKind("/var/lib/GeoIP/GeoLite2-ASN.mmdb"),
			Doc:   `An mmdb of networks (autonomous systems): for asn:64500 in [[local]]; as geo.country else.`,
			field: func(c *Config) any { return &c.Geo.ASN },
		},
	}
}

// databaseKind takes a path, or nothing.
func databaseKind(example string) Kind {
	return textKind("path", example, func(text string, s spot) (any, bool) {
		if text == "" {
			return "", true
		}
		return wholePath(text, s, "/var/lib/GeoIP")
	}, formatText)
}

// GeoFiles gives the databases that the configuration names, countries first.
func (c *Config) GeoFiles() []GeoFile {
	var files []GeoFile
	for _, f := range []GeoFile{{Kind: "country", Path: c.Geo.Country}, {Kind: "asn", Path: c.Geo.ASN}} {
		if f.Path != "" {
			f.At = c.origins["geo."+f.Kind]
			files = append(files, f)
		}
	}
	return files
}

// checkGeo refuses rules that ask for what no database tells: they would match
// nobody, silently.
func (l *loader) checkGeo(c *Config) {
	for i, rule := range c.Local {
		for j, match := range rule.Match {
			kind, _, _ := strings.Cut(match, ":")
			if kind != "country" && kind != "asn" || l.named("geo."+kind) {
				continue
			}
			l.at(localMatch(i)).element(j).fail(
				"local.match has "+quote(match)+", and geo."+kind+" names no database to tell it by",
				"set geo."+kind+" to the path of an mmdb, or remove it")
		}
	}
}

// named says that a key is set to something, good or bad: of bad ones enough is
// said already.
func (l *loader) named(key string) bool {
	set, ok := l.settings[key]
	return ok && set.value != ""
}
