package maillog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLines(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	const want = "2026-02-03T03:05:06Z mx postfix/smtpd 11 connect from a.example[192.0.2.7]"
	const rest = "mx postfix/smtpd[11]: connect from a.example[192.0.2.7]"
	tests := []struct{ name, line, want string }{
		{"syslog", "Feb  3 04:05:06 " + rest, want},
		{"syslog with a fraction", "Feb 03 04:05:06.000000 " + rest, want},
		{"syslog with a year", "Feb  3 2026 04:05:06 " + rest, want},
		{"syslog with facility and level", "Feb  3 04:05:06 <mail.info> " + rest, want},
		{"syslog with its priority", "<22>Feb  3 04:05:06 " + rest, want},
		{"ISO with a zone", "2026-02-03T04:05:06+01:00 " + rest, want},
		{"ISO with a fraction", "2026-02-03T03:05:06.000000Z " + rest, want},
		{"ISO as journalctl has it", "2026-02-03T04:05:06+0100 " + rest, want},
		{"ISO without a zone", "2026-02-03T04:05:06 " + rest, want},
		{"ISO in two words", "2026-02-03 04:05:06 " + rest, want},
		{"ISO in two words with a comma", "2026-02-03 04:05:06,000 " + rest, want},
		{"journalctl short-full", "Tue 2026-02-03 04:05:06 CET " + rest, want},
		{"journalctl short-full in UTC", "Tue 2026-02-03 03:05:06 UTC " + rest, want},
		{"journalctl short-unix", "1770087906.000000 " + rest, want},
		{"RFC 5424", "<22>1 2026-02-03T04:05:06+01:00 mx postfix/smtpd 11 - - connect from a.example[192.0.2.7]", want},
		{"RFC 5424 with data", `<22>1 2026-02-03T04:05:06+01:00 mx postfix/smtpd 11 ID [a b="]\""][c] ` + "\ufeffconnect from a.example[192.0.2.7]", want},
		{"journalctl json", `{"__REALTIME_TIMESTAMP":"1770087906000000","_HOSTNAME":"mx","SYSLOG_IDENTIFIER":"postfix/smtpd","_PID":"11","MESSAGE":"connect from a.example[192.0.2.7]"}`, want},
		{"journalctl json with octets", `{"__REALTIME_TIMESTAMP":"1770087906000000","_HOSTNAME":"mx","SYSLOG_IDENTIFIER":"postfix/smtpd","SYSLOG_PID":"11","_PID":"1","MESSAGE":[99,111]}`, "2026-02-03T03:05:06Z mx postfix/smtpd 11 co"},
		{"no process id", "Feb  3 04:05:06 mx postfix/smtpd: x: y", "2026-02-03T03:05:06Z mx postfix/smtpd  x: y"},
		{"nothing said", "Feb  3 04:05:06 mx postfix/smtpd[11]:", "2026-02-03T03:05:06Z mx postfix/smtpd 11 "},
		{"no date", rest, ""},
		{"a date that is none", "Feb 32 04:05:06 " + rest, ""},
		{"a time that is none", "Feb  3 24:05:06 " + rest, ""},
		{"no program", "Feb  3 04:05:06 mx said something", ""},
		{"a date alone", "Feb  3 04:05:06", ""},
		{"broken JSON", `{"MESSAGE":`, ""},
		{"JSON of something else", `{"a":1}`, ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Framer{Zone: berlin, Newest: newest}
			e, ok := f.Line(tt.line)
			got := ""
			if ok {
				got = fmt.Sprintf("%s %s %s %s %s", e.Time.Format(time.RFC3339), e.Host, e.Program, e.PID, e.Text)
			}
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Dates without a year are of the newest year that they can be of, and go over the
// new year with the lines.
func TestYears(t *testing.T) {
	tests := []struct{ name, dates, want string }{
		{"all of this year", "Jan 10,Feb  3", "2026-01-10,2026-02-03"},
		{"over the new year", "Dec 30,Dec 31,Jan  1,Feb  2", "2025-12-30,2025-12-31,2026-01-01,2026-02-02"},
		{"a line of the old year after midnight", "Dec 31,Jan  1,Dec 31,Jan  1", "2025-12-31,2026-01-01,2025-12-31,2026-01-01"},
		{"of last year alone", "Nov  1,Dec  1", "2025-11-01,2025-12-01"},
		{"a little newer than the file", "Feb  3,Feb  4", "2026-02-03,2026-02-04"},
		{"in any order, none in the future", "Feb  3,Jul  1,Jan  5,Dec 30", "2026-02-03,2025-07-01,2026-01-05,2025-12-30"},
		{"one that tells its year leads the others", "Dec 31 2019,Jan  1", "2019-12-31,2020-01-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Framer{Newest: newest}
			var got []string
			for date := range strings.SplitSeq(tt.dates, ",") {
				e, ok := f.Line(date + " 04:05:06 mx sm-mta[1]: x")
				if !ok {
					t.Fatal(date)
				}
				got = append(got, e.Time.Format(time.DateOnly))
			}
			if strings.Join(got, ",") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func FuzzLines(f *testing.F) {
	f.Add("Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from a.example[192.0.2.7]: 550 5.1.1 x; from=<a@b> to=<c@d> proto=ESMTP helo=<e>\nFeb  3 04:05:06 mx postfix/smtpd[11]: 4F1A2B3C: client=a[192.0.2.7]\nFeb  3 04:05:06 mx postfix/qmgr[1]: 4F1A2B3C: from=<>, size=1\n")
	f.Add("2026-02-03T04:05:06Z mx sm-mta[1]: 6134abcd021021: from=<a@b>, nrcpts=1, relay=a [192.0.2.7] (may be forged)\n")
	f.Add("{\"MESSAGE\":\"x\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\"}\n<22>1 - mx a 1 - [x y=\"]\"] z\n")
	f.Add("Feb  3 04:05:06 mx policyd-spf[1]: Received-SPF: Pass (x) identity=helo; client-ip=::1; helo=x; envelope-from=<>\n")
	f.Fuzz(func(t *testing.T, text string) {
		framer := Framer{Newest: newest}
		a := NewAssembler()
		lines, visits := 0, 0
		check := func(v *Visit, ok bool) bool {
			if ok {
				visits++
				if !v.Client.IsValid() || v.Client.IsLoopback() || len(v.Rcpts) > maxRcpts || v.Outcome > Accepted {
					t.Fatalf("%+v", v)
				}
			}
			return ok
		}
		for line := range strings.Lines(text) {
			lines++
			if e, ok := framer.Line(strings.TrimRight(line, "\r\n")); ok {
				a.Entry(&e)
				for check(a.Next()) {
				}
			}
		}
		for check(a.Rest()) {
		}
		if visits > lines {
			t.Fatalf("%d visits of %d lines", visits, lines)
		}
	})
}

func BenchmarkLines(b *testing.B) {
	log := strings.Split(strings.TrimSpace(`
Feb  3 04:05:06 mx postfix/smtpd[11]: connect from mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/smtpd[11]: 4F1A2B3C: client=mail.good.example[192.0.2.7]
Feb  3 04:05:07 mx postfix/cleanup[12]: 4F1A2B3C: message-id=<x@good.example>
Feb  3 04:05:07 mx postfix/qmgr[13]: 4F1A2B3C: from=<jo@good.example>, size=512, nrcpt=2 (queue active)
Feb  3 04:05:08 mx postfix/lmtp[14]: 4F1A2B3C: to=<a@here.example>, relay=here[private/lmtp], delay=1, status=sent (250 Ok)
Feb  3 04:05:08 mx postfix/qmgr[13]: 4F1A2B3C: removed
Feb  3 04:05:08 mx postfix/smtpd[11]: disconnect from mail.good.example[192.0.2.7] ehlo=2 mail=1 rcpt=2 data=1 quit=1 commands=8`), "\n")
	f := Framer{Newest: newest}
	a := NewAssembler()
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range log {
			e, _ := f.Line(line)
			a.Entry(&e)
		}
		for _, ok := a.Next(); ok; _, ok = a.Next() {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(log)), "ns/line")
}
