package shared

import (
	"embed"
	"strings"

	"github.com/redis/rueidis"
)

//go:embed lua/*.lua
var sources embed.FS

// serverClock is how scripts learn the time: that of the server, in seconds and
// microseconds.
const serverClock = "redis.call('TIME')"

// Scripts are what the server is asked to do. All but join are told who asks, by
// name and epoch.
type scripts struct {
	join, beat, leave, take, settle, put, reset *rueidis.Lua
}

// newScripts makes them, with an expression of Lua for the time.
func newScripts(clock string) *scripts {
	source := func(names ...string) *rueidis.Lua {
		var all strings.Builder
		for _, name := range names {
			text, err := sources.ReadFile("lua/" + name + ".lua")
			if err != nil {
				panic(err) // it is part of the program
			}
			all.WriteString(strings.ReplaceAll(string(text), serverClock, clock))
		}
		return rueidis.NewLuaScript(all.String())
	}
	const common = "common"
	return &scripts{
		join: source("join"), beat: source(common, "beat"), leave: source(common, "leave"),
		take: source(common, "take"), settle: source(common, "settle"), put: source(common, "put"), reset: source(common, "reset"),
	}
}
