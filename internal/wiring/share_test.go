package wiring

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/shared"
	"mailprofiled/ratelimit"
)

// TestWhatIsKnownOfMachinesIsKept over a restart, and when state is lost all counters
// are brought anew.
func TestWhatIsKnownOfMachinesIsKept(t *testing.T) {
	memory := shared.Memory{Key: shared.Key{1, 2}, Known: true, Life: "a b", Machines: []string{"mx1", "mx2"}}
	var s, again shareSpace
	if got := s.Changed(nil); len(got) > 0 || s.Len() != 0 {
		t.Errorf("of nothing: %q", got)
	}
	o := shared.Options{Machine: "mx1", Memory: memory, Logger: slog.New(slog.DiscardHandler)}
	read := map[string]string{topicRetries: "5-1", topicServers: "6-2", topicBlocks: "7-3"}
	s.follow(&Share{Store: shared.New(o), Board: shared.NewBoard(o, read, nil, shared.Topic{Name: topicRetries}, shared.Topic{Name: topicServers}, shared.Topic{Name: topicBlocks})})
	record := s.Changed(nil)
	if more := s.Changed(nil); len(record) == 0 || len(more) > 0 {
		t.Fatalf("%q, and then %q", record, more)
	}
	if all := slices.Collect(s.All()); len(all) != 1 || string(all[0]) != string(record) {
		t.Errorf("all is %q", all)
	}
	if err := again.Load(record); err != nil {
		t.Fatal(err)
	}
	got := again.memory()
	if got.Key != memory.Key || !got.Known || got.Life != memory.Life || !slices.Equal(got.Machines, memory.Machines) {
		t.Errorf("got %+v", got)
	}
	if !maps.Equal(again.readTo(), read) {
		t.Errorf("read to %v", again.readTo())
	}
	again.Lost()
	if again.memory().Life != "" || !maps.Equal(again.readTo(), map[string]string{topicServers: "6-2"}) {
		t.Error("with lost state it is not all brought")
	}
	for _, bad := range []string{"", "{}", `{"v":1,"key":"00"}`, `{"v":2}`} {
		if err := again.Load([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestMachinesHaveNamesOfTheirOwn, the same after a restart and without a space.
func TestMachinesHaveNamesOfTheirOwn(t *testing.T) {
	a, again, b := machineName(ratelimit.Secret{1}), machineName(ratelimit.Secret{1}), machineName(ratelimit.Secret{2})
	if a != again || a == b || strings.ContainsAny(a, " \t") {
		t.Errorf("%q %q %q", a, again, b)
	}
}

// TestLimitsWithoutTheServer count from the first mail on, by the machine's own key.
func TestLimitsWithoutTheServer(t *testing.T) {
	cfg, report := config.Parse("m.toml", []byte("mode = \"enforce\"\nstate.redis = \"unix:/nowhere/at/all\"\n"))
	if cfg == nil {
		t.Fatal(report)
	}
	c := NewCounters(cfg, nil, time.Now())
	c.Share(cfg, slog.New(slog.DiscardHandler), func() { t.Error("there is no other key") }, func(*ratelimit.Block) { t.Error("there is no other machine") })
	defer c.CloseShare()
	<-c.Shared().Store.Asked()
	limits, err := c.Limits(cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if limits.Store != ratelimit.Store(c.Shared().Fallback) || c.Stale() {
		t.Errorf("counted in %T", limits.Store)
	}
	if st := c.Shared().Store.Status(); st.Up || st.Remedy == "" {
		t.Errorf("%+v", st)
	}
}
