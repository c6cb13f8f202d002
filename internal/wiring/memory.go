package wiring

import (
	"os"
	"runtime/debug"
)

// TuneMemory lets garbage grow to three times what is in use before it is
// collected, unless GOGC or GOMEMLIMIT say otherwise: most of a daemon's memory
// is its cache, which lives long and costs time to walk. With a full cache the
// limit keeps the process at some twice its size.
func TuneMemory(cache int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(2*cache + 512<<20)
	}
}
