package directory

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestAMillionAddresses are held, and swapped for another million, in less than 120 MiB,
// and whoever asks meanwhile is answered meanwhile.
func TestAMillionAddresses(t *testing.T) {
	const million = 1_000_000
	path, now := filepath.Join(t.TempDir(), "recipients"), time.Now()
	text := lines(million)
	write(t, path, text, now.Add(-time.Hour))
	base := heap()
	f, said := OpenFile([]FileSpec{{Path: path}}, now)
	if f == nil || f.Users() != million {
		t.Fatal(said)
	}
	if held := heap() - base; held > 120<<20 {
		t.Errorf("%d MiB are held", held>>20)
	}
	write(t, path, text+"new@example1.net OK\n", now.Add(-time.Minute))
	var (
		all            sync.WaitGroup
		over           = make(chan struct{})
		answered, most atomic.Int64
	)
	all.Go(func() {
		for i := 0; ; i++ {
			for _, tt := range []struct {
				local string
				want  Result
			}{{"User1001", Yes}, {"nobody", No}} {
				if e := f.Lookup(context.Background(), Address{tt.local, "example1.net"}); e.Result != tt.want {
					t.Errorf("%s is %v", tt.local, e.Result)
				}
			}
			answered.Add(1)
			if i%10_000 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), int64(m.HeapAlloc)-int64(base)))
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	for answered.Load() == 0 {
		runtime.Gosched()
	}
	before := answered.Load()
	change, said := f.Refresh(now)
	after := answered.Load()
	close(over)
	all.Wait()
	if change == nil || f.Users() != million+1 {
		t.Fatalf("%+v, %v", change, said)
	}
	if after == before {
		t.Error("nobody was answered while the file was taken in")
	}
	if most := most.Load(); most > 120<<20 {
		t.Errorf("%d MiB were held while it was", most>>20)
	}
	if e := f.Lookup(context.Background(), Address{"new", "example1.net"}); e.Result != Yes {
		t.Errorf("the new one is %v", e.Result)
	}
	t.Logf("%d questions were answered meanwhile, at most %d MiB held", after-before, most.Load()>>20)
}

// heap is what is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
