package directory

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cpu is the time that this process has worked, in nanoseconds: on a busy machine it
// says more than the clock.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// lines makes a table of so many addresses in a thousand domains.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("user" + strconv.Itoa(i) + "@example" + strconv.Itoa(i%1000) + ".net OK\n")
	}
	return b.String()
}

func openLines(tb testing.TB, text string) *File {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "recipients")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	f, said := OpenFile([]FileSpec{{Path: path}}, time.Now())
	if f == nil {
		tb.Fatal(said)
	}
	return f
}

// TestFilesAnswerWithoutGarbage: whoever exists, with an extension too, and who does not.
func TestFilesAnswerWithoutGarbage(t *testing.T) {
	s := NewStack(Options{Ours: []string{"a.example"}, Delimiters: "+", Routes: []Route{{Kind: "file", File: openLines(t, "jo@a.example\n")}}})
	for _, local := range []string{"Jo", "jo+lists", "nobody"} {
		a := Address{local, "a.example"}
		if n := testing.AllocsPerRun(100, func() { s.Now(a) }); n > 0 {
			t.Errorf("%s: %v allocations", local, n)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	f := openLines(b, lines(1_000_000))
	ours := make([]string, 1000)
	for i := range ours {
		ours[i] = "example" + strconv.Itoa(i) + ".net"
	}
	s := NewStack(Options{Ours: ours, Delimiters: "+", Routes: []Route{{Kind: "file", File: f}}})
	asked := make([]Address, 4096)
	for i := range asked {
		n := i * 241 % 1_000_000
		asked[i] = Address{"User" + strconv.Itoa(n), "example" + strconv.Itoa(n%1000) + ".net"}
	}
	for _, bench := range []struct {
		name, extension string
		want            Result
	}{{"known", "", Yes}, {"extension", "+lists", Yes}, {"unknown", "x", No}} {
		b.Run(bench.name, func(b *testing.B) {
			asked := append([]Address(nil), asked...)
			for i := range asked {
				asked[i].Local += bench.extension
			}
			b.ReportAllocs()
			b.ResetTimer()
			began := cpu()
			for i := range b.N {
				if a, ok := s.Now(asked[i%len(asked)]); !ok || a.Result != bench.want {
					b.Fatal(asked[i%len(asked)], a)
				}
			}
			b.ReportMetric(float64(cpu()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	path := filepath.Join(b.TempDir(), "recipients")
	if err := os.WriteFile(path, []byte(lines(1_000_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := cpu()
		f, said := OpenFile([]FileSpec{{Path: path}}, time.Now())
		b.ReportMetric(float64(cpu()-began)/1e9, "cpu-s")
		if f == nil || f.Users() != 1_000_000 {
			b.Fatal(said)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		runtime.KeepAlive(f)
	}
}
