package engine

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// TestListsAreAskedAboutWhatTheyCanSpeakOf: each subject, and nothing else.
func TestListsAreAskedAboutWhatTheyCanSpeakOf(t *testing.T) {
	submission := &Door{Name: "sub", Role: RoleSubmission}
	addr := netip.MustParseAddr
	const (
		connect = "7.2.0.192.bl.test"
		ptr     = "mail.good.example.ptr.test"
		helo    = "mail.good.example.helo.test"
		mail    = "good.example.mail.test"
		bounce  = "7.2.0.192.bounce.test"
	)
	visit := func(v *Visit) {
		v.Helo("mail.good.example")
		send(v, fromGood)
	}
	for _, tt := range []struct {
		name   string
		client Client
		do     func(*Visit)
		want   string // questions
	}{
		{"a client that only connects", good, func(*Visit) {}, connect + " " + ptr},
		{"a whole visit", good, visit, connect + " " + mail + " " + helo + " " + ptr},
		{"the null sender: its address once more, for what means something then", good, func(v *Visit) { send(v, "<>") }, connect + " " + bounce + " " + ptr},
		{"an IPv6 address, by nibbles", Client{Addr: addr("2001:db8::7")}, func(*Visit) {},
			"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test six.good.example.ptr.test"},
		{"an IPv4 address in its mapped form", Client{Addr: addr("::ffff:192.0.2.7")}, func(*Visit) {}, connect + " " + ptr},
		{"a name that does not lead back is not the client's", Client{Addr: addr("203.0.113.5")}, func(*Visit) {}, "5.113.0.203.bl.test"},
		{"a private address", Client{Addr: addr("10.0.0.9")}, func(v *Visit) { send(v, "<>") }, ""},
		{"a loopback address", Client{Addr: addr("127.0.0.1")}, visit, ""},
		{"our own address", Client{Addr: addr("192.0.2.99")}, func(v *Visit) { send(v, "<>") }, ""},
		{"an address of the MTA's own, by its word", Client{Addr: good.Addr, MTA: MTA{IfAddr: good.Addr}}, func(v *Visit) { send(v, "<>") }, ptr},
		{"a local client", Client{Local: true}, visit, ""},
		{"an exempt client", Client{Addr: addr("192.0.2.7"), Door: &Door{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, visit, ""},
		{"a HELO of no name", good, func(v *Visit) { v.Helo("[192.0.2.7]") }, connect + " " + ptr},
		{"a HELO of one label", good, func(v *Visit) { v.Helo("mail") }, connect + " " + ptr},
		{"MAIL without HELO", good, func(v *Visit) { send(v, fromGood) }, connect + " " + mail + " " + ptr},
		{"HELO twice: both were asked, the last one counts", good, func(v *Visit) { v.Helo("mail.good.example"); v.Helo("six.good.example") },
			connect + " " + helo + " " + ptr + " six.good.example.helo.test"},
		{"HELO after MAIL", good, func(v *Visit) { v.Mail(Mail{From: fromGood}); v.Helo("mail.good.example") }, connect + " " + mail + " " + helo + " " + ptr},
		{"RCPT without MAIL", good, func(v *Visit) { v.Rcpt(Rcpt{To: toUser}) }, connect + " " + ptr},
		{"a sender without a domain", good, func(v *Visit) { send(v, "<postmaster>") }, connect + " " + ptr},
		{"a sender of an address", good, func(v *Visit) { send(v, "<jo@[192.0.2.7]>") }, connect + " " + ptr},
		{"who logs in at a submission door is never asked about", Client{Addr: good.Addr, Door: submission},
			func(v *Visit) { v.Helo("mail.good.example"); v.Mail(Mail{From: fromGood, Account: "jo"}) }, ""},
		{"there nothing is asked before MAIL", Client{Addr: good.Addr, Door: submission}, func(v *Visit) { v.Helo("mail.good.example") }, ""},
		{"and a stranger's MAIL asks everything", Client{Addr: good.Addr, Door: submission}, visit, connect + " " + mail + " " + helo + " " + ptr},
		{"who logs in elsewhere is not asked about any more", good,
			func(v *Visit) { v.Mail(Mail{From: fromGood, Account: "jo"}) }, connect + " " + ptr},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, func(o *Options) { o.ListWatch = nil }, everywhere(t)...)
				v := h.Connect(tt.client)
				synctest.Wait()
				tt.do(v)
				synctest.Wait()
				if got := strings.Join(h.zones.questions(), " "); got != tt.want {
					t.Errorf("asked %s, want %s", got, tt.want)
				}
				v.Close()
			})
		})
	}
}

func TestListsAreFindings(t *testing.T) {
	for _, tt := range []struct {
		name, listed, from, want string
		action                   profile.Action
	}{
		{"nobody is listed", "nobody.bl.test", fromGood, "", profile.Continue},
		{"the address", "7.2.0.192.bl.test", fromGood, "dnsbl:bl:8", profile.TempFail},
		{"the address of one that bounces", "7.2.0.192.bounce.test", "<>", "dnsbl:bounce:8", profile.TempFail},
		{"the PTR name", "mail.good.example.ptr.test", fromGood, "rhsbl:ptr:8", profile.TempFail},
		{"the HELO name", "mail.good.example.helo.test", fromGood, "rhsbl:helo:8", profile.TempFail},
		{"the sender's domain", "good.example.mail.test", fromGood, "rhsbl:mail:8", profile.TempFail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := withLists(t, nil, everywhere(t)...)
			h.zones.set(tt.listed, "127.0.0.2")
			a := h.deliver(good, "mail.good.example", tt.from, toUser)
			if got := h.findings(); got != tt.want || a.Action != tt.action {
				t.Errorf("%v, %s, want %v, %s", a.Action, got, tt.action, tt.want)
			}
			if a.Action != profile.Continue && (a.Code != 450 || !strings.HasSuffix(a.Text, " (spam source)")) {
				t.Errorf("answer %+v", a)
			}
		})
	}
}

// What a list answers besides its listed codes.
func TestOtherAnswersOfLists(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []string
		want    string
	}{
		{"a listing that weighs nothing is said", []string{"127.0.0.3"}, "dnsbl:bl:0"},
		{"a remark is not", []string{"127.0.0.4"}, ""},
		{"nor what was never declared", []string{"127.9.9.9"}, ""},
		{"nor a refusal, whatever stands beside it", []string{"127.0.0.2", "127.0.0.255"}, ""},
		{"nor what is outside 127.0.0.0/8", []string{"127.0.0.2", "192.0.2.1"}, ""},
		{"nor what says that the list lies", []string{"127.0.0.2", "127.0.0.10"}, ""},
		{"nor a failure", []string{"servfail"}, ""},
		{"nor a panic of ours", []string{"panic"}, ""},
		{"both codes count", []string{"127.0.0.2", "127.0.0.3"}, "dnsbl:bl:8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := withLists(t, nil, newList(t, "bl", 8, dnsbl.Connect))
			h.zones.set("7.2.0.192.bl.test", tt.answers...)
			h.deliver(good, "mail.good.example", fromGood, toUser)
			if got := h.findings(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// The bits of one address are one answer, and said as one.
func TestBitsOfAnAnswerAreWordedTogether(t *testing.T) {
	surbl, _ := dnsbl.Find("surbl")
	zones := newZones()
	zones.set("bad.example.multi.surbl.org", "127.0.0.72")
	sub := dnsbl.Subject{Name: "www.bad.example", Stage: dnsbl.Helo}
	answers := dnsbl.NewSet([]dnsbl.List{surbl}, zones, nil, dnsbl.Options{}).Ask(t.Context(), sub, nil)
	detail, meaning := worded(sub, &answers[0])
	if detail != "www.bad.example: 127.0.0.72 (bit 64 abuse) (bit 8 phishing)" || meaning != "bit 8 phishing" {
		t.Errorf("%q, in the reply %q", detail, meaning)
	}
}

// A list counts once, whatever names it lists; the first in lists.use speaks.
func TestListsTogether(t *testing.T) {
	h := withLists(t, nil, newList(t, "second", 3, dnsbl.Connect), newList(t, "names", 3, dnsbl.PTR, dnsbl.Helo, dnsbl.Mail))
	h.zones.set("7.2.0.192.second.test", "127.0.0.2")
	for _, name := range []string{"mail.good.example", "good.example"} {
		h.zones.set(name+".names.test", "127.0.0.2")
	}
	a := h.deliver(good, "mail.good.example", fromGood, toUser)
	if got := h.findings(); got != "dnsbl:second:3,rhsbl:names:3" || !strings.Contains(a.Text, "second") {
		t.Errorf("%+v, findings %s", a, got)
	}
}

// TestASilentListHidesNobody: what the others said counts, and nobody waits longer
// than the budget.
func TestASilentListHidesNobody(t *testing.T) {
	for _, tt := range []struct {
		name, silent, listed, want string
	}{
		{"of those asked about the address", ".deaf.test", "7.2.0.192.bl.test", "dnsbl:bl:8"},
		{"of those asked about PTR names", ".deaf.test", "mail.good.example.ptr.test", "rhsbl:ptr:8"},
		{"and one PTR name of two", "mail.good.example.ptr.test", "mx.good.example.ptr.test", "rhsbl:ptr:8"},
		{"nobody else says anything", ".deaf.test", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				deaf := newList(t, "deaf", 8, dnsbl.Connect, dnsbl.PTR, dnsbl.Helo, dnsbl.Mail)
				h := withLists(t, nil, append([]dnsbl.List{deaf}, everywhere(t)...)...)
				h.dns.records["192.0.2.7 PTR"] = []string{"mail.good.example", "mx.good.example"}
				h.dns.records["mx.good.example A"] = []string{"192.0.2.7"}
				h.zones.delay = 20 * time.Millisecond
				h.zones.set(tt.silent, "never")
				h.zones.set(tt.listed, "127.0.0.2")
				began := time.Now()
				h.deliver(good, "mail.good.example", fromGood, toUser)
				if waited := time.Since(began); waited != 5*time.Second {
					t.Errorf("waited %v, want the budget", waited)
				}
				if got := h.findings(); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				synctest.Wait() // no question is out any more, or this never returns
			})
		})
	}
}

// TestListsCostOneRoundTrip more where they are asked about PTR names, else none.
func TestListsCostOneRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.dns.delay, h.zones.delay = 20*time.Millisecond, 20*time.Millisecond
		began := time.Now()
		h.deliver(good, "mail.good.example", fromGood, toUser)
		if waited := time.Since(began); waited > 60*time.Millisecond { // PTR, A, list
			t.Errorf("a cold visit took %v", waited)
		}
		began = time.Now()
		h.zones.questions()
		h.dns.delay = 0
		h.deliver(good, "mail.good.example", fromGood, toUser)
		if waited, asked := time.Since(began), h.zones.questions(); waited != 0 || len(asked) > 0 {
			t.Errorf("a known client took %v and asked %v", waited, asked)
		}
	})
}

func TestTheNextTransactionAsksListsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.zones.set("7.2.0.192.bl.test", "servfail")
		v := h.Connect(good)
		defer v.Close()
		v.Helo("mail.good.example")
		send(v, fromGood)
		h.zones.questions()
		h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
		time.Sleep(11 * time.Second) // failures are kept for 10
		send(v, fromGood)
		if asked := strings.Join(h.zones.questions(), " "); asked != "7.2.0.192.bl.test" || h.findings() != "dnsbl:bl:8" {
			t.Errorf("after a failure: asked %s, findings %s", asked, h.findings())
		}
		time.Sleep(time.Hour)
		send(v, fromGood)
		if asked := h.zones.questions(); len(asked) != 4 {
			t.Errorf("after the expiry: asked %v", asked)
		}
	})
}

// TestSTARTTLSAsksOnce: the same HELO comes again while its answer is out.
func TestSTARTTLSAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.zones.delay = time.Second
		v := h.Connect(good)
		v.Helo("mail.good.example")
		synctest.Wait()
		v.Helo("mail.good.example")
		send(v, fromGood)
		if n := h.zones.count("mail.good.example.helo.test"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		v.Close()
	})
}

// TestTheLastHeloCountsAtLists: late answers to an earlier one do not.
func TestTheLastHeloCountsAtLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.zones.set("six.good.example.helo.test", "127.0.0.2")
		h.zones.slow["six.good.example.helo.test"] = time.Second
		v := h.Connect(good)
		defer v.Close()
		v.Helo("six.good.example")
		v.Mail(Mail{From: fromGood})
		v.Helo("mail.good.example")
		time.Sleep(2 * time.Second)
		if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
			t.Errorf("%+v", a)
		}
	})
}

// TestAClosedVisitLeavesNoQuestionBehind: the bubble would not end.
func TestAClosedVisitLeavesNoQuestionBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.zones.set(".test", "never")
		v := h.Connect(good)
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		synctest.Wait()
		if n := len(h.zones.questions()); n != 4 {
			t.Errorf("%d questions are out", n)
		}
		v.Close()
		synctest.Wait()
		began := time.Now()
		h.set.Close()
		if waited := time.Since(began); waited != 0 {
			t.Errorf("something was out for %v more", waited)
		}
	})
}

func TestExplainShowsWhatListsWereAsked(t *testing.T) {
	l, ok := dnsbl.Find("spamhaus-zen-dqs")
	if !ok {
		t.Fatal("not in the catalogue")
	}
	keyed, err := l.WithKey("s3cr3tkey")
	if err != nil {
		t.Fatal(err)
	}
	h := withLists(t, nil, append(everywhere(t), keyed)...)
	h.zones.set("7.2.0.192.bl.test", "127.0.0.2", "127.0.0.4")
	h.zones.set("mail.good.example.ptr.test", "timeout")
	rec := func() *Record {
		ptr, helo, from := "mail.good.example", "mail.good.example", "joe@good.example"
		return h.Explain(Query{Client: good.Addr, PTR: &ptr, Helo: &helo, From: &from})
	}
	first, second := rec(), rec()
	row := func(rec *Record, question string) string {
		i := slices.IndexFunc(rec.Lookups, func(l RecordLookup) bool { return l.Question == question })
		if i < 0 {
			return "none"
		}
		l := rec.Lookups[i]
		return l.Type + " " + strings.Join(l.Answer, " ") + " " + l.Source
	}
	for question, want := range map[string][2]string{
		"7.2.0.192.in-addr.arpa":                  {"PTR mail.good.example given", "PTR mail.good.example given"},
		"7.2.0.192.bl.test":                       {"A 127.0.0.2 127.0.0.4 dns", "A 127.0.0.2 127.0.0.4 cache"},
		"mail.good.example.ptr.test":              {"A unknown: timeout dns", "A unknown: timeout cache"},
		"mail.good.example.helo.test":             {"A none dns", "A none cache"},
		"good.example.mail.test":                  {"A none dns", "A none cache"},
		"7.2.0.192.{key}.zen.dq.spamhaus.net":     {"A none dns", "A none cache"},
		"7.2.0.192.bounce.test":                   {"none", "none"},
		"7.2.0.192.s3cr3tkey.zen.dq.spamhaus.net": {"none", "none"},
	} {
		if got := [2]string{row(first, question), row(second, question)}; got != want {
			t.Errorf("%s: %q, want %q", question, got, want)
		}
	}
	if f := first.Findings[0]; f.ID != "dnsbl:bl" || f.Detail != "127.0.0.2 (spam source), 127.0.0.4" {
		t.Errorf("finding %+v", f)
	}
	if len(h.watch.judged)+len(h.watch.swayed) > 0 {
		t.Errorf("explain was counted: %+v %v", h.watch.judged, h.watch.swayed)
	}
}

func TestExplainShowsNoQuestionThatIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, newList(t, "deaf", 8, dnsbl.Connect), newList(t, "bl", 8, dnsbl.Connect))
		h.zones.set(".deaf.test", "never")
		rec := h.Explain(Query{Client: good.Addr})
		var rows []string
		for _, l := range rec.Lookups {
			if l.Type == "A" && strings.HasSuffix(l.Question, ".test") {
				rows = append(rows, l.Question)
			}
		}
		if strings.Join(rows, " ") != "7.2.0.192.bl.test" {
			t.Errorf("rows %v", rows)
		}
		synctest.Wait()
	})
}

func BenchmarkKnownClientWithLists(b *testing.B) {
	for _, n := range []int{0, 1, 20} {
		b.Run(map[int]string{0: "none", 1: "one", 20: "twenty"}[n], func(b *testing.B) {
			var lists []dnsbl.List
			for i := range n {
				at := []dnsbl.Stage{dnsbl.Connect}
				if i >= 12 {
					at = []dnsbl.Stage{dnsbl.PTR, dnsbl.Helo, dnsbl.Mail}
				}
				lists = append(lists, newList(b, "bl"+string(rune('a'+i)), 8, at...))
			}
			h := withLists(b, nil, lists...)
			h.dns.caching = true
			h.deliver(good, "mail.good.example", fromGood, toUser)
			b.ReportAllocs()
			for b.Loop() {
				h.log.Reset()
				h.deliver(good, "mail.good.example", fromGood, toUser)
			}
		})
	}
}

// TestExplainNamesListsThatAreAway: those by which the client would be judged.
func TestExplainNamesListsThatAreAway(t *testing.T) {
	h := withLists(t, nil, newList(t, "bl", 8, dnsbl.Connect), newList(t, "wl", -8, dnsbl.Connect), newList(t, "login", 8, dnsbl.Auth))
	h.watch.away["bl"], h.watch.away["wl"], h.watch.away["login"] = false, true, true
	h.watch.absent = dnsbl.Missed
	rec := h.Explain(Query{Client: good.Addr})
	want := []RecordListAway{{List: "wl", State: "silent", Reason: "says nothing", Remedy: "wait"}}
	if !slices.Equal(rec.ListsAway, want) {
		t.Errorf("%+v", rec.ListsAway)
	}
	for _, l := range rec.Lookups {
		if strings.Contains(l.Question, "wl.test") {
			t.Errorf("a question that was not asked: %+v", l)
		}
	}
	want[0].List = "login"
	if rec := h.Explain(Query{Client: good.Addr, Account: "jo"}); !slices.Equal(rec.ListsAway, want) {
		t.Errorf("of one who has logged in: %+v", rec.ListsAway)
	}
	h.watch.away["login"] = false
	if rec := h.Explain(Query{Client: good.Addr, Account: "jo"}); rec.ListsAway == nil || len(rec.ListsAway) > 0 {
		t.Errorf("of one who has logged in, and all are there: %+v", rec.ListsAway)
	}
}
