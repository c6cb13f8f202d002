package geo

import (
	"bytes"
	"compress/gzip"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/geotest"
)

var now = time.Now()

const countries = `
192.0.2.0/24 DE
192.0.2.64/26 NL
198.51.100.0/24 registered:AT
203.0.113.0/24 -
2001:db8::/32 FR
`

const networks = "192.0.2.0/24 64500 EXAMPLE-NET\n2001:db8::/32 4294967294 Ünïted\x07 Networks\n"

func made(t testing.TB, o geotest.Options, lines string) []byte {
	t.Helper()
	data, err := geotest.Make(o, lines)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put writes a file with a time long gone.
func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func loaded(t *testing.T, kind Kind, data []byte) *Set {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.mmdb")
	put(t, path, data)
	set, problems := Load([]Source{{kind, path}}, now, nil)
	if set == nil || len(problems) > 0 {
		t.Fatalf("problems %v", problems)
	}
	return set
}

func TestCountry(t *testing.T) {
	for _, db := range []struct {
		name string
		o    geotest.Options
	}{
		{"28 bits", geotest.Options{}}, {"24 bits", geotest.Options{RecordSize: 24}}, {"32 bits", geotest.Options{RecordSize: 32}},
		{"of cities", geotest.Options{Type: "GeoLite2-City"}},
		{"IPv4 only", geotest.Options{IP4: true}},
	} {
		lines := countries
		if db.o.IP4 {
			lines = strings.ReplaceAll(lines, "2001:db8::/32 FR\n", "")
		}
		set := loaded(t, Country, made(t, db.o, lines))
		for _, test := range []struct{ name, addr, want string }{
			{"in a network", "192.0.2.1", "DE"},
			{"in a smaller one in it", "192.0.2.65", "NL"},
			{"IPv4 as IPv6", "::ffff:192.0.2.65", "NL"},
			{"where only the registration is known", "198.51.100.9", "AT"},
			{"a record without a country", "203.0.113.1", ""},
			{"in no network", "100.64.0.1", ""},
			{"IPv6", "2001:db8::1", "FR"},
			{"IPv6 with a zone", "2001:db8::1%eth0", "FR"},
			{"IPv6 in no network", "2001:db9::1", ""},
		} {
			want := test.want
			if db.o.IP4 && want == "FR" {
				want = ""
			}
			if got, err := set.Country(netip.MustParseAddr(test.addr)); got != want || err != nil {
				t.Errorf("%s, %s: %s is in %q (%v), want %q", db.name, test.name, test.addr, got, err, want)
			}
		}
		if got, err := set.Country(netip.Addr{}); got != "" || err != nil {
			t.Errorf("no address: %q, %v", got, err)
		}
		if got, err := set.Network(netip.MustParseAddr("192.0.2.1")); got != (Network{}) || err != nil {
			t.Errorf("no database of networks: %v, %v", got, err)
		}
	}
}

func TestNetwork(t *testing.T) {
	set := loaded(t, ASN, made(t, geotest.Options{Type: geotest.ASN}, networks))
	for _, test := range []struct {
		addr string
		want Network
	}{
		{"192.0.2.200", Network{64500, "EXAMPLE-NET"}},
		{"2001:db8::7", Network{4294967294, "Ünïted? Networks"}},
		{"198.51.100.1", Network{}},
	} {
		if got, err := set.Network(netip.MustParseAddr(test.addr)); got != test.want || err != nil {
			t.Errorf("%s: %v (%v), want %v", test.addr, got, err, test.want)
		}
	}
}

func TestNoDatabases(t *testing.T) {
	set, problems := Load(nil, now, nil)
	if set != nil || problems != nil {
		t.Fatalf("%v, %v", set, problems)
	}
	if got, err := set.Country(netip.MustParseAddr("192.0.2.1")); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if changes, problems := set.Refresh(now); changes != nil || problems != nil || set.Status() != nil {
		t.Errorf("%v, %v", changes, problems)
	}
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBadDatabases(t *testing.T) {
	good := made(t, geotest.Options{}, countries)
	mark := bytes.LastIndex(good, marker)
	change := func(at int, to byte) []byte {
		bad := bytes.Clone(good)
		bad[at] = to
		return bad
	}
	replace := func(from, to string) []byte {
		if !bytes.Contains(good, []byte(from)) {
			t.Fatalf("%q is not in the database", from)
		}
		return bytes.ReplaceAll(good, []byte(from), []byte(to))
	}
	for _, test := range []struct {
		name string
		kind Kind
		data []byte
		want string
	}{
		{"empty", Country, nil, "is empty; fetch it anew"},
		{"text", Country, []byte("192.0.2.0/24 DE\n"), "is not an mmdb, or cut short: the mark before its end is missing"},
		{"a web page", Country, []byte("\n<!DOCTYPE html><title>401 Unauthorized</title>"), "is a web page, not an mmdb"},
		{"packed", Country, packed(t, good), "is packed; unpack it"},
		{"its end is missing", Country, good[:mark], "is not an mmdb, or cut short"},
		{"its end is missing in the metadata", Country, good[:len(good)-20], "is cut short or damaged: "},
		{"its beginning is missing", Country, good[mark-40:], "is cut short or damaged: "},
		{"the mark alone", Country, marker, "is cut short or damaged: "},
		{"a hole in the tree", Country, append(bytes.Clone(good[:70]), good[140:]...), "damaged: "},
		{"a node that leads to itself", Country, change(2, 0), "is damaged: "},
		{"no zeros behind the tree", Country, replace(strings.Repeat("\x00", 16), strings.Repeat("\x01", 16)), "damaged: "},
		{"a map of more than there is", Country, replace("iso_code", "iso_cod\xff"), "damaged: "},
		{"another version of the format", Country, replace("binary_format_major_version\xa1\x02", "binary_format_major_version\xa1\x03"), "is damaged: binary_format_major_version"},
		{"networks for countries", Country, made(t, geotest.Options{Type: geotest.ASN}, networks), "is a database of another kind (GeoLite2-ASN): no record holds country.iso_code; name one of countries"},
		{"countries for networks", ASN, good, "is a database of another kind (GeoLite2-Country): no record holds autonomous_system_number; name one of networks"},
		{"countries that are none", Country, made(t, geotest.Options{}, "192.0.2.0/24 registered:Germany\n"), "of another kind"},
		{"without records", Country, made(t, geotest.Options{}, "192.0.2.0/24 -\n"), "of another kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.mmdb")
			put(t, path, test.data)
			set, problems := Load([]Source{{test.kind, path}}, now, nil)
			if set != nil || len(problems) != 1 {
				t.Fatalf("problems %v", problems)
			}
			p := problems[0]
			if said := p.What + "; " + p.Remedy; !strings.HasPrefix(said, path+" is ") || !strings.Contains(said, test.want) || p.Warning || p.Path != path {
				t.Errorf("%q, want in it %q", said, test.want)
			}
		})
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/no/such", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	large, err := os.Create(dir + "/large")
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if err := large.Truncate(maxFile + 1<<20); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{dir, "is a directory; name the .mmdb in it"},
		{dir + "/none", "is not there; fetch it, or correct the path"},
		{dir + "/link", `is a link to "/no/such", which is not there`},
		{dir + "/large", "is a file of 513 MiB; name a database of at most 512 MiB"},
		{"/dev/null", "is not a regular file"},
	} {
		_, problems := Load([]Source{{Country, test.path}}, now, nil)
		if len(problems) != 1 || !strings.HasPrefix(problems[0].What+"; "+problems[0].Remedy, test.path+" "+test.want) {
			t.Errorf("%s: %v, want %q", test.path, problems, test.want)
		}
	}
}

func TestOldDatabasesAreTold(t *testing.T) {
	for _, test := range []struct {
		age  time.Duration
		said bool
	}{{OldAfter - time.Hour, false}, {OldAfter + 48*time.Hour, true}, {-time.Hour, false}} {
		path := filepath.Join(t.TempDir(), "x.mmdb")
		put(t, path, made(t, geotest.Options{Built: now.Add(-test.age)}, countries))
		set, problems := Load([]Source{{Country, path}}, now, nil)
		if set == nil || (len(problems) == 1) != test.said {
			t.Fatalf("%v old: %v", test.age, problems)
		}
		if test.said && (!problems[0].Warning || !strings.HasSuffix(problems[0].What, ", 182 days ago")) {
			t.Errorf("%+v", problems[0])
		}
	}
}

func TestRefresh(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.mmdb")
	put(t, path, made(t, geotest.Options{}, countries))
	set, problems := Load([]Source{{Country, path}}, now, nil)
	if set == nil {
		t.Fatal(problems)
	}
	later := now.Add(time.Hour) // a file is left alone while it is being written
	is := func(want string) {
		t.Helper()
		if got, err := set.Country(netip.MustParseAddr("192.0.2.1")); got != want || err != nil {
			t.Errorf("%q (%v), want %q", got, err, want)
		}
	}
	if changes, problems := set.Refresh(later); len(changes)+len(problems) > 0 {
		t.Errorf("nothing has changed: %v, %v", changes, problems)
	}
	put(t, path, made(t, geotest.Options{}, "192.0.2.0/24 PL\n"))
	if changes, problems := set.Refresh(time.Now()); len(changes)+len(problems) > 0 {
		t.Errorf("it may still be written: %v, %v", changes, problems)
	}
	is("DE")
	changes, problems := set.Refresh(later)
	if len(changes) != 1 || len(problems) > 0 || changes[0].Entries != 1 || changes[0].Type != geotest.Country || changes[0].Path != path {
		t.Errorf("%+v, %v", changes, problems)
	}
	is("PL")

	put(t, path, []byte("rubbish"))
	if changes, problems := set.Refresh(later); len(changes) > 0 || len(problems) != 1 || !strings.HasSuffix(problems[0].What, "(the version before stays in use)") {
		t.Errorf("rubbish: %v, %v", changes, problems)
	}
	if changes, problems := set.Refresh(later); len(changes)+len(problems) > 0 {
		t.Errorf("told twice: %v, %v", changes, problems)
	}
	if st := set.Status(); len(st) != 1 || !strings.Contains(st[0].Trouble, "is not an mmdb") {
		t.Errorf("%+v", st)
	}
	is("PL")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for i, told := range []int{1, 0} {
		if _, problems := set.Refresh(later); len(problems) != told {
			t.Errorf("removed, look %d: %v", i, problems)
		}
	}
	if again, problems := Load([]Source{{Country, path}}, now, set); again != nil || len(problems) != 1 {
		t.Errorf("loaded anew: %v", problems)
	}
	put(t, path, made(t, geotest.Options{}, "192.0.2.0/24 ES\n"))
	if changes, problems := set.Refresh(later); len(changes) != 1 || len(problems) > 0 || set.Status()[0].Trouble != "" {
		t.Errorf("mended: %v, %v", changes, problems)
	}
	is("ES")
}

// TestATruncatedFileIsNoHarm: an operator copies over the file in place.
func TestATruncatedFileIsNoHarm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.mmdb")
	put(t, path, made(t, geotest.Options{}, countries))
	set, problems := Load([]Source{{Country, path}}, now, nil)
	if set == nil {
		t.Fatal(problems)
	}
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	if got, err := set.Country(netip.MustParseAddr("192.0.2.1")); got != "DE" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLoadTakesOver(t *testing.T) {
	dir := t.TempDir()
	place, net := Source{Country, dir + "/c.mmdb"}, Source{ASN, dir + "/n.mmdb"}
	put(t, place.Path, made(t, geotest.Options{}, countries))
	put(t, net.Path, made(t, geotest.Options{Type: geotest.ASN}, networks))
	first, _ := Load([]Source{place}, now, nil)
	second, problems := Load([]Source{place, net}, now, first)
	if second == nil || second.all[Country] != first.all[Country] {
		t.Fatalf("read twice: %v", problems)
	}
	if st := second.Status(); len(st) != 2 || st[0].Kind != Country || st[1].Entries != 2 {
		t.Errorf("%+v", st)
	}
	put(t, place.Path, made(t, geotest.Options{}, "192.0.2.0/24 ES\n"))
	third, _ := Load([]Source{place}, now, second)
	if third == nil || third.all[Country] == second.all[Country] || third.all[ASN] != nil {
		t.Error("another version is taken for the same")
	}
	if got, _ := second.Country(netip.MustParseAddr("192.0.2.1")); got != "DE" {
		t.Errorf("the Set before has %q", got)
	}
}

// TestALookupNeverPanics: whatever is wrong with a database that was found sound,
// the answer is not known.
func TestALookupNeverPanics(t *testing.T) {
	set := loaded(t, Country, made(t, geotest.Options{}, countries))
	db := set.all[Country].db.Load()
	db.reader.Metadata.NodeCount = 1 << 40
	if got, err := set.Country(netip.MustParseAddr("192.0.2.1")); got != "" || err != ErrDamaged {
		t.Errorf("%q, %v", got, err)
	}
	db.reader = nil
	if got, err := set.Country(netip.MustParseAddr("192.0.2.1")); got != "" || err != ErrDamaged {
		t.Errorf("%q, %v", got, err)
	}
}
