package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestNobodyIsRefusedByASourceThatLostItsData: one that fails over to an empty replica,
// or was never right, says No to everybody. That is not believed.
func TestNobodyIsRefusedByASourceThatLostItsData(t *testing.T) {
	at := func(name string) Address {
		local, domain, _ := strings.Cut(name, "@")
		return Address{local, domain}
	}
	everybody := map[string]Result{"jo@a.example": Yes, "al@a.example": Yes, "eve@b.example": Yes}
	for _, tt := range []struct {
		name   string
		before string // who is asked about while all is well
		known  string // who is known later
		ask    string
		want   string
	}{
		{"all is well", "jo@a.example al@a.example", "jo@a.example al@a.example", "x@a.example", "no"},
		{"one has left, and another is there", "jo@a.example al@a.example", "al@a.example", "jo@a.example", "no"},
		{"empty", "jo@a.example al@a.example eve@b.example", "", "zoe@a.example", "failed"},
		{"empty: who was known before still is", "jo@a.example al@a.example eve@b.example", "", "jo@a.example", "yes stale"},
		{"a domain is lost", "jo@a.example al@a.example eve@b.example", "eve@b.example", "zoe@a.example", "failed"},
		{"the one user of a domain has left", "jo@a.example eve@b.example", "eve@b.example", "jo@a.example", "no"},
		{"and others there are not known either", "jo@a.example eve@b.example", "eve@b.example", "zoe@a.example", "no"},
		{"the one user of all", "jo@a.example", "", "zoe@a.example", "failed"},
		{"a domain of which nobody was known yet", "eve@b.example", "eve@b.example jo@a.example", "x@a.example", "failed"},
		{"nobody was asked about yet", "", "jo@a.example", "x@a.example", "failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBackend()
				b.known = everybody
				g := NewGuard("x", b, Keeping{Yes: time.Hour, No: time.Minute, Down: 24 * time.Hour}, nil)
				defer g.Close()
				for name := range strings.FieldsSeq(tt.before) {
					if got := g.result(time.Second, at(name)); got != "yes" {
						t.Fatal(got)
					}
				}
				time.Sleep(2 * time.Hour)
				b.set(func(b *backend) {
					b.known = map[string]Result{}
					for name := range strings.FieldsSeq(tt.known) {
						b.known[name] = Yes
					}
				})
				for range 3 {
					if got := g.result(time.Second, at(tt.ask)); got != tt.want {
						t.Errorf("%s: %s, want %s", tt.ask, got, tt.want)
					}
					time.Sleep(2 * time.Minute)
				}
				if h := g.Health(); !h.Up {
					t.Errorf("it is left alone: %+v", h)
				}
				b.set(func(b *backend) { b.known = everybody })
				for name := range everybody {
					g.result(time.Second, at(name))
				}
				if got := g.result(time.Second, at("x@a.example")); got != "no" {
					t.Errorf("all is well again: %s", got)
				}
			})
		})
	}
}

// TestWitnessesCostLittle: one question a second, whatever is asked.
func TestWitnessesCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		g.result(time.Second, jo)
		time.Sleep(time.Minute)
		for i := range 1000 {
			if got := g.result(time.Second, Address{fmt.Sprint("x", i), "a.example"}); got != "no" {
				t.Fatal(got)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := b.asked[jo.String()]; n > 12 {
			t.Errorf("asked for the witness %d times in 10 s", n)
		}
	})
}

// TestAWitnessWhoCannotSpeakIsPassedOver: a mailbox that is full, or disabled, is none
// that is gone.
func TestAWitnessWhoCannotSpeakIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.known = map[string]Result{"jo@a.example": Yes, "al@a.example": Yes, "eve@a.example": Yes}
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		for _, name := range []string{"jo", "al", "eve"} {
			g.result(time.Second, Address{name, "a.example"})
		}
		time.Sleep(2 * time.Second)
		b.set(func(b *backend) {
			b.known["eve@a.example"], b.known["al@a.example"] = Unknown, Failed
			b.excuse = OnlyThis(errors.New("452 4.2.2 full"))
		})
		if got := g.result(time.Second, nobody); got != "no" {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		b.set(func(b *backend) { b.known["jo@a.example"] = No })
		if got := g.result(time.Second, Address{"x", "a.example"}); got != "failed" {
			t.Errorf("with nobody who speaks: %s", got)
		}
		b.set(func(b *backend) { b.known["al@a.example"] = Yes })
		if got := g.result(time.Second, Address{"x", "a.example"}); got != "no" {
			t.Errorf("with one who speaks again: %s", got)
		}
	})
}

// TestTheWayToAYesStaysOpen: a No in doubt does not keep the address without its
// extension, or the catch-all, from being asked about.
func TestTheWayToAYesStaysOpen(t *testing.T) {
	for _, known := range []string{"jo@a.example", "@a.example"} {
		b := newBackend()
		b.known = map[string]Result{known: Yes}
		s := NewStack(Options{Ours: []string{"a.example"}, Delimiters: "+", Routes: []Route{{Kind: "x", Guard: NewGuard("x", b, keeps, nil)}}})
		if got := s.Lookup(within(time.Minute), Address{"jo+x", "a.example"}); got.Result != Yes {
			t.Errorf("%s: %+v", known, got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTroubleWithOneAddressIsNoOutage: five mailboxes that are full, or addresses that a
// database cannot hold, do not have the source left alone.
func TestTroubleWithOneAddressIsNoOutage(t *testing.T) {
	b := newBackend()
	b.fails = OnlyThis(errors.New("452 4.2.2 full"))
	g := NewGuard("x", b, keeps, nil)
	defer g.Close()
	for i := range 20 {
		if got := g.result(time.Second, Address{fmt.Sprint("x", i), "a.example"}); got != "failed" {
			t.Error(got)
		}
	}
	if h := g.Health(); !h.Up || h.Asked != 20 {
		t.Errorf("%+v", h)
	}
}
