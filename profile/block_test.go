package profile

import (
	"net/netip"
	"testing"
)

// TestBlockedAccounts: who is refused what, by whom, and with which reply.
func TestBlockedAccounts(t *testing.T) {
	block, reject := &Block{Detail: "since then"}, &Block{Reject: true, Detail: "since then"}
	to := func(raw string) *Recipient { return &Recipient{Raw: raw, Number: 1} }
	over := LimitHit{Name: "new accounts", Text: "100 messages", Detail: "100 of 100 used"}
	const text = "The account that 192.0.2.7 has logged in to is blocked; ask the postmaster of this site, who can release it"
	for _, tt := range []struct {
		name   string
		trust  Trust
		block  *Block
		local  []LocalHit
		rcpt   *Recipient
		rule   Rule
		action Action
		code   int
		status string
		by     string
		said   bool
	}{
		{"who has logged in", Authenticated, block, nil, to("<a@us.example>"), Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"for good", Authenticated, reject, nil, to("<a@us.example>"), Counted, Reject, 550, "5.7.1", "account-blocked", true},
		{"from an exempt network, too", Exempt, block, nil, to("<a@us.example>"), Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"where who logs in is no exception", Stranger, block, nil, to("<a@us.example>"), Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"at MAIL", Authenticated, block, nil, nil, Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"but not to a help desk that must hear from everybody", Authenticated, block, nil, &Recipient{Raw: "<a@us.example>", Exempt: true}, Counted, Continue, 0, "", "", true},
		{"nor to postmaster", Authenticated, reject, nil, to("<Postmaster@us.example>"), Counted, Continue, 0, "", "", true},
		{"nor to abuse", Authenticated, block, nil, to("<abuse@us.example>"), Counted, Continue, 0, "", "", true},
		{"another site's postmaster is no way to help", Authenticated, block, nil, to("<postmaster@other.example>"), Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"an allow does not lift it", Stranger, block, []LocalHit{{Action: LocalAllow}}, to("<a@us.example>"), Counted, TempFail, 450, "4.7.1", "account-blocked", true},
		{"the operator's deny goes first", Authenticated, block, []LocalHit{{Action: LocalDeny}}, to("<a@us.example>"), Counted, Reject, 550, "5.7.1", "local-deny", true},
		{"so does who does not exist", Authenticated, block, nil, &Recipient{Raw: "<a@us.example>", Mailbox: MailboxNone}, Counted, Reject, 550, "5.1.1", "rcpt-unknown", true},
		{"so does a limit", Authenticated, block, nil, &Recipient{Raw: "<a@us.example>", Limits: []LimitHit{over}}, Counted, TempFail, 450, "4.7.28", "limit:new accounts", true},
		{"watched", Authenticated, block, nil, to("<a@us.example>"), Monitor, Continue, 0, "", "", true},
		{"off", Authenticated, block, nil, to("<a@us.example>"), Off, Continue, 0, "", "", false},
		{"nobody", Authenticated, nil, nil, to("<a@us.example>"), Counted, Continue, 0, "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := standard(t)
			p.Points["account-blocked"] = Points{Rule: tt.rule, Value: 7}
			s := Session{Client: netip.MustParseAddr("192.0.2.7"), Trust: tt.trust, Blocked: tt.block, Local: tt.local, Us: &Us{Domains: []string{"us.example"}}}
			j := Judge(&s, p)
			v := j.Decide(tt.rcpt, false)
			if v.Action != tt.action || v.Code != tt.code || v.Status != tt.status || v.Speaker != tt.by {
				t.Errorf("got %v %d %q by %q, want %v %d %q by %q", v.Action, v.Code, v.Status, v.Speaker, tt.action, tt.code, tt.status, tt.by)
			}
			if tt.by == "account-blocked" && v.Text != text {
				t.Errorf("the reply is %q", v.Text)
			}
			said := false
			for _, f := range j.Findings {
				if f.ID == "account-blocked" {
					said = f.Points == 0 && f.Detail == "since then" && f.Monitor == (tt.rule == Monitor)
				}
			}
			if said != tt.said || j.Score != 0 {
				t.Errorf("findings %+v, score %v", j.Findings, j.Score)
			}
		})
	}
}
