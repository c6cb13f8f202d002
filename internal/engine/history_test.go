package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/memory"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

const day = 24 * time.Hour

// remembering is a harness whose engine remembers servers, after its time of learning.
func remembering(t *testing.T, f *fakeDNS, change func(*Options)) (harness, *memory.Servers) {
	t.Helper()
	servers := memory.NewServers(memory.Options{Settings: memory.DefaultSettings()}, time.Now())
	h := newHarness(t, f, func(o *Options) {
		o.Memory, o.Recent = servers, new(memory.Recent)
		if change != nil {
			change(o)
		}
	})
	time.Sleep(7 * day)
	return h, servers
}

// pool is a provider's: 40 addresses in as many networks, with names of its own that
// lead back and say which machine it is; and a hoster's, with default names.
func pool() *fakeDNS {
	f := world()
	f.records["big.example MX"] = []string{"mx.big.example"}
	for i := range 40 {
		addr := fmt.Sprintf("203.0.%d.9", i)
		f.records[addr+" PTR"] = []string{fmt.Sprintf("mail-ot1-f%d.big.example", i)}
		f.records[fmt.Sprintf("mail-ot1-f%d.big.example A", i)] = []string{addr}
		addr = fmt.Sprintf("198.18.%d.9", i)
		name := strings.ReplaceAll(addr, ".", "-") + ".static.hoster.example"
		f.records[addr+" PTR"], f.records[name+" A"] = []string{name}, []string{addr}
	}
	return f
}

func at(format string, i int) Client {
	return Client{Addr: netip.MustParseAddr(fmt.Sprintf(format, i))}
}

// greets makes HELO without a domain a reason to come back.
func greets(o *Options) { o.Policy.Points["helo-not-fqdn"] = profile.Points{Value: 6} }

const fromElsewhere = "<joe@elsewhere.example>"

// TestAPoolWaitsOnce: each try of a mail comes from another of a provider's machines, and
// the second passes; so does all else that the provider sends, from any of them.
func TestAPoolWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := remembering(t, pool(), greets)
		deferred := 0
		for i := range 40 {
			if h.deliver(at("203.0.%d.9", i), "friend", fromElsewhere, toUser).Action == profile.TempFail {
				deferred++
			}
			time.Sleep(5 * time.Minute)
			if h.deliver(at("203.0.%d.9", i), "friend", fmt.Sprintf("<u%d@elsewhere.example>", i), toUser).Action == profile.TempFail && i > 0 {
				deferred++
			}
		}
		if deferred != 1 {
			t.Errorf("a provider of 40 addresses was asked %d times to come back, want once\n%s", deferred, h.log)
		}
		if st := h.o.Retries.Stats(); st.Deferred != 1 || st.Returned != 1 || st.Longest != 5*time.Minute {
			t.Errorf("%+v", st)
		}
	})
}

// TestADefaultNameSpeaksForItself: a hoster's customer who came back does not let the
// others pass.
func TestADefaultNameSpeaksForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := remembering(t, pool(), greets)
		try := func(i int) profile.Action {
			return h.deliver(at("198.18.%d.9", i), "friend", fromElsewhere, toUser).Action
		}
		try(0)
		time.Sleep(5 * time.Minute)
		if try(0) != profile.Continue {
			t.Fatal("an honest retry does not pass")
		}
		for i := 1; i < 40; i++ {
			if try(i) != profile.TempFail {
				t.Errorf("198.18.%d.9 passes for a neighbour of the hoster's", i)
			}
		}
	})
}

// TestABotNeverGetsIn: it sends each mail once, at any time, for months.
func TestABotNeverGetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, servers := remembering(t, world(), nil)
		for i := range 200 {
			if a := h.deliver(nameless, "helo.elsewhere.example", fmt.Sprintf("<bot@d%d.elsewhere.example>", i), toUser); a.Action == profile.Continue {
				t.Fatalf("mail %d got in\n%s", i, h.log)
			}
			time.Sleep(7 * time.Hour)
		}
		sub := servers.Subject(nameless.Addr, "")
		if st := servers.Standing(&sub, time.Now()); st.Good != "" || !st.New {
			t.Errorf("%+v", st)
		}
	})
}

// TestASpammerGetsNoMoreThanAPass: one that comes back honestly, for months, with mail
// that is refused for what it is.
func TestASpammerGetsNoMoreThanAPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _ := remembering(t, world(), nil)
		try := func(helo, from string) profile.Action { return h.deliver(nameless, helo, from, toUser).Action }
		try("helo.elsewhere.example", fromGood)
		time.Sleep(2 * time.Minute)
		for range 120 {
			if try("helo.elsewhere.example", fromGood) != profile.Continue && try("helo.elsewhere.example", fromGood) != profile.TempFail {
				t.Fatal("refused")
			}
			for helo, from := range map[string]string{"mx.here.example": fromGood, "helo.elsewhere.example": "<a@null.example>"} {
				if try(helo, from) != profile.Reject {
					t.Fatalf("%s from %s passes", from, helo)
				}
			}
			time.Sleep(day)
		}
	})
}

// TestAGoodServerKeepsItsName: after two months of mail that people took, a missing PTR
// is no question; and nothing lifts a lie.
func TestAGoodServerKeepsItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		h, _ := remembering(t, f, nil)
		for range 60 {
			if a := h.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Continue {
				t.Fatalf("%+v", a)
			}
			time.Sleep(day)
		}
		delete(f.records, "192.0.2.7 PTR")
		delete(f.records, "good.example MX")
		if a := h.deliver(good, "mail.good.example", fromElsewhere, toUser); a.Action != profile.Continue {
			t.Errorf("a known server is asked to come back: %+v", a)
		}
		lines := h.lines("verdict")
		if last := lines[len(lines)-1]; !strings.Contains(last, "history-good:") {
			t.Errorf("the log does not say why: %s", last)
		}
		if a := h.deliver(good, "mx.here.example", fromElsewhere, toUser); a.Action != profile.Reject {
			t.Errorf("a good history lifts a lie: %+v", a)
		}
	})
}

// TestStrictAsksStrangers: who is new is asked to come back, once; before the memory has
// learned who is there, nobody is new.
func TestStrictAsksStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		strict := func(o *Options) {
			o.Policy, _ = profile.Baseline("strict")
			o.Policy.Points["relation"] = profile.Points{}
		}
		h, _ := remembering(t, world(), strict)
		try := func(rcpt string) Answer { return h.deliver(good, "mail.good.example", fromGood, rcpt) }
		a := try(toUser)
		if a.Action != profile.TempFail || a.Code != 450 || a.Status != "4.7.1" || !strings.Contains(a.Text, "is new here") {
			t.Fatalf("a stranger: %+v", a)
		}
		time.Sleep(10 * time.Second)
		if a = try(toUser); a.Action != profile.TempFail {
			t.Fatalf("seen is not known: %+v", a)
		}
		time.Sleep(5 * time.Minute)
		if a = try(toUser); a.Action != profile.Continue {
			t.Fatalf("it came back: %+v", a)
		}
		time.Sleep(8 * day) // longer than retry.keep
		if a = try("<other@here.example>"); a.Action != profile.Continue {
			t.Errorf("it is known: %+v", a)
		}
		young := newHarness(t, world(), func(o *Options) {
			strict(o)
			o.Memory = memory.NewServers(memory.Options{Settings: memory.DefaultSettings()}, time.Now())
		})
		if a := young.deliver(good, "mail.good.example", fromGood, toUser); a.Action != profile.Continue {
			t.Errorf("the memory is young: %+v", a)
		}
	})
}

// TestWhatIsNoVirtue: mail to postmaster, mail that monitor mode alone let through, mail
// whose end never came; and who is exempt or has logged in is not remembered.
func TestWhatIsNoVirtue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, servers := remembering(t, world(), nil)
		watched, monitored := remembering(t, world(), func(o *Options) { o.Monitor = true })
		exempt := Client{Addr: netip.MustParseAddr("127.0.0.1")}
		for range 60 {
			h.deliver(good, "mail.good.example", fromGood, "<postmaster@here.example>")
			h.deliver(exempt, "mail.good.example", fromGood, toUser)
			v := h.Connect(nameless)
			v.Helo("helo.elsewhere.example")
			v.Mail(Mail{From: fromGood, Account: "joe"})
			v.Rcpt(Rcpt{To: toUser})
			v.EndOfMessage("Q")
			v.Mail(Mail{From: fromGood, Account: "joe"})
			v.Close()
			v = h.Connect(Client{Addr: netip.MustParseAddr("2001:db8::7")})
			v.Helo("six.good.example")
			v.Mail(Mail{From: fromGood})
			v.Rcpt(Rcpt{To: toUser})
			v.Close()
			watched.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
			time.Sleep(day)
		}
		for _, tt := range []struct {
			servers *memory.Servers
			addr    string
			want    string
		}{
			{servers, "192.0.2.7", memory.HistoryNew},
			{servers, "192.0.2.66", memory.HistoryNew},
			{servers, "127.0.0.1", memory.HistoryNew},
			{servers, "2001:db8::7", memory.HistoryNew},
			{monitored, "192.0.2.66", memory.HistoryNeutral},
		} {
			sub := tt.servers.Subject(netip.MustParseAddr(tt.addr), "")
			if st := tt.servers.Standing(&sub, time.Now()); st.Word() != tt.want {
				t.Errorf("%s: %+v, want %s: %+v", tt.addr, st, tt.want, tt.servers.Counts(sub.Home, time.Now()))
			}
		}
		if n := servers.Stats(time.Now()).Keys; n != 4 {
			t.Errorf("%d keys, want those of two servers: one with network and operator, one of IPv6", n)
		}
	})
}

// TestWhatIsRemembered: what a transaction shows, and what it does not.
func TestWhatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := world()
		h, servers := remembering(t, f, nil)
		visit := func(helo, from string, refused ...string) memory.Counts {
			sub := servers.Subject(nameless.Addr, "")
			servers.Forget(sub.Home)
			v := h.Connect(nameless)
			defer v.Close()
			v.Helo(helo)
			v.Mail(Mail{From: from})
			for _, status := range refused {
				v.Rcpt(Rcpt{To: "<nobody@here.example>", Refused: true, Status: status})
			}
			v.Rcpt(Rcpt{To: toUser})
			v.NoteTrap()
			v.Abort()
			if got, ok := h.o.Recent.Find(strings.TrimPrefix(strings.Fields(h.lines("verdict")[len(h.lines("verdict"))-1])[1], "id=")); !ok || got.Home != sub.Home {
				t.Errorf("the id of the transaction leads to %+v, %v", got, ok)
			}
			return servers.Counts(sub.Home, time.Now())
		}
		c := visit("helo.elsewhere.example", fromGood, "5.1.1", "5.1.10", "5.7.1", "4.2.0", "")
		if c.Visits != 1 || c.Unknown != 2 || c.Deferred != 1 || c.Trapped != 1 || c.Helos != 1 || c.Senders != 1 || c.Met || c.Taken != 0 {
			t.Errorf("%+v", c)
		}
		if c = visit("mx.here.example", fromGood); c.Refused != 1 || c.Deferred != 0 {
			t.Errorf("refused: %+v", c)
		}
		if c = visit("helo.elsewhere.example", "<>", "5.1.1"); c.Unknown != 0 {
			t.Errorf("a bounce to one who does not exist: %+v", c)
		}
		f.dead["helo.elsewhere.example A"] = true
		if c = visit("helo.elsewhere.example", fromGood); c.Helos != 0 {
			t.Errorf("it is not known where HELO leads: %+v", c)
		}
		if c = visit("friend", fromGood); c.Helos != 0 {
			t.Errorf("no domain: %+v", c)
		}
	})
}

// A reputation is a memory that says the same of everybody.
type reputation memory.Standing

func (reputation) Subject(netip.Addr, string) memory.Subject { return memory.Subject{} }
func (r reputation) Standing(*memory.Subject, time.Time) memory.Standing {
	return memory.Standing(r)
}
func (reputation) Note(*memory.Subject, *memory.Event, time.Time) {}

// TestLimitsHoldByHistory: one that is for servers of some histories holds for no others,
// and where none is known it refuses nobody.
func TestLimitsHoldByHistory(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    ServerMemory
		mail Mail
		want profile.Action
	}{
		{"new", reputation{New: true}, Mail{From: fromGood}, profile.TempFail},
		{"bad", reputation{Bad: "it wrote to traps"}, Mail{From: fromGood}, profile.TempFail},
		{"good", reputation{Good: "known for years"}, Mail{From: fromGood}, profile.Continue},
		{"neither", reputation{}, Mail{From: fromGood}, profile.Continue},
		{"nobody remembers", nil, Mail{From: fromGood}, profile.Continue},
		{"logged in", reputation{Bad: "it wrote to traps"}, Mail{From: fromGood, Account: "jo"}, profile.Continue},
	} {
		limits := perOf(ratelimit.PerClient, ratelimit.Messages, 1)
		limits[0].When.History = []string{memory.HistoryNew, memory.HistoryBad}
		h := newLimited(t, limits, func(o *Options) { o.Memory = tt.r })
		var last Answer
		for range 2 {
			v := h.Connect(good)
			v.Helo("mail.good.example")
			v.Mail(tt.mail)
			if last = v.Rcpt(Rcpt{To: toUser}); last.Action == profile.Continue {
				v.EndOfMessage("Q")
			}
			v.Close()
		}
		if last.Action != tt.want {
			t.Errorf("%s: the second mail: %+v, want %v", tt.name, last, tt.want)
		}
	}
}

// TestListsThatHitKnownServers: a server of a good history is one of those by whom it is
// seen that a list has gone mad.
func TestListsThatHitKnownServers(t *testing.T) {
	for _, tt := range []struct {
		r    reputation
		want bool
	}{{reputation{Good: "known for years"}, true}, {reputation{}, false}, {reputation{Bad: "it wrote to traps"}, false}} {
		h := withLists(t, func(o *Options) { o.Memory = tt.r }, newList(t, "bl", 3, dnsbl.Connect))
		h.deliver(good, "mail.good.example", fromGood, toUser)
		if seen := h.watch.judged; len(seen) != 1 || seen[0].Trusted != tt.want {
			t.Errorf("%+v: %+v, want trusted %v", tt.r, seen, tt.want)
		}
	}
}

// A notebook is a ServerMemory that counts what it is told.
type notebook struct {
	reputation
	mu              sync.Mutex
	notes, listings int
}

func (d *notebook) Note(_ *memory.Subject, e *memory.Event, _ time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes++
	if e.Listed {
		d.listings++
	}
}

// TestOnlyHitsThatStandAreRemembered: what a list said reaches the memory of servers when a
// test of the list has been passed since, and once; what it said when it was mad never does.
func TestOnlyHitsThatStandAreRemembered(t *testing.T) {
	for _, tt := range []struct {
		name        string
		hits, sound []string
		mad         string
		later       []string // lists that pass a test afterwards
		at, after   int      // listings in the notebook
	}{
		{"nobody is listed", nil, []string{"bl", "other"}, "", nil, 0, 0},
		{"it stands already", []string{"bl"}, []string{"bl"}, "", nil, 1, 1},
		{"it does not stand yet", []string{"bl"}, nil, "", nil, 0, 0},
		{"it stands later", []string{"bl"}, nil, "", []string{"bl"}, 0, 1},
		{"two that stand later are one visit", []string{"bl", "other"}, nil, "", []string{"bl", "other"}, 0, 1},
		{"one of two stands", []string{"bl", "other"}, []string{"other"}, "", []string{"bl"}, 1, 1},
		{"one that was not confirmed", []string{"bl"}, []string{"bl"}, "bl", []string{"bl"}, 0, 0},
		{"a list of names says nothing of the address", []string{"names"}, []string{"names"}, "", []string{"names"}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &notebook{}
			lists := []dnsbl.List{newList(t, "bl", 6, dnsbl.Connect), newList(t, "other", 6, dnsbl.Connect), newList(t, "names", 6, dnsbl.Helo)}
			h := withLists(t, func(o *Options) { o.Memory = d }, lists...)
			for _, id := range tt.hits {
				h.zones.set("7.2.0.192."+id+".test", "127.0.0.2")
				h.zones.set("mail.good.example."+id+".test", "127.0.0.2")
			}
			for _, id := range tt.sound {
				h.watch.sound[id] = true
			}
			h.watch.mad[tt.mad] = true
			h.deliver(good, "mail.good.example", fromGood, toUser)
			if d.notes != 1 || d.listings != tt.at {
				t.Errorf("%d listings in %d notes, want %d in 1", d.listings, d.notes, tt.at)
			}
			for _, id := range tt.later {
				for _, then := range h.watch.waiting[id] {
					then()
				}
			}
			if d.listings != tt.after {
				t.Errorf("afterwards %d listings, want %d", d.listings, tt.after)
			}
		})
	}
}
