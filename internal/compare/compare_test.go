package compare

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"mailprofiled/profile"
)

func answer(a profile.Action, findings ...profile.Finding) Answer {
	return Answer{Action: a, Findings: findings}
}

func TestWhatIsWeighedOtherwise(t *testing.T) {
	a := []profile.Finding{{ID: "same", Points: 1}, {ID: "less", Points: 3}, {ID: "gone", Points: 2}, {ID: "lift", Points: -2}}
	b := []profile.Finding{{ID: "same", Points: 1}, {ID: "less", Points: 1}, {ID: "new", Points: 4}, {ID: "nothing"}}
	var got []string
	b = append(b, profile.Finding{ID: "local-deny"})
	EachChange(&Answer{Findings: a, Speaker: "less"}, &Answer{Findings: b, Speaker: "local-deny"}, func(id string) { got = append(got, id) })
	if want := []string{"-less", "-gone", "+lift", "+new", "+local-deny"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = nil
	EachChange(&Answer{Findings: b, Speaker: "local-deny"}, &Answer{Findings: b[:4], Speaker: "new"}, func(id string) { got = append(got, id) })
	if want := []string{"-local-deny"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestThereIsRoomForThoseConcernedMost: strangers that come once each do not push out who
// comes often, and all are counted.
func TestThereIsRoomForThoseConcernedMost(t *testing.T) {
	const room = 10
	for _, forget := range []bool{true, false} {
		c := NewChanges(room, forget)
		for i := range 1000 {
			if !c.Add("", fmt.Sprint("once", i), Example{}, answer(profile.Continue), answer(profile.Reject)) {
				t.Fatal("it does not differ")
			}
			c.Add("", "often", Example{}, answer(profile.Continue), answer(profile.TempFail))
			if c.Add("", "same", Example{}, answer(profile.Reject), answer(profile.Reject)) {
				t.Fatal("it differs")
			}
			if len(c.Senders) > room {
				t.Fatalf("%d senders", len(c.Senders))
			}
		}
		listed := 0
		for _, s := range c.Senders {
			listed += s.Visits
		}
		if c.Visits != 2000 || listed+c.Unlisted != 2000 {
			t.Errorf("forget %v: %d visits, %d of senders, %d not", forget, c.Visits, listed, c.Unlisted)
		}
		if top := c.Largest(1)[0]; top.Name != "often" || top.Visits != 1000 {
			t.Errorf("forget %v: %+v", forget, top)
		}
		if moves := c.Moves(); moves[Move{profile.Continue, profile.Reject}] != 1000 || moves[Move{profile.Continue, profile.TempFail}] != 1000 {
			t.Errorf("%v", moves)
		}
	}
}

func TestLabelsAreBounded(t *testing.T) {
	c := NewChanges(5, false)
	for i := range 3 * MaxLabels {
		c.Add(fmt.Sprint(i), "x", Example{}, answer(profile.Continue), answer(profile.Reject))
	}
	if len(c.Labels) != MaxLabels+1 || c.Labels[OtherLabel][Move{profile.Continue, profile.Reject}] != 2*MaxLabels {
		t.Errorf("%v", c.Labels)
	}
}

func TestSenderName(t *testing.T) {
	for _, tt := range []struct{ client, confirmed, want string }{
		{"192.0.2.7", "mail.good.example", "good.example"},
		{"192.0.2.7", "", "192.0.2.0/24"},
		{"2001:db8:1:2::7", "", "2001:db8:1::/48"},
		{"", "", "(no address)"},
	} {
		client, _ := netip.ParseAddr(tt.client)
		if got := SenderName(client, tt.confirmed); got != tt.want {
			t.Errorf("%q %q: %q, want %q", tt.client, tt.confirmed, got, tt.want)
		}
	}
}

func TestCopiesAreApart(t *testing.T) {
	c := NewChanges(5, false)
	c.Add("", "x", Example{}, answer(profile.Continue), answer(profile.Reject, profile.Finding{ID: "a", Points: 1}))
	kept := c.Largest(1)[0].Copy()
	c.Add("", "x", Example{}, answer(profile.Continue), answer(profile.Reject, profile.Finding{ID: "a", Points: 1}))
	if kept.Visits != 1 || kept.Why["+a"] != 1 || Most(kept.Why, 5)[0] != (Count{"+a", 1}) {
		t.Errorf("%+v", kept)
	}
}
