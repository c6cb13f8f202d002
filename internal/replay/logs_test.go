package replay

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailprofiled/internal/maillog"
)

const postfixLog = `Feb  3 04:05:06 mx postfix/smtpd[11]: connect from dsl-192-0-2-7.pool.isp.example[192.0.2.7]
Feb  3 04:05:06 mx postfix/smtpd[11]: NOQUEUE: reject: RCPT from dsl-192-0-2-7.pool.isp.example[192.0.2.7]: 450 4.2.0 <a@here.example>: Recipient address rejected: Greylisted; from=<jo@good.example> to=<a@here.example> proto=ESMTP helo=<friend>
Feb  3 04:05:06 mx postfix/smtpd[11]: disconnect from dsl-192-0-2-7.pool.isp.example[192.0.2.7] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4
Feb  3 04:05:07 mx kernel: noise
Feb  3 04:20:07 mx postfix/smtpd[12]: 4F1A2B3C: client=unknown[2001:db8::7], sasl_method=PLAIN, sasl_username=jo
Feb  3 04:20:08 mx postfix/qmgr[13]: 4F1A2B3C: from=<>, size=512, nrcpt=1 (queue active)
this is no line of a log
`

// A log's visits are rows with the columns of CSV.
func TestRowsOfALog(t *testing.T) {
	visits, troubles, in := readAll(t, postfixLog, Auto)
	var got []string
	for _, v := range visits {
		got = append(got, string(v.Row))
	}
	want := []string{
		"2026-02-03T04:05:06Z,192.0.2.7,dsl-192-0-2-7.pool.isp.example,named,yes,friend,jo@good.example,,,a@here.example,deferred,postfix,mx,",
		"2026-02-03T04:20:07Z,2001:db8::7,,none_or_unconfirmed,no,,<>,,jo,,accepted,postfix,mx,4F1A2B3C",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || in.Header != logColumns {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(troubles) != 1 || troubles[0] != "7: no line of a log" {
		t.Errorf("said %q", troubles)
	}
	if got := in.Note(); got != "5 lines about them, 0 others of mail servers, 1 of other programs" {
		t.Errorf("noted %q", got)
	}
}

// The rows of a log, read as CSV, are the same visits.
func TestRowsOfALogAreCSV(t *testing.T) {
	policy := testPolicy(t, "standard", began, nil)
	rows, _ := replayText(t, postfixLog, Options{Assume: true}, policy, nil)
	again, _ := replayText(t, rows, Options{Assume: true}, testPolicy(t, "standard", began, nil), nil)
	first, err := csv.NewReader(strings.NewReader(again)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := len(strings.Split(logColumns, ","))
	for _, row := range first[1:] {
		if a, b := strings.Join(row[n:n+5], "|"), strings.Join(row[n+5:], "|"); a != b {
			t.Errorf("from the log %s, from its rows %s", a, b)
		}
	}
}

// Who was deferred by the log's time comes back by it.
func TestDeferralsOfALog(t *testing.T) {
	line := "Feb  3 %s mx postfix/smtpd[%d]: NOQUEUE: reject: RCPT from dsl-192-0-2-7.pool.isp.example[192.0.2.7]: 450 4.2.0 x; from=<jo@good.example> to=<a@here.example> proto=ESMTP helo=<dsl-192-0-2-7.pool.isp.example>\n"
	rows, _ := replayText(t, fmt.Sprintf(line, "04:05:06", 1)+fmt.Sprintf(line, "04:05:20", 2)+fmt.Sprintf(line, "04:15:06", 3), Options{}, testPolicy(t, "standard", began, nil), nil)
	all, err := csv.NewReader(strings.NewReader(rows)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := len(strings.Split(logColumns, ","))
	if got := all[1][n] + " " + all[2][n] + " " + all[3][n]; got != "tempfail tempfail continue" {
		t.Errorf("%s, want tempfail tempfail continue", got)
	}
}

// exported writes the entries of a log as journalctl -o export does.
func exported(log string) string {
	f := maillog.Framer{Newest: began.Add(24 * time.Hour)}
	var b bytes.Buffer
	for line := range strings.Lines(log) {
		e, ok := f.Line(strings.TrimSpace(line))
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=%d\n_HOSTNAME=%s\nSYSLOG_IDENTIFIER=%s\n_PID=%s\nMESSAGE\n", e.Time.UnixMicro(), e.Host, e.Program, e.PID)
		binary.Write(&b, binary.LittleEndian, uint64(len(e.Text)))
		b.WriteString(e.Text + "\n\n")
	}
	return b.String()
}

// One log in other clothes gives the same visits.
func TestFormsOfALog(t *testing.T) {
	plain, _, _ := readAll(t, postfixLog, Auto)
	iso := strings.NewReplacer("Feb  3 04:", "2026-02-03T04:", " mx ", ".000000+00:00 mx ").Replace(postfixLog)
	tests := map[string]string{
		"ISO dates": iso, "journalctl": "-- Journal begins at Mon 2026-02-02 00:00:00 UTC. --\n" + postfixLog, "export": exported(postfixLog),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			visits, _, _ := readAll(t, text, Auto)
			if len(visits) != len(plain) {
				t.Fatalf("%d visits, want %d", len(visits), len(plain))
			}
			for i := range visits {
				if string(visits[i].Row) != string(plain[i].Row) {
					t.Errorf("got\n%s\nwant\n%s", visits[i].Row, plain[i].Row)
				}
			}
		})
	}
}

// An export that ends in the middle, or lies about a length, is an error, and what
// came before it is kept.
func TestBrokenExports(t *testing.T) {
	whole := exported(postfixLog)
	for name, text := range map[string]string{
		"cut":         whole[:len(whole)-10],
		"huge length": whole + "__CURSOR=x\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7f\n\n",
	} {
		in, err := Open("journal", strings.NewReader(text), Reading{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			v, _, ok := in.Next()
			if !ok {
				break
			}
			if v != nil {
				n++
			}
		}
		if in.Err() == nil || n == 0 {
			t.Errorf("%s: %d visits, %v", name, n, in.Err())
		}
	}
}

// By a format's name only lines of that MTA count, whatever Sendmail is called.
func TestNamedFormats(t *testing.T) {
	both := postfixLog + "Feb  3 04:30:00 mx mta-in[21]: 6134abcd021021: from=<jo@good.example>, size=512, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=a.example [192.0.2.8]\n"
	for format, want := range map[Format]int{Auto: 2, Postfix: 2, Sendmail: 1} {
		if visits, _, _ := readAll(t, both, format); len(visits) != want {
			t.Errorf("format %d: %d visits, want %d", format, len(visits), want)
		}
	}
}

// TestRealLines reads lines of real logs, where there are some: each is understood.
func TestRealLines(t *testing.T) {
	files, _ := filepath.Glob(corpus + "maillog-samples/*")
	if len(files) == 0 {
		absent(t, corpus+"maillog-samples")
		return
	}
	visits := map[string]int{
		"postfix-01.log": 25, "postfix-02-messages.log": 7, "postfix-04-messages.log": 4, "postfix-07.log": 2, "sendmail-01.log": 23, "sendmail-03.log": 6,
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, troubles, in := readAll(t, string(text), Auto)
		if want := visits[filepath.Base(file)]; len(got) != want || len(troubles) > 0 {
			t.Errorf("%s: %d visits, want %d; not understood: %q", filepath.Base(file), len(got), want, troubles)
		}
		if l := in.from.(*logReader); l.uses[maillog.Foreign] > 0 {
			t.Errorf("%s: %d lines of other programs", filepath.Base(file), l.uses[maillog.Foreign])
		}
	}
}

func FuzzLog(f *testing.F) {
	f.Add(postfixLog)
	f.Add(exported(postfixLog))
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Open("fuzz", strings.NewReader(text), Reading{Newest: began})
		if err != nil {
			return
		}
		for {
			v, trouble, ok := in.Next()
			if !ok {
				break
			}
			if v == nil && trouble == nil {
				t.Fatal("neither a visit nor what is wrong")
			}
			if v == nil || in.Header != logColumns {
				continue
			}
			fields, closed := splitCSV(string(v.Row), nil)
			if !closed || len(fields) != len(strings.Split(logColumns, ",")) || bytes.ContainsAny(v.Row, "\n\r\x00\x1b") {
				t.Fatalf("row %q", v.Row)
			}
		}
	})
}
