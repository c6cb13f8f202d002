package config

import (
	"time"
)

// Memory is how servers are remembered.
type Memory struct {
	Bytes     int64         // the bound of what is remembered
	HalfLife  time.Duration // after which counts are half of what they were
	Learn     time.Duration // so long after the state began nobody is new
	GoodAfter time.Duration // the least presence of a good history
	ManyHelos int           // from so many HELO domains on they are many; 0: never
}

func memoryKeys() []Key {
	return []Key{
		{
			Name: "memory.size", Kind: sizeKind(1<<20, 1<<40), Default: "192MiB",
			Doc:   "The most that the memory of servers takes: by default room for a million addresses, with their networks and operators. When it is full, the least useful is forgotten first.",
			field: func(c *Config) any { return &c.Memory.Bytes },
		},
		{
			Name: "memory.half_life", Kind: durationKind(hour, 365*day), Default: "14d", Hot: true, Policy: true,
			Doc:   "After so long what a server did counts half: nothing is held against it for ever, nor for it.",
			field: func(c *Config) any { return &c.Memory.HalfLife },
		},
		{
			Name: "memory.learn", Kind: durationKind(0, 365*day), Default: "7d", Hot: true, Policy: true,
			Doc:   "So long after the memory began no server is said to be new (`first-seen`): those of years are first seen then.",
			field: func(c *Config) any { return &c.Memory.Learn },
		},
		{
			Name: "memory.good_after", Kind: durationKind(0, 3650*day), Default: "30d", Hot: true, Policy: true,
			Doc:   "A server's history can be good (`history-good`) no sooner than so long after it was first seen.",
			field: func(c *Config) any { return &c.Memory.GoodAfter },
		},
		{
			Name: "memory.helo_many", Kind: integerKind(0, 32), Default: int64(6), Hot: true, Policy: true,
			Doc:   "From so many HELO domains of one address on, of today and yesterday, that do not lead to it, they are many (`helo-many`). 0: never.",
			field: func(c *Config) any { return &c.Memory.ManyHelos },
		},
	}
}
