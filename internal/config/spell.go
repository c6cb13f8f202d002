package config

import (
	"fmt"
	"time"
)

// ParseDuration reads a duration as the configuration has them: "24h", "1h30m", "30d".
func ParseDuration(text string) (time.Duration, error) {
	v, what, remedy := parseUnits(text, durationUnits)
	if what != "" {
		return 0, fmt.Errorf("%s is %s; %s", quote(text), what, remedy)
	}
	return time.Duration(v), nil
}
