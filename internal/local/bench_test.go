//go:build unix

package local

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const million = 1_000_000

// million4 gives distinct IPv4 networks as lists of them hold: mostly single
// addresses and /24, in no order.
func million4(r *rand.Rand) []string {
	seen := map[netip.Prefix]bool{}
	var all []string
	for len(all) < million {
		size := []int{32, 32, 32, 24, 24, 28, 22, 20}[r.IntN(8)]
		p := netip.PrefixFrom(ip4(addr4(r.Uint32())), size).Masked()
		if !seen[p] {
			seen[p] = true
			all = append(all, p.String())
		}
	}
	return all
}

// million6 gives distinct IPv6 networks, under a few hundred allocations.
func million6(r *rand.Rand) []string {
	seen := map[netip.Prefix]bool{}
	var all []string
	for len(all) < million {
		var a [16]byte
		for i := 4; i < 8; i++ {
			a[i] = byte(r.Uint32())
		}
		a[0], a[1], a[3] = 0x20+byte(r.IntN(12)), byte(r.IntN(4)), byte(r.IntN(16))
		p := netip.PrefixFrom(netip.AddrFrom16(a), []int{64, 64, 56, 48}[r.IntN(4)]).Masked()
		if !seen[p] {
			seen[p] = true
			all = append(all, p.String())
		}
	}
	return all
}

// millionNames gives distinct domains of two to four labels.
func millionNames(r *rand.Rand) []string {
	word := func() string {
		b := make([]byte, 3+r.IntN(10))
		for i := range b {
			b[i] = byte('a' + r.IntN(26))
		}
		return string(b)
	}
	all := make([]string, million)
	for i := range all {
		all[i] = fmt.Sprintf("%s%d.%s", word(), i, []string{"com", "net", "example", "co.uk"}[r.IntN(4)])
		if r.IntN(4) == 0 {
			all[i] = word() + "." + all[i]
		}
	}
	return all
}

func writeLines(tb testing.TB, name string, lines []string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for _, l := range lines {
		w.WriteString(l + "\n")
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// lists are the files of the benchmarks, each of a million entries.
var benchLists = []struct {
	name, match string
	lines       func(*rand.Rand) []string
}{
	{"IPv4", "file:", million4},
	{"IPv6", "file:", million6},
	{"domains", "file:", millionNames},
	{"ip4set", "file:ip4set:", million4},
	{"ip4trie", "file:ip4trie:", million4},
	{"dnset", "file:dnset:", millionNames},
}

// cpu gives the time of processors that this process has used: on a machine that
// does other things as well it tells more than the clock.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLoad reads a file of a million entries; MB-kept is what stays on the
// heap of it.
func BenchmarkLoad(b *testing.B) {
	for _, list := range benchLists {
		b.Run(list.name, func(b *testing.B) {
			path := writeLines(b, list.name, list.lines(rand.New(rand.NewPCG(1, 2))))
			rules := []Rule{{Match: []string{list.match + path}}}
			before := heap()
			began := cpu(b)
			var set *Set
			b.ReportAllocs()
			for b.Loop() {
				var problems []Problem
				set = nil
				if set, problems = Load(rules, time.Unix(1, 0), nil); set == nil {
					b.Fatal(problems)
				}
			}
			b.ReportMetric(float64((cpu(b)-began).Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(heap()-before)/1e6, "MB-kept")
			runtime.KeepAlive(set)
		})
	}
}

// BenchmarkMatch asks lists of a million entries for addresses and names that are
// spread over all of them, half of them there.
func BenchmarkMatch(b *testing.B) {
	for _, list := range benchLists {
		b.Run(list.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			lines := list.lines(r)
			set, problems := Load([]Rule{{Match: []string{list.match + writeLines(b, list.name, lines)}}}, time.Unix(1, 0), nil)
			if set == nil {
				b.Fatal(problems)
			}
			subjects := make([]Subject, 1<<16)
			for i := range subjects {
				subjects[i] = askFor(r, lines[r.IntN(len(lines))], i%2 == 0)
			}
			var buf [4]Hit
			hits, i := 0, 0
			runtime.GC()
			began := cpu(b)
			b.ReportAllocs()
			for b.Loop() {
				hits += len(set.Match(&subjects[i&(len(subjects)-1)], time.Unix(1, 0), buf[:0]))
				i++
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
			if hits == 0 {
				b.Fatal("nothing matched")
			}
		})
	}
}

// askFor makes a subject of an entry, or one like it that is hardly there.
func askFor(r *rand.Rand, entry string, there bool) Subject {
	p, err := netip.ParsePrefix(entry)
	switch {
	case err != nil && there && r.IntN(2) == 0:
		return Subject{From: "joe@" + entry, FromDomain: entry}
	case err != nil && there:
		return Subject{From: "joe@mail." + entry, FromDomain: "mail." + entry}
	case err != nil:
		return Subject{From: "joe@mail.x" + entry, FromDomain: "mail.x" + entry}
	case there:
		return Subject{Client: p.Addr()}
	case p.Addr().Is4():
		return Subject{Client: ip4(addr4(r.Uint32()))}
	}
	a := p.Addr().As16()
	a[6] ^= byte(r.Uint32())
	return Subject{Client: netip.AddrFrom16(a)}
}

// BenchmarkMatchNothing is the usual visit: several rules and small files, and
// nothing in them for this client.
func BenchmarkMatchNothing(b *testing.B) {
	small := writeLines(b, "small", []string{"192.0.2.0/24", "spammer.example", "joe@example.net", "helo:ylmf-pc"})
	rules := []Rule{
		{Match: []string{"client:198.51.100.0/24", "client:2001:db8::/32"}, Action: Allow},
		{Match: []string{"ptr:good.example"}, Action: Allow},
		{Match: []string{"file:" + small}, Action: Deny},
		{Match: []string{"country:XX"}, Action: Points, Points: 2},
	}
	set, problems := Load(rules, time.Unix(1, 0), nil)
	if set == nil {
		b.Fatal(problems)
	}
	sub := Subject{Client: netip.MustParseAddr("203.0.113.7"), PTR: []string{"mx1.mail.example.org"}, Helo: "mx1.mail.example.org",
		From: "jane@lists.example.org", FromDomain: "lists.example.org", Country: "DE", ASN: 64500}
	var buf [4]Hit
	began := cpu(b)
	b.ReportAllocs()
	for b.Loop() {
		if len(set.Match(&sub, time.Unix(1, 0), buf[:0])) != 0 {
			b.Fatal("matched")
		}
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
}

// BenchmarkCount has all processors count: for the same rule, and each for a rule
// of its own, which should cost no more than alone.
func BenchmarkCount(b *testing.B) {
	var rules []Rule
	for i := range 16 {
		rules = append(rules, Rule{Match: []string{fmt.Sprintf("client:192.0.2.%d", i)}})
	}
	set, problems := Load(rules, time.Unix(1, 0), nil)
	if set == nil {
		b.Fatal(problems)
	}
	for name, step := range map[string]int32{"the same rule": 0, "rules of their own": 1} {
		b.Run(name, func(b *testing.B) {
			var next atomic.Int32
			began := cpu(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				sub := Subject{Client: ip4(192<<24 | 2<<8 | addr4(next.Add(step)%16))}
				var buf [2]Hit
				for pb.Next() {
					if len(set.Match(&sub, time.Unix(2, 0), buf[:0])) != 1 {
						b.Error("no match")
						return
					}
				}
			})
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N), "cpu-ns/op")
		})
	}
}
