package dnsbl

import (
	"slices"
	"testing"
)

// TestReread: an answer means what the other list's codes say, and nothing where there is
// no other list.
func TestReread(t *testing.T) {
	find := func(id string) List {
		l, ok := Find(id)
		if !ok {
			t.Fatal(id)
		}
		return l
	}
	said := func(id, answers string) Answer {
		l := find(id)
		l.compile()
		a := Answer{List: &l}
		a.State, a.Reason, a.Matches = l.read(nil, addrsOf(t, answers))
		return a
	}
	lighter := find("uribl")
	lighter.Codes = slices.Clone(lighter.Codes)
	for i := range lighter.Codes {
		lighter.Codes[i].Points /= 2
	}
	other := NewOther([]List{lighter, find("spamhaus-zen"), find("uribl")})
	for _, c := range []struct {
		name, list, answers string
		ok                  bool
		state               State
		points              float64
	}{
		{"half of the points", "uribl", "127.0.0.2", true, Hit, 2.5},
		{"of one address each bit counts once", "uribl", "127.0.0.10", true, Hit, 3},
		{"the same list", "spamhaus-zen", "127.0.0.2 127.0.0.4 127.0.0.9", true, Hit, 12},
		{"a refusal stays one", "spamhaus-zen", "127.255.255.254", true, Unknown, 0},
		{"what is no list's answer", "spamhaus-zen", "10.0.0.1", true, Unknown, 0},
		{"nothing", "spamhaus-zen", "", true, Clear, 0},
		{"a list that is not theirs", "spamcop", "127.0.0.2", false, Hit, 0},
	} {
		a, ok := other.Reread(said(c.list, c.answers))
		if ok != c.ok || ok && (a.State != c.state || a.Points() != c.points) {
			t.Errorf("%s: %v, %v, %v points; want %v, %v, %v", c.name, ok, a.State, a.Points(), c.ok, c.state, c.points)
		}
	}
	unknown, ok := other.Reread(Answer{List: &lighter, Reason: "timeout"})
	if !ok || unknown.State != Unknown || unknown.Reason != "timeout" {
		t.Errorf("no answer: %+v", unknown)
	}
	if i, ok := other.Place("spamhaus-zen"); i != 1 || !ok {
		t.Errorf("place %d, %v", i, ok)
	}
	if _, ok := (*Other)(nil).Reread(said("uribl", "127.0.0.2")); ok {
		t.Error("nobody has read it")
	}
}
