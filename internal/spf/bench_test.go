package spf

import (
	"testing"
	"time"
)

const benchZone = `
a.test TXT v=spf1 mx include:b.test include:c.test ~all
a.test MX m1.test m2.test
m1.test A 198.51.100.1
m2.test A 198.51.100.2
b.test TXT v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8:1::/48 ~all
c.test TXT v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.0/24 ~all
d.test TXT v=spf1 ip4:192.0.2.0/24 -all
`

// BenchmarkWarm is a check whose result is remembered.
func BenchmarkWarm(b *testing.B) {
	c := NewChecker(worldFor(b, time.Hour, benchZone), 0)
	q := Query{c7, "mx.a.test", "joe@a.test"}
	if got := c.Check(b.Context(), q); got.Outcome != Pass {
		b.Fatal(got)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Cached(q, now); !ok {
			b.Fatal("not remembered")
		}
	}
}

// BenchmarkCold is a whole check, the DNS taking no time: mx, two includes.
func BenchmarkCold(b *testing.B) { benchmarkCold(b, "joe@a.test") }

// BenchmarkColdNetworks is one of a record that leads nowhere else.
func BenchmarkColdNetworks(b *testing.B) { benchmarkCold(b, "joe@d.test") }

func benchmarkCold(b *testing.B, sender string) {
	w := zone(b, benchZone)
	q := Query{c7, "mx.a.test", sender}
	b.ReportAllocs()
	for b.Loop() {
		if got := Check(b.Context(), w, q); got.Outcome != Pass {
			b.Fatal(got)
		}
	}
}

// BenchmarkParse reads one record as large senders have them.
func BenchmarkParse(b *testing.B) {
	const text = "v=spf1 include:spf.protection.outlook.test include:_spf.google.test ip4:198.51.100.0/24 ip4:203.0.113.7 ip6:2001:db8::/48 a:mail.a.test exists:%{i}._spf.mta.test ~all"
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
