package dnsbl

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write catalogue.json anew")

// TestCatalogueIsMadeOfTheFacts makes catalogue.json of the tables in catalogue/.
func TestCatalogueIsMadeOfTheFacts(t *testing.T) {
	made := makeCatalogue(t)
	if *update {
		if err := os.WriteFile("catalogue.json", made, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile("catalogue.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("catalogue.json is not what catalogue/*.csv make; run go generate ./dnsbl")
	}
}

// facts reads a CSV file of catalogue/ as one map for each row.
func facts(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("catalogue", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := make([]map[string]string, len(rows)-1)
	for i, row := range rows[1:] {
		all[i] = map[string]string{}
		for k, column := range rows[0] {
			all[i][column] = row[k]
		}
	}
	return all
}

// makeCatalogue writes one list after the other, each code on a line of its own.
func makeCatalogue(t *testing.T) []byte {
	t.Helper()
	more := map[string]map[string]string{}
	for _, r := range facts(t, "supplement.csv") {
		if more[r["id"]] == nil {
			more[r["id"]] = map[string]string{}
		}
		more[r["id"]][r["field"]] = r["value"]
	}
	codes := map[string][]row{}
	for _, r := range facts(t, "dnsbl-codes.csv") {
		codes[r["id"]] = append(codes[r["id"]], codeOf(t, r, more[r["id"]]["suspect"]))
	}
	var out bytes.Buffer
	out.WriteString("[")
	for i, r := range facts(t, "dnsbl-catalogue.csv") {
		e := entryOf(t, r, more[r["id"]])
		if i > 0 {
			out.WriteString(",")
		}
		object := marshal(t, e, "  ")
		out.WriteString("\n" + strings.TrimSuffix(object, "\n}"))
		for k, c := range codes[e.ID] {
			out.WriteString([]string{",\n  \"codes\": [\n    ", ",\n    "}[min(k, 1)] + marshal(t, c, ""))
		}
		if codes[e.ID] != nil {
			out.WriteString("\n  ]")
		}
		out.WriteString("\n}")
	}
	out.WriteString("\n]\n")
	return out.Bytes()
}

func marshal(t *testing.T, v any, indent string) string {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return array.ReplaceAllStringFunc(strings.TrimSuffix(out.String(), "\n"), func(a string) string {
		return strings.ReplaceAll(strings.Join(strings.Fields(a), ""), `","`, `", "`)
	})
}

// array is an array of strings over several lines.
var array = regexp.MustCompile(`\[\n[^]]*\]`)

func entryOf(t *testing.T, r, more map[string]string) entry {
	t.Helper()
	e := entry{
		ID: r["id"], Group: r["operator"], Family: r["family"], Covers: r["lists"], Ask: fields(r["keys"]), Name: more["name"],
		Access: r["access"], Limits: r["limits"], Listed: tests(r["test_positive"]), Unlisted: tests(r["test_negative"]),
		Delist: r["delist_url"], Status: Status(r["status"]), AsOf: r["as_of"], Default: Default(r["default"]),
		Instead: more["instead"], Notes: r["notes"], Source: r["source"],
	}
	if zone := r["zone"]; !prose(zone) {
		e.Zone = zone
	}
	if form := r["key_form"]; form != "" {
		_, e.KeyForm, _ = strings.Cut(form, "}.") // what stands behind {reversed} or {domain}
	}
	for _, at := range fields(r["use_at"]) {
		switch at {
		case "none":
		case "mail:null-sender-only":
			e.At = append(e.At, Bounce.String())
		default:
			e.At = append(e.At, at)
		}
	}
	return e
}

func codeOf(t *testing.T, r map[string]string, suspect string) row {
	t.Helper()
	points, err := strconv.ParseFloat(r["weight"], 64)
	if err != nil {
		t.Fatalf("%s: %v", r["id"], err)
	}
	if r["kind"] == Info.String() { // logged only, whatever other filters make of it
		points = 0
	}
	c := row{Answer: r["answer"], Match: r["match"], Kind: r["kind"], Points: points, Meaning: r["meaning"]}
	if suspect != "" {
		c.Suspect = r["answer"] == suspect
	}
	return c
}

func fields(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return c == ';' })
}

// prose is what is said to people instead of a name or an address.
func prose(s string) bool { return strings.ContainsAny(s, " (") }

// tests gives test entries, none if there is prose among them.
func tests(s string) []string {
	if prose(s) {
		return nil
	}
	return fields(strings.ToLower(s))
}

// TestTheWholeCatalogueIsThere compares with the tables, row by row.
func TestTheWholeCatalogueIsThere(t *testing.T) {
	lists, codes := facts(t, "dnsbl-catalogue.csv"), facts(t, "dnsbl-codes.csv")
	if len(lists) != 79 || len(codes) != 224 {
		t.Errorf("the tables have %d lists and %d codes, want 79 and 224", len(lists), len(codes))
	}
	n := 0
	for _, r := range lists {
		l, ok := Find(r["id"])
		if !ok {
			t.Errorf("%s is not in the catalogue", r["id"])
			continue
		}
		n += len(l.Codes)
		if l.Group != r["operator"] || string(l.Status) != r["status"] || l.AsOf != r["as_of"] || l.Delist != r["delist_url"] {
			t.Errorf("%s: %+v is not what its row says: %v", l.ID, l, r)
		}
	}
	if n != len(codes) {
		t.Errorf("%d codes hang on lists, want %d", n, len(codes))
	}
	for _, id := range []string{"mipspace", "spamrats-dyna", "spamrats-noptr", "spamrats-spam", "spamrats-auth", "spamrats-all"} {
		if l, _ := Find(id); len(l.Codes) == 0 {
			t.Errorf("%s has no codes", id)
		}
	}
}

// TestEachListIsSound checks each row by the rules that all must keep.
func TestEachListIsSound(t *testing.T) {
	seen := map[string]bool{}
	zones := map[string]string{}
	for _, l := range Catalogue() {
		t.Run(l.ID, func(t *testing.T) {
			for _, why := range unsound(&l) {
				t.Error(why)
			}
			if seen[l.ID] {
				t.Error("the id stands there twice")
			}
			if other := zones[l.Zone]; other != "" && l.Zone != "" {
				t.Errorf("the zone is that of %s", other)
			}
			seen[l.ID], zones[l.Zone] = true, l.ID
		})
	}
}

func unsound(l *List) (why []string) {
	say := func(ok bool, format string, args ...any) {
		if !ok {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	say(l.ID != "" && l.Group != "" && l.AsOf != "", "id, group or date is empty")
	say(slices.Contains([]string{"block", "allow", "mixed"}, l.Family), "family is %q", l.Family)
	say(slices.Contains([]Status{Live, Unsure, Charged, Dead}, l.Status), "status is %q", l.Status)
	say(slices.Contains([]Default{Recommended, Off, Never}, l.Default), "default is %q", l.Default)
	say(l.Asks != 0, "nothing may be asked")
	dead := l.Status == Dead
	say(dead == (l.Stages == 0), "%s list with stages %q", l.Status, l.Stages)
	say(dead == (len(l.Codes) == 0), "%s list with %d codes", l.Status, len(l.Codes))
	say(!dead || l.Default == Never, "dead, but default is %q", l.Default)
	say(l.Default != Never || l.Instead != "", "nothing is named to use instead")
	if l.Instead != "" {
		better, ok := Find(l.Instead)
		say(ok && better.Status == Live && better.Default != Never, "instead: %q is not to be advised", l.Instead)
		say(better.Asks&l.Asks != 0, "instead: %q cannot be asked the same", l.Instead)
	}
	say(l.Delist == "" || strings.HasPrefix(l.Delist, "http"), "delisting URL %q", l.Delist)
	say(!strings.Contains(l.KeyForm, "}.") || strings.Count(l.KeyForm, "{key}") == 1, "key form %q", l.KeyForm)
	for _, zone := range []string{l.Zone, l.KeyForm} {
		plain := strings.Replace(zone, "{key}", "k", 1)
		say(zone == "" || validName(plain), "%q is no zone", zone)
	}
	for _, test := range slices.Concat(l.Listed, l.Unlisted) {
		_, isAddr := netip.ParseAddr(test)
		say((isAddr == nil) != (l.Asks == Domain), "test entry %q is not of what may be asked", test)
	}
	for i := range l.Codes {
		c := &l.Codes[i]
		say(c.Meaning != "", "%s has no meaning", c.Answer)
		say(c.Kind != Listed || c.Points > 0, "%s is a listing of %g points", c.Answer, c.Points)
		say(c.Kind != Allow || c.Points < 0, "%s speaks for the client with %g points", c.Answer, c.Points)
		say(l.Family != "block" || c.Kind != Allow, "%s speaks for the client, in a block list", c.Answer)
		say(l.Family != "allow" || c.Kind != Listed, "%s is a listing, in an allow list", c.Answer)
	}
	return why
}

// answersOf walks through what lists answer: the networks that any code is about.
func answersOf(yield func(uint32) bool) {
	for _, net := range []uint32{127 << 24, 127<<24 | 1<<8, 127<<24 | 2<<8, 127<<24 | 4<<8, 127<<24 | 10<<8, 127<<24 | 20<<8, 127<<24 | 255<<16 | 255<<8} {
		for last := range uint32(256) {
			if !yield(net | last) {
				return
			}
		}
	}
}

// TestEachCodeIsReached looks for codes that another one hides.
func TestEachCodeIsReached(t *testing.T) {
	for _, l := range Catalogue() {
		reached := map[*Code]bool{}
		for n := range answersOf {
			for _, m := range l.match(nil, n) {
				reached[m.Code] = true
			}
		}
		for i := range l.Codes {
			if c := &l.Codes[i]; !reached[c] {
				t.Errorf("%s: no answer means %s %q", l.ID, c.Answer, c.Meaning)
			}
		}
	}
}

// TestNoAnswerMeansTwoThings looks for codes of one list that precedence does not order.
func TestNoAnswerMeansTwoThings(t *testing.T) {
	for _, l := range Catalogue() {
		for n := range answersOf {
			var over []*Code
			for i := range l.Codes {
				if c := &l.Codes[i]; c.reach.covers(n) && c.reach.form != mask {
					over = append(over, c)
				}
			}
			for i, c := range over {
				for _, d := range over[:i] {
					if c.compare(d) == 0 {
						t.Errorf("%s: %s means both %q and %q", l.ID, addrOf(n), c.Meaning, d.Meaning)
					}
				}
			}
		}
	}
}

func TestTheCatalogueIsShared(t *testing.T) {
	first, second := Catalogue(), Catalogue()
	first[0].ID = "changed"
	if second[0].ID == "changed" || Catalogue()[0].ID == "changed" {
		t.Error("one caller changes the catalogue of another")
	}
	if _, ok := Find("no-such-list"); ok {
		t.Error("found a list that is not there")
	}
}
