package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const geoText = monitor + "[geo]\nasn = \"/b/../c.mmdb\"\ncountry = \"/a.mmdb\"\n"

func TestGeoFiles(t *testing.T) {
	c, r := Parse("m.toml", []byte(geoText))
	want := []GeoFile{{"country", "/a.mmdb", Origin{"m.toml", 4}}, {"asn", "/c.mmdb", Origin{"m.toml", 3}}}
	if c == nil {
		t.Fatal(r)
	}
	if diff := cmp.Diff(want, c.GeoFiles()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if files := mustParse(t, monitor+"geo.country = \"\"\n").GeoFiles(); files != nil {
		t.Errorf("none named: %v", files)
	}
	if c, r := Parse("m.toml", []byte(geoText+"[dns]\nbudget = 1\n")); c != nil || cmp.Diff(want, r.Geo) != "" {
		t.Errorf("with a mistake elsewhere: %v", r.Geo)
	}
}

func TestRulesByDatabase(t *testing.T) {
	samePrinted(t, mustParse(t, geoText+"[[local]]\nmatch = [\"country:DE\", \"asn:64500\"]\naction = \"deny\"\n"))
}

func TestSettingsIDCoversDatabases(t *testing.T) {
	base := mustParse(t, monitor)
	if mustParse(t, geoText).SettingsID() == base.SettingsID() {
		t.Error("the same settings with databases and without")
	}
	if mustParse(t, monitor+"geo.asn = \"\"\n").SettingsID() != base.SettingsID() {
		t.Error("no database said aloud makes other settings")
	}
}
