package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rows = `label,date,client_ip,ptr,ptr_state,helo,spf,source,action,code,status,score,findings
ham,2020-01-02,192.0.2.7,mx.a.example,named,mx.a.example,pass,list-a,continue,0,,-16,"spf-pass:0,relation:-16"
ham,2020-01-03,192.0.2.9,,none,mx.b.example,,list-a,tempfail,450,4.7.25,6,rdns-missing:6
ham,2021-01-03,198.51.100.9,mx.c.example,named,mx.c.example,,foff-b,continue,0,,-16,relation:-16
ham,2005-01-03,203.0.113.9,mx.c.example,named,mx.c.example,,sa-easy,reject,550,5.7.1,10,helo-localhost:10
spam,2007-01-02,203.0.113.1,,none,x,,trec07p,reject,550,5.7.25,10,"rdns-missing:6,helo-not-fqdn:4"
spam,2007-01-02,203.0.113.2,,none,y,,trec07p,reject,550,5.7.25,10,"helo-not-fqdn:4,rdns-missing:6"
spam,2007-01-02,203.0.113.3,,none,mx.d.example,,trec07p,tempfail,450,4.7.25,6,rdns-missing:6
spam,2020-01-02,2001:db8:1:2::3,mx.google.example,named,mx.google.example,,list-a,continue,0,,-16,relation:-16
spam,2020-01-02,2001:db8:1:9::3,mx.e.example,named,mx.e.example,,list-a,continue,0,,-16,relation:-16
phish,2023-01-02,192.0.2.66,,unrecorded,x,fail,phishing_pot,continue,0,,5.5,"helo-not-fqdn:4,spf-fail:1.5"
`

func TestCounting(t *testing.T) {
	visits, err := readRows(strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	tallies := count(visits, nil)
	for part, want := range map[string]tally{
		modernHam: {all: 2, deferred: 1},             // two addresses of one network are one, and it is touched
		olderHam:  {all: 1, refused: 1},              // old mail is counted apart
		trec:      {all: 2, deferred: 1, refused: 1}, // equal findings of one network are one row, in whatever order
		listBig:   {all: 1},                          // by PTR or HELO
		listSpam:  {all: 1},
		phish:     {all: 1},
	} {
		if tallies[part] != want {
			t.Errorf("%s: %+v, want %+v", part, tallies[part], want)
		}
	}
	if n := len(tallies); n != 6 {
		t.Errorf("%d parts: %v", n, tallies)
	}
}

func TestEvidenceIsCountedWhereItCouldBeSeen(t *testing.T) {
	visits, err := readRows(strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	c := evidence(visits, func(v *visit) bool { return v.part == phish || v.part == trec })
	if c.all[0] != 3 || c.all[ptrFact] != 2 || c.all[spfFact] != 1 || c.all[ptrFact|spfFact] != 0 {
		t.Errorf("seen of %v", c.all)
	}
	if c.has["helo-not-fqdn"] != 2 || c.has["helo-not-fqdn + rdns-missing"] != 1 {
		t.Errorf("has %v", c.has)
	}
	for id, want := range map[string]facts{
		"helo-not-fqdn": 0, "rdns-generic": ptrFact, "spf-none + unnamed-bare": ptrFact | spfFact, "helo-not-client": forwardFact,
	} {
		if got := needs(id); got != want {
			t.Errorf("%s needs %b, want %b", id, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, tc := range []struct {
		a, n, b, m int
		want       float64 // at least, if positive; at most, if negative
	}{{50, 100, 1, 100, 3}, {1, 100, 50, 100, -3}, {0, 1000, 0, 1000, 0}} {
		llr, half := ratio(tc.a, tc.n, tc.b, tc.m)
		if tc.want > 0 && llr < tc.want || tc.want < 0 && llr > tc.want || tc.want == 0 && math.Abs(llr) > 1e-9 {
			t.Errorf("%+v: %v", tc, llr)
		}
		if half <= 0 || math.IsNaN(half) {
			t.Errorf("%+v: half an interval of %v", tc, half)
		}
	}
	// Nothing seen is not never.
	if got := share(0, 1704); got != "0.00 % (0.00-0.22)" {
		t.Errorf("%s", got)
	}
}

func TestTroubleIsTold(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.csv")
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no command":    {nil, "tables or tune"},
		"no file":       {[]string{"tables"}, "no file of labelled visits"},
		"missing file":  {[]string{"tune", missing}, "nothing was measured"},
		"no program":    {[]string{"tables", "-program", missing, os.Args[0]}, "no such file"},
		"wrong columns": {nil, ""},
	} {
		if name == "wrong columns" {
			if _, err := readRows(strings.NewReader("a,b\n1,2\n")); err == nil || !strings.Contains(err.Error(), "no column label") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var out bytes.Buffer
		if err := run(tc.args, &out, &out); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// TestBlanked: nothing of PTR is left, everything else is.
func TestBlanked(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "in.csv")
	if err := os.WriteFile(from, []byte("client_ip,ptr,ptr_state,fcrdns,helo,helo_fwd\n192.0.2.1,mx.example,named,yes,mx.example,match\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := blanked(dir, []string{from})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := "client_ip,ptr,ptr_state,fcrdns,helo,helo_fwd\n192.0.2.1,,unrecorded,unknown,mx.example,\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
}
