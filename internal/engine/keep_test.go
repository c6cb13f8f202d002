package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
)

// A shelf keeps drafts.
type shelf struct{ drafts []*Draft }

func (s *shelf) Record(d *Draft) { s.drafts = append(s.drafts, d) }

// said is how the tests write an answer.
func said(a Answer) string { return fmt.Sprintf("%d %s %s [%s]", a.Code, a.Status, a.Text, a.ID) }

func (s *shelf) records() (all []*Record) {
	for _, d := range s.drafts {
		rec, _ := d.Record(said)
		all = append(all, rec)
	}
	return all
}

func keepOn(s *shelf, change func(*Options)) func(*Options) {
	return func(o *Options) {
		o.Recorder = s
		if change != nil {
			change(o)
		}
	}
}

// rows are the look-ups of a record, one a line.
func rows(rec *Record) string {
	var b strings.Builder
	for _, l := range rec.Lookups {
		fmt.Fprintf(&b, "%s %s %s %s\n", l.Question, l.Type, strings.Join(l.Answer, ","), l.Source)
	}
	return b.String()
}

const coldRows = `66.2.0.192.in-addr.arpa PTR none dns
helo.elsewhere.example A 192.0.2.44 dns
helo.elsewhere.example AAAA none dns
good.example MX 10 mail.good.example dns
good.example A 192.0.2.80 dns
good.example AAAA none dns
good.example TXT none dns
mail.good.example A 192.0.2.7 dns
mail.good.example AAAA none dns
`

func TestARefusalIsRecorded(t *testing.T) {
	for _, monitor := range []bool{false, true} {
		s := new(shelf)
		h := newHarness(t, world(), keepOn(s, func(o *Options) { o.Monitor = monitor }))
		a := h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
		h.deliver(good, "mail.good.example", fromGood, toUser) // plain
		if len(s.drafts) != 1 {
			t.Fatalf("%d records", len(s.drafts))
		}
		rec, keys := s.drafts[0].Record(said)
		if got := rows(rec); got != coldRows {
			t.Errorf("look-ups:\n%swant\n%s", got, coldRows)
		}
		if rec.Client != "192.0.2.66" || rec.Helo != "helo.elsewhere.example" || rec.From != fromGood || rec.Stage != "rcpt" || rec.When.IsZero() || rec.Policy != "standard@1-test" || rec.Identity.Answer != "no" {
			t.Errorf("%+v", rec)
		}
		if !slices.ContainsFunc(rec.Findings, func(f RecordFinding) bool { return f.ID == "rdns-missing" && f.Points > 0 }) {
			t.Errorf("findings %+v", rec.Findings)
		}
		row := rec.Recipients[0]
		if row.Rcpt != toUser || row.Action != "tempfail" || row.Code != 450 || row.Score != rec.Score {
			t.Errorf("%+v", row)
		}
		switch {
		case !monitor && row.Reply != said(a), monitor && row.Reply != "", rec.Taken != monitor:
			t.Errorf("monitor %v, taken %v: reply %q", monitor, rec.Taken, row.Reply)
		}
		if keys.Client != "192.0.2.66" || keys.Sender != "joe@good.example" || keys.Domain != "good.example" || !slices.Equal(keys.Rcpts, []string{"user@here.example"}) {
			t.Errorf("%+v", keys)
		}
		if monitor && (keys.Queue != "Q1" || rec.Queue != "Q1") {
			t.Errorf("queue %q", keys.Queue)
		}
		id := strings.Fields(h.lines("verdict")[0])[1]
		if "id="+rec.ID != id {
			t.Errorf("id %s, in the log %s", rec.ID, id)
		}
	}
}

// TestWarmIsTheSameAsCold: what the cache answers stands in a record as if it had been asked.
func TestWarmIsTheSameAsCold(t *testing.T) {
	s, f := new(shelf), world()
	f.caching = true
	h := newHarness(t, f, keepOn(s, nil))
	for range 2 {
		h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	}
	warm := rows(s.records()[1])
	want := strings.ReplaceAll(coldRows, " dns\n", " cache\n")
	for _, asked := range []string{"PTR none", "TXT none"} { // the test's DNS keeps neither
		want = strings.Replace(want, asked+" cache", asked+" dns", 1)
	}
	if warm != want {
		t.Errorf("warm:\n%swant\n%s", warm, want)
	}
}

// TestARecordHoldsWhatWasJudged: where the cache has changed since, the fact stands for the answer.
func TestARecordHoldsWhatWasJudged(t *testing.T) {
	s, f := new(shelf), world()
	f.caching = true
	h := newHarness(t, f, keepOn(s, nil))
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	v := h.Connect(nameless)
	v.Helo("helo.elsewhere.example")
	v.Mail(Mail{From: fromGood})
	f.mu.Lock()
	f.records["helo.elsewhere.example A"] = []string{"203.0.113.77"}
	delete(f.records, "good.example A")
	f.mu.Unlock()
	v.Rcpt(Rcpt{To: toUser})
	v.Close()
	got := rows(s.records()[1])
	for _, want := range []string{"helo.elsewhere.example A 192.0.2.44 cache", "good.example A 192.0.2.80 cache"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "203.0.113.77") {
		t.Errorf("an answer of after the judgement:\n%s", got)
	}
}

func TestLateAnswersAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := new(shelf), world()
		f.dead = map[string]bool{"good.example MX": true, "good.example TXT": true}
		f.delay = 10 * time.Millisecond
		h := newHarness(t, f, keepOn(s, func(o *Options) { o.Recorder = s }))
		h.deliver(nameless, "mx.here.example", fromGood, toUser)
		got := rows(s.records()[0])
		for _, want := range []string{"good.example MX unknown: budget", "good.example SPF unknown: budget", "good.example A 192.0.2.80 dns"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		synctest.Wait()
	})
}

func TestWhatIsRecorded(t *testing.T) {
	for _, tt := range []struct {
		name   string
		sample float64
		client Client
		from   string
		rcpts  []string
		want   int // recipients in the record; -1: there is none
	}{
		{"plain", 0, good, fromGood, []string{toUser}, -1},
		{"plain, sampled", 1, good, fromGood, []string{toUser, "<b@here.example>", "<c@here.example>"}, 3},
		{"postmaster, whose mail would have been deferred", 0, nameless, fromGood, []string{"<postmaster@here.example>"}, 1},
		{"one who logged in", 0, good, fromGood, []string{toUser}, -1},
		{"too many recipients", 0, nameless, fromGood, slices.Repeat([]string{toUser}, 150), maxKept},
		{"nobody", 1, good, fromGood, nil, -1},
	} {
		s := new(shelf)
		h := newHarness(t, world(), keepOn(s, func(o *Options) { o.Sample = tt.sample }))
		v := h.Connect(tt.client)
		v.Helo("helo.elsewhere.example")
		v.Mail(Mail{From: tt.from})
		for _, to := range tt.rcpts {
			v.Rcpt(Rcpt{To: to})
		}
		v.Close()
		got := -1
		if all := s.records(); len(all) > 0 {
			got = len(all[0].Recipients)
			if all[0].RecipientsMore != max(0, len(tt.rcpts)-maxKept) {
				t.Errorf("%s: %d more", tt.name, all[0].RecipientsMore)
			}
		}
		if got != tt.want {
			t.Errorf("%s: %d recipients, want %d", tt.name, got, tt.want)
		}
	}
}

func TestExplainRecordsNothing(t *testing.T) {
	s := new(shelf)
	h := newHarness(t, world(), keepOn(s, func(o *Options) { o.Sample = 1 }))
	from := fromGood
	h.Explain(Query{Client: nameless.Addr, From: &from})
	if len(s.drafts) > 0 {
		t.Error("it did")
	}
}

func TestAnHonestRetryIsRecorded(t *testing.T) {
	s, now := new(shelf), time.Now()
	h := newHarness(t, world(), keepOn(s, func(o *Options) {
		o.Now = func() time.Time { return now }
		o.Retries = memory.NewRetries(memory.Windows{After: time.Minute, Within: time.Hour, Keep: time.Hour})
	}))
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	now = now.Add(2 * time.Minute)
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	all := s.records()
	if len(all) != 2 || all[1].Recipients[0].Action != "continue" || all[1].Recipients[0].Findings[0].ID != "retry-passed" {
		t.Errorf("%+v", all)
	}
}

// TestListsInRecords: each list that was asked stands there with its answer, cold and warm; one that
// did not answer in time is unknown.
func TestListsInRecords(t *testing.T) {
	s := new(shelf)
	h := withLists(t, keepOn(s, func(o *Options) { o.Budget = time.Second }), append(everywhere(t), newList(t, "late", 8, dnsbl.Connect))...)
	h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
	h.zones.set("7.2.0.192.late.test", "never")
	h.zones.set("good.example.mail.test", "127.0.0.2")
	for i, source := range []string{"dns", "cache"} {
		v := h.Connect(good)
		v.Helo("mail.good.example")
		send(v, fromGood)
		v.Close()
		all := s.records()
		if len(all) != i+1 {
			t.Fatalf("%d records of %d visits", len(all), i+1)
		}
		got := rows(all[i])
		for _, want := range []string{
			"7.2.0.192.bl.test A 127.0.0.2 ", "7.2.0.192.late.test A unknown: budget", "mail.good.example.ptr.test A none " + source,
			"mail.good.example.helo.test A none " + source, "good.example.mail.test A 127.0.0.2 " + source,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", source, want, got)
			}
		}
	}
}

// TestNoAddressInRecords: hashed, nothing of a sender, recipient or account is left, wherever DNS and
// findings quote it; unknown recipients never are.
func TestNoAddressInRecords(t *testing.T) {
	hash, unknown := logging.NewHasher([logging.KeySize]byte{1}), logging.NewHasher([logging.KeySize]byte{2})
	f := world()
	f.records["secret.example TXT"] = []string{"v=spf1 exists:%{l}._spf.secret.example -all"}
	f.records["hushed._spf.secret.example A"] = []string{"127.0.0.2"}
	f.records["secret.example MX"] = []string{"mx.secret.example"}
	src := &users{known: map[string]bool{"known": true}}
	for _, hashed := range []bool{true, false} {
		s := new(shelf)
		h := withUsers(t, src, false, keepOn(s, func(o *Options) {
			o.Resolver, o.HashUnknown = f, unknown
			if hashed {
				o.Hash = hash
			}
		}))
		v := h.Connect(nameless)
		v.Helo("Hushed@Secret.example")
		v.Mail(Mail{From: "<HUSHED@Secret.EXAMPLE>"})
		v.Rcpt(Rcpt{To: "<known@here.example>"})
		v.Rcpt(Rcpt{To: "<hunter2@here.example>"})
		v.Close()
		rec, keys := s.drafts[0].Record(said)
		text, err := json.Marshal([]any{rec, keys})
		if err != nil {
			t.Fatal(err)
		}
		low := strings.ToLower(string(text))
		for _, word := range []string{"hushed", "secret", "known@"} {
			if got := strings.Contains(low, word); got == hashed {
				t.Errorf("hashed %v: %q: %v in %s", hashed, word, got, text)
			}
		}
		if strings.Contains(low, "hunter2") || !strings.Contains(low, unknown.Token("hunter2@here.example")) {
			t.Errorf("hashed %v: an unknown recipient in %s", hashed, text)
		}
		if !slices.Contains(h.KeysOfAddress("<Hunter2@here.example>"), keys.Rcpts[1]) || !slices.Contains(h.KeysOfAddress("known@HERE.example"), keys.Rcpts[0]) ||
			!slices.Contains(h.KeysOfAddress("hushed@secret.example"), keys.Sender) || h.KeyOfDomain("secret.example") != keys.Domain {
			t.Errorf("hashed %v: not to be found by %+v", hashed, keys)
		}
	}
}

func TestReplaceWord(t *testing.T) {
	for _, tt := range [][3]string{
		{"from JO@x.example here", "jo@x.example", "from T here"},
		{"mail.x.example, x.example", "x.example", "mail.T, T"},
		{"ax.example x.examples x-x.example", "x.example", "ax.example x.examples x-x.example"},
		{"x.example", "x.example", "T"},
		{"", "x", ""},
		{"x.examplex.example.x.example", "x.example", "x.examplex.example.T"},
	} {
		if got := replaceWord(tt[0], tt[1], "T"); got != tt[2] {
			t.Errorf("%q: %q, want %q", tt[0], got, tt[2])
		}
	}
}

// TestHugeRecordsAreCut: a client and its DNS cannot make a record crowd out the others.
func TestHugeRecordsAreCut(t *testing.T) {
	s, f := new(shelf), world()
	long := strings.Repeat("x", 3000)
	f.records["good.example TXT"] = slices.Repeat([]string{long}, 60)
	h := newHarness(t, f, keepOn(s, nil))
	v := h.Connect(nameless)
	v.Helo(long)
	v.Mail(Mail{From: "<" + long + "@good.example>"})
	for range 200 {
		v.Rcpt(Rcpt{To: "<" + long + "@here.example>"})
	}
	v.Close()
	text, _ := json.Marshal(s.records()[0])
	if len(text) > 80<<10 {
		t.Errorf("%d bytes", len(text))
	}
}

type nowhere struct{}

func (nowhere) Record(*Draft) {}

// BenchmarkRecorded is BenchmarkWarmVisit with records: of what is not recorded, of a
// sample, and of what is refused.
func BenchmarkRecorded(b *testing.B) {
	for _, tt := range []struct {
		name   string
		on     bool
		sample float64
		helo   string
	}{
		{"plain, without records", false, 0, "mail.good.example"},
		{"plain, not recorded", true, 0, "mail.good.example"},
		{"plain, recorded", true, 1, "mail.good.example"},
		{"refused, without records", false, 0, "mx.here.example"},
		{"refused, recorded", true, 0, "mx.here.example"},
	} {
		b.Run(tt.name, func(b *testing.B) {
			f := world()
			f.caching = true
			h := newHarness(b, f, func(o *Options) {
				if tt.on {
					o.Recorder, o.Sample = nowhere{}, tt.sample
				}
			})
			h.deliver(good, tt.helo, fromGood, toUser)
			b.ReportAllocs()
			for b.Loop() {
				h.log.Reset()
				h.deliver(good, tt.helo, fromGood, toUser)
			}
		})
	}
}

// BenchmarkWriteOut is what a record costs behind a mail's way, before it is packed.
func BenchmarkWriteOut(b *testing.B) {
	s := new(shelf)
	h := newHarness(b, world(), keepOn(s, nil))
	h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
	b.ReportAllocs()
	for b.Loop() {
		rec, _ := s.drafts[0].Record(said)
		if _, err := json.Marshal(rec); err != nil {
			b.Fatal(err)
		}
	}
}
