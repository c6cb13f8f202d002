package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"mailprofiled/dnsbl"
)

// A cataloguedList is a list of the catalogue, for programs.
type cataloguedList struct {
	List    string           `json:"list"`
	Zone    string           `json:"zone"`
	Group   string           `json:"group"`
	Family  string           `json:"family"`
	Covers  string           `json:"covers"`
	Ask     []string         `json:"ask"`
	At      []string         `json:"at"`
	Status  string           `json:"status"`
	AsOf    string           `json:"as_of"`
	Advice  string           `json:"advice"`
	Instead string           `json:"instead"`
	Access  string           `json:"access"`
	Limits  string           `json:"limits"`
	Key     bool             `json:"key"` // it takes one, in lists.keys
	Delist  string           `json:"delist"`
	Notes   string           `json:"notes"`
	Codes   []cataloguedCode `json:"codes"`
}

type cataloguedCode struct {
	Answer  string  `json:"answer"`
	Kind    string  `json:"kind"`
	Points  float64 `json:"points"`
	Meaning string  `json:"meaning"`
}

func catalogued(l *dnsbl.List) cataloguedList {
	c := cataloguedList{
		List: l.ID, Zone: l.Zone, Group: l.Group, Family: l.Family, Covers: l.Covers, Ask: l.Asks.Names(), At: l.Stages.Names(),
		Status: string(l.Status), AsOf: l.AsOf, Advice: string(l.Default), Instead: l.Instead, Access: l.Access, Limits: l.Limits, Key: l.TakesKey(),
		Delist: l.Delist, Notes: l.Notes, Codes: []cataloguedCode{},
	}
	for _, code := range l.Codes {
		c.Codes = append(c.Codes, cataloguedCode{code.Answer, code.Kind.String(), code.Points, code.Meaning})
	}
	return c
}

// catalogue tells of all lists that are known, or of the one of that id.
func catalogue(id string, asJSON bool, stdout, stderr io.Writer) int {
	lists := dnsbl.Catalogue()
	if id != "" {
		l, ok := dnsbl.Find(id)
		if !ok {
			fmt.Fprintf(stderr, "mailprofiled lists: %s\n", unknownList(id))
			return exitFailed
		}
		lists = []dnsbl.List{l}
	}
	switch {
	case asJSON:
		all := make([]cataloguedList, len(lists))
		for i := range lists {
			all[i] = catalogued(&lists[i])
		}
		return printJSON(all, stdout, stderr)
	case id != "":
		printCatalogued(&lists[0], stdout)
	default:
		printCatalogue(lists, stdout)
	}
	return exitFine
}

// unknownList says that no list has such an id, and which comes near.
func unknownList(id string) string {
	text := fmt.Sprintf("the catalogue has no list %q", id)
	var near []string
	for _, l := range dnsbl.Catalogue() {
		if strings.Contains(l.ID, strings.ToLower(id)) || strings.Contains(l.Zone, strings.ToLower(id)) {
			near = append(near, l.ID)
		}
	}
	if len(near) > 0 && id != "" {
		return text + "; there is " + strings.Join(near, ", ")
	}
	return text + "; mailprofiled lists --catalogue has all"
}

func printCatalogue(lists []dnsbl.List, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	fmt.Fprintln(tw, "LIST\tFAMILY\tASKED\tAT\tSTATUS\tADVICE\tTO BE ANSWERED")
	for i := range lists {
		l := &lists[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Family, dashed(l.Asks.Names()), dashed(l.Stages.Names()), l.Status, adviceOf(l), l.Access)
	}
}

// adviceOf says in a word or two whether to use a list.
func adviceOf(l *dnsbl.List) string {
	if l.Instead != "" {
		return string(l.Default) + ": use " + l.Instead
	}
	return string(l.Default)
}

func dashed(names []string) string { return cmp.Or(strings.Join(names, ","), "-") }

func printCatalogued(l *dnsbl.List, w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer tw.Flush()
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(tw, "%s\t%s\n", name, value)
		}
	}
	row("list", l.ID)
	row("zone", cmp.Or(l.Zone, "none that everybody may ask"))
	row("by", l.Group)
	row("holds", l.Covers)
	row("asked", dashed(l.Asks.Names())+" at "+dashed(l.Stages.Names()))
	row("status", string(l.Status)+", as of "+l.AsOf)
	row("advice", adviceOf(l))
	row("access", l.Access)
	if l.TakesKey() {
		row("key", l.ID+` = "file:/path" under [lists.keys]`)
	}
	row("terms", l.Limits)
	row("delisting", l.Delist)
	row("notes", l.Notes)
	for _, code := range l.Codes {
		weight := ""
		if code.Points != 0 {
			weight = fmt.Sprintf(" %g", code.Points)
		}
		fmt.Fprintf(tw, "%s\t%s%s: %s\n", code.Answer, code.Kind, weight, code.Meaning)
	}
}
