package spf

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRoundTrips counts in virtual time how often a check waits for the DNS, one
// answer after the other, and how many questions it asks.
func TestRoundTrips(t *testing.T) {
	const late = 20 * time.Millisecond
	google := "a.test TXT v=spf1 include:_spf.test ~all\n_spf.test TXT v=spf1 include:n1.test include:n2.test include:n3.test ~all\n" +
		"n1.test TXT v=spf1 ip4:198.51.100.0/24 ~all\nn2.test TXT v=spf1 ip4:198.51.100.0/24 ~all\nn3.test TXT v=spf1 ip4:192.0.2.0/24 ~all"
	for _, tt := range []struct {
		name              string
		zone              string
		want              Outcome
		rounds, questions int
	}{
		{"no record", "", None, 1, 1},
		{"networks alone", "a.test TXT v=spf1 ip4:192.0.2.0/24 -all", Pass, 1, 1},
		{"one include", "a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 ip4:192.0.2.0/24", Pass, 2, 2},
		{"a, mx and one include", "a.test TXT v=spf1 a mx include:b.test -all\na.test A 192.0.2.1\na.test MX m1.test m2.test m3.test\nm1.test A 192.0.2.1\nm2.test A 192.0.2.2\n" +
			"m3.test A 192.0.2.3\nb.test TXT v=spf1 ip4:192.0.2.0/24", Pass, 3, 7},
		{"one include with a and mx", "a.test TXT v=spf1 include:b.test -all\nb.test TXT v=spf1 a mx -all\nb.test A 192.0.2.1\nb.test MX m1.test m2.test\nm1.test A 192.0.2.1\nm2.test A 192.0.2.7", Pass, 4, 6},
		{"four includes", "a.test TXT v=spf1 include:b.test include:c.test include:d.test include:e.test -all\nb.test TXT v=spf1 -all\nc.test TXT v=spf1 -all\nd.test TXT v=spf1 -all\n" +
			"e.test TXT v=spf1 ip4:192.0.2.7", Pass, 2, 5},
		{"includes in an include", google, Pass, 3, 5},
		{"includes in includes, side by side", "a.test TXT v=spf1 include:b.test include:c.test -all\nb.test TXT v=spf1 include:d.test\nc.test TXT v=spf1 include:e.test\nd.test TXT v=spf1 -all\n" +
			"e.test TXT v=spf1 a:f.test\nf.test A 192.0.2.7", Pass, 4, 6},
		{"include and redirect", "a.test TXT v=spf1 include:b.test redirect=c.test\nb.test TXT v=spf1 -all\nc.test TXT v=spf1 ip4:192.0.2.7", Pass, 2, 3},
		{"macros that can be foreseen", "a.test TXT v=spf1 include:b.test include:%{i}._ip.%{h}._ehlo.%{d}.c.test -all\nb.test TXT v=spf1 -all\n192.0.2.7._ip.mx.test._ehlo.a.test.c.test TXT v=spf1 ip4:192.0.2.7", Pass, 2, 3},
		{"the address in a macro", "a.test TXT v=spf1 include:b.test exists:%{ir}.c.test -all\nb.test TXT v=spf1 -all\n7.2.0.192.c.test A 127.0.0.2", Pass, 2, 3},
		{"ptr", "a.test TXT v=spf1 ptr -all\n7.2.0.192.in-addr.arpa PTR b.test c.test mx.a.test\nb.test A 192.0.2.7\nc.test A 192.0.2.7\nmx.a.test A 192.0.2.7", Pass, 3, 5},
		{"nothing is asked behind a network that has the client", "a.test TXT v=spf1 ip4:192.0.2.7 include:b.test include:c.test a mx -all", Pass, 1, 1},
		{"what is asked ahead is called off when it is not needed", "a.test TXT v=spf1 include:b.test include:c.test -all\nb.test TXT v=spf1 ip4:192.0.2.7\nc.test TXT v=spf1 include:d.test\nd.test TXT v=spf1 include:e.test", Pass, 2, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := zone(t, tt.zone)
				w.delay = late
				began := time.Now()
				got := Check(t.Context(), w, Query{c7, "mx.test", "joe@a.test"})
				rounds := int(time.Since(began) / late)
				if got.Outcome != tt.want || rounds != tt.rounds || w.total() > tt.questions {
					t.Errorf("got %v after %d round trips and %d questions, want %v after %d and %d", got.Outcome, rounds, w.total(), tt.want, tt.rounds, tt.questions)
				}
				if w.now != 0 {
					t.Errorf("%d questions are still out", w.now)
				}
			})
		})
	}
}

// TestTheBudgetIsKept: a check ends with its context, and lets go of everything.
func TestTheBudgetIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := zone(t, "a.test TXT v=spf1 include:b.test include:c.test a mx -all")
		w.delay = 3 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		got := Check(ctx, w, Query{c7, "mx.test", "joe@a.test"})
		if took := time.Since(began); got.Outcome != TempError || took != 5*time.Second || w.now != 0 {
			t.Errorf("got %v (%s) after %v, %d still out", got.Outcome, got.Reason, took, w.now)
		}
	})
}

// TestHostileRecords: whatever a domain writes, one check asks no more than a
// record that obeys the limits can make it ask, and nothing twice.
func TestHostileRecords(t *testing.T) {
	many := func(n int, term string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " "+term, i)
		}
		return b.String()
	}
	tree := func(depth, width int, leaf string) string { // each include includes more
		var b strings.Builder
		level := []string{"a.test"}
		for range depth {
			var next []string
			for i, name := range level {
				b.WriteString(name + " TXT v=spf1")
				for j := range width {
					child := fmt.Sprintf("x%d-%d.%s", i, j, name)
					b.WriteString(" include:" + child)
					next = append(next, child)
				}
				b.WriteString(" -all\n")
			}
			level = next
		}
		for _, name := range level {
			b.WriteString(name + " TXT v=spf1" + leaf + "\n")
		}
		return b.String()
	}
	lines := func(n int, line string) string { // of a zone
		return "\n" + strings.ReplaceAll(many(n, strings.ReplaceAll(line, " ", "#")+"\n"), "#", " ")
	}
	for _, tt := range []struct {
		name string
		zone string
		want Outcome
		most int // questions
	}{
		{"100 includes of nothing", "a.test TXT v=spf1" + many(100, "include:n%d.test"), PermError, 11},
		{"100 includes", "a.test TXT v=spf1" + many(100, "include:n%d.test") + lines(100, "n%d.test TXT v=spf1 -all"), PermError, 11},
		{"a loop", "a.test TXT v=spf1 include:b.test\nb.test TXT v=spf1 include:a.test", PermError, 2},
		{"a loop on itself", "a.test TXT v=spf1 redirect=a.test", PermError, 1},
		{"a tree", tree(3, 9, " ~all"), PermError, 21},
		{"a deep tree", tree(12, 1, " ~all"), PermError, 11},
		{"100 addresses", "a.test TXT v=spf1" + many(100, "a:n%d.test"), PermError, 11},
		{"100 names to try", "a.test TXT v=spf1" + many(100, "exists:%%{i}.n%d.test"), PermError, 11},
		{"100 exchangers of ten hosts", "a.test TXT v=spf1" + many(100, "mx:n%[1]d.test") +
			lines(100, "n%[1]d.test MX "+strings.Join(strings.Split("0123456789", ""), ".n%[1]d.test ")+".n%[1]d.test"), PermError, mostQuestions},
		{"64 kB of networks", "a.test TXT v=spf1" + strings.Repeat(" ip4:198.51.100.1", 4000), PermError, 1},
		{"16 kB of networks", "a.test TXT v=spf1" + strings.Repeat(" ip4:198.51.100.1", 900), Neutral, 1},
		{"a macro of 16 kB", "a.test TXT v=spf1 a:%{d" + strings.Repeat(".", 16000) + "}", PermError, 1},
		{"macros of 16 kB", "a.test TXT v=spf1 a:" + strings.Repeat("%{s}", 4000) + " -all", PermError, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := zone(t, tt.zone)
			got := Check(t.Context(), w, Query{c7, "mx.test", "joe@a.test"})
			if got.Outcome != tt.want || w.total() > tt.most {
				t.Errorf("got %v (%s) after %d questions, want %v after %d", got.Outcome, got.Reason, w.total(), tt.want, tt.most)
			}
			for q, times := range w.asked {
				if times > 1 {
					t.Errorf("asked %v %d times", q, times)
				}
			}
		})
	}
}

// TestTheMostQuestions: what was asked ahead in vain counts as well. A record that
// breaks the limits may then find no answer instead of its error.
func TestTheMostQuestions(t *testing.T) {
	hosts := func(name string) string {
		return name + " MX h0." + name + strings.Join(strings.Split(" 1 2 3 4 5 6 7 8 9", " "), "."+name+" h") + "." + name + "\n"
	}
	a, b, all := "a.test TXT v=spf1 include:b.test", "b.test TXT v=spf1", ""
	for i := range 9 {
		x, y := fmt.Sprintf("x%d.test", i), fmt.Sprintf("y%d.test", i)
		a, b, all = a+" mx:"+x, b+" mx:"+y, all+hosts(x)+hosts(y)
	}
	w := zone(t, a+"\n"+b+"\n"+all)
	got := Check(t.Context(), w, Query{c7, "mx.test", "joe@a.test"})
	if w.total() > mostQuestions || got.Outcome != PermError && got.Outcome != TempError {
		t.Errorf("got %v (%s) after %d questions", got.Outcome, got.Reason, w.total())
	}
}

// TestForesight: what is asked ahead has the name that the library makes of it.
func TestForesight(t *testing.T) {
	for _, client := range []string{"192.0.2.7", "2001:db8::7"} {
		w := zone(t, "a.test TXT v=spf1 include:b.test a:%{i}.c.test exists:%{ir}.%{d}.c.test exists:%{l}.%{o}.%{h}.c.test ?all\nb.test TXT v=spf1 -all")
		got := Check(t.Context(), w, Query{ip(client), "MX.test", "Joe@A.test"})
		if len(got.Lookups) != 5 || w.total() != 5 {
			t.Errorf("%s: %d questions: %+v", client, w.total(), got.Lookups)
		}
	}
}
