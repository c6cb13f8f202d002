package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mailprofiled/dnsbl"
)

// dnsLists makes the lists of all files: those that lists.use names in its order,
// then the other [[lists.own]] in theirs. It says what is wrong with each.
func (l *loader) dnsLists(c *Config) {
	own := map[string]dnsbl.List{}
	broken := map[string]bool{}
	for i := range l.elements["lists.own"] {
		id := "lists.own[" + strconv.Itoa(i) + "]"
		o := l.ownList(id, l.tables[id])
		c.Lists.own = append(c.Lists.own, o)
		if _, twice := own[o.ID]; twice || broken[o.ID] {
			l.at(id+".id").fail("lists.own.id is "+quote(o.ID)+": another [[lists.own]] has it", "put their keys together")
			continue
		}
		list, ok := l.describe(id, &o)
		if !ok {
			broken[o.ID] = true
			continue
		}
		own[o.ID] = list
	}
	l.takeKeys(c)
	for i, id := range c.Lists.use {
		list, mine := own[id]
		if !mine && !broken[id] {
			var known bool
			if list, known = dnsbl.Find(id); !known {
				l.unknownList(id, l.at("lists.use").element(i), c)
				continue
			}
		}
		if !broken[id] {
			c.Lists.All = append(c.Lists.All, list)
		}
	}
	for i := range c.Lists.own {
		id := c.Lists.own[i].ID
		if list, ok := own[id]; ok && !slices.Contains(c.Lists.use, id) {
			c.Lists.All = append(c.Lists.All, list)
			delete(own, id)
		}
	}
}

// ownList takes one [[lists.own]] as it stands.
func (l *loader) ownList(id string, s spot) OwnList {
	o := OwnList{Origin: s.origin()}
	take(l, id+".id", &o.ID)
	take(l, id+".zone", &o.Zone)
	take(l, id+".group", &o.Group)
	take(l, id+".text", &o.Text)
	take(l, id+".ask", &o.Ask)
	take(l, id+".at", &o.At)
	take(l, id+".test.listed", &o.Listed)
	take(l, id+".test.unlisted", &o.Unlisted)
	for i := range l.elements[id+".codes"] {
		at := id + ".codes[" + strconv.Itoa(i) + "]"
		code := OwnCode{Kind: dnsbl.Listed.String()}
		take(l, at+".answer", &code.Answer)
		take(l, at+".points", &code.Points)
		take(l, at+".meaning", &code.Meaning)
		take(l, at+".kind", &code.Kind)
		o.Codes = append(o.Codes, code)
	}
	return o
}

// describe makes the list of an [[lists.own]].
func (l *loader) describe(id string, o *OwnList) (dnsbl.List, bool) {
	before := len(l.report.Errors)
	_, known := dnsbl.Find(o.ID)
	s := l.tables[id]
	missing := func(key, remedy string) {
		if l.lacks(id + "." + key) {
			s.fail("lists.own has no "+key, remedy)
		}
	}
	missing("id", `write id = "bl.example"`)
	if !known && o.ID != "" {
		missing("zone", `write zone = "bl.example.net"`)
		missing("ask", `write ask = ["ip4"], or what else it may be asked about`)
		missing("at", `write at = ["connect"] for addresses, or at = ["ptr", "helo", "mail"] for names`)
		if len(o.Codes) == 0 && !l.guessed[id+".codes"] && !l.isSet(id+".codes") {
			s.fail("lists.own has no codes: an answer without a declared meaning weighs nothing", `write codes = [{ answer = "127.0.0.2", points = 5.0 }]`)
		}
	}
	spec := dnsbl.Spec{ID: o.ID, Zone: o.Zone, Group: o.Group, Text: o.Text == OwnText}
	var err error
	if spec.Asks, err = dnsbl.ParseAsks(o.Ask); err != nil {
		return dnsbl.List{}, false
	}
	if spec.Stages, err = dnsbl.ParseStages(o.At); err != nil {
		return dnsbl.List{}, false
	}
	spec.Codes = l.codes(id, o)
	if o.Listed != "" {
		spec.Listed = []string{o.Listed}
	}
	if o.Unlisted != "" {
		spec.Unlisted = []string{o.Unlisted}
	}
	if len(l.report.Errors) > before || o.ID == "" || !l.soundBelow(id) {
		return dnsbl.List{}, false // the rest would be said of what is not there
	}
	list, err := spec.List()
	if err != nil {
		l.specErrors(id, err)
		return dnsbl.List{}, false
	}
	return list, true
}

// soundBelow says that no key below an element was refused.
func (l *loader) soundBelow(id string) bool {
	for name, set := range l.settings {
		if strings.HasPrefix(name, id+".") && set.value == nil {
			return false
		}
	}
	return true
}

// codes makes the codes of an own list.
func (l *loader) codes(id string, o *OwnList) []dnsbl.Code {
	var codes []dnsbl.Code
	for i, c := range o.Codes {
		at := id + ".codes[" + strconv.Itoa(i) + "]"
		kind, err := dnsbl.ParseKind(c.Kind)
		switch {
		case err != nil || !l.sound(at+".answer", at+".points", at+".kind"):
			continue
		case c.Answer == "":
			if l.lacks(at + ".answer") {
				l.tables[at].fail("lists.own.codes has no answer", `write answer = "127.0.0.2"`)
			}
			continue
		case kind <= dnsbl.Allow && l.lacks(at+".points"):
			l.tables[at].fail("lists.own.codes has no points for "+quote(c.Answer), `write points = 5.0 (less than 0 for kind = "allow"), or kind = "info"`)
			continue
		case kind <= dnsbl.Allow && c.Points == 0 && !l.guessed[at+".points"]:
			l.at(at+".points").warn("lists.own.codes.points is 0: "+quote(c.Answer)+" would weigh nothing", `write another number, or kind = "info"`)
		}
		code, err := dnsbl.NewCode(c.Answer, "", c.Meaning, kind, c.Points)
		if err != nil {
			what, remedy := splitRemedy(err.Error(), "correct it")
			l.at(at+".points", at+".answer").fail("lists.own.codes: "+what, remedy)
			continue
		}
		codes = append(codes, code)
	}
	return codes
}

// splitRemedy parts "what; remedy". usual is the remedy of a text without one.
func splitRemedy(text, usual string) (what, remedy string) {
	what, remedy, ok := strings.Cut(oneLine(text), "; ")
	if !ok {
		remedy = usual
	}
	return what, strings.ReplaceAll(remedy, ";", ",")
}

// specRemedies are the usual ones by key.
var specRemedies = map[string]string{
	"at":            "name it in ask too, or leave it out here",
	"codes":         "keep one of the two",
	"test.listed":   "write an address or name that ask allows",
	"test.unlisted": "write an address or name that ask allows",
}

// specErrors says what the room of lists has against an own list.
func (l *loader) specErrors(id string, err error) {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		s, key, usual := l.tables[id], "", "correct it"
		var spec *dnsbl.SpecError
		what := e.Error()
		if errors.As(e, &spec) {
			key, what = "."+spec.Key, spec.What
			usual = cmp.Or(specRemedies[spec.Key], usual)
			if l.isSet(id + key) {
				s = l.at(id + key)
			}
		}
		text, remedy := splitRemedy(what, usual)
		s.fail("lists.own"+key+": "+text, remedy)
	}
}

// takeKeys takes the keys of lists.
func (l *loader) takeKeys(c *Config) {
	for _, id := range sorted(l.settings) {
		set := l.settings[id]
		if set.key.Name == "lists.keys.*" && set.value != nil {
			if c.Lists.Keys == nil {
				c.Lists.Keys = map[string]Secret{}
			}
			c.Lists.Keys[set.spot.last] = set.value.(Secret)
			c.origins[id] = set.spot.origin()
		}
	}
}

// unknownList refuses an id, with the one that was meant.
func (l *loader) unknownList(id string, s spot, c *Config) {
	s.bad(quote(id), "no DNS list of that id is known", meantList(id, c))
}

// meantList says which list is meant by an id that is none: one of nearly that
// name, or the one that is asked under it.
func meantList(id string, c *Config) string {
	var ids []string
	for _, o := range c.Lists.own {
		ids = append(ids, o.ID)
	}
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(id), "."))
	switch known, exact, _ := dnsbl.OfZone(name); {
	case exact && known.Status == dnsbl.Dead:
		return "remove it: that is the zone of " + quote(known.ID) + ", which is dead since " + known.AsOf
	case exact:
		return "that zone is asked by " + quote(known.ID) + ": write that"
	}
	for _, known := range dnsbl.Catalogue() {
		if known.Status != dnsbl.Dead {
			ids = append(ids, known.ID)
		}
	}
	if near := nearest(name, ids); near != "" {
		return "did you mean " + quote(near) + "?"
	}
	var begin []string
	for _, known := range ids {
		if brand, _, _ := strings.Cut(name, "-"); len(brand) > 2 && strings.HasPrefix(known, brand) {
			begin = append(begin, known)
		}
	}
	if len(begin) > 0 {
		return "did you mean " + oneOf(begin) + "?"
	}
	return fmt.Sprintf("name one of the catalogue, such as %q, or describe it in a [[lists.own]]", "spamcop")
}
