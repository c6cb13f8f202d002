package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryCommandIsInTheManual: mailprofiled(8) names each command and no other, and
// each tells its flags.
func TestEveryCommandIsInTheManual(t *testing.T) {
	page, err := os.ReadFile("../../packaging/man/mailprofiled.8")
	if err != nil {
		t.Fatal(err)
	}
	var described, have []string
	for _, line := range regexp.MustCompile(`(?m)^\.It Cm (.*)$`).FindAllStringSubmatch(string(page), -1) {
		names, _, _ := strings.Cut(line[1], " Cm ")
		names, _, _ = strings.Cut(names, " Ar ")
		names, _, _ = strings.Cut(names, " Op ")
		for name := range strings.SplitSeq(names, ",") {
			described = append(described, strings.TrimSpace(name))
		}
	}
	for _, c := range commands() {
		have = append(have, c.name)
		var stdout, stderr bytes.Buffer
		code := c.run([]string{"--help"}, &stdout, &stderr)
		if code != exitFine || !strings.HasPrefix(stdout.String(), "usage: mailprofiled "+c.name) || stderr.Len() > 0 {
			t.Errorf("%s --help: exit code %d, %q, %q", c.name, code, stdout.String(), stderr.String())
		}
	}
	slices.Sort(described)
	slices.Sort(have)
	if !slices.Equal(described, have) {
		t.Errorf("the manual has\n%v\nthere are\n%v", described, have)
	}
}

// flagged matches a flag of ours in a shell line of the documents.
var flagged = regexp.MustCompile(`mailprofiled ([a-z]+)((?: [^|;&#]*)?)`)

// TestShownFlagsExist: a command line of the documents has no flag that is not there.
func TestShownFlagsExist(t *testing.T) {
	help := func(name, sub string) string { // of accounts raise, too
		var stdout, stderr bytes.Buffer
		for _, c := range commands() {
			if c.name == name {
				c.run([]string{"--help"}, &stdout, &stderr)
				c.run([]string{sub, "--help"}, &stdout, &stderr)
			}
		}
		return stdout.String()
	}
	files := []string{"../../README.md", "../../CHANGELOG.md"}
	documents := must(filepath.Glob("../../docs/*.md"))
	if len(documents) == 0 {
		t.Fatal("no documents in docs")
	}
	files = append(files, documents...)
	for _, file := range files {
		text := string(must(os.ReadFile(file)))
		for _, m := range flagged.FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
			shown, _, _ := strings.Cut(m[2], "`")
			shown, _, _ = strings.Cut(shown, "\n")
			first, _, _ := strings.Cut(strings.TrimSpace(shown), " ")
			known := help(m[1], first)
			if known == "" {
				continue // prose
			}
			for _, flag := range regexp.MustCompile(` (--[a-z-]+)`).FindAllStringSubmatch(shown, -1) {
				if !strings.Contains(known, flag[1]) && flag[1] != "--help" {
					t.Errorf("%s shows mailprofiled %s %s, which has no such flag", file, m[1], flag[1])
				}
			}
		}
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
