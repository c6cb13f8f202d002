package profile

import (
	"net/netip"
	"testing"
)

func TestLimits(t *testing.T) {
	over := LimitHit{Name: "new accounts", Text: "100 messages in 24 hours for a new account; again after 14:20 UTC", Detail: "100 of 100 used"}
	hard := LimitHit{Name: "hard", Reject: true, Text: "no more today"}
	told := LimitHit{Name: "told", Report: true}
	deny := LocalHit{Action: LocalDeny, Detail: "rule"}
	for _, tt := range []struct {
		name   string
		trust  Trust
		rcpt   Recipient
		points map[string]Points
		action Action
		code   int
		status string
		by     string
		said   []string
	}{
		{name: "tempfail", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"limit:new accounts"}},
		{name: "reject", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{hard, over}}, action: Reject, code: 550, status: "5.7.1", by: "limit:hard", said: []string{"limit:hard", "limit:new accounts"}},
		{name: "authenticated too", trust: Authenticated, rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"limit:new accounts"}},
		{name: "exempt too", trust: Exempt, rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"limit:new accounts"}},
		{name: "only told of", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{told}}, said: []string{"limit:told"}},
		{name: "the one that refuses stands behind", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{told, over}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"limit:told", "limit:new accounts"}},
		{name: "off", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}}, points: map[string]Points{"limit:new accounts": {Rule: Off}}},
		{name: "monitored", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}}, points: map[string]Points{"limit:new accounts": {Rule: Monitor}}, said: []string{"limit:new accounts"}},
		{name: "the operator's word goes first", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}, Local: []LocalHit{deny}}, action: Reject, code: 550, status: "5.7.1", by: "local-deny", said: []string{"local-deny", "limit:new accounts"}},
		{name: "an allow does not lift it", rcpt: Recipient{Raw: "<a@example.net>", Number: 1, Limits: []LimitHit{over}, Local: []LocalHit{{Action: LocalAllow}}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"local-allow", "limit:new accounts"}},
		{name: "at MAIL", rcpt: Recipient{Limits: []LimitHit{over}}, action: TempFail, code: 450, status: "4.7.28", by: "limit:new accounts", said: []string{"limit:new accounts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := standard(t)
			for id, points := range tt.points {
				p.Points[id] = points
			}
			s := Session{Client: netip.MustParseAddr("192.0.2.7"), Trust: tt.trust}
			v := Judge(&s, p).Decide(&tt.rcpt, false)
			if v.Action != tt.action || v.Code != tt.code || v.Status != tt.status || v.Speaker != tt.by {
				t.Errorf("got %v %d %q by %q, want %v %d %q by %q", v.Action, v.Code, v.Status, v.Speaker, tt.action, tt.code, tt.status, tt.by)
			}
			var said []string
			for _, f := range v.Findings {
				said = append(said, f.ID)
				if f.ID != "local-allow" && f.Points != 0 {
					t.Errorf("%s weighs %v", f.ID, f.Points)
				}
			}
			if len(said) != len(tt.said) {
				t.Fatalf("said %q, want %q", said, tt.said)
			}
			for i := range said {
				if said[i] != tt.said[i] {
					t.Errorf("said %q, want %q", said, tt.said)
				}
			}
			if tt.action == TempFail && v.Text != over.Text {
				t.Errorf("the reply says %q", v.Text)
			}
		})
	}
}

// TestLimitTextIsClean: the reply is one line of US-ASCII, whatever the text.
func TestLimitTextIsClean(t *testing.T) {
	rcpt := Recipient{Number: 1, Limits: []LimitHit{{Name: "x", Text: "a\r\n250 ok \x00\xff" + string(make([]byte, 500))}}}
	v := Judge(&Session{Client: netip.MustParseAddr("192.0.2.7")}, standard(t)).Decide(&rcpt, false)
	for _, c := range []byte(v.Text) {
		if c < ' ' || c > '~' {
			t.Fatalf("octet %#x in %q", c, v.Text)
		}
	}
	if len(v.Text) > maxText {
		t.Errorf("%d octets", len(v.Text))
	}
}
