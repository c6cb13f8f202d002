package wiring

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/ratelimit"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestGrantsHoldBesideWhatIsWritten(t *testing.T) {
	x := new(ratelimit.Exceptions)
	g := NewGrants(x)
	written := []ratelimit.Exception{{Plan: "pro", Max: 900}}
	g.SetWritten(written, nil)
	add := func(e ratelimit.Exception) {
		t.Helper()
		if err := g.Add(e, noon); err != nil {
			t.Fatal(err)
		}
	}
	raised := ratelimit.Exception{Account: "jo@example.net", Window: 24 * time.Hour, Max: 500, Owner: "al", Reason: "ticket 1"}
	add(raised)
	raised.Max = 700 // of the same account and window: in its place
	add(raised)
	exempt := ratelimit.Exception{Account: "jo@example.net", Limit: "new accounts", Expires: noon.Add(time.Hour)}
	add(exempt)
	other := ratelimit.Exception{Domain: "example.net", Max: 300}
	add(other)
	if diff := cmp.Diff(append(written, raised, exempt, other), x.All()); diff != "" {
		t.Errorf("in force: %s", diff)
	}
	if err := g.Add(ratelimit.Exception{Account: "Jo"}, noon); err == nil {
		t.Error("one that is wrong was taken")
	}
	if diff := cmp.Diff([]ratelimit.Exception{raised, exempt}, g.Remove(ratelimit.Exception{Account: "jo@example.net"})); diff != "" {
		t.Errorf("removed: %s", diff)
	}
	if err := g.Add(ratelimit.Exception{Account: "jo", Max: 1, Expires: noon.AddDate(9000, 0, 0)}, noon); err == nil {
		t.Error("one that cannot be kept was taken")
	}
	if gone := g.Remove(ratelimit.Exception{Plan: "pro"}); gone != nil {
		t.Errorf("what is written was removed: %+v", gone)
	}
	g.SetWritten(nil, nil)
	if diff := cmp.Diff([]ratelimit.Exception{other}, x.All()); diff != "" {
		t.Errorf("after a reload: %s", diff)
	}
	exempt.Expires = noon
	add(exempt)
	if err := g.Add(raised, noon.Add(grantStays+time.Second)); err != nil || g.Len() != 2 {
		t.Errorf("long expired ones stay: %d, %v", g.Len(), err)
	}
}

func TestGrantsAreBounded(t *testing.T) {
	g := NewGrants(new(ratelimit.Exceptions))
	g.made = make([]ratelimit.Exception, maxGrants)
	for i := range g.made {
		g.made[i] = ratelimit.Exception{Account: fmt.Sprint("user", i), Max: 1}
	}
	if err := g.Add(ratelimit.Exception{Account: "one more", Max: 1}, noon); err == nil {
		t.Error("one more was taken")
	}
	if err := g.Add(ratelimit.Exception{Account: "user7", Max: 2}, noon); err != nil {
		t.Errorf("one that is there cannot be changed: %v", err)
	}
}

// TestGrantsAreKept: what the store is given brings all of it back.
func TestGrantsAreKept(t *testing.T) {
	g := NewGrants(new(ratelimit.Exceptions))
	if record := g.Changed(nil); record != nil {
		t.Errorf("nothing has changed, and %q is to be kept", record)
	}
	want := []ratelimit.Exception{
		{Account: "jo@example.net", Limit: "new accounts", Window: 24 * time.Hour, Max: 500, Expires: noon, Owner: "al", Reason: "ticket \"1\"\n"},
		{Domain: "example.net", Max: 0},
		{Plan: "pro", Max: 3},
	}
	for _, e := range want {
		if err := g.Add(e, noon); err != nil {
			t.Fatal(err)
		}
	}
	changed := g.Changed(nil)
	if again := g.Changed(nil); again != nil {
		t.Errorf("told twice: %q", again)
	}
	var all []byte
	for record := range g.All() {
		all = append(all, record...)
	}
	for _, record := range [][]byte{changed, all} {
		x := new(ratelimit.Exceptions)
		back := NewGrants(x)
		if err := back.Load(record); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, x.All()); diff != "" {
			t.Error(diff)
		}
		if record := back.Changed(nil); record != nil {
			t.Errorf("what was loaded is written again: %q", record)
		}
	}
	g.Remove(ratelimit.Exception{Plan: "pro"})
	if record := g.Changed(nil); strings.Contains(string(record), "pro") || len(record) == 0 {
		t.Errorf("after a removal: %q", record)
	}
}

func TestGrantsLoadWhatIsRight(t *testing.T) {
	for _, tt := range []struct {
		name, record string
		left         int
		fails        bool
	}{
		{"no JSON", `{`, 1, true},
		{"none", `[]`, 0, false},
		{"one of two is wrong", `[{"account":"Jo","max":1},{"account":"jo","max":1}]`, 1, false},
		{"all are wrong", `[{"account":"Jo","max":1}]`, 1, true},
	} {
		g := NewGrants(new(ratelimit.Exceptions))
		if err := g.Add(ratelimit.Exception{Account: "there", Max: 1}, noon); err != nil {
			t.Fatal(err)
		}
		if err := g.Load([]byte(tt.record)); (err != nil) != tt.fails || g.Len() != tt.left {
			t.Errorf("%s: %v, and %d are left", tt.name, err, g.Len())
		}
	}
}

// FuzzGrantsLoad: whatever is on disk, what is taken of it can be kept and loaded again.
func FuzzGrantsLoad(f *testing.F) {
	f.Add([]byte(`[{"account":"jo","window_s":86400,"max":5,"expires":"2026-11-24T12:00:00Z"}]`))
	f.Add([]byte(`[{"max":-1,"plan":"pro"},{"domain":"a.example","max":0}]`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, record []byte) {
		x := new(ratelimit.Exceptions)
		g := NewGrants(x)
		if g.Load(record) != nil {
			return
		}
		y := new(ratelimit.Exceptions)
		if err := NewGrants(y).Load(g.record()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(x.All(), y.All()); diff != "" {
			t.Error(diff)
		}
	})
}

// TestGrantsFollowNames: exceptions hold for the account that their name is of now.
func TestGrantsFollowNames(t *testing.T) {
	x := new(ratelimit.Exceptions)
	g := NewGrants(x)
	if err := g.Add(ratelimit.Exception{Account: "joe@mx.test", Max: 500}, noon); err != nil {
		t.Fatal(err)
	}
	g.Changed(nil)
	key := func(login string) string { return strings.TrimSuffix(login, "@mx.test") }
	written := []ratelimit.Exception{{Account: "al@mx.test", Max: 9}, {Plan: "pro@mx.test", Max: 9}}
	g.SetWritten(written, key)
	want := []ratelimit.Exception{{Account: "al", Max: 9}, {Plan: "pro@mx.test", Max: 9}, {Account: "joe", Max: 500}}
	if diff := cmp.Diff(want, x.All()); diff != "" {
		t.Error(diff)
	}
	if written[0].Account != "al@mx.test" {
		t.Error("the configuration was changed")
	}
	if record := g.Changed(nil); !strings.Contains(string(record), `"joe"`) {
		t.Errorf("not kept: %q", record)
	}
	g.SetWritten(written, key)
	if record := g.Changed(nil); record != nil {
		t.Errorf("kept again: %q", record)
	}
}
