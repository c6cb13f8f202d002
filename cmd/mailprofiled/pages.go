package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mailprofiled/internal/pages"
	"mailprofiled/profile"
)

const pagesHelp = `
Writes into DIR what a refused sender can read: index.html, and a page for each
finding that speaks in a reply, with what it means and how to mend it. They are
plain HTML without scripts. Put them on any web server, and let replies lead there:
verdict.help_url = "https://postmaster.example.net/refused/{finding}.html"`

func runPages(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("pages DIR", pagesHelp)
	var site pages.Site
	fs.StringVar(&site.Name, "site", "", "the `NAME` of your site, for people")
	fs.StringVar(&site.Contact, "contact", "", "a mail `ADDRESS` or link where to ask; without it postmaster at the domain written to")
	dir, code, ok := parseWord(fs, args, stdout, stderr)
	if !ok {
		return code
	}
	if dir == "" {
		fmt.Fprintln(stderr, "mailprofiled pages: say where to: mailprofiled pages DIR")
		return exitMisuse
	}
	if err := site.Check(); err != nil {
		fmt.Fprintf(stderr, "mailprofiled pages: %v\n", err)
		return exitMisuse
	}
	n, err := writePages(dir, site)
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled pages: %v\n", err)
		return exitFailed
	}
	fmt.Fprintf(stdout, "%d pages in %s\n", n, dir)
	return exitFine
}

// writePages writes them all, each at one stroke: a web server may be reading there.
func writePages(dir string, site pages.Site) (n int, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	write := func(name string, make func(io.Writer) error) error {
		var b bytes.Buffer
		if err := make(&b); err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		temp := filepath.Join(dir, "."+name+".new")
		if err := os.WriteFile(temp, b.Bytes(), 0o644); err != nil {
			return err
		}
		if err := os.Rename(temp, path); err != nil {
			os.Remove(temp)
			return err
		}
		n++
		return nil
	}
	sentences, err := sentences()
	if err != nil {
		return 0, err
	}
	for _, p := range pages.All() {
		if err := write(p.ID+".html", func(w io.Writer) error { return pages.Write(w, site, p, sentences[p.ID]) }); err != nil {
			return n, err
		}
	}
	return n, write("index.html", func(w io.Writer) error { return pages.WriteIndex(w, site) })
}

// sentences are what replies say, by page, as the other side sees them.
func sentences() (map[string]string, error) {
	policy, err := profile.Baseline("standard")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for id, text := range policy.Texts {
		all[pages.Name(id)] = strings.NewReplacer("{client}", "ADDRESS", "{list}", "LIST (what its entry means); see LINK").Replace(text)
	}
	return all, nil
}
