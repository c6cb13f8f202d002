package config

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const manual = "../../docs/config.md"

// TestTheManualIsTheSchema holds docs/config.md to the schema. To write it anew:
//
//	go test ./internal/config -run Manual -update
func TestTheManualIsTheSchema(t *testing.T) {
	compareGolden(t, manual, manualText())
	for _, k := range keysNow() {
		if k.Doc == "" {
			t.Errorf("%s has no sentence for the manual", k.Name)
		}
	}
}

func TestTheManualCoversWhatIsThere(t *testing.T) {
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Keys() {
		if !strings.Contains(string(data), "`"+k.Name+"`") {
			t.Errorf("%s does not name %s", manual, k.Name)
		}
	}
}

func manualText() string {
	var b strings.Builder
	b.WriteString(`# The configuration, key by key

Written by the schema itself (internal/config): do not edit here. The file is TOML, by default /etc/mailprofiled/mailprofiled.toml, and
each *.toml in conf.d beside it, in the order of their names: a key set again replaces, [[tables]] add up. An unknown key, a key set twice
in one file and a value without sense stop the start; ` + "`mailprofiled check`" + ` tells all mistakes at once. Durations take s m h d w
("90s", "1h30m"), sizes KiB MiB GiB. A ` + "`*`" + ` stands for any name, ` + "`[]`" + ` for each of [[tables]].

*reload*: ` + "`mailprofiled reload`" + ` takes a change over; *restart*: only a restart does. The points are in [findings.md](findings.md).
`)
	section := "-"
	for _, k := range keysNow() {
		if s := sectionOf(k.Name); s != section {
			section = s
			heading := "[" + s + "]"
			if s == "" {
				heading = "At the top"
			} else if strings.HasSuffix(s, "[]") {
				heading = "[[" + strings.TrimSuffix(s, "[]") + "]]"
			}
			heading = strings.ReplaceAll(heading, "[].", ".")
			fmt.Fprintf(&b, "\n## %s\n\n| key | takes | default | changed by | says |\n| --- | --- | --- | --- | --- |\n", heading)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Name, takes(k), usual(k), changedBy(k), cell(k.Doc))
	}
	var names []string
	for _, k := range keysLater() {
		names = append(names, "`"+k.Name+"`")
	}
	if len(names) > 0 {
		b.WriteString("\n## Not in this version yet\n\nThese are refused in those words.\n\n")
		b.WriteString(wrapped(strings.Join(names, " "), 140))
	}
	return b.String()
}

// sectionOf is the table that a key stands in.
func sectionOf(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i]
	}
	return ""
}

func takes(k Key) string {
	switch {
	case k.Kind.Range == "":
		return cell(k.Kind.Name)
	case k.Kind.Name == "word" || k.Kind.Name == "points":
		return cell(k.Kind.Range)
	}
	return cell(k.Kind.Name + ", " + k.Kind.Range)
}

func usual(k Key) string {
	switch {
	case k.Baseline:
		return "the baseline's"
	case k.Default == nil:
		return "-"
	}
	return "`" + cell(k.DefaultTOML()) + "`"
}

func changedBy(k Key) string {
	if k.Hot {
		return "reload"
	}
	return "restart"
}

// cell keeps text inside one cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// wrapped breaks text at blanks into lines of at most n octets.
func wrapped(text string, n int) string {
	var b strings.Builder
	used := 0
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case used == 0:
		case used+1+len(word) > n:
			b.WriteByte('\n')
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	return b.String() + "\n"
}
