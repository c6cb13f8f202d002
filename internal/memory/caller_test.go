package memory

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// A call is one visit that would be deferred for its score, by a client with names.
type call struct {
	at            time.Duration
	client        string
	operator, spf string
	mail          string
	want          bool
}

// TestCallers: what survives a pool of addresses is what has to come back, and no more
// than that.
func TestCallers(t *testing.T) {
	const big, shop = "big.example", "shop.example"
	var pool []call
	for i := range 40 { // each of its addresses tries once, in turn
		pool = append(pool, call{time.Duration(i) * time.Minute, fmt.Sprintf("203.0.%d.7", i), big, "", "m", i > 0})
	}
	for _, tt := range []struct {
		name  string
		calls []call
	}{
		{"a pool of 40 addresses waits once", pool},
		{"with another mail too", []call{
			{0, "203.0.1.7", big, "", "m", false},
			{time.Minute, "203.0.2.7", big, "", "m", true},
			{2 * time.Minute, "203.0.3.7", big, "", "other", true},
		}},
		{"without a name of its own, by SPF", []call{
			{0, "203.0.1.7", "", shop, "m", false},
			{time.Minute, "203.0.2.7", "", shop, "m", true},
			{2 * time.Minute, "203.0.3.7", "", shop, "other", true},
			{3 * time.Minute, "203.0.4.7", "", "else.example", "other", false},
		}},
		{"the operator goes before SPF", []call{
			{0, "203.0.1.7", big, shop, "m", false},
			{time.Minute, "203.0.2.7", big, "else.example", "m", true},
			{2 * time.Minute, "203.0.3.7", "", shop, "m", false},
		}},
		{"an operator does not pass for an SPF domain of that name", []call{
			{0, "203.0.1.7", big, "", "m", false},
			{time.Minute, "203.0.2.7", big, "", "m", true},
			{2 * time.Minute, "203.0.3.7", "", big, "m", false},
		}},
		{"one address with a default name does not open the door for the others", []call{
			{0, "203.0.1.7", "", "", "m", false},
			{time.Minute, "203.0.1.7", "", "", "m", true},
			{2 * time.Minute, "203.0.2.7", "", "", "m", false},
			{2 * time.Minute, "203.0.2.7", "", "", "other", false},
		}},
		{"nor for a neighbour that has a name", []call{
			{0, "203.0.1.7", "", "", "m", false},
			{time.Minute, "203.0.1.7", "", "", "m", true},
			{2 * time.Minute, "203.0.1.8", big, "", "other", false},
		}},
		{"a name that is out of reach at the first visit costs no second wait", []call{
			{0, "203.0.1.7", "", "", "m", false},
			{time.Minute, "203.0.1.7", big, "", "m", true},
			{2 * time.Minute, "203.0.9.7", big, "", "other", true},
		}},
		{"nor at the second", []call{
			{0, "203.0.1.7", big, "", "m", false},
			{time.Minute, "203.0.1.8", "", "", "m", true},
		}},
		{"nor later", []call{
			{0, "203.0.1.7", big, "", "m", false},
			{time.Minute, "203.0.1.7", big, "", "m", true},
			{2 * time.Minute, "203.0.1.7", "", "", "other", true},
			{2 * time.Minute, "203.0.1.8", "", "", "other", false},
		}},
		{"a bot that never sends the same again never passes", []call{
			{0, "203.0.1.7", "", "", "1", false},
			{time.Hour, "203.0.1.7", "", "", "2", false},
			{2 * time.Hour, "203.0.1.7", "", "", "3", false},
			{30 * time.Hour, "203.0.1.7", "", "", "1", false},
		}},
		{"a bot that tries again at once never passes", []call{
			{0, "203.0.1.7", "", "", "m", false},
			{time.Second, "203.0.1.7", "", "", "m", false},
			{50 * time.Second, "203.0.1.7", "", "", "m", false},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := kept()
			for i, v := range tt.calls {
				c := r.Caller(netip.MustParseAddr(v.client), v.operator, v.spf)
				now := start.Add(v.at)
				would := r.WouldPass(&c, "<a@b.example>", v.mail, now)
				got := r.Passes(&c, "<a@b.example>", v.mail, now)
				if got != v.want || would != got {
					t.Fatalf("call %d (%+v): passes %v, would pass %v, want %v", i, v, got, would, v.want)
				}
				if !got {
					r.Deferred(&c, "<a@b.example>", v.mail, []string{"rdns-missing"}, now)
				}
			}
			same(t, r, again(t, r, start.Add(48*time.Hour)))
		})
	}
}

// again is what is left of r after a restart at a time.
func again(t *testing.T, r *Retries, now time.Time) *Retries {
	t.Helper()
	next := kept()
	for record := range r.ExportAll() {
		for range 2 { // to read one twice does no harm
			if err := next.Import(record, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	return next
}

// same holds that two know the same of whoever passes.
func same(t *testing.T, a, b *Retries) {
	t.Helper()
	for _, k := range a.passed.Keys() {
		was, _ := a.passed.Peek(k)
		is, ok := b.passed.Peek(k)
		if !ok || is.UnixMilli() != was.UnixMilli() {
			t.Errorf("%v passes until %v, after a restart until %v", k, was, is)
		}
	}
	if a.passed.Len() != b.passed.Len() {
		t.Errorf("%d pass, after a restart %d", a.passed.Len(), b.passed.Len())
	}
}

// TestRetryStats: who waits counts once, however many mails and addresses it has.
func TestRetryStats(t *testing.T) {
	r := kept()
	try := func(client, operator, mail string, after time.Duration, why ...string) {
		c := r.Caller(netip.MustParseAddr(client), operator, "")
		if !r.Passes(&c, "<a@b.example>", mail, start.Add(after)) {
			r.Deferred(&c, "<a@b.example>", mail, why, start.Add(after))
		}
	}
	try("203.0.1.7", "big.example", "1", 0, "rdns-missing", "spf-fail")
	try("203.0.2.7", "big.example", "2", time.Second, "rdns-missing")
	try("203.0.9.7", "", "1", 0, "rdns-missing")
	try("203.0.8.7", "", "1", time.Hour, "spf-fail")
	try("203.0.3.7", "big.example", "2", 10*time.Minute)
	try("203.0.3.7", "big.example", "3", 11*time.Minute)
	try("203.0.3.7", "big.example", "4", 26*time.Hour)
	if st := r.Stats(); st.Waiting != 0 || st.Callers != 0 || r.open+r.shadows+r.shadowed != 0 {
		t.Errorf("%+v, %d open, %d and %d shadows", st, r.open, r.shadows, r.shadowed)
	}
	st := r.Stats()
	if st.Deferred != 3 || st.Returned != 1 || st.GaveUp != 2 || st.Longest != 10*time.Minute || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	want := []RetryReason{{"rdns-missing", 2, 1}, {"spf-fail", 2, 1}}
	if !slices.Equal(st.Reasons, want) {
		t.Errorf("reasons %+v, want %+v", st.Reasons, want)
	}
	for i := range 2 * maxReasons {
		try("198.51.100.7", "", fmt.Sprint(i), 27*time.Hour, fmt.Sprint("dnsbl:", i))
		try(fmt.Sprintf("198.51.%d.7", i), "", "m", 27*time.Hour, fmt.Sprint("dnsbl:", i))
	}
	if last := r.stats.names[maxReasons-1]; last != otherReasons || len(r.stats.names) != maxReasons {
		t.Errorf("%d reasons, the last %q", len(r.stats.names), last)
	}
}

// TestRetriesOutliveTheProcess: by what changed and by all there is, and what ended
// meanwhile is left out.
func TestRetriesOutliveTheProcess(t *testing.T) {
	r := kept()
	var journal [][]byte
	keep := func() {
		if b := r.ExportChanged(nil); b != nil {
			journal = append(journal, b)
		}
	}
	waits := r.Caller(netip.MustParseAddr("203.0.1.7"), "", "")
	came := r.Caller(netip.MustParseAddr("203.0.2.7"), "big.example", "")
	r.Deferred(&waits, "<a@b.example>", "x", []string{"spf-fail"}, start)
	keep()
	r.Deferred(&came, "<a@b.example>", "x", []string{"rdns-missing"}, start)
	keep()
	keep()
	if !r.Passes(&came, "<a@b.example>", "x", start.Add(2*time.Minute)) {
		t.Fatal("it has come back")
	}
	keep()
	if len(journal) != 3 {
		t.Fatalf("%d records, want 3: nothing has changed for the other", len(journal))
	}
	all := slices.Collect(func(yield func([]byte) bool) {
		for b := range r.ExportAll() {
			yield(slices.Clone(b))
		}
	})
	for name, records := range map[string][][]byte{"journal": journal, "snapshot": all, "both": append(all, journal...)} {
		next := kept()
		for _, b := range records {
			if err := next.Import(b, start.Add(3*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		same(t, r, next)
		if !maps.EqualFunc(next.waiting, r.waiting, func(a, b *waiter) bool { return len(a.list) == len(b.list) && a.shadow == b.shadow }) {
			t.Errorf("%s: %d wait, want %d", name, len(next.waiting), len(r.waiting))
		}
		if !next.Passes(&waits, "<a@b.example>", "x", start.Add(4*time.Minute)) || !next.Passes(&came, "<c@d.example>", "y", start.Add(4*time.Minute)) {
			t.Errorf("%s: who waited, or came back, is forgotten", name)
		}
		if st := next.Stats(); !slices.Contains(st.Reasons, RetryReason{"spf-fail", 1, 1}) || st.Longest != 4*time.Minute {
			t.Errorf("%s: %+v", name, st)
		}
		if next.Forget(came.own, came.home, waits.own) != 3 || next.Passes(&came, "<c@d.example>", "y", start.Add(4*time.Minute)) {
			t.Errorf("%s: it passes, and was to be forgotten", name)
		}
	}
	if late := again(t, r, start.Add(30*24*time.Hour)); late.passed.Len()+len(late.waiting) != 0 {
		t.Errorf("after a month %d pass and %d wait", late.passed.Len(), len(late.waiting))
	}
}

func FuzzRetriesImport(f *testing.F) {
	r := kept()
	c := r.Caller(netip.MustParseAddr("203.0.1.7"), "big.example", "")
	r.Deferred(&c, "<a@b.example>", "x", []string{"spf-fail"}, start)
	f.Add(r.ExportChanged(nil))
	r.Passes(&c, "<a@b.example>", "x", start.Add(2*time.Minute))
	f.Add(r.ExportChanged(nil))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		r := kept()
		if r.Import(record, start) != nil {
			if len(r.waiting)+r.passed.Len() > 0 {
				t.Error("something was taken of a record with an error")
			}
			return
		}
		sum := 0
		for _, w := range r.waiting {
			sum += len(w.list)
		}
		if sum != r.open || r.shadows < 0 || r.shadows > r.open || r.shadowed > len(r.waiting) {
			t.Errorf("%d deferrals, %d counted, %d of them shadows", sum, r.open, r.shadows)
		}
		same(t, r, again(t, r, start))
	})
}
