package geo

import (
	"net/netip"
	"testing"

	"mailprofiled/internal/geotest"
)

// FuzzDatabase changes octets of a database, and cuts it. Whatever comes of it is
// refused with words, or can be asked about any address.
func FuzzDatabase(f *testing.F) {
	place := made(f, geotest.Options{}, countries)
	net := made(f, geotest.Options{Type: geotest.ASN, RecordSize: 24}, networks)
	small := made(f, geotest.Options{IP4: true, RecordSize: 32}, "192.0.2.0/24 DE\n")
	for _, data := range [][]byte{place, net, small, place[len(place)/2:], marker, nil} {
		f.Add(data, uint8(0), uint32(0), byte(0), "192.0.2.65")
		f.Add(data, uint8(1), uint32(2), byte(0x80), "2001:db8::1")
	}
	f.Fuzz(func(t *testing.T, data []byte, kind uint8, at uint32, flip byte, addr string) {
		if len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		k := Kind(kind % 2)
		db, bad := parse(data, k)
		if (db == nil) == (bad == nil) {
			t.Fatalf("%v, %v", db, bad)
		}
		if bad != nil {
			if bad.what == "" || bad.remedy == "" || clean(bad.what[:min(len(bad.what), 80)]) != bad.what[:min(len(bad.what), 80)] {
				t.Fatalf("%+v", bad)
			}
			return
		}
		set := &Set{}
		set.all[k] = &followed{Source: Source{Kind: k}}
		set.all[k].db.Store(db)
		addrs := []netip.Addr{{}, netip.MustParseAddr("192.0.2.65"), netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("::"), netip.MustParseAddr("2001:db8::ffff")}
		if a, err := netip.ParseAddr(addr); err == nil {
			addrs = append(addrs, a)
		}
		for _, a := range addrs {
			code, err := set.Country(a)
			if err != nil || code != "" && !isCountry(code) {
				t.Errorf("%v: %q, %v", a, code, err)
			}
			if n, err := set.Network(a); err != nil || n.Name != "" && n.Number == 0 {
				t.Errorf("%v: %v, %v", a, n, err)
			}
		}
	})
}
