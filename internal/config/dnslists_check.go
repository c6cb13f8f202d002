package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// manyQuestions is what a limit of free use is held against.
const manyQuestions = "a site of 100,000 mailboxes asks about a million times a day"

// maxDNSLists is how many lists a visit is judged by.
const maxDNSLists = 64

// checkDNSLists says which lists are dead, misused, not to be had, or not for a
// large site, and what to use in their place.
func (l *loader) checkDNSLists(c *Config) {
	for i := range c.Lists.All {
		a := l.adviceOn(c, &c.Lists.All[i])
		if a.refused() || a.misused() {
			continue
		}
		a.terms()
		a.wide()
	}
	l.checkListKeys(c)
	l.checkListPoints(c)
	l.checkSubmission(c)
	if len(c.Lists.All) == 0 {
		return
	}
	if n := len(c.Lists.All); n > maxDNSLists {
		l.at("lists.use").fail(fmt.Sprintf("lists.use and [[lists.own]] name %d lists, and a visit is judged by %d at most", n, maxDNSLists), "name fewer")
	}
	if d := c.DNS.Budget; d < 2*time.Second {
		l.at("dns.budget").warn(fmt.Sprintf("dns.budget is %s, and lists are asked: one that has not answered by then is unknown, and nothing is refused that an allow list could save", show(d)),
			`use "3s" or more`)
	}
	if d := c.Lists.TestEvery; d < minute {
		l.at("lists.test_every").warn(fmt.Sprintf("lists.test_every is %s: the operators of lists count these questions too", show(d)), `use "10m" for lists of others`)
	}
}

// ownOf is the [[lists.own]] of an id, nil when there is none.
func (ls *Lists) ownOf(id string) *OwnList {
	for i := range ls.own {
		if ls.own[i].ID == id {
			return &ls.own[i]
		}
	}
	return nil
}

// whereList is where a list comes from: its name in use, else its [[lists.own]].
func (l *loader) whereList(c *Config, id string) spot {
	if i := slices.Index(c.Lists.use, id); i >= 0 {
		return l.at("lists.use").element(i)
	}
	for i := range c.Lists.own {
		if c.Lists.own[i].ID == id {
			return l.tables["lists.own["+strconv.Itoa(i)+"]"]
		}
	}
	return l.at("lists.use")
}

// An advice is about one list in use.
type advice struct {
	l     *loader
	c     *Config
	list  *dnsbl.List
	asked dnsbl.List // the catalogue's that is asked, by whatever id; the zero List where the zone is of somebody else
	below bool       // the zone is one below that of asked
	s     spot
}

func (l *loader) adviceOn(c *Config, list *dnsbl.List) advice {
	a := advice{l: l, c: c, list: list, s: l.whereList(c, list.ID)}
	if list.Zone == "" { // of the catalogue, and not to be had by everybody
		a.asked = *list
		return a
	}
	asked, exact, ok := dnsbl.OfZone(list.Zone)
	a.asked, a.below = asked, ok && !exact
	return a
}

// copied says that the operator has the list from somewhere else than a zone of the
// catalogue: then its terms are his business.
func (a *advice) copied() bool { return a.asked.ID == "" }

func (a *advice) says(what string) string {
	return a.s.name + " has " + quote(a.list.ID) + ": " + plainText(what)
}

// tells is says of what the zone is known for, by whatever id it is asked.
func (a *advice) tells(what string) string {
	switch {
	case a.below:
		what = "its zone is below that of " + quote(a.asked.ID) + ": " + what
	case a.asked.ID != a.list.ID:
		what = "its zone is that of " + quote(a.asked.ID) + ": " + what
	}
	return a.says(what)
}

// plainText is a text of the catalogue as part of a problem.
func plainText(text string) string { return strings.ReplaceAll(oneLine(text), ";", ",") }

// instead says what to use in place of the list.
func (a *advice) instead(or string) string {
	for _, l := range []*dnsbl.List{&a.asked, a.list} {
		if l.Instead != "" {
			return "use " + quote(l.Instead) + " instead"
		}
	}
	return or
}

// because puts a reason behind what it is for.
func because(what, why string) string {
	if why == "" {
		return what
	}
	return what + " (" + why + ")"
}

// refused tells of lists that cannot be asked, or must not.
func (a *advice) refused() bool {
	list, asked := a.list, &a.asked
	key, keyed := a.c.Lists.Keys[list.ID]
	switch {
	case a.copied() && list.Default == dnsbl.Never && list.Status != dnsbl.Dead:
		a.s.warn(a.says(because("not advised, wherever it is from", list.Notes)), a.instead("remove it"))
	case a.copied():
	case asked.Status == dnsbl.Dead:
		a.s.fail(a.tells(because("dead since "+asked.AsOf, asked.Notes)), a.instead("remove it"))
		return true
	case asked.Default == dnsbl.Never:
		a.s.fail(a.tells(because("refuses good mail", asked.Notes)), a.instead("remove it"))
		return true
	case asked.NeedsKey() && !list.NeedsKey():
		a.s.fail(a.tells(because("it answers nobody without a key", limitsOf(asked))), "name "+quote(asked.ID)+" in lists.use, with its key in [lists.keys]")
		return true
	case list.Zone == "":
		a.s.fail(a.says(because("no zone that everybody can ask", limitsOf(list))), "give it the zone of your copy in a [[lists.own]] with this id")
		return true
	}
	switch {
	case keyed && list.TakesKey():
		if _, err := list.WithKey(key.Reveal()); err != nil {
			a.l.keySpot(list.ID).fail("lists.keys."+list.ID+" is no key of a list", "write the key alone: letters, digits, hyphens and dots, as its operator gave it")
			return true
		}
	case list.NeedsKey() && !a.l.hasKey(list.ID):
		a.s.fail(a.says(because("it answers nobody without a key", limitsOf(list))), "write "+quoteBare(list.ID)+` = "file:/etc/mailprofiled/`+list.ID+`.key" under [lists.keys]`+orInstead(list))
		return true
	}
	return false
}

func orInstead(l *dnsbl.List) string {
	if l.Instead == "" {
		return ", or remove it"
	}
	return ", or use " + quote(l.Instead)
}

// misused tells of lists that are asked where their data means something else.
func (a *advice) misused() bool {
	list := a.list
	if why := list.Misuse(list.Stages); why != "" {
		plain, _ := list.Catalogued()
		remedy := "use " + oneOf(strings.Split(plain.Stages.String(), ","))
		if plain.ID == list.ID {
			remedy = "leave at out, or " + remedy
		}
		a.s.fail(a.says("misused at "+oneOf(strings.Split(list.Stages.String(), ","))+": it "+plainText(why)), remedy)
		return true
	}
	if list.Stages == dnsbl.StagesOf(dnsbl.Auth) && a.c.Policy.Points["account-hijack"].Rule == profile.Off {
		a.s.warn(a.says("it is about clients that log in, and weighs in account-hijack only, which is off under [points]"), "remove one of the two")
		return true
	}
	return false
}

// terms tells of lists that do not answer everybody, or not for long.
func (a *advice) terms() {
	list := &a.asked
	if a.copied() || a.l.hasKey(a.list.ID) {
		return
	}
	var what []string
	limited := false
	remedy := "see that it answers you, or remove it"
	switch {
	case list.Status == dnsbl.Charged:
		what = append(what, "it answers nobody without an account")
	case strings.Contains(list.Access, "regist") || strings.Contains(list.Access, "paid"):
		what, limited = append(what, because("it answers only those who are registered", list.Access)), true
	case strings.HasPrefix(list.Access, "open-limited"):
		what, limited = append(what, "free for little use only"), true
	}
	if list.Status == dnsbl.Unsure {
		what = append(what, "sources disagree whether it is well (newest: "+list.AsOf+")")
	}
	if len(what) == 0 {
		return
	}
	if limits := limitsOf(list); limits != "" {
		what = append(what, "its terms: "+strconv.Quote(limits))
	}
	if limited {
		what = append(what, manyQuestions)
		remedy = "see that your use is within its terms, or remove it"
	}
	switch {
	case list.TakesKey():
		remedy = "get a key from its operator, for [lists.keys], or remove it"
	case strings.Contains(list.Access, "regist"):
		remedy = "register the address of your resolver with its operator, or remove it"
	}
	a.s.warn(a.tells(strings.Join(what, ", ")), a.instead(remedy))
}

// refusing is an answer by which many lists refuse who asks through a public resolver.
var refusing = netip.AddrFrom4([4]byte{127, 255, 255, 254})

// wide tells of codes of the operator's own that read refusals as listings: by far the
// commonest way in which lists refuse good mail.
func (a *advice) wide() {
	if a.list.Lists(refusing) {
		a.s.warn(a.says("a code of it takes "+refusing.String()+" for a listing, by which lists refuse"),
			`write the codes that it has, or add { answer = "127.255.255.0/24", kind = "error" }`)
	}
}

// limitsOf are the terms of use. "as zen" and "as above" are those of the operator's
// list before it that is had in the same way, and so is nothing at all, unless the list
// is open to everybody.
func limitsOf(list *dnsbl.List) string {
	if list.Limits == "" && list.Access == "open" {
		return ""
	}
	limits := ""
	for _, l := range dnsbl.Catalogue() {
		if l.Group == list.Group && l.Access == list.Access && l.Limits != "" && (l.ID == list.ID || !strings.HasPrefix(l.Limits, "as ")) {
			if !strings.HasPrefix(l.Limits, "as ") || limits == "" {
				limits = l.Limits
			}
		}
		if l.ID == list.ID {
			break
		}
	}
	return plainText(limits)
}

// keySpot is where the key of a list stands.
func (l *loader) keySpot(id string) spot {
	for _, name := range sorted(l.settings) {
		if set := l.settings[name]; set.key.Name == "lists.keys.*" && set.spot.last == id {
			return set.spot
		}
	}
	return l.at()
}

// hasKey says that a file gives a key, good or bad, for a list.
func (l *loader) hasKey(id string) bool { return l.keySpot(id).last == id }

// checkListKeys tells of keys that no list takes.
func (l *loader) checkListKeys(c *Config) {
	for _, id := range sorted(c.Lists.Keys) {
		s := l.keySpot(id)
		i := slices.IndexFunc(c.Lists.All, func(list dnsbl.List) bool { return list.ID == id })
		_, known := dnsbl.Find(id)
		switch {
		case i >= 0 && !c.Lists.All[i].TakesKey():
			s.fail("lists.keys."+id+": the list takes no key", "remove it"+keyedSibling(id))
		case i < 0 && (known || c.Lists.ownOf(id) != nil):
			s.warn("lists.keys."+id+": the list is not in use", "name it in lists.use, or remove the key")
		case i < 0:
			s.fail("lists.keys has "+quote(id)+": no DNS list of that id is known", meantList(id, c))
		}
	}
}

// keyedSibling names the list of the same data that takes a key.
func keyedSibling(id string) string {
	if l, ok := dnsbl.Find(id); ok {
		if other, ok := dnsbl.Find(l.Instead); ok && other.TakesKey() {
			return ", or use " + quote(other.ID)
		}
	}
	return ""
}

// checkListPoints tells of points for findings that no list can bring.
func (l *loader) checkListPoints(c *Config) {
	for _, name := range sorted(l.settings) {
		set := l.settings[name]
		prefix, id, ok := cutListFinding(set.spot.last)
		if set.key.Name != "points.*" || !ok {
			continue
		}
		i := slices.IndexFunc(c.Lists.All, func(list dnsbl.List) bool { return list.ID == id })
		_, known := dnsbl.Find(id)
		switch {
		case i >= 0:
			if what := cannotSay(&c.Lists.All[i], prefix); what != "" {
				set.spot.warn(what, "remove it")
			}
		case known:
			set.spot.warn(quote(id)+" is not in use: these points weigh nothing", "name it in lists.use, or remove them")
		case id != "" && c.Lists.ownOf(id) == nil:
			set.spot.fail("points for "+quote(id)+": no DNS list of that id is known", meantList(id, c))
		}
	}
}

// cannotSay says why a list never brings findings of a prefix, "" if it may.
func cannotSay(list *dnsbl.List, prefix string) string {
	has := func(kind dnsbl.Kind) bool {
		return slices.ContainsFunc(list.Codes, func(c dnsbl.Code) bool { return c.Kind == kind })
	}
	switch {
	case prefix == "dnswl:" && !has(dnsbl.Allow):
		return quote(list.ID) + " has no code that speaks for a client: it brings no " + prefix + list.ID
	case prefix != "dnswl:" && !has(dnsbl.Listed):
		return quote(list.ID) + " has no code that speaks against a client: it brings no " + prefix + list.ID
	case prefix == "rhsbl:" && !list.Asks.Has(dnsbl.Domain):
		return quote(list.ID) + " is asked about addresses: it brings no " + prefix + list.ID
	case prefix == "dnsbl:" && !list.Asks.Has(dnsbl.IP4|dnsbl.IP6):
		return quote(list.ID) + " is asked about names: it brings no " + prefix + list.ID
	}
	return ""
}

// cutListFinding parts the id of a list's finding: "dnsbl:" and the list.
func cutListFinding(id string) (prefix, list string, ok bool) {
	for _, info := range profile.Findings() {
		if prefix, named := strings.CutSuffix(info.ID, "ID"); named && info.Named {
			if list, ok := strings.CutPrefix(id, prefix); ok {
				return prefix, list, true
			}
		}
	}
	return "", "", false
}

// checkSubmission warns of lists of access lines where customers come from them:
// at a submission service whose clients are judged as strangers.
func (l *loader) checkSubmission(c *Config) {
	doors := c.Doors()
	at := slices.IndexFunc(doors, func(d Listener) bool { return d.Role == RoleSubmission })
	if at < 0 {
		return
	}
	mx := slices.ContainsFunc(doors, func(d Listener) bool { return d.Role != RoleSubmission })
	if mx && c.Exempt.Authenticated {
		return
	}
	for i := range c.Lists.All {
		if list := &c.Lists.All[i]; ofAccessLines(list) && list.Stages.Has(dnsbl.Connect) {
			a := advice{list: list, s: l.whereList(c, list.ID)}
			if mx {
				a.s.warn(a.says("misused: it holds the access lines that customers log in from, and exempt.authenticated is false"), "set exempt.authenticated = true")
			} else {
				a.s.warn(a.says("misused: it holds the access lines that customers connect from, and there is a submission listener alone"), "name it where mail of others comes in")
			}
		}
	}
}

// ofAccessLines says that a list holds addresses for being access lines, as the
// PBL of Spamhaus does, by what the catalogue says of its codes, or the operator.
func ofAccessLines(list *dnsbl.List) bool {
	known, _ := list.Catalogued()
	return slices.ContainsFunc([]*dnsbl.List{list, &known}, hasAccessLines)
}

func hasAccessLines(list *dnsbl.List) bool {
	return slices.ContainsFunc(list.Codes, func(c dnsbl.Code) bool {
		return c.Kind == dnsbl.Listed && (strings.Contains(c.Meaning, "PBL") || strings.Contains(c.Meaning, "dynamic") || strings.HasPrefix(c.Meaning, "policy"))
	})
}
