package resolver

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

// clientCost is the promise: what one client may add to the heap, with one PTR
// name, one HELO name, and one sender domain with its mail host.
const clientCost = 1024

// mailWorld answers every question of visit as a mail server's would be, without
// a server.
func mailWorld(r *Resolver) {
	answerWith(r, func(f *flight) (data, uint32) {
		name := f.key.question()
		n := clientNumber(name)
		switch f.key.qtype {
		case dns.TypePTR:
			addr, _ := reverseAddr(name)
			return data{outcome: Found, names: []string{fmt.Sprintf("mail-out%d.some-provider.example", addrNumber(addr))}}, 3600
		case dns.TypeA:
			return data{outcome: Found, addrs: []netip.Addr{clientAddr(n)}}, 3600
		case dns.TypeMX:
			if strings.HasPrefix(name, "sender") {
				return data{outcome: Found, mx: []MX{{10, fmt.Sprintf("mx1.sender-domain%d.example", n)}}}, 3600
			}
		}
		return data{outcome: NoData}, 3600
	})
}

func clientAddr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

func addrNumber(a netip.Addr) int {
	q := a.As4()
	return int(q[1])<<16 | int(q[2])<<8 | int(q[3])
}

// clientNumber is the last number in a name.
func clientNumber(name string) (n int) {
	name = name[:strings.LastIndexAny(name, "0123456789")+1]
	for _, c := range name[strings.LastIndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })+1:] {
		n = 10*n + int(c-'0')
	}
	return n
}

// visit asks all that the judgement of one client asks.
func visit(ctx context.Context, r *Resolver, n int) {
	r.Reverse(ctx, clientAddr(n), nil)
	helo := fmt.Sprintf("smtp%d.customer.example", n)
	sender := fmt.Sprintf("sender-domain%d.example", n)
	for _, name := range []string{helo, sender} {
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX} {
			r.Lookup(ctx, name, qtype)
		}
	}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r.Lookup(ctx, "mx1."+sender, qtype)
	}
}

// heapOfClients measures what n clients add to the heap, and what the account
// of the cache says of it.
func heapOfClients(ctx context.Context, n int) (heap, account float64) {
	r := New(Config{CacheBytes: 4 << 30})
	defer r.Close()
	mailWorld(r)
	before := heapNow()
	for i := range n {
		visit(ctx, r, i)
	}
	after := heapNow()
	_, bytes := r.cache.size()
	runtime.KeepAlive(r)
	return float64(after-before) / float64(n), float64(bytes) / float64(n)
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC() // the first may leave finalizers' and pools' memory
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestClientFitsItsBytes(t *testing.T) {
	heap, account := heapOfClients(t.Context(), 2000)
	t.Logf("%.0f bytes of heap a client, %.0f by the account", heap, account)
	if heap > clientCost {
		t.Errorf("a client costs %.0f bytes of heap, more than %d", heap, clientCost)
	}
	if account < heap*0.9 || account > heap*1.3 {
		t.Errorf("the account says %.0f bytes a client, the heap %.0f", account, heap)
	}
}

func BenchmarkHeapOfClients(b *testing.B) {
	for b.Loop() {
		heap, account := heapOfClients(b.Context(), 200_000)
		b.ReportMetric(heap, "heap-B/client")
		b.ReportMetric(account, "account-B/client")
	}
}

func BenchmarkCached(b *testing.B) {
	r := New(Config{})
	defer r.Close()
	mailWorld(r)
	visit(b.Context(), r, 1)
	for _, bb := range []struct {
		name  string
		qtype uint16
	}{{"smtp1.customer.example", dns.TypeA}, {"smtp1.customer.example", dns.TypeMX}, {"sender-domain1.example", dns.TypeMX}} {
		b.Run(bb.name+"/"+dns.TypeToString[bb.qtype], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := r.Cached(bb.name, bb.qtype); !ok {
					b.Fatal("not cached")
				}
			}
		})
	}
}

func BenchmarkCachedReverse(b *testing.B) {
	r := New(Config{})
	defer r.Close()
	mailWorld(r)
	visit(b.Context(), r, 1)
	b.ReportAllocs()
	for b.Loop() {
		if rev, ok := r.CachedReverse(clientAddr(1)); !ok || rev.Names[0].Forward != Confirmed {
			b.Fatal("not cached", ok, rev)
		}
	}
}

// BenchmarkFlight is a cold question without a server: what the resolver itself
// does around the wire.
func BenchmarkFlight(b *testing.B) {
	r := New(Config{CacheBytes: 8 << 20})
	defer r.Close()
	mailWorld(r)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		r.Lookup(b.Context(), fmt.Sprintf("n%d.example", i), dns.TypeA)
	}
}

// serverEnv makes the test binary a DNS server, so that a benchmark's CPU time
// is the resolver's alone.
const serverEnv = "RESOLVER_TEST_SERVER"

func serveForParent() {
	s, err := dnstest.Start("*.bench.test. 300 IN A 192.0.2.1")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent goes
	s.Close()
}

func serverProcess(b *testing.B) netip.AddrPort {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return netip.MustParseAddrPort(strings.TrimSpace(line))
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkQuestion asks a server on loopback over each kind of socket, one at a
// time and 16 at once. Who asks takes the next number himself: to be handed it
// by another goroutine would cost more than the question.
func BenchmarkQuestion(b *testing.B) {
	addr := serverProcess(b)
	for _, way := range ways {
		for _, workers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/at-once=%d", way.name, workers), func(b *testing.B) {
				r := way.set(New(Config{Servers: []netip.AddrPort{addr}, CacheBytes: 8 << 20}))
				defer r.Close()
				b.ReportAllocs()
				var next atomic.Int64
				var wg sync.WaitGroup
				before := cpuTime()
				b.ResetTimer()
				for range workers {
					wg.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							if a := r.Lookup(b.Context(), fmt.Sprintf("n%d.bench.test", i), dns.TypeA); a.Outcome != Found {
								b.Errorf("%+v", a)
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1000, "cpu-us/op")
			})
		}
	}
}

// BenchmarkReverseAtOnce is 16 unknown clients at once with every answer 20 ms
// late: two delays, one behind the other, are what the questions need.
func BenchmarkReverseAtOnce(b *testing.B) {
	const delay, clients = 20 * time.Millisecond, 16
	zone := ""
	for i := range clients {
		zone += fmt.Sprintf("%s. IN PTR host%d.bench.test.\nhost%d.bench.test. IN A %s\n", reverseName(clientAddr(i)), i, i, clientAddr(i))
	}
	s, err := dnstest.Start(zone)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	s.Delay(delay)
	var waits []time.Duration
	for b.Loop() {
		r := New(Config{Servers: []netip.AddrPort{s.Addr()}})
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				began := time.Now()
				rev := r.Reverse(b.Context(), clientAddr(i), nil)
				mu.Lock()
				defer mu.Unlock()
				waits = append(waits, time.Since(began))
				if len(rev.Names) != 1 || rev.Names[0].Forward != Confirmed {
					b.Errorf("%+v", rev)
				}
			})
		}
		wg.Wait()
		r.Close()
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}
