package harvest

import (
	"fmt"
	"math/rand"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	usual  = Settings{Names: 20, Share: 0.3, Window: 48 * time.Hour, Trap: 7 * 24 * time.Hour}
	noon   = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	client = netip.MustParseAddr("192.0.2.7")
)

func TestWhatIsAHarvest(t *testing.T) {
	for _, tt := range []struct {
		name           string
		unknown, known int
		every          time.Duration // between two names
		want           bool
	}{
		{"twenty names at once", 20, 0, 0, true},
		{"nineteen", 19, 0, 0, false},
		{"twenty in a day", 20, 0, time.Hour, true},
		{"twenty in three days", 20, 0, 4 * time.Hour, false},
		{"twenty of a hundred", 20, 80, 0, false},
		{"thirty of a hundred", 30, 70, 0, true},
		{"three of a hundred, thousands of times", 300, 9700, 0, false},
		{"many of many", 5000, 5000, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, now := New(usual), noon
			rng := rand.New(rand.NewSource(1))
			order := rng.Perm(tt.unknown + tt.known)
			w.Unknown(client, "x0", now) // of those without any, nothing is kept
			for _, n := range order {
				if n < tt.unknown {
					w.Unknown(client, fmt.Sprint("x", n), now)
				} else {
					w.Known(client, fmt.Sprint("user", n), now)
				}
				now = now.Add(tt.every)
			}
			sign, got := w.Fishing(client, now)
			if got != tt.want || got != (sign != "") {
				t.Errorf("%v: %s", got, sign)
			}
		})
	}
}

func TestTheSameNameCountsOnce(t *testing.T) {
	w := New(usual)
	for range 1000 {
		w.Unknown(client, "typo", noon)
	}
	if sign, ok := w.Fishing(client, noon); ok {
		t.Error(sign)
	}
}

func TestNetworksCountTogether(t *testing.T) {
	for _, tt := range []struct {
		name, address, other string
		together             bool
	}{
		{"a /24", "192.0.2.%d", "192.0.2.200", true},
		{"another /24", "192.0.2.%d", "192.0.3.1", false},
		{"a /64", "2001:db8::%d", "2001:db8::ffff:1", true},
		{"another /64", "2001:db8::%d", "2001:db8:0:1::1", false},
		{"an address as IPv6 has it", "::ffff:192.0.2.%d", "192.0.2.200", true},
	} {
		w := New(usual)
		for i := range 20 {
			w.Unknown(netip.MustParseAddr(fmt.Sprintf(tt.address, i+1)), fmt.Sprint("x", i), noon)
		}
		if sign, ok := w.Fishing(netip.MustParseAddr(tt.other), noon); ok != tt.together {
			t.Errorf("%s: %v %s", tt.name, ok, sign)
		}
	}
}

func TestItEnds(t *testing.T) {
	w := New(usual)
	for i := range 25 {
		w.Unknown(client, fmt.Sprint("x", i), noon)
	}
	for _, tt := range []struct {
		after time.Duration
		want  bool
	}{{time.Hour, true}, {24 * time.Hour, true}, {47 * time.Hour, true}, {48 * time.Hour, false}, {1000 * time.Hour, false}} {
		if _, ok := w.Fishing(client, noon.Add(tt.after)); ok != tt.want {
			t.Errorf("after %v: %v", tt.after, ok)
		}
	}
	for i := range 80 { // it was a list after all
		w.Known(client, fmt.Sprint("user", i), noon)
	}
	if sign, ok := w.Fishing(client, noon); ok {
		t.Error(sign)
	}
	if !w.Forget(client) || w.Forget(client) || w.Stats(noon).Peers != 0 {
		t.Error("not forgotten")
	}
}

// TestSharesStayRight: however many names there are, what is held of them is bounded,
// and gives their share within a tenth.
func TestSharesStayRight(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	for range 40 {
		n, share := 100+rng.Intn(20_000), rng.Float64()
		p := new(peer)
		unknown := 0
		for range n {
			exists := rng.Float64() >= share
			if !exists {
				unknown++
			}
			p.note(noon, 24*time.Hour, rng.Uint32(), exists)
			if p.held() > 2*mostHeld {
				t.Fatalf("%d held", p.held())
			}
		}
		u, k, _, _ := p.fishing(noon, &usual)
		if n <= mostHeld && u != unknown {
			t.Errorf("%d of %d: counted as %d", unknown, n, u)
		}
		got, want := float64(u)/float64(u+k), float64(unknown)/float64(n)
		if got-want > 0.1 || want-got > 0.1 {
			t.Errorf("%d of %d names: a share of %.2f, not %.2f", unknown, n, got, want)
		}
	}
}

func TestTrapsMark(t *testing.T) {
	w := New(usual)
	six := netip.MustParseAddr("2001:db8::1")
	w.Trap(client, noon)
	w.Trap(six, noon)
	for _, tt := range []struct {
		client string
		after  time.Duration
		want   bool
	}{
		{"192.0.2.7", 0, true}, {"::ffff:192.0.2.7", 0, true}, {"192.0.2.8", 0, false}, {"192.0.2.7", 7*24*time.Hour - 1, true}, {"192.0.2.7", 7 * 24 * time.Hour, false},
		{"2001:db8::2", 0, true}, {"2001:db8:0:1::2", 0, false},
	} {
		if _, ok := w.Trapped(netip.MustParseAddr(tt.client), noon.Add(tt.after)); ok != tt.want {
			t.Errorf("%s after %v: %v", tt.client, tt.after, ok)
		}
	}
	if s := w.Stats(noon); s.Marked != 2 || s.Trapped != 2 {
		t.Errorf("%+v", s)
	}
}

// TestItIsBounded, and names do not stand in it.
func TestItIsBounded(t *testing.T) {
	w := New(usual)
	for i := range maxPeers + 1000 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		w.Unknown(a, "secret-name", noon)
		w.Trap(a, noon)
	}
	if s := w.Stats(noon); s.Peers > maxPeers || s.Marked > maxTrapped || w.names > maxNames {
		t.Errorf("%+v, %d names", s, w.names)
	}
	held := 0
	for _, p := range w.peers.Values() {
		held += p.held()
	}
	if held != w.names {
		t.Errorf("%d names are held, %d are counted", held, w.names)
	}
	if text := fmt.Sprintf("%+v", w.peers.Values()[0]); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestManyAtOnce(t *testing.T) {
	w := New(usual)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				w.Unknown(client, fmt.Sprint(i, n), noon.Add(time.Duration(n)*time.Minute))
				w.Known(client, fmt.Sprint("u", n), noon)
				w.Fishing(client, noon)
				w.Bounced()
				w.Apply(usual)
				w.Stats(noon)
			}
		})
	}
	all.Wait()
	if s := w.Stats(noon); s.Unknown != 1600 || s.Bounced != 1600 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkKnown(b *testing.B) {
	w := New(usual)
	b.ReportAllocs()
	for b.Loop() {
		w.Known(client, "jo@example.net", noon)
	}
}

func BenchmarkFishing(b *testing.B) {
	w := New(usual)
	for i := range 400 {
		w.Unknown(client, fmt.Sprint(i), noon)
		w.Known(client, fmt.Sprint("u", i), noon)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Fishing(client, noon)
	}
}
