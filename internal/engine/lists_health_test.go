package engine

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailprofiled/dnsbl"
	"mailprofiled/profile"
)

// TestListsConfirmBeforeTheyHarm: only where they alone make an answer harsher, and
// each once in a transaction.
func TestListsConfirmBeforeTheyHarm(t *testing.T) {
	const listed, other = "7.2.0.192.bl.test", "good.example.mail.test"
	for _, tt := range []struct {
		name   string
		points map[string]float64 // of findings
		hits   []string           // questions
		mad    string             // a list that does not confirm
		from   string
		rcpts  []string
		want   string // list:kind that were asked, and the actions
	}{
		{"nobody is listed", nil, nil, "", fromGood, []string{toUser}, ": continue"},
		{"listed, and that decides", nil, []string{listed}, "", fromGood, []string{toUser}, "bl ip4: tempfail"},
		{"once, whoever it is for", nil, []string{listed}, "", fromGood, []string{toUser, toUser, "<other@here.example>"}, "bl ip4: tempfail tempfail tempfail"},
		{"two lists at once", nil, []string{listed, other}, "", fromGood, []string{toUser}, "bl ip4,mail domain: reject"},
		{"one that has gone mad is unknown, the other counts", nil, []string{listed, other}, "bl", fromGood, []string{toUser}, "bl ip4,mail domain: tempfail"},
		{"the only one has gone mad", nil, []string{listed}, "bl", fromGood, []string{toUser, toUser}, "bl ip4: continue continue"},
		{"listed, and other faults are as bad", map[string]float64{"spf-none": 6, "dnsbl:bl": 3}, []string{listed}, "", fromGood, []string{toUser}, ": tempfail"},
		{"listed, and other faults refuse anyway", map[string]float64{"spf-none": 12}, []string{listed}, "", fromGood, []string{toUser}, ": reject"},
		{"it turns a tempfail into a reject", map[string]float64{"spf-none": 6}, []string{listed}, "bl", fromGood, []string{toUser}, "bl ip4: tempfail"},
		{"the listing weighs little", map[string]float64{"dnsbl:bl": 3}, []string{listed}, "", fromGood, []string{toUser}, ": continue"},
		{"mail to postmaster is never refused", nil, []string{listed}, "", fromGood, []string{"<postmaster@here.example>"}, ": continue"},
		{"only with the second recipient's own fault", map[string]float64{"dnsbl:bl": 4, "bounce-many-rcpts": 4}, []string{listed}, "", "<>", []string{toUser, toUser, toUser},
			"bl ip4: continue tempfail tempfail"},
		{"and gone mad, not even then", map[string]float64{"dnsbl:bl": 4, "bounce-many-rcpts": 4}, []string{listed}, "bl", "<>", []string{toUser, toUser},
			"bl ip4: continue continue"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			points := map[string]float64{"relation": 0}
			for id, p := range tt.points {
				points[id] = p
			}
			h := withLists(t, func(o *Options) { weighing(t, points)(o); o.Retries = nil }, everywhere(t)...)
			for _, question := range tt.hits {
				h.zones.set(question, "127.0.0.2")
			}
			h.watch.mad[tt.mad] = true
			v := h.Connect(good)
			defer v.Close()
			v.Helo("mail.good.example")
			v.Mail(Mail{From: tt.from})
			var actions []string
			for _, rcpt := range tt.rcpts {
				actions = append(actions, v.Rcpt(Rcpt{To: rcpt}).Action.String())
			}
			if got := strings.Join(h.watch.confirmations(), ",") + ": " + strings.Join(actions, " "); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestConfirmationsKeepToTheBudget, and have their part of it.
func TestConfirmationsKeepToTheBudget(t *testing.T) {
	for _, tt := range []struct {
		name   string
		dead   string // a question to DNS
		zone   string // of a list that does not answer
		silent bool   // nobody confirms
		want   profile.Action
		waited time.Duration
	}{
		{"all answer", "", "", false, profile.TempFail, 0},
		{"nobody confirms in time: unknown", "", "", true, profile.Continue, 5 * time.Second},
		{"the sender's DNS is dead: he passes no list by that", "good.example MX", "", false, profile.TempFail, 5 * time.Second},
		{"another list is dead", "", "good.example.mail.test", false, profile.TempFail, 5 * time.Second},
		{"both", "good.example MX", "", true, profile.Continue, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, nil, everywhere(t)...)
				h.dns.dead[tt.dead] = true
				h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
				h.zones.set(tt.zone, "never")
				h.watch.silent = tt.silent
				v := h.Connect(good)
				v.Helo("mail.good.example")
				v.Mail(Mail{From: fromGood})
				began := time.Now()
				a := v.Rcpt(Rcpt{To: toUser})
				if waited := time.Since(began); a.Action != tt.want || waited != tt.waited {
					t.Errorf("%v after %v, want %v after %v", a.Action, waited, tt.want, tt.waited)
				}
				began = time.Now()
				if b := v.Rcpt(Rcpt{To: toUser}); b.Action != a.Action || time.Since(began) != 0 {
					t.Errorf("the second recipient: %v after %v", b.Action, time.Since(began))
				}
				v.Close()
				synctest.Wait()
			})
		})
	}
}

// A watched is a harness whose lists are watched by the real health.
type watched struct {
	listHarness
	health *dnsbl.Health
}

// watchedLists makes one; it runs until the test ends.
func watchedLists(t *testing.T, lists ...dnsbl.List) watched {
	ctx, cancel := context.WithCancel(context.Background())
	h := watched{health: dnsbl.NewHealth(dnsbl.HealthOptions{})}
	h.listHarness = withLists(t, nil, lists...)
	h.zones.delay = 15 * time.Millisecond
	for _, l := range lists {
		h.zones.set("2.0.0.127."+l.ID+".test", "127.0.0.2")
	}
	h.set = dnsbl.NewSet(lists, h.zones, h.health, dnsbl.Options{Cache: dnsbl.NewCache(1 << 20)})
	h.o.Lists, h.o.ListWatch = h.set, h.health
	h.health.Use(lists, h.zones, time.Minute)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.health.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		h.set.Close()
	})
	time.Sleep(time.Second)
	return h
}

// standing is that of the list of this id.
func (h watched) standing(t *testing.T, id string) dnsbl.Standing {
	for _, s := range h.health.Snapshot() {
		if s.List == id {
			return s
		}
	}
	t.Fatalf("no list %s", id)
	return dnsbl.Standing{}
}

// tested makes a list that has a test entry.
func tested(t *testing.T, id string, points float64, at ...dnsbl.Stage) dnsbl.List {
	l := newList(t, id, points, at...)
	l.Listed = []string{"127.0.0.2"}
	return l
}

// TestAnAllowListThatFallsSilent: whom it spoke for goes on, whom it never heard of waits,
// and after an hour without it the others decide. An outage of our own, after which the
// lists that refuse are back before it, refuses nobody either.
func TestAnAllowListThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watchedLists(t, tested(t, "bl", 12, dnsbl.Connect), tested(t, "wl", -20, dnsbl.Connect))
		lay := func(last byte) {
			reversed := fmt.Sprintf("%d.2.0.192", last)
			h.zones.set(reversed+".bl.test", "127.0.0.2")
			if last < 100 {
				h.zones.set(reversed+".wl.test", "127.0.0.2")
			}
		}
		for last := range byte(255) {
			lay(last)
		}
		answer := func(last byte) profile.Action {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, last})
			return h.deliver(Client{Addr: addr}, "mail.good.example", fromGood, toUser).Action
		}
		is := func(when string, last byte, want profile.Action) {
			t.Helper()
			if got := answer(last); got != want {
				t.Errorf("%s, client %d: %v, want %v", when, last, got, want)
			}
		}
		is("at first", 20, profile.Continue)
		is("at first", 120, profile.Reject)
		silence := func() {
			h.zones.set(".wl.test", "servfail")
			h.zones.mu.Lock()
			defer h.zones.mu.Unlock()
			for name := range h.zones.a {
				if strings.HasSuffix(name, ".wl.test") && name[0] != '.' {
					delete(h.zones.a, name)
				}
			}
		}
		silence()
		for i := range byte(60) { // of both kinds: all by a silent list
			if a := answer(130 + i); a == profile.Reject && i > 0 {
				t.Fatalf("client %d is refused while wl is %v", 130+i, h.standing(t, "wl").Condition)
			}
			time.Sleep(300 * time.Millisecond)
		}
		if s := h.standing(t, "wl"); s.Condition != dnsbl.Silent {
			t.Fatalf("wl is %v", s.Condition)
		}
		is("silent: it spoke for this one", 20, profile.Continue)
		is("silent: it has nothing on this one", 120, profile.Reject)
		is("silent: nobody knows", 200, profile.TempFail)
		time.Sleep(45 * time.Minute)
		is("silent for long: it spoke for this one", 20, profile.Continue)
		time.Sleep(30 * time.Minute)
		is("gone", 201, profile.Reject)
		h.zones.set(".wl.test")
		h.zones.set("2.0.0.127.wl.test", "127.0.0.2")
		for last := range byte(255) {
			lay(last)
		}
		time.Sleep(2 * time.Hour)
		is("back", 21, profile.Continue)
		is("back", 202, profile.Reject)
		for range 3 {
			h.zones.mu.Lock()
			before := h.zones.a
			h.zones.a = map[string][]string{".test": {"servfail"}, ".example": {"servfail"}, ".com": {"servfail"}}
			h.zones.mu.Unlock()
			for i := range byte(20) {
				if a := answer(30 + i); a == profile.Reject {
					t.Errorf("our own outage: client %d is refused", 30+i)
				}
				time.Sleep(400 * time.Millisecond)
			}
			h.zones.mu.Lock()
			h.zones.a = before
			h.zones.mu.Unlock()
			for i := range byte(60) { // what failed is asked again after 10 s
				if a := answer(30 + i); a == profile.Reject || a != profile.Continue && i >= 40 {
					t.Errorf("after it, client %d: %v", 30+i, a)
				}
				time.Sleep(400 * time.Millisecond)
			}
			time.Sleep(time.Hour)
		}
	})
}

// TestAListThatGoesMadHarmsNobody: in mid-run it lists everything, or refuses, or
// answers what no list answers. Not one client without a fault of its own is refused
// or deferred; the list is away at once, and back when it is well.
func TestAListThatGoesMadHarmsNobody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer string
		away   dnsbl.Condition
		at     dnsbl.Stage
	}{
		{"it lists every address", "127.0.0.2", dnsbl.ListsAll, dnsbl.Connect},
		{"it lists every name", "127.0.0.2", dnsbl.ListsAll, dnsbl.Helo},
		{"it refuses us", "127.0.0.255", dnsbl.Refused, dnsbl.Connect},
		{"its domain was sold", "203.0.113.80", dnsbl.Suspended, dnsbl.Connect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := watchedLists(t, tested(t, "bl", 12, tt.at))
				for i := range 1200 {
					switch i {
					case 300:
						h.zones.set(".bl.test", tt.answer)
					case 600:
						h.zones.set(".bl.test")
					}
					addr := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
					ptr := fmt.Sprintf("mail%d.good.example", i)
					h.dns.records[addr.String()+" PTR"] = []string{ptr}
					h.dns.records[ptr+" A"] = []string{addr.String()}
					if a := h.deliver(Client{Addr: addr}, ptr, fromGood, toUser); a.Action != profile.Continue {
						t.Fatalf("client %d: %+v", i, a)
					}
					time.Sleep(50 * time.Millisecond)
					switch s := h.standing(t, "bl"); {
					case i == 299 && s.Condition != dnsbl.Up, i == 302 && s.Condition != tt.away:
						t.Fatalf("after client %d: %v (%s)", i, s.Condition, s.Reason)
					}
				}
				time.Sleep(30 * time.Minute)
				if s := h.standing(t, "bl"); s.Condition != dnsbl.Up || s.Harsher != 0 {
					t.Errorf("in the end: %v (%s), %d verdicts were harsher by it", s.Condition, s.Reason, s.Harsher)
				}
			})
		})
	}
}

// TestAListGoesMadAmongTrulyListed clients, of whom it confirmed one a moment ago:
// still none of the others is harmed. Who was listed before is not either, once it is known.
func TestAListGoesMadAmongTrulyListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watchedLists(t, tested(t, "bl", 12, dnsbl.Connect))
		spammer := Client{Addr: netip.MustParseAddr("203.0.113.5")}
		h.zones.set("5.113.0.203.bl.test", "127.0.0.2")
		send := func(c Client) profile.Action { return h.deliver(c, "mail.good.example", fromGood, toUser).Action }
		if a := send(spammer); a != profile.Reject {
			t.Errorf("a spammer: %v", a)
		}
		h.zones.set(".bl.test", "127.0.0.2")
		for range 3 {
			if a := send(good); a != profile.Continue {
				t.Errorf("a clean client, just after: %v", a)
			}
		}
		if a := send(spammer); a == profile.Reject {
			t.Errorf("the spammer, by a list that is away: %v", a)
		}
	})
}

// TestAListedClientThatIsKnownCostsNoQuestion: the list has confirmed since.
func TestAListedClientThatIsKnownCostsNoQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watchedLists(t, tested(t, "bl", 12, dnsbl.Connect))
		h.zones.set("7.2.0.192.bl.test", "127.0.0.2")
		send := func() {
			if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Reject {
				t.Errorf("%+v", a)
			}
		}
		send()
		time.Sleep(45 * time.Second)
		send() // after this, the cache's answer is older than a confirmation for certain
		h.zones.questions()
		for range 10 {
			send()
		}
		if asked := h.zones.questions(); len(asked) > 0 {
			t.Errorf("asked %v", asked)
		}
	})
}

// TestTrulyListedClientsAreRefused, by the same health, however many they are.
func TestTrulyListedClientsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watchedLists(t, tested(t, "bl", 12, dnsbl.Connect))
		for i := range 500 {
			addr := netip.AddrFrom4([4]byte{198, 51, byte(i), byte(i)})
			h.zones.set(fmt.Sprintf("%d.%d.51.198.bl.test", i&0xff, i&0xff), "127.0.0.2")
			if a := h.deliver(Client{Addr: addr}, "mail.good.example", fromGood, toUser); a.Action != profile.Reject {
				t.Fatalf("client %d: %+v", i, a)
			}
		}
		if s := h.standing(t, "bl"); s.Condition != dnsbl.Up || s.Harsher != 500 || s.Visits != 500 || s.Alone != 500 {
			t.Errorf("%v (%s), %d harsher, %d visits, %d alone", s.Condition, s.Reason, s.Harsher, s.Visits, s.Alone)
		}
	})
}

// TestHealthHearsOfVisits: who was judged, which lists hit, each once.
func TestHealthHearsOfVisits(t *testing.T) {
	seen := func(hit ...string) dnsbl.VisitSeen { return dnsbl.VisitSeen{Client: good.Addr, Hit: hit, Clean: true} }
	trusted := func(s dnsbl.VisitSeen) dnsbl.VisitSeen { s.Trusted = true; return s }
	faulty := func(s dnsbl.VisitSeen) dnsbl.VisitSeen { s.Clean = false; return s }
	for _, tt := range []struct {
		name string
		do   func(*Visit)
		hits []string
		want []dnsbl.VisitSeen
	}{
		{"nobody lists it", func(v *Visit) { send(v, fromGood) }, nil, []dnsbl.VisitSeen{seen()}},
		{"a list of several names once", func(v *Visit) { send(v, fromGood) }, []string{".names.test", "7.2.0.192.bl.test"}, []dnsbl.VisitSeen{seen("bl", "names")}},
		{"many recipients and mails once", func(v *Visit) {
			v.Mail(Mail{From: fromGood})
			for range 3 {
				v.Rcpt(Rcpt{To: toUser})
			}
			send(v, fromGood)
			send(v, fromGood)
		}, []string{"7.2.0.192.bl.test"}, []dnsbl.VisitSeen{seen("bl")}},
		{"again where another list hits", func(v *Visit) { send(v, fromGood); send(v, "<x@isp.example>") },
			[]string{"isp.example.names.test"}, []dnsbl.VisitSeen{seen(), faulty(seen("names"))}},
		{"one with a fault of its own", func(v *Visit) { v.Helo("mx.here.example"); send(v, fromGood) }, nil, []dnsbl.VisitSeen{faulty(seen())}},
		{"one on an allow list is trusted", func(v *Visit) { send(v, fromGood) }, []string{"7.2.0.192.wl.test"}, []dnsbl.VisitSeen{trusted(seen("wl"))}},
		{"one that has logged in is trusted", func(v *Visit) {
			time.Sleep(time.Second) // the lists have answered
			v.Mail(Mail{From: fromGood, Account: "jo"})
			v.Rcpt(Rcpt{To: toUser})
		}, []string{"7.2.0.192.bl.test"}, []dnsbl.VisitSeen{trusted(seen("bl"))}},
		{"one that has logged in before the lists answered is none", func(v *Visit) {
			v.Mail(Mail{From: fromGood, Account: "jo"})
			v.Rcpt(Rcpt{To: toUser})
		}, []string{"7.2.0.192.bl.test"}, nil},
		{"no recipient was judged", func(v *Visit) { v.Mail(Mail{From: fromGood}); v.Abort() }, []string{"7.2.0.192.bl.test"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, nil, newList(t, "wl", -5, dnsbl.Connect), newList(t, "bl", 3, dnsbl.Connect), newList(t, "names", 1, dnsbl.PTR, dnsbl.Helo, dnsbl.Mail))
				h.zones.delay = 15 * time.Millisecond
				for _, q := range tt.hits {
					h.zones.set(q, "127.0.0.2")
				}
				v := h.Connect(good)
				v.Helo("mail.good.example")
				tt.do(v)
				v.Close()
				if d := cmp.Diff(tt.want, h.watch.judged, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestTrustedClientsAreASample: one in sixteen, for the lists' own sake.
func TestTrustedClientsAreASample(t *testing.T) {
	public := netip.MustParseAddr("203.0.113.5")
	account := Mail{From: fromGood, Account: "jo"}
	for _, tt := range []struct {
		name  string
		c     Client
		mail  Mail
		asked int // questions, of 64 mails
		told  int
	}{
		{"an exempt one", Client{Addr: public, Door: &Door{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}}, Mail{From: fromGood}, 1, 4},
		{"one that logs in where that is done", Client{Addr: public, Door: &Door{Role: RoleSubmission}}, account, 1, 4},
		{"one in a private network", Client{Addr: netip.MustParseAddr("10.1.2.3"), Door: &Door{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}, Mail{From: fromGood}, 0, 0},
		{"a local one", Client{Local: true}, Mail{From: fromGood}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := withLists(t, nil, everywhere(t)...)
				h.zones.set("5.113.0.203.bl.test", "127.0.0.2")
				for range 64 {
					v := h.Connect(tt.c)
					v.Helo("localhost")
					v.Mail(tt.mail)
					synctest.Wait()
					if a := v.Rcpt(Rcpt{To: toUser}); a.Action != profile.Continue {
						t.Fatalf("%+v", a)
					}
					v.Close()
				}
				told := 0
				for _, seen := range h.watch.judged {
					if seen.Trusted && !seen.Clean && seen.Client == public && len(seen.Hit) == 1 && seen.Hit[0] == "bl" {
						told++
					}
				}
				if asked := h.zones.questions(); len(asked) != tt.asked || told != tt.told || len(h.watch.judged) != told {
					t.Errorf("asked %v, told %+v", asked, h.watch.judged)
				}
			})
		})
	}
}

// TestASampleEndsWithItsVisit: nobody waits for it.
func TestASampleEndsWithItsVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withLists(t, nil, everywhere(t)...)
		h.zones.set(".test", "never")
		began := time.Now()
		h.deliver(Client{Addr: good.Addr, Door: &Door{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, "localhost", fromGood, toUser)
		synctest.Wait()
		if waited := time.Since(began); waited != 0 || len(h.watch.judged) > 0 || len(h.zones.questions()) != 1 {
			t.Errorf("waited %v, told %+v", waited, h.watch.judged)
		}
	})
}

// TestWhatListsAreGoodFor: verdicts that would have been others without a list.
func TestWhatListsAreGoodFor(t *testing.T) {
	for _, tt := range []struct {
		name   string
		points map[string]float64
		hits   []string
		rcpts  []string
		want   string
	}{
		{"nothing", nil, nil, []string{toUser}, ""},
		{"a list that decides alone", nil, []string{"7.2.0.192.b6.test"}, []string{toUser}, "b6 harsher"},
		{"once for all recipients who hear the same", nil, []string{"7.2.0.192.b6.test"}, []string{toUser, toUser, toUser}, "b6 harsher"},
		{"and not for one who hears nothing", nil, []string{"7.2.0.192.b6.test"}, []string{"<postmaster>", toUser}, "b6 harsher"},
		{"two that would each do", nil, []string{"7.2.0.192.b6.test", "7.2.0.192.c6.test"}, []string{toUser}, "b6 harsher,c6 harsher"},
		{"two of which one is enough for that answer", map[string]float64{"dnsbl:c6": 1}, []string{"7.2.0.192.b6.test", "7.2.0.192.c6.test"}, []string{toUser}, "b6 harsher"},
		{"two of one source: neither alone", nil, []string{"7.2.0.192.b6.test", "7.2.0.192.d6.test"}, []string{toUser}, ""},
		{"one that spoke for the client", map[string]float64{"spf-none": 8}, []string{"7.2.0.192.wl.test"}, []string{toUser}, "wl softer"},
		{"one that is said, and weighs too little", map[string]float64{"dnsbl:b6": 1}, []string{"7.2.0.192.b6.test"}, []string{toUser}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			points := map[string]float64{"relation": 0}
			for id, p := range tt.points {
				points[id] = p
			}
			lists := []dnsbl.List{newList(t, "b6", 6, dnsbl.Connect), newList(t, "c6", 6, dnsbl.Connect), newList(t, "d6", 6, dnsbl.Connect), newList(t, "wl", -8, dnsbl.Connect)}
			lists[2].Group = lists[0].Group
			h := withLists(t, weighing(t, points), lists...)
			for _, q := range tt.hits {
				h.zones.set(q, "127.0.0.2")
			}
			v := h.Connect(good)
			defer v.Close()
			v.Helo("mail.good.example")
			v.Mail(Mail{From: fromGood})
			for _, rcpt := range tt.rcpts {
				v.Rcpt(Rcpt{To: rcpt})
			}
			if got := strings.Join(h.watch.swayed, ","); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestAListsOwnWords stand in the reply where it is the one that speaks.
func TestAListsOwnWords(t *testing.T) {
	const rude = "Spam\r\nfrom   mail.good.example\x00 see\tnothing"
	for _, tt := range []struct {
		name    string
		monitor bool
		hits    []string
		rcpts   []string
		asked   string // TXT
		want    string // in the last reply
	}{
		{"nobody speaks", false, nil, []string{toUser}, "", ""},
		{"the list that speaks", false, []string{"7.2.0.192.words.test"}, []string{toUser}, "TXT 7.2.0.192.words.test", "(Spam from ... see nothing)"},
		{"once, for all recipients", false, []string{"7.2.0.192.words.test"}, []string{toUser, toUser}, "TXT 7.2.0.192.words.test", "(Spam from ... see nothing)"},
		{"another one is heavier", false, []string{"7.2.0.192.words.test", "7.2.0.192.heavy.test"}, []string{toUser}, "", "heavy (spam source)"},
		{"of a name, without the name", false, []string{"mail.good.example.words.test"}, []string{toUser}, "TXT mail.good.example.words.test", "(Spam from ... see nothing)"},
		{"there is none", false, []string{"7.2.0.192.words.test", "7.2.0.192.words.test TXT"}, []string{toUser}, "TXT 7.2.0.192.words.test", "words (spam source)"},
		{"mail that goes on", false, []string{"7.2.0.192.words.test"}, []string{"<postmaster>"}, "", ""},
		{"nobody hears it in monitor mode", true, []string{"7.2.0.192.words.test"}, []string{toUser}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			words := newList(t, "words", 6, dnsbl.Connect, dnsbl.Helo)
			words.Text = true
			h := withLists(t, func(o *Options) { o.Monitor = tt.monitor }, words, newList(t, "heavy", 8, dnsbl.Connect))
			h.zones.txt["7.2.0.192.words.test"], h.zones.txt["mail.good.example.words.test"] = rude, rude
			for _, q := range tt.hits {
				if name, gone := strings.CutSuffix(q, " TXT"); gone {
					delete(h.zones.txt, name)
					continue
				}
				h.zones.set(q, "127.0.0.2")
			}
			v := h.Connect(good)
			defer v.Close()
			v.Helo("mail.good.example")
			v.Mail(Mail{From: fromGood})
			var last Answer
			for _, rcpt := range tt.rcpts {
				last = v.Rcpt(Rcpt{To: rcpt})
			}
			if tt.want == "" && last.Text != "" || !strings.HasSuffix(last.Text, tt.want) {
				t.Errorf("reply %q, want %q", last.Text, tt.want)
			}
			var asked []string
			for _, q := range h.zones.questions() {
				if strings.HasPrefix(q, "TXT ") {
					asked = append(asked, q)
				}
			}
			if got := strings.Join(asked, ","); got != tt.asked {
				t.Errorf("asked %q, want %q", got, tt.asked)
			}
		})
	}
}

// TestOwnWordsNameNobody: of what a client says only its address may stand in a reply.
func TestOwnWordsNameNobody(t *testing.T) {
	spamcop, _ := dnsbl.Find("spamcop")
	spamcop.Text = true
	sub := dnsbl.Subject{Addr: good.Addr, Stage: dnsbl.Connect}
	said := func(v *Visit, text string) string {
		zones := newZones()
		zones.txt["7.2.0.192.bl.spamcop.net"] = text
		return dnsbl.NewSet([]dnsbl.List{spamcop}, zones, nil, dnsbl.Options{}).Text(t.Context(), sub, "spamcop", v.clientNames()...)
	}
	ptr := []profile.PTR{{Name: "mail.good.example"}}
	long := strings.Repeat("x", 105)
	for _, tt := range []struct{ name, text, want string }{
		{"nothing of it", "Spam from 192.0.2.7", "Spam from 192.0.2.7"},
		{"its PTR name", "mail.good.example: spam; MAIL.Good.Example", "...: spam; ..."},
		{"its sender and HELO", "jo@sender.example by helo.example", "... by ..."},
		{"the longer name first", "mail.good.example good.example", "... good.example"},
		{"a name where the text is too long", long + " mail.good.example", long + " ..."},
		{"nothing", "", ""},
	} {
		v := &Visit{tx: &transaction{session: profile.Session{
			Client: good.Addr, RDNS: profile.RDNS{Names: ptr}, Helo: profile.Helo{Name: "helo.example"}, Sender: profile.Sender{Local: "jo", Domain: "sender.example"},
		}}}
		if got := said(v, tt.text); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		for _, helo := range []string{"192.0.2.7", "\xff\xfe.x", ".", "", "a", "\u212a.example"} { // names of no client: none is cut, none harms
			v.tx.session.Helo.Name = helo
			if got := said(v, "192.0.2.7 a . spam"); got != "192.0.2.7 a . spam" {
				t.Errorf("HELO %q: %q", helo, got)
			}
		}
	}
}
