package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// PolicyID names the policy: the baseline and the first 8 hex digits of a
// SHA-256 over the settings that make verdicts, "standard@1-3f9a2c1b". Two
// machines that differ only in sockets, [us], [dns] or [log] share it, and so
// do two files that say the same in other words. What the files of [[local]] hold
// counts once WithLists has told it; what the databases of [geo] and the file of
// accounts hold does not: they change every week, and the word of the operator stays
// the same.
func (c *Config) PolicyID() string {
	sum := sha256.Sum256([]byte(c.canonical(c.lists)))
	return c.Policy.Baseline + "-" + hex.EncodeToString(sum[:4])
}

// SettingsID names all settings on which a verdict may rest: those of the policy,
// [us], [dns], [geo], [[local]], [accounts] and [directory], and where DNS lists are asked. Two configurations with the same
// one judge the same visit alike, by what the files of [[local]], [geo], [accounts] and [directory] hold at that time: a daemon follows them.
func (c *Config) SettingsID() string {
	var b strings.Builder
	b.WriteString(c.canonical(nil))
	for i := range c.Local {
		c.Local[i].print(&b)
	}
	for _, k := range keysNow() {
		if strings.HasPrefix(k.Name, "us.") || strings.HasPrefix(k.Name, "dns.") || strings.HasPrefix(k.Name, "geo.") || k.Name == "accounts.file" ||
			strings.HasPrefix(k.Name, "directory.") && k.field != nil {
			b.WriteString(k.Name + " = " + k.Kind.canonical(k.get(c)) + "\n")
		}
	}
	for _, line := range append(c.Lists.settingsLines(), c.Directory.settingsLines()...) {
		b.WriteString(line + "\n")
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// canonical lists what the hash covers, one setting a line, in order. Of the
// baseline that is all it brings, so that a machine with another build of it shows.
// lists is the digest of the files of [[local]].
func (c *Config) canonical(lists []byte) string {
	lines := []string{"bots = " + strings.Join(slices.Sorted(slices.Values(c.Policy.Bots)), " ")}
	for id, text := range c.Policy.Texts {
		lines = append(lines, "text."+id+" = "+tomlString(text))
	}
	for _, k := range keysNow() {
		switch {
		case !k.Policy || inElement(k.Name):
		case k.Name == "points.*":
			for _, id := range append(findingIDs(), c.listPoints()...) {
				lines = append(lines, "points."+id+" = "+k.Kind.canonical(c.Policy.Points[id]))
			}
		default:
			lines = append(lines, k.Name+" = "+k.Kind.canonical(k.get(c)))
		}
	}
	for i := range c.Local {
		lines = append(lines, fmt.Sprintf("local[%06d] = %s", i, c.Local[i].line()))
	}
	lines = append(lines, c.listenerLines()...)
	lines = append(lines, c.limitLines()...)
	lines = append(lines, c.Lists.policyLines()...)
	lines = append(lines, c.Directory.lines()...)
	if c.readsLists() {
		lines = append(lines, "local files = "+hex.EncodeToString(lists))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
