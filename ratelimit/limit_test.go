package ratelimit

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	good := Limit{Name: "new accounts", Per: PerAccount, Max: 100, Window: 24 * time.Hour, Action: TempFail}
	tests := []struct {
		name   string
		change func(*Limit)
		want   string // part of the error, "" for none
	}{
		{"a good one", func(*Limit) {}, ""},
		{"the built-in ramp", func(l *Limit) { *l = Ramp() }, ""},
		{"a ramp of steps", func(l *Limit) { *l = Ramp(Step{3 * 24 * time.Hour, 25}, Step{30 * 24 * time.Hour, 100}) }, ""},
		{"no name", func(l *Limit) { l.Name = "" }, "name"},
		{"a name with a comma, which the log could not tell", func(l *Limit) { l.Name = "a,b" }, "name"},
		{"a name with a space at its end", func(l *Limit) { l.Name = "a " }, "name"},
		{"a name of 65", func(l *Limit) { l.Name = strings.Repeat("a", 65) }, "name"},
		{"per nothing", func(l *Limit) { l.Per = 0 }, "per is not given"},
		{"a count of something else", func(l *Limit) { l.Count = 9 }, "count"},
		{"an unknown action", func(l *Limit) { l.Action = 9 }, "action"},
		{"a maximum of 0", func(l *Limit) { l.Max = 0 }, "max is 0"},
		{"a maximum that does not fit", func(l *Limit) { l.Max = MaxMax + 1 }, "max is"},
		{"the shortest window", func(l *Limit) { l.Window = time.Second }, ""},
		{"the longest window", func(l *Limit) { l.Window = 31 * 24 * time.Hour }, ""},
		{"a window below a second", func(l *Limit) { l.Window = time.Second / 2 }, "window"},
		{"a window of 1.5 s", func(l *Limit) { l.Window = 1500 * time.Millisecond }, "window"},
		{"a window above 31 days", func(l *Limit) { l.Window = 32 * 24 * time.Hour }, "window"},
		{"a network wider than an address", func(l *Limit) { l.Net4 = 33 }, "network"},
		{"a negative age", func(l *Limit) { l.When.OlderThan = -1 }, "negative"},
		{"steps out of order", func(l *Limit) { l.Steps = []Step{{time.Hour, 1}, {time.Hour, 2}} }, "order"},
		{"a step of 0", func(l *Limit) { l.Steps = []Step{{time.Hour, 0}} }, "step"},
		{"per account of mail without AUTH", func(l *Limit) { l.When.Authenticated = No }, "can never hold"},
		{"steps of mail without AUTH", func(l *Limit) {
			l.Per, l.When.Authenticated, l.Steps = PerClient, No, []Step{{time.Hour, 1}}
		}, "can never hold"},
		{"a plan of mail without AUTH", func(l *Limit) {
			l.Per, l.When = PerClient, When{Authenticated: No, Plans: []string{"free"}}
		}, "can never hold"},
		{"younger than a day and older than two", func(l *Limit) {
			l.When.YoungerThan, l.When.OlderThan = 24*time.Hour, 48*time.Hour
		}, "can never hold"},
		{"younger than two days and older than one", func(l *Limit) {
			l.When.YoungerThan, l.When.OlderThan = 48*time.Hour, 24*time.Hour
		}, ""},
	}
	for _, test := range tests {
		l := good
		test.change(&l)
		err := l.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

func TestAllMistakesAtOnce(t *testing.T) {
	_, err := NewRules([]Limit{{Name: "a"}, {Name: "a", Per: PerClient, Max: 1, Window: time.Hour}}, secret, nil)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"per is not given", "max is 0", "window is 0s", `limit "a" is there twice`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	many := make([]Limit, maxLimits+1)
	for i := range many {
		many[i] = Limit{Name: fmt.Sprint("limit ", i), Per: PerClient, Max: 1, Window: time.Hour}
	}
	if _, err := NewRules(many, secret, nil); err == nil {
		t.Error("more limits than there may be are taken")
	}
}

func TestLimitsOfManyWidths(t *testing.T) {
	var many []Limit
	for i := range 65 {
		many = append(many, Limit{Name: fmt.Sprint("limit ", i), Per: PerNetwork, Max: 1, Window: time.Hour, Net6: 1 + i})
	}
	if _, err := NewRules(many[:64], secret, nil); err != nil {
		t.Error(err)
	}
	if _, err := NewRules(many, secret, nil); err == nil {
		t.Error("more kinds of keys than a keyer has room for are taken")
	}
}

func TestParsePer(t *testing.T) {
	tests := []struct {
		text string
		want Per
	}{
		{"account", PerAccount},
		{"recipient_domain", PerRecipientDomain},
		{"account+recipient_domain", PerAccount | PerRecipientDomain},
		{"", 0}, {"accounts", 0}, {"account+", 0}, {"account,client", 0},
	}
	for _, test := range tests {
		got, err := ParsePer(test.text)
		if got != test.want || (err != nil) != (test.want == 0) {
			t.Errorf("%q: %v, %v, want %v", test.text, got, err, test.want)
		}
		if err == nil && got.String() != test.text {
			t.Errorf("%q comes back as %q", test.text, got)
		}
	}
}

func TestWarn(t *testing.T) {
	tests := []struct {
		name string
		l    Limit
		want bool
	}{
		{"per recipient", Limit{Per: PerRecipient, Action: TempFail}, true},
		{"per recipient domain, rejecting", Limit{Per: PerRecipientDomain, Action: Reject}, true},
		{"reporting only", Limit{Per: PerRecipient}, false},
		{"per recipient and client", Limit{Per: PerRecipient | PerClient, Action: TempFail}, false},
		{"of authenticated mail", Limit{Per: PerRecipient, Action: TempFail, When: When{Authenticated: Yes}}, false},
		{"per account", Limit{Per: PerAccount, Action: TempFail}, false},
	}
	for _, test := range tests {
		if got := test.l.Warn(); (got != "") != test.want {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
