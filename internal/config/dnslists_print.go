package config

import (
	"fmt"
	"io"
	"strings"

	"mailprofiled/dnsbl"
)

// print writes an own list as TOML.
func (o *OwnList) print(w io.Writer) {
	text := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s = %s\n", key, tomlString(value))
		}
	}
	words := func(key string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(w, "%s = %s\n", key, textsKind().format(values))
		}
	}
	text("id", o.ID)
	text("zone", o.Zone)
	text("group", o.Group)
	text("text", o.Text)
	words("ask", o.Ask)
	words("at", o.At)
	text("test.listed", o.Listed)
	text("test.unlisted", o.Unlisted)
	for i := range o.Codes {
		fmt.Fprint(w, "[[lists.own.codes]]\n")
		o.Codes[i].print(w)
	}
}

func (c *OwnCode) print(w io.Writer) {
	fmt.Fprintf(w, "answer = %s\nkind = %s\n", tomlString(c.Answer), tomlString(c.Kind))
	if c.Kind == dnsbl.Listed.String() || c.Kind == dnsbl.Allow.String() {
		fmt.Fprintf(w, "points = %s\n", formatNumber(c.Points))
	}
	if c.Meaning != "" {
		fmt.Fprintf(w, "meaning = %s\n", tomlString(c.Meaning))
	}
}

// quoteBare writes a key of a table as TOML wants it.
func quoteBare(key string) string {
	if key == "" || strings.ContainsFunc(key, notBare) {
		return tomlString(key)
	}
	return key
}

// keyLines are the keys of lists as --print has them: their files, or that they
// are set.
func (c *Config) keyLines() []printed {
	var lines []printed
	for _, id := range sorted(c.Lists.Keys) {
		value := "set"
		if key := c.Lists.Keys[id]; key.file != "" {
			value = key.String()
		}
		lines = append(lines, printed{"lists.keys", quoteBare(id), tomlString(value), c.origin(join("lists.keys", id), false)})
	}
	return lines
}

// policyLines are what the policy hash covers of the lists: in their order, what
// each is asked and what its answers weigh. Their keys are left out, and of lists
// of the catalogue the zones: a copy holds the same.
func (ls *Lists) policyLines() []string {
	var lines []string
	for i := range ls.All {
		l := &ls.All[i]
		zone := l.Zone
		if _, known := dnsbl.Find(l.ID); known {
			zone = ""
		}
		lines = append(lines, fmt.Sprintf("list[%03d] = %s %s %s %d %s %v %d %s", i, l.ID, tomlString(zone), tomlString(l.Group), l.Asks, l.Stages, l.Text, l.Form, tomlString(l.Delist)))
		for k, code := range l.Codes {
			lines = append(lines, fmt.Sprintf("list[%03d].code[%03d] = %s %s %s %s %v %s", i, k, tomlString(code.Answer), code.Match, code.Kind, formatNumber(code.Points), code.Suspect, tomlString(code.Meaning)))
		}
	}
	return lines
}

// settingsLines are what SettingsID covers besides: where lists are asked, and
// whether with a key.
func (ls *Lists) settingsLines() []string {
	var lines []string
	for i := range ls.All {
		_, keyed := ls.Keys[ls.All[i].ID]
		lines = append(lines, fmt.Sprintf("list[%03d].zone = %s %v", i, tomlString(ls.All[i].Zone), keyed))
	}
	return lines
}

// listPoints are the ids of the findings of lists that have points of their own.
func (c *Config) listPoints() []string {
	var ids []string
	for _, id := range sorted(c.Policy.Points) {
		if _, _, ok := cutListFinding(id); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
