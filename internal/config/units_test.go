package config

import (
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func TestUnits(t *testing.T) {
	tests := []struct {
		text  string
		units []unit
		want  int64
		what  string
	}{
		{"90s", durationUnits, int64(90 * time.Second), ""},
		{"1h30m", durationUnits, int64(90 * time.Minute), ""},
		{"1w2d3h4m5s", durationUnits, int64(9*24*time.Hour + 3*time.Hour + 4*time.Minute + 5*time.Second), ""},
		{"0.5s", durationUnits, int64(time.Second / 2), ""},
		{"1.5h", durationUnits, int64(90 * time.Minute), ""},
		{"007s", durationUnits, int64(7 * time.Second), ""},
		{"0s", durationUnits, 0, ""},
		{"15250w", durationUnits, int64(15250 * 7 * 24 * time.Hour), ""},
		{"15251w", durationUnits, 0, "too large"},
		{"", durationUnits, 0, "empty"},
		{"5", durationUnits, 0, "no unit"},
		{"s", durationUnits, 0, "not a number with a unit"},
		{"-1s", durationUnits, 0, "negative"},
		{"1s1m", durationUnits, 0, "units out of order"},
		{"1s1s", durationUnits, 0, "units out of order"},
		{"1..5s", durationUnits, 0, "not a number with a unit"},
		{"1.s", durationUnits, 0, "not a number with a unit"},
		{".5s", durationUnits, 0, "not a number with a unit"},
		{"1e3s", durationUnits, 0, `unknown unit "e"`},
		{"+5s", durationUnits, 0, "not a number with a unit"},
		{"5S", durationUnits, 0, `unknown unit "S"`},
		{"5ms", durationUnits, 0, `unknown unit "ms"`},
		{"1_000s", durationUnits, 0, `unknown unit "_"`},
		{strings.Repeat("9", 40) + "s", durationUnits, 0, "not a number with a unit"},
		{"٣s", durationUnits, 0, "not a number with a unit"},
		{"64KiB", sizeUnits, 64 << 10, ""},
		{"1.5MiB", sizeUnits, 3 << 19, ""},
		{"1GiB512MiB", sizeUnits, 3 << 29, ""},
		{"64KB", sizeUnits, 0, `unknown unit "KB"`},
		{"64", sizeUnits, 0, "no unit"},
		{"64 MiB", sizeUnits, 0, `unknown unit " MiB"`},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, what, remedy := parseUnits(tt.text, tt.units)
			if got != tt.want || what != tt.what || (what != "") != (remedy != "") {
				t.Errorf("%q: got %d %q %q, want %d %q", tt.text, got, what, remedy, tt.want, tt.what)
			}
		})
	}
}

func TestUnitsReadBack(t *testing.T) {
	for _, units := range [][]unit{durationUnits, sizeUnits} {
		back := func(n uint64) bool {
			v := int64(n >> (1 + n%40))
			text := formatUnits(v, units)
			got, what, _ := parseUnits(text, units)
			return what == "" && got == v
		}
		if err := quick.Check(back, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"budget", "servers", "cache_size", "max_sessions", "mode", "off", "monitor", "tempfail"}
	for word, want := range map[string]string{
		"budgte": "budget", "bugdet": "budget", "budge": "budget", "Budget": "budget", "cache-size": "cache_size",
		"sessions": "", "mdoe": "mode", "mods": "mode", "of": "off", "m": "", "": "", "colour": "", "max_sesions": "max_sessions",
		strings.Repeat("x", 1<<16): "",
	} {
		if got := nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
