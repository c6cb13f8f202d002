package ratelimit

import (
	"context"
	"testing"
	"time"
)

func TestStanding(t *testing.T) {
	now := time.Date(2026, 11, 26, 13, 20, 0, 0, time.UTC)
	limits := []Limit{
		{Name: "mails", Per: PerAccount, Max: 2, Window: time.Hour, Action: TempFail},
		{Name: "rcpts", Per: PerAccount, Count: Recipients, Max: 10, Window: time.Hour, Action: Reject},
		{Name: "told", Per: PerAccount, Max: 1, Window: time.Hour, Action: Report},
		{Name: "others", Per: PerClient, Max: 1, Window: time.Hour, Action: TempFail},
	}
	rules, err := NewRules(limits, Secret{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	table := NewTable(Options{}, now)
	ctx, tx := context.Background(), Begin(rules, table)
	joe := Subject{Account: "joe", Rcpt: "a@example.net"}
	for range 2 {
		tx.Mail(ctx, &joe, now)
		tx.Rcpt(ctx, &joe, now)
		if err := tx.Commit(ctx, now); err != nil {
			t.Fatal(err)
		}
	}
	got := rules.Standing(table, &joe, now)
	want := []struct {
		limit     string
		used, max int
		full      bool
	}{{"mails", 2, 2, true}, {"told", 2, 1, true}, {"rcpts", 2, 10, false}}
	if len(got) != len(want) {
		t.Fatalf("%d limits apply, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if g := got[i]; g.Limit != w.limit || g.Used != w.used || g.Max != w.max || g.Again.IsZero() == w.full {
			t.Errorf("got %+v, want %+v", g, w)
		}
	}
	if again := rules.Standing(table, &joe, now); again[0].Used != 2 {
		t.Errorf("looking has changed what is used to %d", again[0].Used)
	}
	if n := rules.Reset(table, &joe, now); n != 3 {
		t.Errorf("reset %d limits, want 3", n)
	}
	if after := rules.Standing(table, &joe, now); after[0].Used != 0 || after[2].Used != 0 {
		t.Errorf("after the reset: %+v", after)
	}
	if d := tx.Mail(ctx, &joe, now); d.Refused() {
		t.Errorf("refused after the reset: %+v", d)
	}
}

func TestFirstSeen(t *testing.T) {
	began := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	a := NewAccounts(AccountOptions{Learn: time.Hour}, Secret{1}, began)
	if at, ok := a.FirstSeen("jo", began); ok {
		t.Errorf("nobody was seen, and jo at %v", at)
	}
	a.Age("jo", time.Time{}, began) // of unknown age, and below a second
	a.Age("al", began.AddDate(-1, 0, 0), began)
	for _, later := range []time.Duration{0, time.Minute} {
		for name, want := range map[string]time.Time{"jo": began, "al": began.AddDate(-1, 0, 0)} {
			if at, ok := a.FirstSeen(name, began.Add(later)); !ok || !at.Equal(want) {
				t.Errorf("%s after %v: %v, %v, want %v", name, later, at, ok, want)
			}
		}
	}
	if a.Stats().Keys != 2 {
		t.Error("to ask is not to see")
	}
}

// TestResetIsKept: what was reset does not come back with the state.
func TestResetIsKept(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	r, err := NewRules([]Limit{{Name: "x", Per: PerAccount, Max: 3, Window: time.Hour, Action: TempFail}}, Secret{1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	before, after, s := NewTable(Options{Track: true}, now), NewTable(Options{}, now), &Subject{Account: "jo"}
	tx := Begin(r, before)
	tx.Mail(t.Context(), s, now)
	if err := tx.Commit(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	journal := before.ExportChanged(nil, now)
	if used := r.Standing(before, s, now)[0].Used; used != 1 || len(journal) == 0 {
		t.Fatalf("%d used, and %d bytes to keep", used, len(journal))
	}
	r.Reset(before, s, now)
	for journal = before.ExportChanged(journal, now); len(journal) > 0; {
		f, rest, err := NextFrame(journal)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := after.Import(f, now); err != nil {
			t.Fatal(err)
		}
		journal = rest
	}
	if used := r.Standing(after, s, now)[0].Used; used != 0 {
		t.Errorf("%d used after a restart", used)
	}
}
