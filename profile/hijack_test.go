package profile

import (
	"net/netip"
	"testing"
)

// TestStolenAccounts: whose mail waits for the signs of a stolen account, and what goes
// before them.
func TestStolenAccounts(t *testing.T) {
	report, deferred := &Hijack{Detail: "signs"}, &Hijack{Detail: "signs", Tempfail: true}
	to := func(raw string) *Recipient { return &Recipient{Raw: raw, Number: 1} }
	over := LimitHit{Name: "new accounts", Text: "100 messages", Detail: "100 of 100 used"}
	for _, tt := range []struct {
		name   string
		trust  Trust
		hijack *Hijack
		block  *Block
		local  []LocalHit
		rcpt   *Recipient
		rule   Rule
		action Action
		by     string
		said   string // "", monitor, counted
	}{
		{"it is only told of", Authenticated, report, nil, nil, to("<a@us.example>"), Counted, Continue, "", "monitor"},
		{"it waits", Authenticated, deferred, nil, nil, to("<a@other.example>"), Counted, TempFail, "account-hijack", "counted"},
		{"from an exempt network, too", Exempt, deferred, nil, nil, to("<a@us.example>"), Counted, TempFail, "account-hijack", "counted"},
		{"at MAIL", Authenticated, deferred, nil, nil, nil, Counted, TempFail, "account-hijack", "counted"},
		{"but not to postmaster", Authenticated, deferred, nil, nil, to("<Postmaster>"), Counted, Continue, "", "counted"},
		{"nor to abuse", Authenticated, deferred, nil, nil, to("<abuse@us.example>"), Counted, Continue, "", "counted"},
		{"nor to whom all may write", Authenticated, deferred, nil, nil, &Recipient{Raw: "<a@us.example>", Exempt: true}, Counted, Continue, "", "counted"},
		{"an allow does not lift it", Stranger, deferred, nil, []LocalHit{{Action: LocalAllow}}, to("<a@us.example>"), Counted, TempFail, "account-hijack", "counted"},
		{"the operator's deny goes first", Authenticated, deferred, nil, []LocalHit{{Action: LocalDeny}}, to("<a@us.example>"), Counted, Reject, "local-deny", "counted"},
		{"so does a limit", Authenticated, deferred, nil, nil, &Recipient{Raw: "<a@us.example>", Limits: []LimitHit{over}}, Counted, TempFail, "limit:new accounts", "counted"},
		{"and a block", Authenticated, deferred, &Block{Reject: true}, nil, to("<a@us.example>"), Counted, Reject, "account-blocked", "counted"},
		{"watched", Authenticated, deferred, nil, nil, to("<a@us.example>"), Monitor, Continue, "", "monitor"},
		{"off", Authenticated, deferred, nil, nil, to("<a@us.example>"), Off, Continue, "", ""},
		{"nobody", Authenticated, nil, nil, nil, to("<a@us.example>"), Counted, Continue, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := standard(t)
			p.Points["account-hijack"] = Points{Rule: tt.rule, Value: 7}
			s := Session{Client: netip.MustParseAddr("192.0.2.7"), Trust: tt.trust, Hijack: tt.hijack, Blocked: tt.block, Local: tt.local, Us: &Us{Domains: []string{"us.example"}}}
			j := Judge(&s, p)
			v := j.Decide(tt.rcpt, false)
			if v.Action != tt.action || v.Speaker != tt.by {
				t.Errorf("got %v by %q, want %v by %q", v.Action, v.Speaker, tt.action, tt.by)
			}
			if tt.by == "account-hijack" && (v.Code != 450 || v.Status != "4.7.1" || v.Text == noReason) {
				t.Errorf("%+v", v)
			}
			said := ""
			for _, f := range j.Findings {
				if f.ID == "account-hijack" && f.Points == 0 && f.Detail == "signs" {
					said = map[bool]string{true: "monitor", false: "counted"}[f.Monitor]
				}
			}
			if said != tt.said || j.Score != 0 {
				t.Errorf("findings %+v, score %v", j.Findings, j.Score)
			}
		})
	}
}
