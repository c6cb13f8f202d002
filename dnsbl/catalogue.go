package dnsbl

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// catalogue.json is made from catalogue/*.csv, the facts with their sources.
//
//go:generate go test -run TestCatalogueIsMadeOfTheFacts -update

//go:embed catalogue.json
var catalogueJSON []byte

// An entry is a list as catalogue.json holds it.
type entry struct {
	ID       string   `json:"id"`
	Zone     string   `json:"zone,omitempty"`
	KeyForm  string   `json:"key_form,omitempty"`
	Group    string   `json:"group"`
	Family   string   `json:"family"`
	Covers   string   `json:"covers,omitempty"`
	Ask      []string `json:"ask"`
	At       []string `json:"at,omitempty"`
	Name     string   `json:"name,omitempty"`
	Access   string   `json:"access"`
	Limits   string   `json:"limits,omitempty"`
	Listed   []string `json:"listed,omitempty"`
	Unlisted []string `json:"unlisted,omitempty"`
	Delist   string   `json:"delist,omitempty"`
	Status   Status   `json:"status"`
	AsOf     string   `json:"as_of"`
	Default  Default  `json:"default"`
	Instead  string   `json:"instead,omitempty"`
	Notes    string   `json:"notes,omitempty"`
	Source   string   `json:"source"`
	Codes    []row    `json:"codes,omitempty"`
}

// A row is a code as catalogue.json holds it.
type row struct {
	Answer  string  `json:"answer"`
	Match   string  `json:"match"`
	Kind    string  `json:"kind"`
	Points  float64 `json:"points,omitempty"`
	Suspect bool    `json:"suspect,omitempty"`
	Meaning string  `json:"meaning"`
}

// catalogue is read once. It is ours and tested: a mistake in it is a bug.
var catalogue = sync.OnceValue(func() []List {
	lists, err := parseCatalogue(catalogueJSON)
	if err != nil {
		panic("dnsbl: catalogue: " + err.Error())
	}
	return lists
})

// Catalogue is all lists that are known, dead ones too, in the catalogue's order.
// What it shares with others is read-only.
func Catalogue() []List { return slices.Clone(catalogue()) }

// Find is the catalogue's list of that id.
func Find(id string) (List, bool) {
	all := catalogue()
	if i := slices.IndexFunc(all, func(l List) bool { return l.ID == id }); i >= 0 {
		return all[i], true
	}
	return List{}, false
}

// OfZone is the catalogue's list that is asked under a zone, in any case of letters, with
// or without its last dot and a "{key}" before it. Where none is, it is the one whose zone
// is the nearest above, and exact is false: what lies below is that operator's too.
func OfZone(zone string) (l List, exact, ok bool) {
	name, nearest := plainZone(zone), ""
	for _, known := range catalogue() {
		switch z := plainZone(known.Zone); {
		case z == "" || name == "":
		case z == name:
			return known, true, true
		case strings.HasSuffix(name, "."+z) && len(z) > len(nearest):
			l, nearest = known, z
		}
	}
	return l, false, nearest != ""
}

// plainZone is a zone as zones are compared.
func plainZone(zone string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(zone, ".")), "{key}.")
}

// Catalogued is the catalogue's list of that id, else the one that is asked under that
// zone or above it.
func (l *List) Catalogued() (List, bool) {
	if known, ok := Find(l.ID); ok {
		return known, true
	}
	known, _, ok := OfZone(l.Zone)
	return known, ok
}

func parseCatalogue(text []byte) ([]List, error) {
	var entries []entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, err
	}
	lists := make([]List, len(entries))
	for i := range entries {
		var err error
		if lists[i], err = entries[i].list(); err != nil {
			return nil, fmt.Errorf("%s: %w", entries[i].ID, err)
		}
	}
	return lists, nil
}

func (e *entry) list() (l List, err error) {
	l = List{
		ID: e.ID, Zone: e.Zone, KeyForm: e.KeyForm, Group: e.Group, Family: e.Family, Covers: e.Covers,
		Access: e.Access, Limits: e.Limits, Listed: e.Listed, Unlisted: e.Unlisted, Delist: e.Delist,
		Status: e.Status, AsOf: e.AsOf, Default: e.Default, Instead: e.Instead, Notes: e.Notes,
	}
	if e.Name == "registered" {
		l.Form = Registered
	}
	if l.Asks, err = ParseAsks(e.Ask); err != nil {
		return List{}, err
	}
	if l.Stages, err = ParseStages(e.At); err != nil {
		return List{}, err
	}
	for _, r := range e.Codes {
		kind, err := ParseKind(r.Kind)
		if err != nil {
			return List{}, err
		}
		c, err := NewCode(r.Answer, r.Match, r.Meaning, kind, r.Points)
		if err != nil {
			return List{}, err
		}
		c.Suspect = r.Suspect
		l.Codes = append(l.Codes, c)
	}
	l.compile()
	return l, nil
}
