package maillog

import (
	"slices"
	"strings"
	"testing"
)

func TestPostfixVisits(t *testing.T) {
	tests := []struct{ name, log, want string }{
		{"a mail that was taken", `
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from mail.good.example[192.0.2.7]
Feb  3 04:05:06 mx postfix/smtpd[11]: Anonymous TLS connection established from mail.good.example[192.0.2.7]: TLSv1.3
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/cleanup[12]: 4F1A2B3C: message-id=<x@good.example>
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=2 (queue active)
Feb  3 04:05:07 mx postfix/smtpd[11]: disconnect from mail.good.example[192.0.2.7] ehlo=2 starttls=1 mail=1 rcpt=2 data=1 quit=1 commands=8
Feb  3 04:05:08 mx postfix/lmtp[14]: 4F1A2B3C: to=<a@here.example>, relay=here[private/lmtp], delay=1, status=sent (250 Ok)
Feb  3 04:05:08 mx postfix/lmtp[14]: 4F1A2B3C: to=<b2@there.example>, orig_to=<b@here.example>, relay=there.example[192.0.2.99]:25, status=sent (250 Ok)
Feb  3 04:05:08 mx postfix/qmgr[13]: 4F1A2B3C: removed`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, from jo@good.example, to a@here.example b@here.example, queue 4F1A2B3C, was accepted"},
		{"a bounce", `
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=unknown[2001:db8::7]
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<>, size=512, nrcpt=1 (queue active)`,
			"postfix 2001:db8::7, name indeterminate, from <>, queue 4F1A2B3C, was accepted"},
		{"recipients refused before there is a queue id stand with the others", `
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from mail.good.example[192.0.2.7]
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from mail.good.example[192.0.2.7]: 550 5.1.1 <no@here.example>: Recipient address rejected: User unknown; from=<jo@good.example> to=<no@here.example> proto=ESMTP helo=<helo.good.example>
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: reject: RCPT from mail.good.example[192.0.2.7]: 550 5.1.1 <never@here.example>: Recipient address rejected: User unknown; from=<jo@good.example> to=<never@here.example> proto=ESMTP helo=<helo.good.example>
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=1 (queue active)`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, helo helo.good.example, from jo@good.example, to never@here.example no@here.example, queue 4F1A2B3C, was accepted, 2 unknown"},
		{"two senders in one connection are two visits", `
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 450 4.2.0 <x@here.example>: Recipient address rejected: Greylisted; from=<jo@a.example> to=<x@here.example> proto=ESMTP helo=<a.example>
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 450 4.2.0 <y@here.example>: Recipient address rejected: Greylisted; from=<jo@a.example> to=<y@here.example> proto=ESMTP helo=<a.example>
Feb  3 04:05:07 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 554 5.7.1 <x@here.example>: Relay access denied; from=<> to=<x@here.example> proto=ESMTP helo=<a.example>`,
			"postfix 192.0.2.7, ptr a.example, name confirmed, helo a.example, from jo@a.example, to x@here.example y@here.example, was deferred\n" +
				"postfix 192.0.2.7, ptr a.example, name confirmed, helo a.example, from <>, to x@here.example, was refused"},
		{"daemons of several names, and processes, do not mix", `
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from one.example[192.0.2.1]
Feb  3 04:05:06 mx postfix-in/submission/smtpd[11]: connect from two.example[192.0.2.2]
Feb  3 04:05:06 mx2 postfix/smtpd[11]: connect from three.example[192.0.2.3]
Feb  3 04:05:07 mx postfix-in/submission/smtpd[11]: 4F1A2B3C: client=two.example[192.0.2.2], sasl_method=PLAIN, sasl_username=jo@here.example
Feb  3 04:05:07 mx2 postfix/smtpd[11]: 4F1A2B3C: client=three.example[192.0.2.3]
Feb  3 04:05:08 mx postfix-in/qmgr[13]: 4F1A2B3C: from=<jo@here.example>, size=512, nrcpt=1 (queue active)
Feb  3 04:05:08 mx2 postfix/qmgr[13]: 4F1A2B3C: from=<jo@three.example>, size=512, nrcpt=1 (queue active)`,
			"postfix 192.0.2.2, ptr two.example, name confirmed, from jo@here.example, account jo@here.example, queue 4F1A2B3C, was accepted, submission\n" +
				"postfix 192.0.2.3, ptr three.example, name confirmed, from jo@three.example, queue 4F1A2B3C, was accepted"},
		{"a name that does not lead back", `
Feb  3 04:05:06 mx postfix/smtpd[11]: warning: hostname Host.Bad.example does not resolve to address 192.0.2.7: Name or service not known
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from unknown[192.0.2.7]
Feb  3 04:05:07 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.example; from=<a@b.example> to=<x@here.example> proto=SMTP helo=<b.example>`,
			"postfix 192.0.2.7, ptr host.bad.example, name unconfirmed, helo b.example, from a@b.example, to x@here.example, was refused"},
		{"the same of IPv6, in the older words", `
Feb  3 04:05:06 mx postfix/smtpd[11]: warning: 2001:db8::7: address not listed for hostname host.bad.example
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from unknown[2001:db8::7]
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=unknown[2001:db8::7]`,
			"postfix 2001:db8::7, ptr host.bad.example, name unconfirmed, queue 4F1A2B3C"},
		{"DNS failed for the forward look-up", `
Feb  3 04:05:06 mx postfix/smtpd[11]: warning: hostname host.slow.example does not resolve to address 192.0.2.7: Temporary failure in name resolution
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from unknown[192.0.2.7]
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=unknown[192.0.2.7]`,
			"postfix 192.0.2.7, ptr host.slow.example, name unproven, queue 4F1A2B3C"},
		{"the name of another client before is not this one's", `
Feb  3 04:05:06 mx postfix/smtpd[11]: warning: hostname host.bad.example does not resolve to address 192.0.2.8
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from unknown[192.0.2.7]
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=unknown[192.0.2.7]`,
			"postfix 192.0.2.7, name indeterminate, queue 4F1A2B3C"},
		{"no name at all, and that for good", `
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 550 5.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.7]; from=<a@b.example> to=<x@here.example> proto=SMTP helo=<b.example>`,
			"postfix 192.0.2.7, name missing, helo b.example, from a@b.example, to x@here.example, was refused"},
		{"the same for a while may be a failure of DNS", `
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.7]; from=<a@b.example> to=<x@here.example> proto=SMTP helo=<b.example>`,
			"postfix 192.0.2.7, name indeterminate, helo b.example, from a@b.example, to x@here.example, was deferred"},
		{"a milter refuses the message", `
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/cleanup[12]: 4F1A2B3C: milter-reject: END-OF-MESSAGE from mail.good.example[192.0.2.7]: 5.7.1 Blocked by a filter; from=<jo@good.example> to=<a@here.example> proto=ESMTP helo=<mail.good.example>`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, helo mail.good.example, from jo@good.example, to a@here.example, queue 4F1A2B3C, was refused"},
		{"a milter refuses at RCPT", `
Feb  3 04:05:07 mx postfix/smtpd[11]: NOQUEUE: milter-reject: RCPT from unknown[192.0.2.7]: 450 4.7.25 The address 192.0.2.7 has no reverse DNS name; from=<jo@good.example> to=<a@here.example> proto=ESMTP helo=<friend>`,
			"postfix 192.0.2.7, name indeterminate, helo friend, from jo@good.example, to a@here.example, was deferred"},
		{"a header line tells HELO", `
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/cleanup[12]: 4F1A2B3C: info: header Subject: from here from mail.good.example[192.0.2.7]; from=<jo@good.example> to=<a@here.example> proto=ESMTP helo=<helo.good.example>
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=1 (queue active)`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, helo helo.good.example, from jo@good.example, to a@here.example, queue 4F1A2B3C, was accepted"},
		{"postscreen knows no names", `
Feb  3 04:05:06 mx postfix/postscreen[9]: CONNECT from [192.0.2.7]:4984 to [192.0.2.99]:25
Feb  3 04:05:06 mx postfix/postscreen[9]: PREGREET 14 after 0.08 from [192.0.2.8]:59415: EHLO ylmf-pc\r\n
Feb  3 04:05:06 mx postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.7]:4984: 550 5.7.1 Service unavailable; client [192.0.2.7] blocked using bl.example; from=<a@b.example>, to=<x@here.example>, proto=ESMTP, helo=<b.example>
Feb  3 04:05:06 mx postfix/postscreen[9]: NOQUEUE: reject: RCPT from [192.0.2.7]:4985: 550 5.7.1 Service unavailable; client [192.0.2.7] blocked using bl.example; from=<a@b.example>, to=<x@here.example>, proto=ESMTP, helo=<b.example>
Feb  3 04:05:07 mx postfix/postscreen[9]: NOQUEUE: reject: CONNECT from [192.0.2.8]:59415: all server ports busy`,
			"postfix 192.0.2.7, name not looked up, helo b.example, from a@b.example, to x@here.example, was refused\n" +
				"postfix 192.0.2.7, name not looked up, helo b.example, from a@b.example, to x@here.example, was refused\n" +
				"postfix 192.0.2.8, name not looked up, helo ylmf-pc, was deferred"},
		{"a policy server tells SPF, and the name given", `
Feb  3 04:05:06 mx policyd-spf[5]: prepend Received-SPF: Softfail (mailfrom) identity=mailfrom; client-ip=192.0.2.7; helo=helo.good.example; envelope-from=jo@good.example; receiver=<UNKNOWN>
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=1 (queue active)
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3D: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3D: from=<al@good.example>, size=512, nrcpt=1 (queue active)`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, helo helo.good.example, from jo@good.example, spf softfail, queue 4F1A2B3C, was accepted\n" +
				"postfix 192.0.2.7, ptr mail.good.example, name confirmed, from al@good.example, queue 4F1A2B3D, was accepted"},
		{"SPF by HELO is not the sender's", `
Feb  3 04:05:06 mx policyd-spf[5]: prepend Received-SPF: Fail (helo) identity=helo; client-ip=192.0.2.7; helo=helo.good.example; envelope-from=jo@good.example; receiver=<UNKNOWN>
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=1 (queue active)`,
			"postfix 192.0.2.7, ptr mail.good.example, name confirmed, helo helo.good.example, from jo@good.example, queue 4F1A2B3C, was accepted"},
		{"mail of the machine itself, and connections without mail, are none", `
Feb  3 04:05:06 mx postfix/pickup[3]: 4F1A2B3C: uid=0 from=<root>
Feb  3 04:05:06 mx postfix/qmgr[13]: 4F1A2B3C: from=<root@here.example>, size=512, nrcpt=1 (queue active)
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3D: client=localhost[127.0.0.1], orig_client=unknown[192.0.2.7]
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3D: from=<jo@good.example>, size=512, nrcpt=1 (queue active)
Feb  3 04:05:08 mx postfix/smtpd[11]: connect from unknown[192.0.2.8]
Feb  3 04:05:08 mx postfix/smtpd[11]: warning: unknown[192.0.2.8]: SASL LOGIN authentication failed: UGFzc3dvcmQ6
Feb  3 04:05:08 mx postfix/smtpd[11]: lost connection after AUTH from unknown[192.0.2.8]
Feb  3 04:05:08 mx postfix/smtpd[11]: NOQUEUE: reject: VRFY from unknown[192.0.2.8]: 454 4.7.1 <x@y.example>: Relay access denied; to=<x@y.example> proto=SMTP helo=<me>
Feb  3 04:05:08 mx postfix/smtpd[11]: disconnect from unknown[192.0.2.8] ehlo=1 auth=0/1 commands=1/2`, ""},
		{"a sender with a bracket in quotes, and a header that speaks like us", `
Feb  3 04:05:06 mx postfix/cleanup[11]: 4F1A2B3C: reject: header Subject: RCPT from good.example[192.0.2.9]: 250 2.0.0; from=<x@evil.example> to=<y@evil.example> from unknown[192.0.2.7]; from=<"a> b"@b.example> to=<x@here.example> proto=ESMTP helo=<b.example>: 5.7.1 no`,
			`postfix 192.0.2.7, name indeterminate, helo b.example, from "a> b"@b.example, to x@here.example, queue 4F1A2B3C, was refused`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(assemble(t, tt.log), "\n"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestSendmailVisits(t *testing.T) {
	tests := []struct{ name, log, want string }{
		{"a mail that was taken", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: <-- EHLO helo.good.example
Feb  3 04:05:07 mx sm-mta[21]: 6134abcd021021: from=<jo@good.example>, size=512, class=0, nrcpts=2, msgid=<x@good.example>, proto=ESMTP, daemon=MTA-v4, relay=mail.good.example [192.0.2.7]
Feb  3 04:05:08 mx sm-mta[22]: 6134abcd021021: to=<a@here.example>,<b@here.example>, delay=00:00:01, mailer=local, pri=60512, dsn=2.0.0, stat=Sent`,
			"sendmail 192.0.2.7, ptr mail.good.example, name confirmed, helo helo.good.example, from jo@good.example, to a@here.example b@here.example, queue 6134abcd021021, was accepted"},
		{"recipients refused, and one taken", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: ruleset=check_rcpt, arg1=<no@here.example>, relay=[192.0.2.7], reject=550 5.1.1 <no@here.example>... User unknown
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: <never@here.example>... User unknown
Feb  3 04:05:07 mx sm-mta[21]: 6134abcd021021: from=<>, size=512, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=[192.0.2.7]`,
			"sendmail 192.0.2.7, name missing, from <>, to no@here.example never@here.example, queue 6134abcd021021, was accepted, 2 unknown"},
		{"a name that may be forged", `
Feb  3 04:05:07 mx sendmail[21]: 6134abcd021021: from=<jo@good.example>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=Host.Bad.example [IPv6:2001:DB8::1] (may be forged)`,
			"sendmail 2001:db8::1, ptr host.bad.example, name unconfirmed, from jo@good.example, queue 6134abcd021021"},
		{"DNS failed", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: ruleset=check_rcpt, arg1=<x@far.example>, relay=[192.0.2.7], reject=450 4.4.0 <x@far.example>... Relaying temporarily denied. Cannot resolve PTR record for 192.0.2.7`,
			"sendmail 192.0.2.7, name indeterminate, to x@far.example, queue 6134abcd021021, was deferred"},
		{"turned away at connect", `
Feb  3 04:05:06 mx sm-mta[21]: ruleset=check_relay, arg1=dsl.isp.example, arg2=192.0.2.7, relay=dsl.isp.example [192.0.2.7], reject=421 4.3.2 Connection rate limit exceeded.`,
			"sendmail 192.0.2.7, ptr dsl.isp.example, name confirmed, was deferred"},
		{"the sender's domain does not exist", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: ruleset=check_mail, arg1=<jo@nowhere.example>, relay=a.example [192.0.2.7], reject=553 5.1.8 <jo@nowhere.example>... Domain of sender address jo@nowhere.example does not exist`,
			"sendmail 192.0.2.7, ptr a.example, name confirmed, from jo@nowhere.example, queue 6134abcd021021, was refused"},
		{"a milter refuses", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: Milter: to=<a@here.example>, reject=550 5.7.1 The HELO of 192.0.2.7 is ours
Feb  3 04:05:07 mx sm-mta[21]: 6134abcd021021: from=<jo@good.example>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=[192.0.2.7]`,
			"sendmail 192.0.2.7, name missing, from jo@good.example, to a@here.example, queue 6134abcd021021, was refused"},
		{"a customer who has logged in, twice", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: AUTH=server, relay=dsl.isp.example [192.0.2.7], authid=jo, mech=PLAIN, bits=0
Feb  3 04:05:07 mx sm-mta[21]: 6134abcd021021: from=<jo@here.example>, size=512, class=0, nrcpts=1, proto=ESMTPSA, daemon=MSA, relay=dsl.isp.example [192.0.2.7]
Feb  3 04:05:08 mx sm-mta[21]: 6134abce021021: from=<jo@here.example>, size=512, class=0, nrcpts=1, proto=ESMTPSA, daemon=MSA, relay=dsl.isp.example [192.0.2.7]
Feb  3 04:05:08 mx sm-mta[22]: 6134abcf021022: from=<al@isp.example>, size=512, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=dsl.isp.example [192.0.2.7]`,
			"sendmail 192.0.2.7, ptr dsl.isp.example, name confirmed, from jo@here.example, account jo, queue 6134abcd021021, was accepted, submission\n" +
				"sendmail 192.0.2.7, ptr dsl.isp.example, name confirmed, from jo@here.example, account jo, queue 6134abce021021, was accepted, submission\n" +
				"sendmail 192.0.2.7, ptr dsl.isp.example, name confirmed, from al@isp.example, queue 6134abcf021022, was accepted"},
		{"no mail, and mail of the machine itself", `
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021021: mail.example [192.0.2.7] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021022: rejecting commands from  [192.0.2.7] due to pre-greeting traffic after 0 seconds
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021023: [192.0.2.7]: EXPN root [rejected]
Feb  3 04:05:06 mx sm-mta[21]: 6134abcd021024: lost input channel from a.example [192.0.2.7] to MTA-v4 after rcpt
Feb  3 04:05:07 mx sendmail[21]: 6134abcd021025: from=root, size=512, class=0, nrcpts=1, msgid=<x@here>, relay=root@localhost`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(assemble(t, tt.log), "\n"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// Visits come in the order of their beginning, also where the first waits longest.
func TestOrderIsThatOfTheBeginning(t *testing.T) {
	got := assemble(t, `
Feb  3 04:05:01 mx postfix/smtpd[11]: 4F1A2B31: client=a.example[192.0.2.1]
Feb  3 04:05:02 mx postfix/smtpd[12]: 4F1A2B32: client=b.example[192.0.2.2]
Feb  3 04:05:02 mx postfix/qmgr[13]: 4F1A2B32: from=<b@b.example>, size=1, nrcpt=1 (queue active)
Feb  3 04:05:02 mx postfix/qmgr[13]: 4F1A2B32: removed
Feb  3 04:09:00 mx postfix/smtpd[12]: 4F1A2B33: client=c.example[192.0.2.3]
Feb  3 04:09:00 mx postfix/qmgr[13]: 4F1A2B31: from=<late@a.example>, size=1, nrcpt=1 (queue active)`)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], ",")
	}
	if want := []string{"postfix 192.0.2.1", "postfix 192.0.2.2", "postfix 192.0.2.3"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// A log without ends of connections and messages does not fill memory.
func TestOpenVisitsAreBounded(t *testing.T) {
	a := NewAssembler()
	n := 0
	for i := range 3 * maxOpen {
		id := strings.ToUpper(strings.Repeat("0", 5)) + string(rune('A'+i%26)) + string([]byte{'0' + byte(i/26%10), '0' + byte(i/260%10), '0' + byte(i/2600%10), '0' + byte(i/26000%10)})
		e := Entry{Time: newest, Host: "mx", Program: "postfix/smtpd", PID: id, Text: id + ": client=a.example[192.0.2.7]"}
		a.Entry(&e)
		for _, ok := a.Next(); ok; _, ok = a.Next() {
			n++
		}
	}
	if open := len(a.open) - a.given; open > maxOpen || len(a.queues.m) > 2*maxOpen || len(a.conns.m) > 2*maxPeers || n < maxOpen {
		t.Errorf("%d open, %d queues, %d connections, %d given", open, len(a.queues.m), len(a.conns.m), n)
	}
}
