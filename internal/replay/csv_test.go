package replay

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"mailprofiled/profile"
)

// readAll reads a file whole, and gives its visits and what was wrong.
func readAll(t testing.TB, text string, format Format) (visits []*Visit, troubles []string, in *Input) {
	t.Helper()
	in, err := Open("file", strings.NewReader(text), Reading{Format: format, Newest: began})
	if err != nil {
		t.Fatal(err)
	}
	for {
		v, trouble, ok := in.Next()
		if !ok {
			break
		}
		if trouble != nil {
			troubles = append(troubles, fmt.Sprintf("%d: %s", trouble.Line, trouble.What))
		}
		if v != nil {
			visits = append(visits, v)
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return visits, troubles, in
}

// What a row says reaches the judgement, and what it does not say is unknown.
func TestFactsOfARow(t *testing.T) {
	const header = "client_ip,ptr,ptr_state,fcrdns,helo,helo_fwd,mail_from_domain,spf"
	tests := []struct{ name, row, plain, assumed string }{
		{"nothing but the address", "192.0.2.7,,,,,,,", "continue ", ""},
		{"no PTR", "192.0.2.7,,none,no,,,,", "tempfail rdns-missing:6", ""},
		{"none or unconfirmed", "192.0.2.7,,none_or_unconfirmed,no,,,,", "continue ", "continue rdns-unconfirmed:3"},
		{"unrecorded", "192.0.2.7,,unrecorded,unknown,,,,", "continue ", ""},
		{"an empty PTR is not a missing one", "192.0.2.7,,named,yes,,,,", "continue ", ""},
		{"a confirmed name that is HELO too", "192.0.2.7,mail.good.example,named,yes,mail.good.example,,,", "continue relation:-8", ""},
		{"case and a last dot", "192.0.2.7,Mail.Good.Example.,Named,YES,MAIL.good.example,,,", "continue relation:-8", ""},
		{"the same, not confirmed", "192.0.2.7,mail.good.example,named,no,mail.good.example,,,", "continue rdns-unconfirmed:3", ""},
		{"the same, and nobody looked", "192.0.2.7,mail.good.example,named,unknown,mail.good.example,,,", "continue ", ""},
		{"a name without a state is named", "192.0.2.7,dsl-192-0-2-7.pool.isp.example,,yes,,,,", "tempfail rdns-dynamic:5", ""},
		{"a name beside its absence: neither is known", "192.0.2.7,mail.good.example,none,no,,,,", "continue ", ""},
		{"an address as name is none", "192.0.2.7,[192.0.2.7],named,yes,,,,", "continue ", ""},
		{"HELO leads elsewhere", "192.0.2.7,,,,mail.good.example,mismatch,,", "continue helo-not-client:0.5", ""},
		{"HELO leads here", "192.0.2.7,,,,mail.good.example,match,,", "continue ", ""},
		{"HELO of an IPv6 client leads elsewhere", "2001:db8::7,,,,mail.good.example,mismatch,,", "continue helo-not-client:0.5", ""},
		{"HELO is a literal of another", "192.0.2.7,,,,[192.0.2.9],,,", "reject helo-literal-mismatch:10", ""},
		{"SPF by the sender's domain", "192.0.2.7,,,,,,good.example,pass", "continue spf-pass:0,relation:-8", ""},
		{"SPF fails", "192.0.2.7,,,,,,good.example,FAIL", "continue spf-fail:4", ""},
		{"SPF of a bounce", "192.0.2.7,,,,,,<>,pass", "continue spf-pass:0", ""},
		{"SPF, and the sender was not recorded", "192.0.2.7,,,,,,,softfail", "continue spf-softfail:1", ""},
		{"neutral is none", "192.0.2.7,,,,,,good.example,neutral", "continue spf-none:0", ""},
		{"a whole address in the place of the domain", "192.0.2.7,,,,,,jo@good.example,none", "continue spf-none:0", ""},
		{"a sender's domain that is no name", "192.0.2.7,,,,,,-bad_.example,none", "continue from-syntax:1,spf-none:0", ""},
		{"an address as in a log", "[IPv6:2001:db8::7],,none,,,,,", "tempfail rdns-missing:6", ""},
		{"a mapped address", "::ffff:192.0.2.7,dsl-192-0-2-7.pool.isp.example,named,yes,,,,", "tempfail rdns-dynamic:5", ""},
	}
	p := testPolicy(t, "standard", began, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			visits, troubles, _ := readAll(t, header+"\n"+tt.row+"\n", Auto)
			if len(visits) != 1 || len(troubles) > 0 {
				t.Fatalf("%d visits, %q", len(visits), troubles)
			}
			if tt.assumed == "" {
				tt.assumed = tt.plain
			}
			for _, assume := range []bool{false, true} {
				want := map[bool]string{false: tt.plain, true: tt.assumed}[assume]
				r := p.begin(visits[0], NoTime, &Options{Assume: assume}).Judge()
				if got := fmt.Sprintf("%v %s", r.Verdict.Action, r.FindingsText()); got != want {
					t.Errorf("assume %v: got %q, want %q", assume, got, want)
				}
			}
		})
	}
}

func TestOtherColumns(t *testing.T) {
	visits, troubles, in := readAll(t, "\ufeffid, Client_IP ,rcpt,account,label,date\r\n"+
		"1,192.0.2.7,a@here.example b@here.example,jo,ham,2026-02-03\r\n"+
		"2,192.0.2.8,,,spam,2026-02-03T04:05:06+01:00\r\n"+
		"\"3, \"\"the\nthird\"\"\",192.0.2.9,,,,2026-02-03 04:05:06\r\n", Auto)
	if len(troubles) > 0 || len(visits) != 3 || in.Header != "id, Client_IP ,rcpt,account,label,date" {
		t.Fatalf("%d visits, %q, header %q", len(visits), troubles, in.Header)
	}
	v := visits[0]
	if !slices.Equal(v.Rcpts, []string{"a@here.example", "b@here.example"}) || v.Account != "jo" || v.Label != "ham" || v.Precision != Day {
		t.Errorf("%+v", v)
	}
	if v := visits[1]; v.Precision != Moment || v.Time.Format("15:04:05") != "03:05:06" || string(v.Row) != "2,192.0.2.8,,,spam,2026-02-03T04:05:06+01:00" {
		t.Errorf("%+v %s", v, v.Row)
	}
	if v := visits[2]; v.Client.String() != "192.0.2.9" || v.Time.Format("15:04:05") != "04:05:06" {
		t.Errorf("%+v", v)
	}
}

// Garbage is said and left out; a word that is not known is a fact that is not.
func TestGarbageIsNeverFatal(t *testing.T) {
	text := "client_ip,spf,note\n" +
		"192.0.2.1,pass,fine\n" +
		"\x00\xff,,\n" +
		"192.0.2.2,pass\n" +
		"192.0.2.3,pass,two,many\n" +
		"192.0.2.4,perhaps,\n" +
		"192.0.2.5,pass," + strings.Repeat("x", maxField+1) + "\n" +
		"192.0.2.6,pass," + strings.Repeat("x", 3*maxLine) + "\n" +
		"\n" +
		"192.0.2.7,pass,\"never closed\n" +
		"192.0.2.8,pass,after it\n" +
		",pass,nobody\n" +
		"192.0.2.9,pass,no line end"
	visits, troubles, _ := readAll(t, text, Auto)
	var got []string
	for _, v := range visits {
		got = append(got, v.Client.String())
	}
	if want := []string{"192.0.2.1", "192.0.2.4", "192.0.2.5", "192.0.2.8", "192.0.2.9"}; !slices.Equal(got, want) {
		t.Errorf("visits of %v, want %v", got, want)
	}
	if visits[1].SPF != profile.SPFNotAsked {
		t.Errorf("a word that is no result is %v", visits[1].SPF)
	}
	want := []string{
		"3: client_ip is no IP address", "4: 2 fields, and the header has 3", "5: 4 fields, and the header has 3", "6: spf is no result of RFC 7208",
		"8: longer than 65536 octets", "10: a quote is never closed", "12: no client_ip",
	}
	if !slices.Equal(troubles, want) {
		t.Errorf("said\n%s\nwant\n%s", strings.Join(troubles, "\n"), strings.Join(want, "\n"))
	}
}

// A field of ours that is too long is garbage; one that is only carried through may
// be long.
func TestHugeFields(t *testing.T) {
	_, troubles, _ := readAll(t, "client_ip,helo\n192.0.2.7,"+strings.Repeat("x", maxField+1)+"\n", Auto)
	if len(troubles) != 1 || !strings.Contains(troubles[0], "a field of 4097 octets") {
		t.Errorf("%q", troubles)
	}
}

func TestGzipAndItsEnd(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	fmt.Fprint(w, "client_ip\n"+strings.Repeat("192.0.2.77\n", 10_000))
	w.Close()
	for _, missing := range []int{0, 1, 8, 9, 10, 11, 12, 13, 14, 20} {
		whole, data := missing == 0, zipped.Bytes()[:zipped.Len()-missing]
		in, err := Open("file.gz", bytes.NewReader(data), Reading{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			v, trouble, ok := in.Next()
			if !ok {
				break
			}
			if trouble != nil || v.Client.String() != "192.0.2.77" { // half a row is none
				t.Fatalf("%d octets missing: visit %d is %+v, %+v", missing, n, v, trouble)
			}
			n++
		}
		if whole && (n != 10_000 || in.Err() != nil) || !whole && (n == 0 || in.Err() == nil || !strings.Contains(in.Err().Error(), "it is cut off after line")) {
			t.Errorf("%d octets missing: %d visits, %v", missing, n, in.Err())
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "it is empty",
		"a,b\n1,2\n":                  "neither a log nor CSV",
		"\x1f\x8b\x08nothing of gzip": "file: ",
	} {
		if _, err := Open("file", strings.NewReader(text), Reading{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Open("file", strings.NewReader("a,b\n1,2\n"), Reading{Format: CSV}); err == nil || !strings.Contains(err.Error(), "no column client_ip") {
		t.Errorf("CSV without the column: %v", err)
	}
	if _, err := Open("file", strings.NewReader(""), Reading{Format: CSV}); err == nil {
		t.Error("nothing at all was taken for CSV")
	}
}

// A field that was written is read again as it was.
func TestFieldsComeBack(t *testing.T) {
	for _, fields := range [][]string{{""}, {"a", ""}, {`"`, `a"b`, `""`}, {"a,b", "c\nd", "\r"}, {"rdns-missing:6,helo-x:1"}} {
		var b []byte
		for i, f := range fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendField(b, f)
		}
		if got, closed := splitCSV(string(b), nil); !closed || !slices.Equal(got, fields) {
			t.Errorf("%q became %q", fields, got)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("client_ip,ptr,helo\n192.0.2.7,a.example,\"x\"\"y\"\n")
	f.Add("client_ip\n\"192.0.2.7\n192.0.2.8\n")
	f.Add("client_ip,spf,date,mail_from_domain,ptr_state\n192.0.2.7,pass,2026-01-01,<>,none\n,,,,\n")
	p := testPolicy(f, "standard", began, nil)
	f.Fuzz(func(t *testing.T, text string) {
		in, err := Open("fuzz", strings.NewReader(text), Reading{Format: CSV})
		if err != nil {
			return
		}
		run := NewRun(Options{Rows: io.Discard, Assume: true}, p, nil)
		run.Header(in.Header)
		n, lines := 0, strings.Count(text, "\n")+1
		for {
			v, trouble, ok := in.Next()
			if !ok {
				break
			}
			if n++; n > lines {
				t.Fatalf("more rows than lines: %d", n)
			}
			if v == nil && trouble == nil {
				t.Fatal("neither a visit nor what is wrong")
			}
			if v != nil {
				run.Visit(v)
			}
		}
		if err := run.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
