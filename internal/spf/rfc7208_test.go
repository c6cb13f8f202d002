package spf

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// notFollowed are the cases of the suite that end differently here, and why.
// docs/spf.md has the same list for operators.
var notFollowed = map[string]string{}

// A suite is one document of the conformance suite.
type suite struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               some
	}
	ZoneData map[string][]map[string]any `yaml:"zonedata"`
}

// some is one string or a list of them.
type some []string

func (s *some) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		return n.Decode((*[]string)(s))
	}
	*s = some{n.Value}
	return nil
}

// TestConformance runs the openspf suite for RFC 7208, release 2014.04, which
// the library has beside its source.
func TestConformance(t *testing.T) {
	cases, passed := 0, 0
	for _, s := range suites(t) {
		w := s.world()
		for name, test := range s.Tests {
			cases++
			got := Check(t.Context(), w, Query{Client: netip.MustParseAddr(test.Host), Helo: test.Helo, Sender: test.MailFrom})
			ok := slices.Contains(test.Result, got.Outcome.String())
			why, listed := notFollowed[name]
			switch {
			case ok && listed:
				t.Errorf("%s passes now: take it off the list", name)
			case ok:
				passed++
			case !listed:
				t.Errorf("%s: %s\n got %v (%s %s)\nwant %v", s.Description, name, got.Outcome, got.Mechanism, got.Reason, test.Result)
			default:
				t.Logf("%s: got %v, want %v: %s", name, got.Outcome, test.Result, why)
			}
		}
	}
	if cases != 203 || passed+len(notFollowed) != cases {
		t.Errorf("%d cases, %d passed, %d not followed; want 203 in all", cases, passed, len(notFollowed))
	}
}

// suites reads the suite from the folder of the library's module.
func suites(t *testing.T) (all []suite) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "blitiri.com.ar/go/spf").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	f, err := os.Open(filepath.Join(strings.TrimSpace(string(dir)), "testdata", "rfc7208-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for dec := yaml.NewDecoder(f); ; {
		var s suite
		switch err := dec.Decode(&s); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

// world makes the zone of a document. An SPF record stands for TXT unless the
// name has TXT of its own; TIMEOUT is for types without a record.
func (s suite) world() *world {
	w := newWorld()
	for name, records := range s.ZoneData {
		n := w.at(name)
		ownTXT := slices.ContainsFunc(records, func(r map[string]any) bool { return r["TXT"] != nil })
		for _, r := range records {
			for kind, v := range r {
				n.put(kind, v, ownTXT)
			}
		}
	}
	return w
}

func (n *node) put(kind string, v any, ownTXT bool) {
	switch list, _ := v.([]any); kind {
	case "SPF":
		if !ownTXT {
			n.txt = append(n.txt, joined(v))
		}
	case "TXT":
		if text := joined(v); text != "NONE" {
			n.txt = append(n.txt, text)
		}
	case "A", "AAAA":
		n.addr(netip.MustParseAddr(v.(string)))
	case "MX":
		n.mx = append(n.mx, strings.ToLower(list[1].(string)))
	case "PTR":
		n.ptr = append(n.ptr, strings.TrimSuffix(strings.ToLower(v.(string)), "."))
	case "CNAME":
		n.cname = v.(string)
	case "TIMEOUT", "CNAMELOOP":
		n.timeout = true
	default:
		panic("the suite has records of type " + kind)
	}
}

// joined puts the strings of a text together.
func joined(v any) string {
	list, ok := v.([]any)
	if !ok {
		return v.(string)
	}
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s.(string))
	}
	return b.String()
}
