package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mailprofiled/internal/miltertest"
)

// TestListsAreFollowed: a changed file is taken in without a reload, under
// sessions too, and is another policy; rubbish in it changes nothing and is told.
func TestListsAreFollowed(t *testing.T) {
	idle := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, idle) })
	list := filepath.Join(t.TempDir(), "deny.txt")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("198.51.100.0/24 # others\n")
	h := newHouse(t, judging(startDNS(t, badZone, ""), 6)+"\n[[local]]\nmatch = [\"file:"+list+"\"]\naction = \"deny\"\nowner = \"jo\"\n")
	later := time.Now().Add(time.Hour) // a file is left alone while it is being written

	v := h.begin(t)
	defer v.Close()
	if a := ask(t, v); a.Action != "tempfail" {
		t.Fatalf("not on the list yet: %v", a)
	}
	before := h.status()
	if u := before.Local; len(u) != 1 || u[0].State != "unused" || u[0].Files[0].Entries != 1 {
		t.Errorf("status %+v", u)
	}

	put("198.51.100.0/24\n192.0.2.66\n")
	h.refresh(t.Context(), later)
	if a := mailed(t, v); a != "reject" {
		t.Errorf("on the list now: %v", a)
	}
	after := h.status()
	if after.Policy == before.Policy || after.Config.Settings != before.Config.Settings || after.Config.Loaded != before.Config.Loaded {
		t.Errorf("policy %s, settings %s; before %s, %s", after.Policy, after.Config.Settings, before.Policy, before.Config.Settings)
	}
	u := after.Local[0]
	if u.State != "active" || u.Hits == 0 || u.Last.IsZero() || u.Files[0].Unused != 1 || u.Files[0].UnusedLines[0] != 1 {
		t.Errorf("after a hit: %+v", u)
	}

	put("\x00\x01\x02\xff\n")
	h.refresh(t.Context(), later.Add(time.Hour))
	if a := mailed(t, v); a != "reject" {
		t.Errorf("rubbish in the list: %v", a)
	}
	if s := h.status(); s.Policy != after.Policy || !strings.Contains(s.Local[0].Files[0].Trouble, list+":1: binary data") {
		t.Errorf("policy %s, was %s; %+v", s.Policy, after.Policy, s.Local)
	}
	if r := h.reload(t.Context()); len(r.Errors) == 0 || !strings.HasPrefix(r.Errors[0], list+":1: binary data") {
		t.Errorf("reload with rubbish: %+v", r)
	}

	put("198.51.100.0/24\n192.0.2.66\nwhat is this\n")
	if r := h.reload(t.Context()); len(r.Errors) > 0 || len(r.Warnings) == 0 || !strings.HasPrefix(r.Warnings[len(r.Warnings)-1], list+":3: ") {
		t.Errorf("reload with a bad line: %+v", r)
	}
	if s := h.status(); s.Local[0].Hits < u.Hits || s.Local[0].Files[0].Bad != 1 {
		t.Errorf("a reload forgets what was counted: %+v", s.Local)
	}
	if err := v.Quit(); err != nil {
		t.Error(err)
	}
}

// mailed gives the answer to MAIL, where a denied client is told.
func mailed(t *testing.T, v *miltertest.Visit) string {
	t.Helper()
	a, err := v.Mail("<jo@good.example>", "")
	if err != nil {
		t.Error(err)
	}
	if err := v.Reset(); err != nil {
		t.Error(err)
	}
	return a.Action
}
