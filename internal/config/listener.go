package config

import (
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Listener is one door for MTAs: a [[listener]], or a socket of milter.listen.
type Listener struct {
	Listen       string // as an element of Milter.Listen
	Role         string // RoleMX or RoleSubmission
	AnswerAtMail bool
	Networks     []netip.Prefix // exempt there, besides Exempt.Networks
	SocketMode   fs.FileMode
	SocketGroup  string
	At           Origin // of its [[listener]]

	key string // whose value Listen is: "listener[0].listen", "milter.listen"
}

// The roles of a Listener.
const (
	RoleMX         = "mx"
	RoleSubmission = "submission"
)

// listenerKeys are those of one [[listener]].
func listenerKeys() []Key {
	return []Key{
		{
			Name: "listener[].listen", Kind: textKind("socket", "unix:/run/mailprofiled/submission.sock", door, formatText),
			Doc: `Where this MTA connects, one socket as in milter.listen, which [[listener]] stands in place of: for doors that differ.`,
		},
		{
			Name: "listener[].role", Kind: plainChoice(RoleMX, RoleSubmission), Default: RoleMX, Hot: true,
			Doc: `What comes in there: "mx" (port 25) or "submission". At both, clients that have not authenticated are judged alike.`,
		},
		{
			Name: "listener[].answer_at", Kind: answerAtKind(), Hot: true, Policy: true,
			Doc: "The command that is answered there; without it that of milter.answer_at.",
		},
		{
			Name: "listener[].exempt_networks", Kind: networksKind(), Default: []any{}, Hot: true, Policy: true,
			Doc: "Clients that skip server checks there, added to exempt.networks.",
		},
		{
			Name: "listener[].socket_mode", Kind: modeKind(),
			Doc: "Permissions of its unix socket; without it those of milter.socket_mode.",
		},
		{
			Name: "listener[].socket_group", Kind: groupKind(),
			Doc: "Group of its unix socket; without it that of milter.socket_group.",
		},
	}
}

func answerAtKind() Kind {
	return choiceKind(word{text: "rcpt", value: false}, word{text: "mail", value: true})
}

// listeners makes the doors of all files, in their order. What one does not set
// is as [milter] has it.
func (l *loader) listeners(c *Config) []Listener {
	var doors []Listener
	for i := range l.elements["listener"] {
		id := "listener[" + strconv.Itoa(i) + "]"
		s := l.tables[id]
		door := Listener{
			Role: RoleMX, AnswerAtMail: c.Milter.AnswerAtMail, Networks: []netip.Prefix{},
			SocketMode: c.Milter.SocketMode, SocketGroup: c.Milter.SocketGroup, At: s.origin(), key: id + ".listen",
		}
		take(l, id+".listen", &door.Listen)
		take(l, id+".role", &door.Role)
		take(l, id+".answer_at", &door.AnswerAtMail)
		take(l, id+".exempt_networks", &door.Networks)
		take(l, id+".socket_mode", &door.SocketMode)
		take(l, id+".socket_group", &door.SocketGroup)
		if l.lacks(id + ".listen") {
			s.fail("listener has no listen: no MTA could connect", `write listen = "unix:/run/mailprofiled/submission.sock"`)
		}
		doors = append(doors, door)
	}
	return doors
}

// checkListeners looks at the doors together, and beside [milter].
func (l *loader) checkListeners(c *Config) {
	if len(c.Listeners) > 0 && l.isSet("milter.listen") {
		l.at("milter.listen").fail("milter.listen and [[listener]] are both set", "give each socket a [[listener]] of its own, and remove milter.listen")
	}
	seen := map[string]bool{}
	for i := range c.Listeners {
		d := &c.Listeners[i]
		if seen[d.Listen] && l.sound(d.key) {
			l.at(d.key).fail("listener.listen is "+quote(d.Listen)+": another [[listener]] has it", "give each a socket of its own")
		}
		seen[d.Listen] = d.Listen != ""
		if at := strings.TrimSuffix(d.key, "listen") + "answer_at"; d.AnswerAtMail && l.isSet(at) {
			l.at(at).warn(`listener.answer_at is "mail": it shuts postmaster and abuse to refused clients`, `use "rcpt"`)
		}
	}
}

// Doors gives all places where MTAs come in, with what holds there: at least one.
func (c *Config) Doors() []Listener {
	if len(c.Listeners) > 0 {
		return c.Listeners
	}
	doors := make([]Listener, len(c.Milter.Listen))
	for i, place := range c.Milter.Listen {
		at, set := c.origins["milter.listen"]
		if !set {
			at = Origin{File: c.Path, Line: 1}
		}
		doors[i] = Listener{
			Listen: place, Role: RoleMX, AnswerAtMail: c.Milter.AnswerAtMail,
			SocketMode: c.Milter.SocketMode, SocketGroup: c.Milter.SocketGroup, At: at, key: "milter.listen",
		}
	}
	return doors
}

// keyName gives a key of one element of an array as problems name it.
func keyName(key string) string {
	if rest, ok := strings.CutPrefix(key, "listener["); ok {
		_, rest, _ = strings.Cut(rest, "]")
		return "listener" + rest
	}
	return key
}

// listenersExempt says that some door has exempt networks of its own.
func (c *Config) listenersExempt() bool {
	return slices.ContainsFunc(c.Listeners, func(d Listener) bool { return len(d.Networks) > 0 })
}

// listenerLines are what the policy hash covers of the doors: the ways they judge,
// without their places. Doors that all judge as [milter] and [exempt] say are none.
func (c *Config) listenerLines() []string {
	var lines []string
	differ := false
	for i := range c.Listeners {
		d := &c.Listeners[i]
		differ = differ || d.AnswerAtMail != c.Milter.AnswerAtMail || len(d.Networks) > 0
		lines = append(lines, "listener = "+answerAtKind().format(d.AnswerAtMail)+" "+networksKind().canonical(d.Networks))
	}
	if !differ {
		return nil
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// print writes a door as TOML, with all that holds there.
func (d *Listener) print(w io.Writer) {
	fmt.Fprintf(w, "listen = %s\nrole = %s\nanswer_at = %s\nexempt_networks = %s\nsocket_mode = %s\nsocket_group = %s\n",
		tomlString(d.Listen), tomlString(d.Role), answerAtKind().format(d.AnswerAtMail), networksKind().format(d.Networks),
		modeKind().format(d.SocketMode), tomlString(d.SocketGroup))
}

// doorKeys are those of which NeedRestart tells by door, once there are [[listener]].
var doorKeys = map[string]bool{"milter.listen": true, "milter.socket_mode": true, "milter.socket_group": true}

// doorsNeedRestart is NeedRestart for the places, modes and groups of doors, where
// one of the two has [[listener]].
func (c *Config) doorsNeedRestart(next *Config) []Problem {
	if len(c.Listeners)+len(next.Listeners) == 0 {
		return nil
	}
	var problems []Problem
	say := func(d *Listener, at Origin, what, remedy string) {
		problems = append(problems, Problem{File: at.File, Line: at.Line, Key: d.key, Warning: true, What: quote(d.Listen) + " " + what, Remedy: remedy})
	}
	old, doors := c.Doors(), next.Doors()
	for i := range doors {
		d := &doors[i]
		j := slices.IndexFunc(old, func(o Listener) bool { return o.Listen == d.Listen })
		switch {
		case j < 0:
			say(d, d.At, "was no socket at the start, and is not open", "restart to open it")
		case old[j].SocketMode != d.SocketMode || old[j].SocketGroup != d.SocketGroup:
			say(d, d.At, "had another mode or group at the start, and keeps it", "restart to take it over")
		}
	}
	for i := range old {
		d := &old[i]
		if !slices.ContainsFunc(doors, func(n Listener) bool { return n.Listen == d.Listen }) {
			say(d, Origin{File: next.Path, Line: 1}, "is named no more, and stays open as it was", "restart to close it")
		}
	}
	return problems
}
