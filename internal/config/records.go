package config

import "time"

// Records is for how long it is kept what stands behind answers.
type Records struct {
	Keep   time.Duration // 0: nothing is recorded
	Bytes  int64         // on disk, at most
	Sample float64       // the share of plain answers that are recorded too
}

func recordKeys() []Key {
	return []Key{
		{
			Name: "records.keep", Kind: durationKind(0, 3650*day), Default: "30d", Hot: true,
			Doc:   "For so long `why` can tell what stood behind an answer: the facts, what DNS said, findings, points and reply. \"0\": nothing is recorded, and what was is removed.",
			field: func(c *Config) any { return &c.Records.Keep },
		},
		{
			Name: "records.size", Kind: sizeKind(1<<20, 1<<40), Default: "200MiB", Hot: true,
			Doc:   "The most that records take on disk, in `state.path`; then the oldest go. By default room for some 500,000 refused visits.",
			field: func(c *Config) any { return &c.Records.Bytes },
		},
		{
			Name: "records.sample", Kind: shareKind(), Default: 0.01, Hot: true,
			Doc:   "The share of plain answers that are recorded too, those that let go on what nothing asks to hold up: 0.01 is one in a hundred, 0 none, 1 all.",
			field: func(c *Config) any { return &c.Records.Sample },
		},
	}
}
