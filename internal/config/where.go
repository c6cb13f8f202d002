package config

import (
	"fmt"
	"strings"
)

// WhereOf says what gives a finding its weight: "file:line" of the setting, or
// what there is in its place, as the baseline with its name. "" where the finding's
// own detail has it: local rules name their line.
func (c *Config) WhereOf(finding string) string {
	if at, ok := c.origins[join("points", finding)]; ok {
		return at.text()
	}
	kind, id, named := strings.Cut(finding, ":")
	switch {
	case kind == "limit" && named:
		return c.whereOfLimit(id)
	case named:
		if at, own := c.Lists.OwnAt(id); own {
			return at.text()
		}
		return "the catalogue of lists; " + c.origin("lists.use", false)
	case strings.HasPrefix(finding, "local-"):
		return ""
	case finding == "account-blocked":
		return "accounts block"
	case finding == "account-hijack":
		return c.origin("accounts.hijack.action", false)
	}
	return c.origin(join("points", finding), true)
}

func (c *Config) whereOfLimit(name string) string {
	for i := range c.limits {
		if row := &c.limits[i]; row.limit.Name == name && row.at.File != "" {
			return row.at.text()
		}
	}
	return "built in"
}

// WhereOfKey says the same of a key, such as "verdict.reject_score".
func (c *Config) WhereOfKey(key string) string {
	for _, k := range Keys() {
		if k.Name == key {
			return c.origin(key, k.Baseline)
		}
	}
	return c.origin(key, false)
}

func (o Origin) text() string { return fmt.Sprintf("%s:%d", oneLine(o.File), o.Line) }
