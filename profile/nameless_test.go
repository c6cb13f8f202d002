package profile

import (
	"net/netip"
	"slices"
	"testing"
)

// A log that says "unknown" leaves open whether there is no name or none that leads
// back: the lesser of the two is held against the client.
func TestNameless(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.7")
	tests := []struct {
		name                 string
		missing, unconfirmed Points
		want                 string
	}{
		{"unconfirmed weighs less", Points{Value: 6}, Points{Value: 3}, "rdns-unconfirmed:3"},
		{"missing weighs less", Points{Value: 2}, Points{Value: 3}, "rdns-missing:2"},
		{"equal points", Points{Value: 3}, Points{Value: 3}, "rdns-unconfirmed:3"},
		{"the lesser is off: nothing can be said", Points{Value: 6}, Points{Rule: Off}, ""},
		{"the lesser is monitored: it weighs nothing", Points{Value: 6}, Points{Rule: Monitor}, "rdns-unconfirmed:0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Baseline("standard")
			if err != nil {
				t.Fatal(err)
			}
			p.Points["rdns-missing"], p.Points["rdns-unconfirmed"] = tt.missing, tt.unconfirmed
			j := Judge(&Session{Client: client, RDNS: RDNS{Nameless: true}, Helo: Helo{Given: Shown, Name: "mail.good.example"}}, p)
			got := ""
			for _, f := range j.Findings {
				got += f.ID + ":" + Points{Value: f.Points}.String()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever the points: one of whom it is known what holds is never judged milder
// than one of whom it is not.
func TestNamelessIsTheLesser(t *testing.T) {
	client := netip.MustParseAddr("192.0.2.7")
	for _, name := range Baselines() {
		p, err := Baseline(name)
		if err != nil {
			t.Fatal(err)
		}
		score := func(r RDNS) float64 {
			return Judge(&Session{Client: client, RDNS: r, Helo: Helo{Given: Shown, Name: "mail.good.example"}}, p).Score
		}
		got := score(RDNS{Nameless: true})
		known := []float64{
			score(RDNS{Outcome: NoName}),
			score(RDNS{Outcome: Found, Names: []PTR{{Name: "mail.good.example", Forward: Mismatch}}}),
		}
		if got != slices.Min(known) {
			t.Errorf("%s: nameless scores %g, missing and unconfirmed %v", name, got, known)
		}
	}
}
