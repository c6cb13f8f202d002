//go:build e2e

package shared

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailprofiled/ratelimit"
)

// BenchmarkDecisions asks a server for decisions of many sessions at once, each on
// one of 100,000 accounts, as MAIL does; settled mails are beside it.
func BenchmarkDecisions(b *testing.B) {
	for _, bm := range []struct {
		sessions, limits int
		settle           bool
	}{{64, 1, false}, {128, 1, false}, {128, 1, true}, {128, 3, false}} {
		b.Run(fmt.Sprintf("sessions=%d/limits=%d/settle=%v", bm.sessions, bm.limits, bm.settle), func(b *testing.B) {
			r := startRedis(b)
			m := joined(b, r, "a")
			var took [][]time.Duration
			var mu sync.Mutex
			var all sync.WaitGroup
			var next atomic.Int64
			b.ReportAllocs()
			ours, theirs := cpuOf("self"), cpuOf(strconv.Itoa(r.cmd.Process.Pid))
			b.ResetTimer()
			for s := range bm.sessions {
				all.Go(func() {
					var own []time.Duration
					charges := make([]ratelimit.Charge, bm.limits)
					for n := s; next.Add(1) <= int64(b.N); n++ {
						for i := range charges {
							charges[i] = ratelimit.Charge{ID: uint64((n*7919+s*104729)%100_000)<<8 | uint64(i), Window: 24 * time.Hour, Max: 1000, Amount: 1}
						}
						began := time.Now()
						if _, err := m.Take(context.Background(), charges, began); err != nil {
							b.Error(err)
							return
						}
						own = append(own, time.Since(began))
						if bm.settle {
							if err := m.Settle(context.Background(), charges, ratelimit.Keep, began); err != nil {
								b.Error(err)
								return
							}
						}
					}
					mu.Lock()
					took = append(took, own)
					mu.Unlock()
				})
			}
			all.Wait()
			b.StopTimer()
			// On a busy machine these say more than the rate: each of the two has a core.
			b.ReportMetric((cpuOf("self")-ours)/float64(b.N)*1e6, "our-cpu-us/op")
			b.ReportMetric((cpuOf(strconv.Itoa(r.cmd.Process.Pid))-theirs)/float64(b.N)*1e6, "redis-cpu-us/op")
			times := slices.Concat(took...)
			slices.Sort(times)
			b.ReportMetric(float64(len(times))/b.Elapsed().Seconds(), "decisions/s")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
		})
	}
}

// cpuOf gives the seconds of CPU that a process has used, in hundredths.
func cpuOf(pid string) float64 {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(after)
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}
