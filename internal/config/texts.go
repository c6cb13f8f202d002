package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"mailprofiled/profile"
)

func textKeys() []Key {
	return []Key{{
		Name: "texts.*", Kind: sentenceKind(), Hot: true,
		Doc: `By finding id: the sentence that the other side is told in place of the usual one, in one line of US-ASCII. {client} becomes the client's address, and of "dnsbl:ID" and "rhsbl:ID" {list} the id of the list; code, link and id of the reply stand around it by themselves.`,
	}}
}

// Of a reply of 240 octets, what is left for a sentence: code and status stand before it,
// the id behind.
const (
	maxReplyText = 240 - len("550 5.7.255 ") - len(" [0123456789ab]")
	longClient   = len("2001:db8:1111:2222:3333:4444:5555:6666")
	longList     = 40
)

var placeholder = regexp.MustCompile(`\{[^}]*\}?`)

// sentenceKind takes a row of [texts].
func sentenceKind() Kind {
	return Kind{
		Name: "sentence", Range: "US-ASCII, at most 240 octets with all that stands around it",
		parse: func(raw any, s spot) (any, bool) {
			if _, ok := raw.(map[string]any); ok {
				return s.wrongType(raw, `the id of a finding in one piece: "rdns-missing" = "..."`)
			}
			if !speaks(s) {
				return nil, false
			}
			text, ok := raw.(string)
			if !ok {
				return s.wrongType(raw, `a sentence in quotes: "The address {client} has no reverse DNS name"`)
			}
			return sentence(text, s)
		},
		format: formatText,
	}
}

// texts gives the ids that have a sentence, in order.
func texts() []string {
	policy, err := profile.Baseline("standard")
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(policy.Texts))
}

// speaks refuses ids that say nothing to the other side.
func speaks(s spot) bool {
	ids := texts()
	if slices.Contains(ids, s.last) {
		return true
	}
	what, remedy := "unknown finding "+quote(s.last), "remove it (the manual lists the findings)"
	prefix, list, named := cutListFinding(s.last)
	switch {
	case strings.HasPrefix(s.last, limitFinding):
		what, remedy = s.last+" tells its own numbers, and has no other sentence", "remove it"
	case named && list != "" && slices.Contains(ids, prefix+"ID"):
		what, remedy = "a sentence for "+quote(s.last)+": it is one for all lists", "write "+quote(prefix+"ID")+", with {list} for the id of the list"
	case slices.Contains(findingIDs(), s.last), named:
		what, remedy = s.last+" is never told to the other side", "remove it"
	default:
		if near := nearest(s.last, ids); near != "" {
			remedy = "did you mean " + quote(near) + "?"
		}
	}
	s.fail(what, remedy)
	return false
}

// sentence checks what would be told.
func sentence(text string, s spot) (any, bool) {
	shown := beginning(text)
	if text != strings.TrimSpace(text) || text == "" {
		return s.bad(shown, "empty, or a space at an end", "write a sentence that the sender's admin can act on")
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		return s.bad(shown, "not one line of US-ASCII: a reply takes nothing else", "write it without line breaks, accents and typographic quotes")
	}
	of, _, list := cutListFinding(s.last)
	for _, p := range placeholder.FindAllString(text, -1) {
		switch {
		case p == "{client}", p == "{list}" && list && of != "":
		case p == "{id}", p == "{help_url}":
			return s.bad(shown, p+" is no placeholder", "leave it out: the id, and the link of verdict.help_url, follow by themselves")
		case list:
			return s.bad(shown, p+" is no placeholder", "use {client} and {list} only")
		default:
			return s.bad(shown, p+" is no placeholder", "use {client} only")
		}
	}
	if strings.ContainsAny(strings.ReplaceAll(strings.ReplaceAll(text, "{client}", ""), "{list}", ""), "{}") {
		return s.bad(shown, "a brace alone", "use {client} only")
	}
	if over := toldLength(text) - maxReplyText; over > 0 {
		return s.bad(shown, fmt.Sprintf("too long for a reply, by %d octets with the longest address in it", over), "make it shorter")
	}
	return text, true
}

// beginning shows which sentence is meant.
func beginning(text string) string {
	first, _, more := strings.Cut(text, ";")
	if short := cut(first, 40); more || short != first {
		return quote(short + "...")
	}
	return quote(text)
}

// toldLength is how long a sentence may become in a reply: % is doubled on the way.
func toldLength(text string) int {
	return len(text) + strings.Count(text, "%") + strings.Count(text, "{client}")*(longClient-len("{client}")) + strings.Count(text, "{list}")*(longList-len("{list}"))
}

// takeTexts puts sentences in the place of the baseline's.
func (l *loader) takeTexts(c *Config) {
	c.Policy.Texts = maps.Clone(c.Policy.Texts)
	for id, set := range l.settings {
		if set.key.Name == "texts.*" && set.value != nil {
			c.Policy.Texts[set.spot.last] = set.value.(string)
			c.origins[id] = set.spot.origin()
		}
	}
}

// checkTexts warns of sentences that are cut for the link behind them.
func (l *loader) checkTexts(c *Config) {
	if c.HelpURL == "" {
		return
	}
	for _, id := range sorted(l.settings) {
		set := l.settings[id]
		text, ok := set.value.(string)
		if !ok || set.key.Name != "texts.*" {
			continue
		}
		kind, _, _ := strings.Cut(set.spot.last, ":")
		link := len("; see ") + len(strings.NewReplacer("{id}", "0123456789ab", "{finding}", kind).Replace(c.HelpURL))
		if over := toldLength(text) + link - maxReplyText; over > 0 {
			set.spot.odd(beginning(text), fmt.Sprintf("with the link of verdict.help_url too long for a reply, by %d octets, and cut", over), "make one of them shorter")
		}
	}
}

// textLines are the sentences that are not the baseline's.
func (c *Config) textLines() []printed {
	var lines []printed
	for _, id := range sorted(c.Policy.Texts) {
		if _, set := c.origins[join("texts", id)]; set {
			lines = append(lines, printed{"texts", quoteBare(id), formatText(c.Policy.Texts[id]), c.origin(join("texts", id), true)})
		}
	}
	return lines
}
