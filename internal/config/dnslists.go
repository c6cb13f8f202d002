package config

import (
	"strings"
	"time"

	"mailprofiled/dnsbl"
)

// Lists are the DNS lists that are asked.
type Lists struct {
	All       []dnsbl.List // effective ones, without keys: as use names them, then own lists that it does not name
	TestEvery time.Duration
	Keys      map[string]Secret // by id

	use []string  // as a file has it
	own []OwnList // in their order
}

// WithKeys gives all lists with their keys, for the one place that asks them. A
// list whose key does not fit is left out: Load has refused it.
func (l *Lists) WithKeys() []dnsbl.List {
	var lists []dnsbl.List
	for _, list := range l.All {
		if key, ok := l.Keys[list.ID]; ok {
			keyed, err := list.WithKey(key.Reveal())
			if err != nil {
				continue
			}
			list = keyed
		}
		lists = append(lists, list)
	}
	return lists
}

// OwnAt says where the [[lists.own]] of a list stands; ok is false when it has none.
func (l *Lists) OwnAt(id string) (at Origin, ok bool) {
	for i := range l.own {
		if l.own[i].ID == id {
			return l.own[i].Origin, true
		}
	}
	return Origin{}, false
}

// An OwnList is one [[lists.own]] as a file has it: a list of the operator's own,
// or what he changes of one that the catalogue has. What is empty is not set.
type OwnList struct {
	ID, Zone, Group  string
	Text             string // OwnText or ""
	Ask, At          []string
	Codes            []OwnCode
	Listed, Unlisted string // test entries
	Origin           Origin // of its [[lists.own]]
}

// An OwnCode is one of the codes of an OwnList.
type OwnCode struct {
	Answer, Meaning, Kind string
	Points                float64
}

// OwnText says that the TXT record of a list may stand in a reply.
const OwnText = "txt"

func dnsListKeys() []Key {
	return []Key{
		{
			Name: "lists.use", Kind: listIDsKind(), Default: []any{}, Hot: true,
			Doc:   "DNS lists of the catalogue to ask, by id, all at once; the order breaks ties of who speaks. None is asked unless it is named here or is one of [[lists.own]].",
			field: func(c *Config) any { return &c.Lists.use },
		},
		{
			Name: "lists.test_every", Kind: durationKind(100*time.Millisecond, 7*day), Default: "10m", Hot: true,
			Doc:   "How often each list is tested; it counts only after its first good tests, and a suspended one comes back after 3 in a row, with back-off to 6 times this.",
			field: func(c *Config) any { return &c.Lists.TestEvery },
		},
		{
			Name: "lists.keys.*", Kind: secretKind(), Hot: true,
			Doc: `Your key for a list, by its id: "file:/etc/mailprofiled/dqs.key", whose one line it is. It stands in the questions and is shown nowhere.`,
		},
		{
			Name: "lists.own[].id", Kind: textKind("id", "bl.example", listID, formatText), Hot: true,
			Doc: "Its name in log, metrics and [points]. That of a list of the catalogue changes it, key by key. An own list is asked without being named in use.",
		},
		{
			Name: "lists.own[].zone", Kind: textKind("zone", "bl.example.net", listZone, formatText), Hot: true,
			Doc: `The zone that is asked; "{key}" in it stands for the key of [lists.keys].`,
		},
		{
			Name: "lists.own[].group", Kind: textKind("text", "example", oneLineText, formatText), Hot: true,
			Doc: "Whose data it is: of one group only the heaviest list counts. Without it the list stands alone; the catalogue has the operators as groups.",
		},
		{
			Name: "lists.own[].text", Kind: plainChoice(OwnText, "none"), Hot: true,
			Doc: `"txt" gives the list's TXT record in replies, in place of the meaning.`,
		},
		{
			Name: "lists.own[].ask", Kind: wordsKind("kinds of subject", "ip4", "ip6", "domain"), Hot: true,
			Doc: "What it may be asked about.",
		},
		{
			Name: "lists.own[].at", Kind: wordsKind("stages", stageNames()...), Hot: true,
			Doc: `When: the address of the client at "connect", for null senders only at "bounce", of clients that log in at "auth"; a name at "ptr", "helo" and "mail" (the sender's domain).`,
		},
		{
			Name: "lists.own[].codes[].answer", Kind: textKind("answer", "127.0.0.2", listAnswer, formatText), Hot: true,
			Doc: "What it answers, in 127.0.0.0/8: an address, a network, or first-last. Any other answer weighs nothing. The codes by which a list of the catalogue refuses, by this id or zone, stay errors whatever is written here.",
		},
		{
			Name: "lists.own[].codes[].points", Kind: pointNumberKind(), Hot: true,
			Doc: "What that weighs; below 0 for the kind \"allow\". Several codes add up, to the heaviest plus 2.",
		},
		{
			Name: "lists.own[].codes[].meaning", Kind: textKind("text", "spam source", oneLineText, formatText), Hot: true,
			Doc: "What it means, for log and replies.",
		},
		{
			Name: "lists.own[].codes[].kind", Kind: plainChoice(kindNames()...), Default: "listed", Hot: true,
			Doc: `"listed" speaks against the client and "allow" for it; "info" is logged; "error" says that the list refuses us.`,
		},
		{
			Name: "lists.own[].test.listed", Kind: textKind("test entry", "127.0.0.2", testEntry, formatText), Hot: true,
			Doc: "An address or name that must be listed, for the tests of its health.",
		},
		{
			Name: "lists.own[].test.unlisted", Kind: textKind("test entry", "127.0.0.1", testEntry, formatText), Hot: true,
			Doc: "One that must not be.",
		},
	}
}

func stageNames() []string {
	var names []string
	for s := dnsbl.Connect; s <= dnsbl.Auth; s++ {
		names = append(names, s.String())
	}
	return names
}

func kindNames() []string {
	var names []string
	for k := dnsbl.Listed; k <= dnsbl.Error; k++ {
		names = append(names, k.String())
	}
	return names
}

func wordsKind(plural string, words ...string) Kind {
	inner := listKind[string](plural, true, false, plainChoice(words...))
	parse := inner.parse
	inner.parse = func(raw any, s spot) (any, bool) {
		if items, ok := raw.([]any); ok && len(items) == 0 {
			return s.bad("[]", "the list would never be asked", "name some of "+oneOf(words))
		}
		return parse(raw, s)
	}
	return inner
}

// listIDsKind takes ids, which are looked up when all own lists are known.
func listIDsKind() Kind {
	return listKind[string]("ids", false, true, textKind("id", "spamcop", func(text string, s spot) (any, bool) {
		if keyedZone(text) != "" {
			return s.keyShown(text)
		}
		if text == "" {
			return s.bad(quote(text), "empty", "remove it, or write the id of a list")
		}
		return text, true
	}, formatText))
}

func listID(text string, s spot) (any, bool) {
	if keyedZone(text) != "" {
		return s.keyShown(text)
	}
	bad := func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-_", r) }
	if text == "" || len(text) > 63 || strings.ContainsFunc(text, bad) || strings.Contains(text, "..") || strings.Trim(text, ".-") != text {
		return s.bad(quote(text), "no id of a list", `use at most 63 lower-case letters, digits, dots and hyphens: "bl.example"`)
	}
	return text, true
}

func oneLineText(text string, s spot) (any, bool) {
	if strings.TrimSpace(text) == "" {
		return s.bad(quote(text), "nothing in it", "remove it, or write a few words")
	}
	return noteKind("").parse(text, s)
}

const keyMark = "{key}"

// listZone checks where a list is asked: a domain name of two labels or more.
func listZone(text string, s spot) (any, bool) {
	const remedy = `write the zone as its operator gives it: "bl.example.net"`
	if keyedZone(text) != "" {
		return s.keyShown(text)
	}
	plain := strings.Replace(text, keyMark, "k", 1)
	if what, _ := notHost(plain); what != "" {
		return s.bad(quote(text), what, remedy)
	}
	if strings.ContainsAny(plain, "{}") {
		return s.bad(quote(text), "only {key} is replaced, once", `write the key as one label: "{key}.bl.example.net"`)
	}
	quiet := s
	quiet.report = &Report{}
	v, ok := host(plain, false, quiet)
	if !ok {
		return s.bad(quote(text), "no name that DNS can hold", remedy)
	}
	if !strings.Contains(v.(string), ".") {
		return s.bad(quote(text), "a single label", remedy)
	}
	if strings.Contains(text, keyMark) {
		at := strings.Index(text, keyMark)
		before, after := strings.ToLower(text[:at]), strings.TrimSuffix(strings.ToLower(text[at+len(keyMark):]), ".")
		if before != "" && !strings.HasSuffix(before, ".") || !strings.HasPrefix(after, ".") || !ascii(text) {
			return s.bad(quote(text), "the key is no label of its own", `write it between dots: "{key}.bl.example.net"`)
		}
		return before + keyMark + after, true
	}
	return v, true
}

// keyShown refuses a key where it would be shown, without showing it.
func (s spot) keyShown(text string) (any, bool) {
	id := keyedZone(text)
	verb := " is"
	if s.listed {
		verb = " has"
	}
	s.fail(s.name+verb+" a zone with your key in it: log and metrics would show it",
		"name "+quote(id)+" in lists.use, and put the key into [lists.keys]")
	return nil, false
}

// keyedZone gives the list of the catalogue whose zone a text is, with a key in
// the place of "{key}"; "" when it is none.
func keyedZone(text string) string {
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	for _, l := range dnsbl.Catalogue() {
		for _, zone := range []string{l.Zone, l.KeyForm} {
			rest, keyed := strings.CutPrefix(zone, keyMark)
			if front, ok := strings.CutSuffix(name, rest); keyed && ok && front != "" && front != keyMark {
				return l.ID
			}
		}
	}
	return ""
}

func listAnswer(text string, s spot) (any, bool) {
	if _, err := dnsbl.NewCode(text, "", "", dnsbl.Info, 0); err != nil {
		return s.bad(quote(text), "no answer of a list", `write an address of 127.0.0.0/8, a network or a range: "127.0.0.2", "127.0.1.0/24" or "127.0.0.2-127.0.0.9"`)
	}
	return text, true
}

func testEntry(text string, s spot) (any, bool) {
	if strings.TrimSpace(text) != text || text == "" || !ascii(text) || strings.ContainsAny(text, " /") {
		return s.bad(quote(text), "no address or name", `write it as its operator gives it: "127.0.0.2", or "TEST" of a list of names`)
	}
	return text, true
}
