package records

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"
)

// real makes a record as large as that of a usual refused visit, 1.9 KB of JSON.
func real(rnd *rand.Rand, i int) Record {
	client := fmt.Sprintf("%d.%d.%d.%d", 1+rnd.IntN(220), rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
	host := fmt.Sprintf("dsl-%x.pool.net%d.example", rnd.Uint32(), rnd.IntN(5000))
	domain := fmt.Sprintf("%x%d.example", rnd.Uint32(), rnd.IntN(100))
	rcpt := fmt.Sprintf("<user%d@customer%d.example>", rnd.IntN(100_000), rnd.IntN(3000))
	id := fmt.Sprintf("%012x", rnd.Uint64()>>16)
	body := fmt.Sprintf(`{"id":%q,"client":%q,"ptr":%q,"helo":%q,"from":"<news@%s>","account":"","stage":"rcpt","mode":"enforce","score":13.5,`+
		`"findings":[{"id":"rdns-dynamic","points":7,"detail":"%s (dsl)"},{"id":"helo-generic","points":3,"detail":"%s (dsl)"},{"id":"generic-elsewhere","points":2,"detail":"HELO %s, sender %s"},{"id":"spf-softfail","points":0.5,"detail":"%s: ~all"}],`+
		`"recipients":[{"rcpt":%q,"action":"reject","code":550,"status":"5.7.25","text":"The reverse DNS name of %s is that of an access line; send through your provider's mail server, or have your server's own name set","score":13.5,"findings":[],"reply":"550 5.7.25 The reverse DNS name of %s is that of an access line; send through your provider's mail server, or have your server's own name set [%s]"}],`+
		`"lookups":[{"question":"%s.in-addr.arpa","type":"PTR","answer":[%q],"source":"dns","ms":%d.8},{"question":%q,"type":"A","answer":[%q],"source":"dns","ms":%d.9},{"question":%q,"type":"MX","answer":["10 mail.%s"],"source":"dns","ms":24.2},{"question":%q,"type":"TXT","answer":["v=spf1 mx ~all"],"source":"dns","ms":20.4},{"question":"mail.%s","type":"A","answer":["192.0.2.%d"],"source":"cache","ms":0,"age_s":%d},{"question":"%s.zen.dnsbl.example","type":"A","answer":["127.0.0.4"],"source":"dns","ms":12.1}],`+
		`"identity":{"answer":"no","by":""},"policy":"standard@1-6f47f458","took_ms":40.5,"when":"2026-11-24T23:40:01Z","queue":"","taken":false}`,
		id, client, host, host, domain, host, host, host, domain, domain, rcpt, client, client, id, client, host, rnd.IntN(99), host, client, rnd.IntN(99), domain, domain, domain, domain, rnd.IntN(256), rnd.IntN(3600), client)
	return Record{ID: id, When: time.Now(), Body: []byte(body),
		Keys: []Key{{Client, client}, {From, domain}, {Sender, "news@" + domain}, {Rcpt, rcpt}}}
}

// BenchmarkTake is what a record costs the Log's goroutine, compression and all; it
// tells how many bytes are left of one.
func BenchmarkTake(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	all := make([]Record, 2000)
	for i := range all {
		all[i] = real(rnd, i)
	}
	for _, each := range []int{1, 1000} { // records a block
		b.Run(fmt.Sprintf("%d a block", each), func(b *testing.B) {
			b.ReportAllocs()
			var p packer
			var raw, packed, n int
			for b.Loop() {
				r := &all[n%len(all)]
				p.add(r)
				raw += len(r.Body)
				if n++; n%each == 0 || p.full() {
					block, _ := p.seal()
					packed += len(block)
				}
			}
			block, _ := p.seal()
			b.ReportMetric(float64(packed+len(block))/float64(n), "B-kept/record")
			b.ReportMetric(float64(raw)/float64(n), "B-json/record")
		})
	}
}

// BenchmarkPut is what a record costs the way of a mail.
func BenchmarkPut(b *testing.B) {
	l := Open(Options{Keep: month, Size: 1 << 20, Queue: 1 << 20})
	defer l.Close(b.Context())
	s := made{skip: true}
	b.ReportAllocs()
	for b.Loop() {
		l.Put(s)
	}
}

// BenchmarkFind looks through 200 MiB for what is not there, for the oldest id, and for
// keys of records everywhere.
func BenchmarkFind(b *testing.B) {
	dir := b.TempDir()
	k := &keeper{Log: &Log{}, dir: directory{dir}}
	k.bounds.Store(&bounds{month, 200 << 20})
	k.o.Dir, k.listed = dir, true
	rnd := rand.New(rand.NewPCG(1, 2))
	var first Record
	n := 0
	for ; k.total() < 195<<20; n++ {
		r := real(rnd, n)
		r.Keys = append(r.Keys, Key{Queue, fmt.Sprint(n % 100_000)})
		if n == 0 {
			first = r
		}
		k.pack.add(&r)
		if k.pack.full() {
			block, _ := k.pack.seal()
			if err := k.append(block); err != nil {
				b.Fatal(err)
			}
			k.syncing = true // nothing is to be synced
		}
	}
	k.f.Close()
	for _, f := range k.retired {
		f.Close()
	}
	l := Open(Options{Dir: dir, Keep: month, Size: 200 << 20})
	defer l.Close(b.Context())
	b.Logf("%d records in %d files", n, len(k.closed)+1)
	for _, tt := range []struct {
		name string
		q    Query
		want int
	}{
		{"nobody", Query{ID: "zzzzzzzzzzzz"}, 0},
		{"the oldest id", Query{ID: first.ID}, 1},
		{"a client that is not there", Query{Keys: [][]Key{{{Client, "999"}}}, Most: 20}, 0},
		{"all over", Query{Keys: [][]Key{{{Queue, "77"}}}, Most: 1000}, n / 100_000},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := l.Find(b.Context(), tt.q)
				if err != nil || len(f.Records) < tt.want {
					b.Fatal(len(f.Records), err)
				}
			}
		})
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.Logf("heap in use %d KiB, page size %d", m.HeapInuse>>10, os.Getpagesize())
}
