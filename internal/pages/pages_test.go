package pages

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// TestEveryPageIsOfAFinding that can speak; that each of these has one, the house tests.
func TestEveryPageIsOfAFinding(t *testing.T) {
	all := IDs()
	for _, p := range written() {
		if !slices.Contains(all, p.ID) {
			t.Errorf("the page %s is of no finding", p.ID)
		}
	}
}

// TestPages holds each to what a page must have. Void elements are closed, so that an
// XML parser can tell whether all is nested and quoted as it should be.
func TestPages(t *testing.T) {
	hostile := Site{Name: `<script>alert(1)</script> & "co"`, Contact: `javascript:alert(1)@x`}
	for _, site := range []Site{{}, {"Example Net", "postmaster@example.net"}, {"Example", "https://example.net/help?a=1&b=2"}, hostile} {
		for _, p := range All() {
			var b bytes.Buffer
			if err := Write(&b, site, p, "The address ADDRESS <has> a \"name\""); err != nil {
				t.Fatal(err)
			}
			inspect(t, p.ID, b.String())
			if p.Title == "" || p.Means == "" || len(p.Mend) == 0 || !strings.HasSuffix(p.Means, ".") || strings.HasSuffix(p.Title, ".") {
				t.Errorf("%s: something is missing: %+v", p.ID, p)
			}
		}
		var b bytes.Buffer
		if err := WriteIndex(&b, site); err != nil {
			t.Fatal(err)
		}
		inspect(t, "index", b.String())
	}
}

// inspect holds a page to: well formed, no script nor anything from elsewhere, a title,
// a language, fit for a phone and the dark, links to pages that are there.
func inspect(t *testing.T, name, page string) {
	t.Helper()
	rest, ok := strings.CutPrefix(page, "<!DOCTYPE html>\n")
	if !ok {
		t.Errorf("%s: no doctype", name)
	}
	for _, want := range []string{`<html lang="en">`, `name="viewport"`, "prefers-color-scheme: dark", "<title>", "<h1>"} {
		if strings.Count(page, want) != 1 {
			t.Errorf("%s: %q is there %d times", name, want, strings.Count(page, want))
		}
	}
	d := xml.NewDecoder(strings.NewReader(rest))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, page)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if slices.Contains([]string{"script", "img", "link", "iframe", "form", "object"}, e.Name.Local) {
			t.Errorf("%s: has <%s>", name, e.Name.Local)
		}
		for _, a := range e.Attr {
			switch {
			case strings.HasPrefix(a.Name.Local, "on"):
				t.Errorf("%s: has %s", name, a.Name.Local)
			case a.Name.Local != "href":
			case strings.HasSuffix(a.Value, ".html"):
				if id := strings.TrimSuffix(a.Value, ".html"); id != "index" && !slices.Contains(IDs(), id) {
					t.Errorf("%s: leads to %s", name, a.Value)
				}
			case !strings.HasPrefix(a.Value, "mailto:") && !strings.HasPrefix(a.Value, "https://"):
				t.Errorf("%s: leads to %q", name, a.Value)
			}
		}
	}
}

func TestSiteCheck(t *testing.T) {
	for contact, ok := range map[string]bool{"": true, "jo@example.net": true, "https://example.net/": true, "javascript:alert(1)": false, "us": false, "a\nb@x": false} {
		if err := (Site{Contact: contact}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", contact, err)
		}
	}
}

func TestName(t *testing.T) {
	for finding, want := range map[string]string{"rdns-missing": "rdns-missing", "dnsbl:spamcop": "dnsbl", "limit:new accounts": "limit", "": "policy"} {
		if got := Name(finding); got != want {
			t.Errorf("%q: %s", finding, got)
		}
	}
}
