package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/ratelimit"
)

// A limitRow is one [[limit]] as a file has it, or the built-in limit, laid under
// it where it is of that name.
type limitRow struct {
	limit ratelimit.Limit
	off   bool // it is not in force
	whole bool // nothing is wrong with it
	at    Origin
	id    string // "limit[0]"; "" for the built-in one where no file names it
}

// actionOff stands beside the actions of ratelimit: the limit is not in force.
const actionOff = "off"

// The most that a mail is held against, how many steps a ramp has, and how long
// names may be.
const (
	maxLimits    = 64
	maxSteps     = 32
	maxLimitName = 60
)

// BuiltInLimits are the limits that are in force without being named: a [[limit]]
// of the same name changes them, key by key.
func BuiltInLimits() []ratelimit.Limit { return []ratelimit.Limit{ratelimit.Ramp()} }

func builtIn(name string) (ratelimit.Limit, bool) {
	for _, l := range BuiltInLimits() {
		if l.Name == name {
			return l, true
		}
	}
	return ratelimit.Limit{}, false
}

// limitKeys are those of one [[limit]].
func limitKeys() []Key {
	return []Key{
		{
			Name: "limit[].name", Kind: textKind("name", "outgoing", limitName, formatText), Hot: true, Policy: true,
			Doc: `Its name in log, metrics and commands, of its own: letters, digits, space, "-", "_" and ".". Under another name counting begins anew. "new accounts" is built in: what you set of it replaces, the rest stays.`,
		},
		{
			Name: "limit[].per", Kind: perKind(), Hot: true, Policy: true,
			Doc: `Whose mail is counted together: "account" (the login), "client" (its address), "network", "recipient", "recipient_domain", "sender" or "sender_domain" (both only where the client logged in or SPF passes); or several by "+": "account+recipient_domain".`,
		},
		{
			Name: "limit[].count", Kind: countKind(), Default: "messages", Hot: true, Policy: true,
			Doc: `What is counted: "messages", however many recipients one has, or "recipients".`,
		},
		{
			Name: "limit[].max", Kind: maxKind("limit"), Hot: true, Policy: true,
			Doc: "How many go through in any window.",
		},
		{
			Name: "limit[].window", Kind: windowKind(), Hot: true, Policy: true,
			Doc: "How long one counts: what went through comes free again so long after its end, and at most a 25th of that later.",
		},
		{
			Name: "limit[].action", Kind: limitActionKind(), Default: "tempfail", Hot: true, Policy: true,
			Doc: `What mail over the limit gets: "tempfail" (4yz), "reject" (5yz), or "report" (it goes on, and is told of); "off" switches the limit off.`,
		},
		{
			Name: "limit[].ipv4_prefix", Kind: integerKind(8, 32), Default: int64(24), Hot: true, Policy: true,
			Doc: `How wide a "network" is, in bits.`,
		},
		{
			Name: "limit[].ipv6_prefix", Kind: integerKind(16, 128), Default: int64(64), Hot: true, Policy: true,
			Doc: "The same of IPv6.",
		},
		{
			Name: "limit[].when.authenticated", Kind: boolKind(), Hot: true, Policy: true,
			Doc: "Only for mail of clients that logged in, or with false that did not.",
		},
		{
			Name: "limit[].when.listener", Kind: plainChoice(RoleMX, RoleSubmission), Hot: true, Policy: true,
			Doc: `Only for mail that comes in by a [[listener]] of this role. Doors of milter.listen are "mx".`,
		},
		{
			Name: "limit[].when.domain", Kind: oneOrMore(accountDomainsKind()), Hot: true, Policy: true,
			Doc: "Only for accounts of this domain, or one of these: what stands behind the @ of the login.",
		},
		{
			Name: "limit[].when.plan", Kind: oneOrMore(plansKind()), Hot: true, Policy: true,
			Doc: "Only for accounts of this plan, or one of these, by accounts.file. Where the plan is unknown the limit only reports.",
		},
		{
			Name: "limit[].when.history", Kind: oneOrMore(historiesKind()), Hot: true, Policy: true,
			Doc: `Only for mail of servers whose history is this, or one of these: "good", "bad", "new" or "neutral" (see docs/memory.md). Of clients that logged in it is unknown, and the limit only reports.`,
		},
		{
			Name: "limit[].when.account_younger_than", Kind: durationKind(time.Second, 3650*day), Hot: true, Policy: true,
			Doc: "Only for accounts below this age. Where the age is unknown the limit only reports.",
		},
		{
			Name: "limit[].when.account_older_than", Kind: durationKind(time.Second, 3650*day), Hot: true, Policy: true,
			Doc: "Only for accounts of this age or more; as above.",
		},
		{
			Name: "limit[].steps[].until", Kind: durationKind(time.Second, 3650*day), Hot: true, Policy: true,
			Doc: "A ramp, in place of max: for accounts below this age, and not below that of the step before, another max. Beyond the last step the limit does not apply.",
		},
		{
			Name: "limit[].steps[].max", Kind: maxKind("step"), Hot: true, Policy: true,
			Doc: "How many go through in any window on that step. All steps have one counter.",
		},
	}
}

func limitName(text string, s spot) (any, bool) {
	letters := func(r rune) bool {
		return r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || strings.ContainsRune(" -_.", r)
	}
	const remedy = `use at most 60 letters, digits, spaces, "-", "_" and ".": "outgoing per hour"`
	switch {
	case strings.TrimSpace(text) == "":
		return s.bad(quote(text), "nothing in it", `write a name such as "outgoing"`)
	case strings.TrimSpace(text) != text:
		return s.bad(quote(text), "a space around it", "write "+quote(strings.TrimSpace(text)))
	case strings.ContainsFunc(text, func(r rune) bool { return !letters(r) }):
		return s.bad(quote(text), "a character that no name of a limit has", remedy)
	case len(text) > maxLimitName:
		return s.bad(quote(text), "longer than 60 octets", remedy)
	}
	return text, true
}

// perWords are the words of limit.per, as ratelimit.ParsePer takes them.
func perWords() []string {
	var words []string
	for p := ratelimit.PerAccount; p <= ratelimit.PerSenderDomain; p <<= 1 {
		words = append(words, p.String())
	}
	return words
}

func perKind() Kind {
	words := perWords()
	kind := textKind("word", "account", func(text string, s spot) (any, bool) {
		per, err := ratelimit.ParsePer(text)
		if err == nil {
			return per, true
		}
		for part := range strings.SplitSeq(text, "+") {
			near := nearest(strings.ToLower(strings.TrimSpace(part)), words)
			switch {
			case slices.Contains(words, part):
			case near != "":
				return s.bad(quote(text), "not known", "did you mean "+quote(strings.Replace(text, part, near, 1))+"?")
			}
		}
		return s.bad(quote(text), "not known", "use "+oneOf(words)+`, or several joined by "+"`)
	}, func(v any) string { return tomlString(v.(ratelimit.Per).String()) })
	kind.Range = oneOf(words) + `, or several joined by "+"`
	return kind
}

func countKind() Kind {
	return choiceKind(word{text: "messages", value: ratelimit.Messages}, word{text: "recipients", value: ratelimit.Recipients})
}

func limitActionKind() Kind {
	of := func(a ratelimit.Action) word { return word{text: a.String(), value: limitAction{action: a}} }
	return choiceKind(of(ratelimit.TempFail), of(ratelimit.Reject), of(ratelimit.Report), word{text: actionOff, value: limitAction{off: true}})
}

// A limitAction is what limit.action holds.
type limitAction struct {
	action ratelimit.Action
	off    bool
}

// maxKind takes a maximum of a limit or a step. 0 would shut everybody out.
func maxKind(of string) Kind {
	kind := integerKind(1, ratelimit.MaxMax)
	parse := kind.parse
	kind.parse = func(raw any, s spot) (any, bool) {
		if n, ok := raw.(int64); ok && n <= 0 {
			remedy := `use 1 or more`
			if of == "limit" {
				remedy = `use 1 or more, or switch the limit off by action = "off"`
			}
			return s.bad(strconv.FormatInt(n, 10), "nothing would ever go through", remedy)
		}
		return parse(raw, s)
	}
	return kind
}

// windowKind takes a length of whole seconds.
func windowKind() Kind {
	kind := durationKind(ratelimit.MinWindow, ratelimit.MaxWindow)
	kind.Range = "1s to 31d, in whole seconds"
	parse := kind.parse
	kind.parse = func(raw any, s spot) (any, bool) {
		v, ok := parse(raw, s)
		if d, isTime := v.(time.Duration); ok && isTime && d%time.Second != 0 {
			return s.bad(show(d), "not whole seconds", "write "+quote(show(d.Truncate(time.Second))))
		}
		return v, ok
	}
	return kind
}

// plansKind takes names of plans, as accounts.file has them: one word each, matched
// as it is written.
func plansKind() Kind {
	return listKind[string]("plans", true, false, planKind())
}

// historiesKind takes what the memory of servers may say of one.
func historiesKind() Kind {
	word := plainChoice("good", "bad", "new", "neutral")
	return listKind[string]("histories", true, false, word)
}

func planKind() Kind {
	return textKind("plan", "pro", func(text string, s spot) (any, bool) {
		switch {
		case text == "":
			return s.bad(quote(text), "empty", "remove it, or write the name of a plan")
		case !isWord(text):
			return s.bad(quote(text), "more than one word, or a control character", "write the plan as accounts.file has it: one word")
		}
		return text, true
	}, formatText)
}

// oneOrMore is a list that takes a single text, too.
func oneOrMore(list Kind) Kind {
	parse := list.parse
	list.Name = "text or " + list.Name
	list.parse = func(raw any, s spot) (any, bool) {
		if text, ok := raw.(string); ok {
			raw = []any{text}
		}
		if items, ok := raw.([]any); ok && len(items) == 0 {
			return s.bad("[]", "it would hold for nobody", "name one, or remove the key")
		}
		return parse(raw, s)
	}
	return list
}
