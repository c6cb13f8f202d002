package config

import (
	"math/big"
	"strconv"
	"strings"
	"time"
)

// A unit is one suffix of durations or sizes.
type unit struct {
	name string
	size int64
}

// Units from large to small: the order in which they may be combined.
var (
	durationUnits = []unit{
		{"w", int64(7 * 24 * time.Hour)}, {"d", int64(24 * time.Hour)},
		{"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)},
	}
	sizeUnits = []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
)

// parseUnits reads one or more decimal numbers, each with its unit, larger
// units first: "2h", "1h30m", "0.5s". A fault comes with its remedy.
func parseUnits(text string, units []unit) (value int64, what, remedy string) {
	if strings.HasPrefix(text, "-") {
		return 0, "negative", "use 0 or more"
	}
	sum, rest, left := new(big.Rat), text, units
	for rest != "" {
		number := numberPrefix(rest)
		name := rest[len(number):]
		if end := strings.IndexAny(name, "0123456789."); end >= 0 {
			name = name[:end]
		}
		n, ok := new(big.Rat).SetString(number)
		if !ok || len(number) > 30 || strings.HasPrefix(number, ".") || strings.HasSuffix(number, ".") {
			return 0, "not a number with a unit", "write it as " + example(units)
		}
		i := unitNamed(name, left)
		if i < 0 {
			return 0, unitFault(name, units), unitRemedy(number, name, units)
		}
		sum.Add(sum, n.Mul(n, new(big.Rat).SetInt64(left[i].size)))
		rest, left = rest[len(number)+len(name):], left[i+1:]
	}
	whole := new(big.Int).Quo(sum.Num(), sum.Denom())
	if text == "" {
		return 0, "empty", "write it as " + example(units)
	}
	if !whole.IsInt64() {
		return 0, "too large", "use a smaller number"
	}
	return whole.Int64(), "", ""
}

// numberPrefix gives the digits and points at the start.
func numberPrefix(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789."))]
}

func unitNamed(name string, units []unit) int {
	for i, u := range units {
		if u.name == name {
			return i
		}
	}
	return -1
}

func unitFault(name string, units []unit) string {
	switch {
	case name == "":
		return "no unit"
	case unitNamed(name, units) >= 0:
		return "units out of order"
	}
	return "unknown unit " + quote(name)
}

// unitRemedy guesses what was meant by "5min", "5 s", "500ms" or "64MB".
func unitRemedy(number, name string, units []unit) string {
	trimmed := strings.TrimSpace(name)
	if unitNamed(trimmed, units) >= 0 {
		if trimmed == name {
			return "put each unit once, larger ones first: " + example(units)
		}
		return "write " + quote(number+trimmed)
	}
	if strings.EqualFold(trimmed, "ms") && units[0].name == "w" {
		if n, err := strconv.ParseFloat(number, 64); err == nil && n < 1e12 {
			return "write " + quote(strconv.FormatFloat(n/1000, 'f', -1, 64)+"s")
		}
	}
	for _, u := range units {
		if trimmed != "" && strings.EqualFold(trimmed[:1], u.name[:1]) && number != "" {
			return "write " + quote(number+u.name)
		}
	}
	return "units are " + unitNames(units) + ": " + example(units)
}

func unitNames(units []unit) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[len(units)-1-i] = u.name
	}
	return strings.Join(names, " ")
}

func example(units []unit) string {
	if units[0].name == "GiB" {
		return `"256MiB"`
	}
	return `"90s" or "1h30m"`
}

// formatUnits writes a value with the largest unit that keeps it whole, else
// as a decimal of the smallest.
func formatUnits(v int64, units []unit) string {
	small := units[len(units)-1]
	if v == 0 {
		return "0" + small.name
	}
	for _, u := range units {
		// "24h" and not "1d", as the manual has it; and no weeks.
		if v%u.size == 0 && u.name != "w" && (u.name != "d" || v/u.size > 1) {
			return strconv.FormatInt(v/u.size, 10) + u.name
		}
	}
	return strings.TrimRight(big.NewRat(v, small.size).FloatString(12), "0") + small.name
}
