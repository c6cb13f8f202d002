package hijack

import (
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// TestACellIsSmall, and holds no pointer that the garbage collector would follow.
func TestACellIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(cell{}); size != 120 {
		t.Errorf("a cell has %d bytes", size)
	}
}

// million gives a Watch with a million accounts, and their keys.
func million(b testing.TB) (*Watch, []Key) {
	w := New(Options{Settings: DefaultSettings(), Bytes: 256 << 20}, monday)
	keys := make([]Key, 1_000_000)
	e := Evidence{Client: v4(84, 1, 2, 3), Country: "DE", Sender: "customer@example.net"}
	for i := range keys {
		keys[i] = w.Account("customer" + strconv.Itoa(i) + "@example.net")
		w.Note(keys[i], &e, monday)
	}
	return w, keys
}

// cpu is what the process has used so far: on a busy machine the clock tells of others.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it fails for no process but a foreign one
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMessage is all that one mail to one recipient costs, with a million accounts in use.
func BenchmarkMessage(b *testing.B) {
	w, keys := million(b)
	e := Evidence{Client: v4(84, 1, 2, 3), ASN: 3320, Country: "DE", Sender: "customer@example.net", Pending: 1}
	now, i := monday, 0
	runtime.GC()
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		i = (i + 7919) % len(keys)
		if i%1000 == 0 {
			now = now.Add(time.Minute)
		}
		_ = w.Account("customer@example.net") // which one does not matter to what it costs
		w.Note(keys[i], &e, now)
		w.Sent(keys[i], 1, now)
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

// BenchmarkNote is the same for one account that is at hand.
func BenchmarkNote(b *testing.B) {
	w := New(Options{Settings: DefaultSettings()}, monday)
	e := Evidence{Client: v4(84, 1, 2, 3), ASN: 3320, Country: "DE", Sender: "customer@example.net", Pending: 1}
	key := w.Account("customer@example.net")
	b.ReportAllocs()
	began := cpu()
	for b.Loop() {
		w.Note(key, &e, monday)
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
}

// BenchmarkMemory tells the bytes of an account.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		w := New(Options{Settings: DefaultSettings(), Bytes: 256 << 20}, monday)
		e := home()
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range 1_000_000 {
			w.Note(w.Account(fmt.Sprint(i)), &e, monday)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(w.Stats(monday).Accounts), "B/account")
		runtime.KeepAlive(w)
	}
}
