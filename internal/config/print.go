package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"mailprofiled/profile"
)

// Print writes the effective settings as TOML that loads again, each with the
// file and line that made it. With changedOnly it leaves out those that are as
// the baseline has them, and sums up the drift from it. Secrets are masked.
func (c *Config) Print(w io.Writer, changedOnly bool) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# policy %s\n", c.PolicyID())
	if changedOnly {
		c.printDrift(out)
	}
	section := ""
	for _, line := range c.lines(changedOnly) {
		if line.section != section {
			section = line.section
			fmt.Fprintf(out, "\n[%s]\n", section)
		}
		fmt.Fprintf(out, "%s = %s  # %s\n", line.key, line.value, line.origin)
	}
	for i := range c.Lists.own {
		o := &c.Lists.own[i]
		fmt.Fprintf(out, "\n[[lists.own]]  # %s:%d\n", oneLine(o.Origin.File), o.Origin.Line)
		o.print(out)
	}
	for i := range c.Listeners {
		at := c.Listeners[i].At
		fmt.Fprintf(out, "\n[[listener]]  # %s:%d\n", oneLine(at.File), at.Line)
		c.Listeners[i].print(out)
	}
	for i := range c.Local {
		fmt.Fprintf(out, "\n[[local]]  # %s:%d\n", oneLine(c.Local[i].At.File), c.Local[i].At.Line)
		c.Local[i].print(out)
	}
	c.printLimits(out, changedOnly)
	c.printDirectory(out)
	for i := range c.Scoped {
		fmt.Fprintf(out, "\n[[admin.scoped]]  # %s:%d\n", oneLine(c.Scoped[i].At.File), c.Scoped[i].At.Line)
		c.Scoped[i].print(out)
	}
	return out.Flush()
}

type printed struct{ section, key, value, origin string }

func (c *Config) lines(changedOnly bool) []printed {
	var lines []printed
	plain := c.plain()
	for _, k := range keysNow() {
		switch {
		case inElement(k.Name):
			// Print writes each element behind the sections.
		case k.Name == "milter.listen" && len(c.Listeners) > 0:
			// They stand in its place: no file may have both.
		case k.Name == "points.*":
			for _, id := range append(findingIDs(), c.listPoints()...) {
				value := shownPoints(&k, c, id)
				if value != "on" && (!changedOnly || value != shownPoints(&k, plain, id)) {
					lines = append(lines, printed{"points", quoteBare(id), value, c.origin(join("points", id), true)})
				}
			}
		case k.Name == "texts.*":
			lines = append(lines, c.textLines()...)
		case k.Name == "lists.keys.*":
			lines = append(lines, c.keyLines()...)
		case k.Name == "directory.domain_aliases.*":
			lines = append(lines, c.aliasLines()...)
		case k.field == nil:
			if !changedOnly {
				lines = append(lines, c.line(&k, k.DefaultTOML()))
			}
		default:
			value, usual := k.Kind.format(k.get(c)), plain
			if k.Name == "baseline" {
				usual = Default()
			}
			if !changedOnly || k.Default == nil || value != k.Kind.format(k.get(usual)) {
				lines = append(lines, c.line(&k, value))
			}
		}
	}
	return lines
}

func (c *Config) line(k *Key, value string) printed {
	section, key, ok := strings.Cut(k.Name, ".")
	if !ok {
		section, key = "", k.Name
	}
	return printed{section, key, value, c.origin(k.Name, k.Baseline)}
}

// plain gives the settings of a file that says nothing but the baseline.
func (c *Config) plain() *Config {
	plain := Default()
	if policy, err := profile.Baseline(c.Policy.Baseline); err == nil {
		plain.Policy = policy
	}
	return plain
}

// Origin says where a file sets a key, such as "dns.servers"; ok is false when
// none does.
func (c *Config) Origin(key string) (at Origin, ok bool) {
	at, ok = c.origins[key]
	return at, ok
}

func (c *Config) origin(key string, ofBaseline bool) string {
	if at, ok := c.origins[key]; ok {
		return fmt.Sprintf("%s:%d", oneLine(at.File), at.Line)
	}
	if ofBaseline {
		return "baseline " + c.Policy.Baseline
	}
	return "default"
}
