package geo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oschwald/maxminddb-golang/v2"
)

// A database is one version of one file, in memory. It is not changed any more.
type database struct {
	reader  *maxminddb.Reader
	kind    string // as it calls itself
	built   time.Time
	loaded  time.Time
	version fs.FileInfo // that was read

	// What its records say, by their place: of those that say nothing there is none.
	countries map[uintptr]string
	networks  map[uintptr]Network
}

func (db *database) entries() int { return len(db.countries) + len(db.networks) }

// A mistake is why a file cannot be used, and the way out.
type mistake struct{ what, remedy string }

const anew = "fetch it anew"

// parse makes a database of the bytes of a file, which stay in use. Whatever they
// are, it does not panic.
func parse(data []byte, kind Kind) (db *database, bad *mistake) {
	defer func() {
		if broken := recover(); broken != nil {
			db, bad = nil, &mistake{fmt.Sprintf("damaged: %v", clean(fmt.Sprint(broken))), anew}
		}
	}()
	if !bytes.Contains(data, marker) {
		return nil, noDatabase(data)
	}
	// Each record is decoded once: to keep its strings would be in vain.
	reader, err := maxminddb.OpenBytes(data, maxminddb.DisableStringCache())
	if err != nil {
		return nil, &mistake{"cut short or damaged: " + clean(err.Error()), anew}
	}
	if len(reader.Metadata.Description) == 0 {
		// The library wants one; databases that people make for themselves lack it.
		reader.Metadata.Description = map[string]string{"en": reader.Metadata.DatabaseType}
	}
	if err := reader.Verify(); err != nil {
		return nil, &mistake{"damaged: " + clean(err.Error()), anew}
	}
	db = &database{reader: reader, kind: clean(reader.Metadata.DatabaseType), built: reader.Metadata.BuildTime().UTC()}
	if err := db.read(data, kind); err != nil {
		return nil, &mistake{"damaged: " + clean(err.Error()), anew}
	}
	if db.entries() == 0 {
		return nil, db.otherKind(kind)
	}
	return db, nil
}

// marker stands before the metadata, which end the file.
var marker = []byte("\xAB\xCD\xEFMaxMind.com")

// noDatabase says what a file is that has no marker.
func noDatabase(data []byte) *mistake {
	switch {
	case len(data) == 0:
		return &mistake{"empty", anew}
	case bytes.HasPrefix(data, []byte("\x1f\x8b")), bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return &mistake{"packed", "unpack it, and name the .mmdb that was in it"}
	case bytes.HasPrefix(bytes.TrimSpace(data[:min(len(data), 100)]), []byte("<")):
		return &mistake{"a web page, not an mmdb", "see whether its download needs a key, and fetch it anew"}
	}
	return &mistake{"not an mmdb, or cut short: the mark before its end is missing", anew}
}

func (db *database) otherKind(kind Kind) *mistake {
	b := &mistake{"a database of another kind (" + db.kind + "): ", ""}
	if kind == Country {
		b.what += "no record holds country.iso_code"
		b.remedy = "name one of countries, such as GeoLite2-Country.mmdb"
	} else {
		b.what += "no record holds autonomous_system_number"
		b.remedy = "name one of networks, such as GeoLite2-ASN.mmdb"
	}
	return b
}

// A place is what a record of countries holds, as far as we look at it.
type place struct {
	Country    iso `maxminddb:"country"`
	Registered iso `maxminddb:"registered_country"`
}

type iso struct {
	Code string `maxminddb:"iso_code"`
}

// An origin is what a record of networks holds.
type origin struct {
	Number uint32 `maxminddb:"autonomous_system_number"`
	Name   string `maxminddb:"autonomous_system_organization"`
}

// read reads all records that the tree points to, each once.
func (db *database) read(data []byte, kind Kind) error {
	seen := map[uintptr]bool{}
	codes := map[string]string{} // one string for all records of a country
	db.countries, db.networks = map[uintptr]string{}, map[uintptr]Network{}
	return eachRecord(data, &db.reader.Metadata, func(at uintptr) error {
		if seen[at] {
			return nil
		}
		seen[at] = true
		var err error
		record := db.reader.LookupOffset(at)
		if kind == Country {
			var p place
			if err = record.Decode(&p); err == nil {
				db.addCountry(at, p, codes)
			}
		} else {
			var o origin
			if err = record.Decode(&o); err == nil && o.Number != 0 {
				db.networks[at] = Network{Number: o.Number, Name: clean(o.Name)}
			}
		}
		var other maxminddb.UnmarshalTypeError
		if errors.As(err, &other) { // sound, and not what we look for
			return nil
		}
		return err
	})
}

func (db *database) addCountry(at uintptr, p place, codes map[string]string) {
	for _, code := range []string{p.Country.Code, p.Registered.Code} {
		if !isCountry(code) {
			continue
		}
		code = strings.ToUpper(code)
		if _, ok := codes[code]; !ok {
			codes[code] = code
		}
		db.countries[at] = codes[code]
		return
	}
}

func isCountry(code string) bool {
	return len(code) == 2 && !strings.ContainsFunc(code, func(r rune) bool { return (r < 'A' || 'Z' < r) && (r < 'a' || 'z' < r) })
}

// eachRecord calls visit with the place in the data section of each record that a
// node of the tree points to. It goes from node to node as they lie in the file: a
// walk down a tree whose nodes share their branches might never end.
func eachRecord(data []byte, m *maxminddb.Metadata, visit func(at uintptr) error) error {
	const separator = 16 // octets of zero between the tree and the data
	size := int(m.RecordSize) / 4
	for node := range int(m.NodeCount) {
		left, right := pair(data[node*size:(node+1)*size], m.RecordSize)
		for _, pointer := range [2]uint{left, right} {
			if pointer < m.NodeCount+separator {
				continue // another node, or nothing
			}
			if err := visit(uintptr(pointer - m.NodeCount - separator)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pair reads the two records of a node, which Verify has found to have 24, 28 or
// 32 bits. Of 28 the high ones share the octet in the middle.
func pair(node []byte, bits uint) (left, right uint) {
	three := func(b []byte) uint { return uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]) }
	switch bits {
	case 24:
		return three(node), three(node[3:])
	case 28:
		return uint(node[3]>>4)<<24 | three(node), uint(node[3]&15)<<24 | three(node[4:])
	}
	return uint(binary.BigEndian.Uint32(node)), uint(binary.BigEndian.Uint32(node[4:]))
}

// find looks for the record of an address. An IPv4 address is found in databases
// of either family; of IPv6 one that holds IPv4 only says nothing.
func (db *database) find(a netip.Addr) (at uintptr, ok bool, err error) {
	defer func() {
		if recover() != nil { // it was found sound: a last resort
			at, ok, err = 0, false, ErrDamaged
		}
	}()
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.Is6() && db.reader.Metadata.IPVersion == 4 {
		return 0, false, nil
	}
	r := db.reader.Lookup(a)
	switch {
	case r.Err() != nil:
		return 0, false, ErrDamaged
	case !r.Found():
		return 0, false, nil
	}
	return r.Offset(), true, nil
}

// clean makes text of a database fit for a message: one short printable line.
func clean(text string) string {
	const most = 80
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "..."
	}
	return text
}
