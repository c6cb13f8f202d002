package replay

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mailprofiled/profile"
)

// replayText replays a text, and gives rows and summary.
func replayText(t testing.TB, text string, o Options, policy, against *Policy) (rows string, run *Run) {
	t.Helper()
	var out bytes.Buffer
	o.Rows = &out
	visits, _, in := readAll(t, text, Auto)
	run = NewRun(o, policy, against)
	run.Header(in.Header)
	for _, v := range visits {
		run.Visit(v)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), run
}

// Rows are the input's columns as they stand there, and then the verdict.
func TestRows(t *testing.T) {
	text := "id,client_ip,ptr_state,helo\n" +
		"\"1, one\",192.0.2.7,none,localhost\n" +
		"2,192.0.2.8,,mail.good.example\n"
	rows, _ := replayText(t, text, Options{}, testPolicy(t, "standard", began, nil), nil)
	want := "id,client_ip,ptr_state,helo,action,code,status,score,findings\n" +
		"\"1, one\",192.0.2.7,none,localhost,reject,550,5.7.1,16,\"helo-localhost:10,rdns-missing:6\"\n" +
		"2,192.0.2.8,,mail.good.example,continue,0,,0,\n"
	if rows != want {
		t.Errorf("got\n%s\nwant\n%s", rows, want)
	}
	rows, _ = replayText(t, text, Options{}, testPolicy(t, "standard", began, nil), testPolicy(t, "cautious", began, nil))
	all, err := csv.NewReader(strings.NewReader(rows)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all[1][4:], "|"); got != "reject|550|5.7.1|16|helo-localhost:10,rdns-missing:6|reject|550|5.7.1|12|helo-localhost:7.5,rdns-missing:4.5" {
		t.Errorf("compared: %s", got)
	}
}

// who comes back by the log's own time passes, and only if it can be told.
func TestDeferralsGoByTheInputsTime(t *testing.T) {
	row := "%s,192.0.2.7,none,%s,%s,\n"
	tests := []struct{ name, second, from, rcpt, want string }{
		{"ten minutes later", "2026-02-03T04:15:06Z", "jo@good.example", "a@here.example", "continue"},
		{"at once", "2026-02-03T04:05:16Z", "jo@good.example", "a@here.example", "tempfail"},
		{"two days later", "2026-02-05T04:05:06Z", "jo@good.example", "a@here.example", "tempfail"},
		{"only the sender's domain is known", "2026-02-03T04:15:06Z", "good.example", "a@here.example", "tempfail"},
		{"no recipient is known", "2026-02-03T04:15:06Z", "jo@good.example", "", "tempfail"},
		{"no time of day is known", "2026-02-04", "jo@good.example", "a@here.example", "tempfail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := "2026-02-03T04:05:06Z"
			if len(tt.second) == len(time.DateOnly) {
				first = first[:10]
			}
			text := "date,client_ip,ptr_state,mail_from_domain,rcpt,label\n" +
				fmt.Sprintf(row, first, tt.from, tt.rcpt) + fmt.Sprintf(row, tt.second, tt.from, tt.rcpt)
			rows, _ := replayText(t, text, Options{}, testPolicy(t, "standard", began, nil), nil)
			all, err := csv.NewReader(strings.NewReader(rows)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if all[1][6] != "tempfail" || all[2][6] != tt.want {
				t.Errorf("%s, then %s; want tempfail, then %s", all[1][6], all[2][6], tt.want)
			}
		})
	}
}

func TestVisitsOutOfOrderAreSaid(t *testing.T) {
	text := "date,client_ip\n2026-02-03,192.0.2.7\n2026-02-01,192.0.2.7\n,192.0.2.7\n2026-02-04,192.0.2.7\n"
	_, run := replayText(t, text, Options{}, testPolicy(t, "standard", began, nil), nil)
	s := run.Summary
	if s.Late != 1 || s.Visits != 4 || s.First.Format(time.DateOnly) != "2026-02-01" || s.Last.Format(time.DateOnly) != "2026-02-04" {
		t.Errorf("%+v", s)
	}
}

func TestChangesNameSenders(t *testing.T) {
	text := "client_ip,ptr,ptr_state,fcrdns,label\n" +
		strings.Repeat("192.0.2.7,dsl-192-0-2-7.pool.isp.example,named,yes,spam\n", 3) +
		"198.51.100.1,,none,no,ham\n198.51.100.2,,none,no,ham\n203.0.113.1,mail.good.example,named,yes,ham\n"
	strict := testPolicy(t, "standard", began, func(p *profile.Policy) {
		p.Points["rdns-dynamic"] = profile.Points{Value: 12}
		p.Points["rdns-missing"] = profile.Points{Value: 1}
	})
	policy := testPolicy(t, "standard", began, nil)
	_, run := replayText(t, text, Options{}, policy, strict)
	largest := run.Changes.Largest(10)
	if run.Changes.Visits != 5 || len(largest) != 2 || largest[0].Name != "isp.example" || largest[1].Name != "198.51.100.0/24" {
		t.Fatalf("%+v", run.Changes)
	}
	if got := largest[0].Moves[Move{From: profile.TempFail, To: profile.Reject}]; got != 3 {
		t.Errorf("%v", largest[0].Moves)
	}
	if largest[0].Why["+rdns-dynamic"] != 3 || largest[1].Why["-rdns-missing"] != 2 {
		t.Errorf("%v, %v", largest[0].Why, largest[1].Why)
	}
	var out bytes.Buffer
	run.Changes.Print(&out, run.Summary.Visits, policy, strict)
	for _, want := range []string{"5 visits of 6 answered differently", "tempfail -> reject    3", "tempfail -> continue  2", "isp.example "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not said: %s\n%s", want, out.String())
		}
	}
}

// Text of strangers does not play tricks on a terminal.
func TestSummaryIsPlain(t *testing.T) {
	text := "client_ip,ptr,ptr_state,fcrdns,helo,label\n192.0.2.7,,none,no,\x1b[2Jlocalhost,\x1b]0;x\x07\n"
	policy := testPolicy(t, "standard", began, nil)
	_, run := replayText(t, text, Options{}, policy, testPolicy(t, "strict", began, nil))
	var out bytes.Buffer
	run.Summary.Print(&out, policy)
	run.Changes.Print(&out, 1, policy, policy)
	if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); i >= 0 {
		t.Errorf("%q", out.String()[max(0, i-20):])
	}
}

// corpus lies beside the repository and is not part of it.
const corpus = "../../../shared/corpus/"

// absent says loudly that something was not tried.
func absent(t *testing.T, what string) {
	fmt.Fprintf(os.Stderr, "NOT TRIED: %s is absent; only made-up input was replayed\n", what)
	t.Logf("NOT TRIED: %s is absent", what)
}

// TestCorpus replays every row of labelled traffic, where there is one.
func TestCorpus(t *testing.T) {
	f, err := os.Open(corpus + "train.csv.gz")
	if os.IsNotExist(err) {
		absent(t, corpus+"train.csv.gz")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	in, err := Open("train.csv.gz", f, Reading{})
	if err != nil {
		t.Fatal(err)
	}
	run := NewRun(Options{Assume: true}, testPolicy(t, "standard", began, nil), nil)
	for {
		v, trouble, ok := in.Next()
		if !ok {
			break
		}
		if trouble != nil {
			t.Errorf("line %d: %s", trouble.Line, trouble.What)
		}
		run.Visit(v)
	}
	if err := run.Close(); err != nil {
		t.Fatal(err)
	}
	s := run.Summary
	if s.Visits != 89_250 || s.Labels["ham"].All() != 66_872 || s.Labels["spam"].All() != 18_079 || s.Labels["phish"].All() != 4_299 {
		t.Errorf("%d visits, %v", s.Visits, s.Labels)
	}
	if n := s.Findings["rdns-missing"]; n["ham"]+n["spam"] != 3_983 {
		t.Errorf("rdns-missing is said %v times, and 3983 rows have no PTR", n)
	}
}

func BenchmarkCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("label,date,client_ip,ptr,ptr_state,fcrdns,helo,helo_fwd,mail_from_domain,spf\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "spam,2026-02-03,192.0.%d.%d,dsl-192-0-%d-%d.pool.isp.example,named,yes,friend,,good.example,none\n", i/256, i%256, i/256, i%256)
	}
	policy := testPolicy(b, "standard", began, nil)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		replayText(b, text.String(), Options{}, policy, nil)
	}
}
