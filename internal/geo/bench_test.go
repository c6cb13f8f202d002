package geo

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailprofiled/internal/geotest"
)

// crowded is a database of so many networks of the size of GeoLite2's.
func crowded(b *testing.B, o geotest.Options, many int) []byte {
	b.Helper()
	var lines strings.Builder
	for i := range many {
		a := uint32(i) << 12
		value := fmt.Sprintf("%c%c", 'A'+i%26, 'A'+i/26%9)
		if o.Type == geotest.ASN {
			value = fmt.Sprintf("%d The network of number %d", i%80_000+1, i%80_000)
		}
		fmt.Fprintf(&lines, "%d.%d.%d.0/%d %s\n", a>>24, byte(a>>16), byte(a>>8), 20+i%5, value)
	}
	return made(b, o, lines.String())
}

func benchLookup(b *testing.B, kind Kind, data []byte, ask func(*Set, netip.Addr) bool) {
	path := filepath.Join(b.TempDir(), "x.mmdb")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	set, problems := Load([]Source{{kind, path}}, now, nil)
	if set == nil {
		b.Fatal(problems)
	}
	r := rand.New(rand.NewPCG(1, 1))
	addrs := make([]netip.Addr, 4096)
	for i := range addrs {
		n := r.Uint32()
		addrs[i] = netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !ask(set, addrs[i%len(addrs)]) {
			b.Fatal(addrs[i%len(addrs)])
		}
	}
}

func BenchmarkCountry(b *testing.B) {
	benchLookup(b, Country, crowded(b, geotest.Options{}, 500_000), func(s *Set, a netip.Addr) bool {
		_, err := s.Country(a)
		return err == nil
	})
}

func BenchmarkNetwork(b *testing.B) {
	benchLookup(b, ASN, crowded(b, geotest.Options{Type: geotest.ASN}, 500_000), func(s *Set, a netip.Addr) bool {
		_, err := s.Network(a)
		return err == nil
	})
}

// BenchmarkOpen reads a database of the size of GeoLite2-ASN.
func BenchmarkOpen(b *testing.B) {
	for _, test := range []struct {
		name string
		kind Kind
		o    geotest.Options
	}{{"country", Country, geotest.Options{}}, {"asn", ASN, geotest.Options{Type: geotest.ASN}}} {
		b.Run(test.name, func(b *testing.B) {
			data := crowded(b, test.o, 500_000)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, bad := parse(data, test.kind); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}
