//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// A list that begins to list good servers by the hundred, and neither its test entries nor
// what cannot be listed, is known by two signs: its share jumps among clients with no other
// fault, and among those that another list speaks for. The first alone calls for tests and
// suspends nothing, as it may be a flood of bots.
func TestListsThatListGoodServersAreKnownByTwoSigns(t *testing.T) {
	for _, way := range []string{straight, behindUnbound} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			sound := map[string]string{
				"s5h":   soundEntries("s5h"),
				"dnswl": soundEntries("dnswl") + "20.4.0.0/16 127.0.5.3\n", // guests 1024 to 1279
			}
			h := openListHouse(t, way, []string{"s5h", "dnswl"}, sound)
			next := map[string]int{"trusted": 1024, "clean": 0, "flood": 256}
			come := func(who string, n, code int) {
				t.Helper()
				for range n {
					if next[who]%4 == 3 { // of IPv6
						next[who]++
					}
					h.expect(t, cleanGuest(next[who]), code)
					next[who]++
				}
			}
			// What is usual: windows of both shares, of 128 networks and of 20.
			come("trusted", 30, 250)
			come("clean", 180, 250)
			mark := h.daemon.log.Len()

			h.lists["s5h"].reload(t, sound["s5h"]+"20.1.0.0/16 127.0.0.2\n", rblTTL)
			come("flood", 60, 554)
			come("trusted", 10, 250)
			if got := h.changes(mark); len(got) > 0 {
				t.Fatalf("one sign changes lists:\n%s", strings.Join(got, "\n"))
			}

			h.lists["s5h"].reload(t, sound["s5h"]+"20.1.0.0/16 127.0.0.2\n20.4.0.0/16 127.0.0.2\n", rblTTL)
			for guests := 0; len(h.changes(mark)) == 0 && guests < 60; guests++ {
				come("trusted", 1, 250)
			}
			l := h.becomes(t, mark, "s5h", "suspended")
			if reason := l.values["reason"]; !strings.HasPrefix(reason, "hits rose from 0 % to ") || !strings.Contains(reason, " of trusted ones") || l.values["remedy"] == "" {
				t.Errorf("%v", l.values)
			}
			h.is(t, "s5h", "suspended")
			come("flood", 5, 250) // whoever it has now
			come("trusted", 5, 250)

			mark = h.daemon.log.Len()
			h.lists["s5h"].reload(t, sound["s5h"], rblTTL)
			h.becomes(t, mark, "s5h", "up")
			h.refuses(t, "s5h", 10)
			come("flood", 5, 250)
		})
	}
}
