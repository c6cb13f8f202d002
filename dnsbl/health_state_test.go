package dnsbl

import (
	"testing"
	"time"
)

// An event is one thing that happens to a machine, at its minute.
type event struct {
	minute  float64
	happens func(m *machine, now time.Time) (Change, bool)
	want    Condition // afterwards
}

func testPasses(m *machine, now time.Time) (Change, bool) { return m.passed(now) }
func answers(m *machine, _ time.Time) (Change, bool)      { m.answered(); return Change{}, false }

func fails(test bool) func(*machine, time.Time) (Change, bool) {
	return func(m *machine, now time.Time) (Change, bool) {
		m.failed("timeout", test, false, now)
		return m.blame(false, testEvery, now)
	}
}

func shows(s Condition, test bool) func(*machine, time.Time) (Change, bool) {
	return func(m *machine, now time.Time) (Change, bool) {
		return m.against(s, s.String()+" shown", "", test, testEvery, now)
	}
}

func TestMachine(t *testing.T) {
	cases := []struct {
		name   string
		events []event
	}{
		{"the first passed test brings a list up", []event{{1, testPasses, Up}}},
		{"the first failed test leaves it untested, three make it silent", []event{
			{1, fails(true), Untested}, {2, fails(true), Untested}, {3, fails(true), Silent}}},
		{"a first test that shows something is followed by three good ones", []event{
			{1, shows(Empty, true), Empty}, {2, testPasses, Empty}, {3, testPasses, Empty}, {4, testPasses, Up}}},
		{"untested to refused", []event{{1, shows(Refused, true), Refused}}},
		{"untested to lists-all", []event{{1, shows(ListsAll, true), ListsAll}}},
		{"untested to suspended", []event{{1, shows(Suspended, true), Suspended}}},
		{"up to refused by a visit", []event{{1, testPasses, Up}, {2, shows(Refused, false), Refused}}},
		{"up to suspended by a visit", []event{{1, testPasses, Up}, {2, shows(Suspended, false), Suspended}}},
		{"up to empty by a test", []event{{1, testPasses, Up}, {2, shows(Empty, true), Empty}}},
		{"up to lists-all by a test", []event{{1, testPasses, Up}, {2, shows(ListsAll, true), ListsAll}}},
		{"up to silent by visits over some time", []event{{1, testPasses, Up}, {2, fails(false), Up}, {2.01, fails(false), Up},
			{2.02, fails(false), Up}, {2.03, fails(false), Up}, {2.06, fails(false), Silent}}},
		{"five failures in one moment are not silence", []event{{1, testPasses, Up}, {2, fails(false), Up}, {2, fails(false), Up},
			{2, fails(false), Up}, {2, fails(false), Up}, {2, fails(false), Up}, {2.01, fails(false), Up}}},
		{"an answer ends a row of failures", []event{{1, testPasses, Up}, {2, fails(false), Up}, {3, fails(false), Up},
			{4, fails(false), Up}, {5, fails(false), Up}, {6, answers, Up}, {7, fails(false), Up}}},
		{"a passed test ends a row of failed ones", []event{{1, testPasses, Up}, {2, fails(true), Up}, {3, fails(true), Up},
			{4, testPasses, Up}, {5, fails(true), Up}, {6, fails(true), Up}, {7, fails(true), Silent}}},
		{"a bad test begins the row of good ones anew", []event{{1, shows(ListsAll, true), ListsAll}, {2, testPasses, ListsAll},
			{3, testPasses, ListsAll}, {4, shows(ListsAll, true), ListsAll}, {5, testPasses, ListsAll}, {6, testPasses, ListsAll}, {7, testPasses, Up}}},
		{"a failed test begins the row of good ones anew", []event{{1, shows(Refused, true), Refused}, {2, testPasses, Refused},
			{3, testPasses, Refused}, {4, fails(true), Refused}, {5, testPasses, Refused}, {6, testPasses, Refused}, {7, testPasses, Up}}},
		{"tests tell what a list that is away has become", []event{{1, shows(Suspended, true), Suspended}, {2, shows(ListsAll, true), ListsAll},
			{3, shows(Empty, true), Empty}, {4, shows(Refused, true), Refused}, {5, shows(Suspended, true), Suspended}}},
		{"a list that is away and fails stays what it is", []event{{1, shows(Empty, true), Empty}, {2, fails(true), Empty}, {3, fails(true), Empty},
			{4, fails(true), Empty}, {5, fails(true), Empty}}},
		{"visits from before say nothing new of a list that is away", []event{{1, shows(Refused, true), Refused}, {2, shows(Suspended, false), Refused},
			{3, testPasses, Refused}, {4, shows(Suspended, false), Refused}, {5, fails(false), Refused}, {6, testPasses, Refused}, {7, testPasses, Up}}},
		{"silent comes back after three good tests", []event{{1, fails(true), Untested}, {2, fails(true), Untested}, {3, fails(true), Silent},
			{4, testPasses, Silent}, {5, testPasses, Silent}, {6, testPasses, Up}}},
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var m machine
			for i, e := range c.events {
				from, now := m.state, start.Add(time.Duration(e.minute*float64(time.Minute)))
				change, changed := e.happens(&m, now)
				if m.state != e.want {
					t.Fatalf("event %d: %v, want %v", i, m.state, e.want)
				}
				if changed != (from != m.state) {
					t.Fatalf("event %d: from %v to %v, and changed is %t", i, from, m.state, changed)
				}
				if changed && (change.From != from || change.To != m.state || change.Reason == "" || change.Reason != m.reason || !m.since.Equal(now)) {
					t.Fatalf("event %d: change %+v of %+v", i, change, m)
				}
			}
		})
	}
}

// TestPauses holds the pauses between tests to what is promised: back-off to six
// times the interval.
func TestPauses(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pauses := func(m *machine, happens func(*machine, time.Time) (Change, bool), n int) []time.Duration {
		var all []time.Duration
		for range n {
			happens(m, now)
			all = append(all, m.pause(testEvery))
		}
		return all
	}
	cases := []struct {
		name    string
		happens func(*machine, time.Time) (Change, bool)
		want    []float64 // minutes
	}{
		{"a mad list", shows(ListsAll, true), []float64{10, 20, 40, 60, 60}},
		{"one that refuses", shows(Refused, true), []float64{40, 60, 60}},
		{"one that is silent", fails(true), []float64{1, 1, 1, 2, 4, 8, 16, 32, 60, 60}},
		{"one that is well", testPasses, []float64{10, 10, 10}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for i, got := range pauses(&machine{state: Up}, c.happens, len(c.want)) {
				if got.Minutes() != c.want[i] {
					t.Errorf("after event %d: %v, want %g minutes", i, got, c.want[i])
				}
			}
		})
	}

	m := &machine{}
	shows(ListsAll, true)(m, now)
	pauses(m, shows(ListsAll, true), 9)
	if got := pauses(m, testPasses, goodToReturn); got[0] > 60*time.Minute || got[1] > 60*time.Minute || got[2] != testEvery || m.state != Up {
		t.Errorf("after a long time away, pauses of %v, and %v", got, m.state)
	}
}

// TestRelapsesAreLeftAloneForLonger lets a list come back and go away again.
func TestRelapsesAreLeftAloneForLonger(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	m := &machine{}
	m.passed(now)
	relapse := func() time.Duration {
		m.against(ListsAll, "mad", "", false, testEvery, now)
		pause := m.pause(testEvery)
		for range goodToReturn {
			m.passed(now)
		}
		return pause
	}
	for i, want := range []time.Duration{10, 20, 40, 60, 60} {
		if got := relapse(); got != want*time.Minute {
			t.Fatalf("relapse %d: first test after %v, want %v minutes", i, got, want)
		}
	}
	now = now.Add(steady * testEvery)
	if got := relapse(); got != testEvery {
		t.Fatalf("after a steady time: first test after %v, want %v", got, testEvery)
	}
	for s := Untested; s <= Suspended; s++ {
		if s.String() == "" {
			t.Errorf("condition %d has no name", s)
		}
	}
}
