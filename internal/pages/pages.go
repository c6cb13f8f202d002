// Package pages makes what a refused sender can read: a page for each finding that
// speaks in a reply, what it means and how to mend it. They are plain HTML without
// scripts, for any web server; verdict.help_url leads to them by {finding}.
package pages

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"mailprofiled/profile"
)

// text is the one source of all pages: "# id", a title, a paragraph, then "- " what
// to do and "$ " how to look.
//
//go:embed pages.txt
var text string

//go:embed page.html
var pageHTML string

//go:embed index.html
var indexHTML string

// Policy is the page of a reply for which no finding speaks.
const Policy = "policy"

// A Page is one of them.
type Page struct {
	ID    string   // "rdns-missing", "dnsbl", "policy": see Name
	Title string   // a sentence without a full stop
	Means string   // a paragraph
	Mend  []string // what to do, in this order
	Look  []string // commands that show it; words in capitals are to be filled in
}

// Site is whose pages they are. The zero Site is a site without a name, whose
// postmaster is found at the domain written to.
type Site struct {
	Name    string // of the site, for people
	Contact string // an address, or a link; "": postmaster at the domain written to
}

// Name gives the page of a finding: that of its kind, for those that carry a name of
// their own: "dnsbl" for "dnsbl:spamcop". No finding is Policy.
func Name(finding string) string {
	kind, _, _ := strings.Cut(finding, ":")
	if kind == "" {
		return Policy
	}
	return kind
}

// All are the pages of the findings that this version judges, and Policy.
func All() []Page {
	spoken := map[string]bool{Policy: true}
	for _, info := range profile.Findings() {
		spoken[Name(info.ID)] = spoken[Name(info.ID)] || info.Code != 0
	}
	return slices.DeleteFunc(written(), func(p Page) bool { return !spoken[p.ID] })
}

// written are the pages that have a text.
func written() []Page {
	var all []Page
	for block := range strings.SplitSeq("\n"+text, "\n# ") {
		lines := strings.Split(strings.TrimSpace(block), "\n")
		if len(lines) < 3 {
			continue // what stands before the first
		}
		p := Page{ID: lines[0], Title: lines[1], Means: lines[2]}
		for _, line := range lines[3:] {
			if step, ok := strings.CutPrefix(line, "- "); ok {
				p.Mend = append(p.Mend, step)
			} else if command, ok := strings.CutPrefix(line, "$ "); ok {
				p.Look = append(p.Look, command)
			}
		}
		all = append(all, p)
	}
	return all
}

var (
	pageTemplate  = template.Must(template.New("page").Funcs(functions).Parse(pageHTML))
	indexTemplate = template.Must(template.New("index").Funcs(functions).Parse(indexHTML))
)

var functions = template.FuncMap{
	"isAddress": func(s string) bool { return strings.Contains(s, "@") && !strings.Contains(s, "/") },
}

// Write writes one page. sentence is what the reply says, with the place of the
// client's address in braces; "" where there is none.
func Write(w io.Writer, s Site, p Page, sentence string) error {
	return pageTemplate.Execute(w, struct {
		Site     Site
		Page     Page
		Sentence string
	}{s, p, sentence})
}

// WriteIndex writes the page that leads to all others.
func WriteIndex(w io.Writer, s Site) error {
	return indexTemplate.Execute(w, struct {
		Site  Site
		Pages []Page
	}{s, All()})
}

// Check tells what is wrong with a Site.
func (s Site) Check() error {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case strings.ContainsFunc(s.Name+s.Contact, control):
		return errors.New("a control character in the name or contact")
	case s.Contact == "":
	case strings.HasPrefix(s.Contact, "https://"), strings.HasPrefix(s.Contact, "http://"):
	case !functions["isAddress"].(func(string) bool)(s.Contact):
		return fmt.Errorf("contact %q is neither a mail address nor a link; write postmaster@example.net or https://example.net/help", s.Contact)
	}
	return nil
}

// IDs are those of all pages, sorted.
func IDs() []string {
	var ids []string
	for _, p := range All() {
		ids = append(ids, p.ID)
	}
	slices.Sort(ids)
	return ids
}
