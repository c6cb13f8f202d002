package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/directory"
	"mailprofiled/internal/harvest"
	"mailprofiled/internal/local"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// users is a source that waits, knows some local parts, and may fail.
type users struct {
	known map[string]bool
	fail  error
	never bool
}

func (u *users) Lookup(ctx context.Context, a directory.Address) directory.Entry {
	switch {
	case u.never:
		<-ctx.Done()
		return directory.Fail(ctx.Err())
	case u.fail != nil:
		return directory.Fail(u.fail)
	case u.known[a.Local] || a == ann:
		return directory.Entry{Result: directory.Yes}
	}
	return directory.Entry{Result: directory.No}
}

func (u *users) Close() error { return nil }

// ann is known to all that answer, and was asked about: without a Yes no No is believed.
var ann = directory.Address{Local: "ann", Domain: "here.example"}

// watching are what is taken for a harvest in tests.
var watching = harvest.Settings{Names: 20, Share: 0.3, Window: 48 * time.Hour, Trap: 7 * 24 * time.Hour}

// withUsers has a harness ask src about here.example.
func withUsers(t testing.TB, src directory.Source, tempfail bool, change func(*Options)) harness {
	stack := directory.NewStack(directory.Options{
		Ours: []string{"here.example"}, Delimiters: "+",
		Routes: []directory.Route{{Kind: "test", Name: "SELECT 1", Guard: directory.NewGuard("test", src, directory.Keeping{Yes: time.Hour, No: time.Minute}, nil), Tempfail: tempfail}},
	})
	t.Cleanup(func() { _ = stack.Close() })
	if u, ok := src.(*users); ok && !u.never && u.fail == nil {
		if got := stack.Lookup(t.Context(), ann); got.Result != directory.Yes {
			t.Fatal(got)
		}
	}
	return newHarness(t, world(), func(o *Options) {
		o.Recipients = Recipients{Directory: stack, Harvest: harvest.New(watching)}
		if change != nil {
			change(o)
		}
	})
}

// mtaOnly has a harness watch what the MTA refuses.
func mtaOnly(t testing.TB, change func(*Options)) harness {
	stack := directory.NewStack(directory.Options{Ours: []string{"here.example"}, Routes: []directory.Route{{Kind: "mta"}}})
	return newHarness(t, world(), func(o *Options) {
		o.Recipients = Recipients{Directory: stack, Harvest: harvest.New(watching)}
		if change != nil {
			change(o)
		}
	})
}

func TestUnknownUsers(t *testing.T) {
	jo := &users{known: map[string]bool{"jo": true}}
	down := &users{fail: errors.New("db.example: connection refused")}
	for _, tt := range []struct {
		name     string
		src      *users
		tempfail bool
		mail     Mail
		rcpt     string
		want     string
	}{
		{"one who exists", jo, true, Mail{From: fromGood}, "<jo@here.example>", "continue"},
		{"with an extension", jo, true, Mail{From: fromGood}, "<jo+lists@here.example>", "continue"},
		{"one who does not", jo, true, Mail{From: fromGood}, "<al@here.example>", "reject 550 5.1.1"},
		{"for a bounce too", jo, true, Mail{From: "<>"}, "<al@here.example>", "reject 550 5.1.1"},
		{"for who has logged in too", jo, true, Mail{From: fromGood, Account: "jo"}, "<al@here.example>", "reject 550 5.1.1"},
		{"a domain of others", jo, true, Mail{From: fromGood}, "<al@there.example>", "continue"},
		{"postmaster exists", jo, true, Mail{From: fromGood}, "<Postmaster@here.example>", "continue"},
		{"abuse exists", jo, true, Mail{From: fromGood}, "<abuse@here.example>", "continue"},
		{"who is exempt exists", jo, true, Mail{From: fromGood}, "<desk@here.example>", "continue"},
		{"the directory is down", down, true, Mail{From: fromGood}, "<jo@here.example>", "tempfail 451 4.3.0"},
		{"it is down, and that is to be passed over", down, false, Mail{From: fromGood}, "<jo@here.example>", "continue"},
		{"postmaster, while it is down", down, true, Mail{From: fromGood}, "<postmaster@here.example>", "continue"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := withUsers(t, tt.src, tt.tempfail, func(o *Options) { o.Exempt.Recipients = []string{"desk@here.example"} })
			v := h.Connect(good)
			v.Helo("mail.good.example")
			v.Mail(tt.mail)
			got := shownAnswer(v.Rcpt(Rcpt{To: tt.rcpt}))
			v.Close()
			if got != tt.want {
				t.Errorf("%s, want %s\n%s", got, tt.want, h.log)
			}
			lines := strings.Join(h.lines("verdict"), "\n")
			if strings.HasPrefix(tt.want, "reject") && (strings.Contains(lines, "al@") || !strings.Contains(lines, "rcpt=h:")) {
				t.Errorf("a name that does not exist stands in %s", lines)
			}
		})
	}
}

func shownAnswer(a Answer) string {
	if a.Action == profile.Continue {
		return a.Action.String()
	}
	return fmt.Sprintf("%s %d %s", a.Action, a.Code, a.Status)
}

func TestADirectoryThatNeverAnswersCostsTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withUsers(t, &users{never: true}, true, nil)
		began := time.Now()
		if got := shownAnswer(h.deliver(good, "mail.good.example", fromGood, "<jo@here.example>")); got != "tempfail 451 4.3.0" {
			t.Error(got)
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// TestTheBudgetIsOneForAll: whoever has logged in waits for recipient and account, and
// for both no longer than the budget.
func TestTheBudgetIsOneForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := withUsers(t, &users{never: true}, false, func(o *Options) {
			rules, err := ratelimit.NewRules(perOf(ratelimit.PerAccount, ratelimit.Messages, 100), ratelimit.Secret{1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			o.Limits = Limits{
				Rules: rules, Store: ratelimit.NewTable(ratelimit.Options{}, now),
				Born: func(ctx context.Context, account string) (b Birth) {
					b.Created, b.Plan, b.Failed = o.Recipients.Directory.Account(ctx, account)
					return b
				},
				Accounts: ratelimit.NewAccounts(ratelimit.AccountOptions{}, ratelimit.Secret{1}, now),
			}
		})
		v := h.Connect(good)
		v.Mail(Mail{From: fromGood, Account: "jo@here.example"})
		began := time.Now()
		v.Rcpt(Rcpt{To: "<jo@here.example>"})
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		v.Close()
	})
}

// A visitor tries names, each in a session of its own where sessions says so.
func try(h harness, c Client, from string, names ...string) []string {
	var got []string
	for _, name := range names {
		got = append(got, shownAnswer(h.deliver(c, "mail.good.example", from, "<"+name+"@here.example>")))
	}
	return got
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

func TestAHarvestIsStoppedAtTheTwentiethName(t *testing.T) {
	h := withUsers(t, &users{known: map[string]bool{"jo": true}}, true, nil)
	network := func(i int) Client { return Client{Addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})} }
	var last string
	for i, name := range names("x", 30) { // from all over the /24
		v := h.Connect(network(i % 7))
		v.Helo("mail.good.example")
		v.Mail(Mail{From: fromGood})
		last = shownAnswer(v.Rcpt(Rcpt{To: "<" + name + "@here.example>"}))
		v.Close()
		if want := "reject 550 5.1.1"; i < 19 && last != want || i >= 19 && last != "tempfail 450 4.7.1" {
			t.Fatalf("name %d: %s", i+1, last)
		}
	}
	for name, want := range map[string]string{"jo": "tempfail 450 4.7.1", "nobody": "tempfail 450 4.7.1", "postmaster": "continue", "abuse": "continue"} {
		if got := try(h, network(99), fromGood, name)[0]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	elsewhere := Client{Addr: netip.MustParseAddr("198.51.100.7")}
	if got := try(h, elsewhere, "<>", "nobody")[0]; got != "reject 550 5.1.1" {
		t.Errorf("somebody else: %s", got)
	}
	if strings.Contains(h.log.String(), "nobody@") {
		t.Error("a name that does not exist stands in the log")
	}
}

func TestWhatIsNoHarvest(t *testing.T) {
	known := map[string]bool{"jo": true}
	for _, name := range names("user", 1000) {
		known[name] = true
	}
	refused := func(got []string) int {
		n := 0
		for _, a := range got {
			if strings.HasPrefix(a, "tempfail") {
				n++
			}
		}
		return n
	}
	t.Run("a list with three dead of a hundred", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, nil)
		for i, name := range names("user", 1000) {
			if i%33 == 1 {
				name = "dead" + name
			}
			if n := refused(try(h, good, fromGood, name)); n > 0 {
				t.Fatalf("stopped at %d", i)
			}
		}
	})
	t.Run("but names that nobody knows of hide none", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, nil)
		for i, name := range names("x", 20) {
			try(h, good, fromGood, name, fmt.Sprintf("SRS0=a=b=%d.example=jo", 3*i), fmt.Sprintf("SRS0=a=b=%d.example=jo", 3*i+1), fmt.Sprintf("SRS0=a=b=%d.example=jo", 3*i+2))
		}
		if n := refused(try(h, good, fromGood, "jo")); n != 1 {
			t.Errorf("%+v", h.o.Recipients.Harvest.Stats(time.Now()))
		}
	})
	t.Run("a typo, over and over", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, nil)
		for range 100 {
			if n := refused(try(h, good, fromGood, "jjo", "Jjo", "jo")); n > 0 {
				t.Fatal("stopped")
			}
		}
	})
	t.Run("bounces", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, nil)
		if n := refused(try(h, good, "<>", names("forged", 200)...)); n > 0 {
			t.Fatal("stopped")
		}
		if n := refused(try(h, good, fromGood, "jo")); n > 0 {
			t.Error("and its mail is held up")
		}
		if s := h.o.Recipients.Harvest.Stats(time.Now()); s.Bounced != 200 || s.Unknown != 0 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("but a bounce has one recipient", func(t *testing.T) {
		for _, mta := range []bool{false, true} {
			h := withUsers(t, &users{known: known}, true, nil)
			if mta {
				h = mtaOnly(t, nil)
			}
			v := h.Connect(good)
			v.Helo("mail.good.example")
			v.Mail(Mail{From: "<>"})
			for _, name := range names("x", 21) {
				v.Rcpt(Rcpt{To: "<" + name + "@here.example>", Refused: mta, Status: "5.1.1"})
			}
			v.Close()
			if n := refused(try(h, good, "<>", "jo")); n != 1 {
				t.Errorf("the MTA refuses, %v: who tries names by one bounce is let through: %+v", mta, h.o.Recipients.Harvest.Stats(time.Now()))
			}
			if s := h.o.Recipients.Harvest.Stats(time.Now()); s.Bounced != 1 || s.Unknown != 20 {
				t.Errorf("%+v", s)
			}
		}
	})
	t.Run("exempt networks and logins", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, func(o *Options) {
			o.Exempt.Networks = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		})
		if n := refused(try(h, good, fromGood, names("x", 40)...)); n > 0 {
			t.Error("an exempt network is stopped")
		}
		h = withUsers(t, &users{known: known}, true, nil)
		for _, name := range names("x", 40) {
			v := h.Connect(good)
			v.Mail(Mail{From: fromGood, Account: "jo"})
			if a := v.Rcpt(Rcpt{To: "<" + name + "@here.example>"}); a.Status != "5.1.1" {
				t.Errorf("logged in: %+v", a)
			}
			v.Close()
		}
	})
	t.Run("who is allowed", func(t *testing.T) {
		h := withUsers(t, &users{known: known}, true, func(o *Options) {
			o.Local = rules(t, local.Rule{Match: []string{"client:192.0.2.7"}, Action: local.Allow})
		})
		if n := refused(try(h, good, fromGood, names("x", 40)...)); n > 0 {
			t.Error("stopped")
		}
		if s := h.o.Recipients.Harvest.Stats(time.Now()); s.Unknown != 0 {
			t.Errorf("counted: %+v", s)
		}
	})
	t.Run("the directory is down", func(t *testing.T) {
		h := withUsers(t, &users{fail: errors.New("down")}, false, nil)
		try(h, good, fromGood, names("x", 40)...)
		if s := h.o.Recipients.Harvest.Stats(time.Now()); s.Unknown != 0 {
			t.Errorf("counted: %+v", s)
		}
	})
}

// TestTheMTAsOwnRefusals: two codes mean an unknown user, and no other.
func TestTheMTAsOwnRefusals(t *testing.T) {
	for _, tt := range []struct {
		status  string
		counted bool
	}{
		{"5.1.1", true}, {"5.1.10", true},
		{"5.7.1", false}, {"4.1.1", false}, {"4.3.0", false}, {"5.1.2", false}, {"5.2.1", false}, {"5.1.100", false}, {"", false},
	} {
		for _, atMail := range []bool{false, true} {
			h := mtaOnly(t, func(o *Options) { o.Recipients.AtMail = atMail })
			for _, name := range names("x", 20) {
				v := h.Connect(good)
				v.Helo("mail.good.example")
				v.Mail(Mail{From: fromGood})
				if a := v.Rcpt(Rcpt{To: "<" + name + "@here.example>", Refused: true, Status: tt.status}); a != (Answer{}) {
					t.Fatalf("the MTA's own refusal is answered: %+v", a)
				}
				v.Close()
			}
			v := h.Connect(good)
			v.Helo("mail.good.example")
			mail := shownAnswer(v.Mail(Mail{From: fromGood}))
			rcpt := shownAnswer(v.Rcpt(Rcpt{To: toUser}))
			v.Close()
			wantMail, wantRcpt := "continue", "continue"
			if tt.counted {
				wantRcpt = "tempfail 450 4.7.1"
				if atMail {
					wantMail = wantRcpt
				}
			}
			if mail != wantMail || rcpt != wantRcpt {
				t.Errorf("%s, at mail %v: MAIL %s, RCPT %s", tt.status, atMail, mail, rcpt)
			}
		}
	}
}

func TestTraps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "traps")
	if err := os.WriteFile(path, []byte("hidden@here.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	traps, said := directory.OpenFile([]directory.FileSpec{{Format: directory.Recipients, Path: path}}, time.Now())
	if traps == nil {
		t.Fatal(said)
	}
	for _, tt := range []struct{ name, from, rcpt, want string }{
		{"who writes to one is marked", fromGood, "<Hidden@here.example>", "rcpt-trap:5"},
		{"by a bounce nobody is", "<>", "<hidden@here.example>", ""},
		{"nor for another", fromGood, "<jo@here.example>", ""},
	} {
		h := mtaOnly(t, func(o *Options) { o.Recipients.Traps = traps })
		v := h.Connect(nameless)
		v.Helo("helo.elsewhere.example")
		v.Mail(Mail{From: tt.from})
		v.Rcpt(Rcpt{To: tt.rcpt, Refused: true, Status: "5.1.1"})
		v.Close()
		h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser)
		lines := h.lines("verdict")
		if got := lines[len(lines)-1]; strings.Contains(got, "rcpt-trap") != (tt.want != "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
	h := mtaOnly(t, func(o *Options) { o.Recipients.Traps = traps })
	rec := h.Explain(Query{Client: good.Addr, Rcpts: []string{"HIDDEN@here.example"}})
	if got := rec.Recipients[0].Directory; len(got) != 2 || !strings.HasPrefix(got[0], "mta: nobody is asked") || !strings.HasPrefix(got[1], "it is a trap") {
		t.Errorf("explain: %v", got)
	}
}

// TestExplainAsksTheDirectoryAndCountsNothing.
func TestExplainAsksTheDirectoryAndCountsNothing(t *testing.T) {
	h := withUsers(t, &users{known: map[string]bool{"jo": true}}, true, nil)
	for range 3 {
		rec := h.Explain(Query{Client: good.Addr, Rcpts: append(names("x", 30), "jo")})
		for i := range rec.Recipients {
			rec.Recipients[i].Rcpt += "@here.example"
		}
	}
	rec := h.Explain(Query{Client: good.Addr, Rcpts: []string{"al@here.example", "jo@here.example"}})
	if a := rec.Recipients[0]; a.Status != "5.1.1" || len(a.Findings) != 1 || a.Findings[0].ID != "rcpt-unknown" {
		t.Errorf("%+v", a)
	}
	if a := rec.Recipients[0]; strings.Join(a.Directory, "|") != "test al@here.example: no: SELECT 1|test @here.example: no: SELECT 1" || a.Findings[0].Detail != "says SELECT 1" {
		t.Errorf("%+v", a)
	}
	if a := rec.Recipients[1]; a.Action != "continue" || strings.Join(a.Directory, "|") != "test jo@here.example: yes: SELECT 1" {
		t.Errorf("%+v", a)
	}
	if rec := h.Explain(Query{Client: good.Addr, Rcpts: []string{"abuse@here.example"}}); strings.Join(rec.Recipients[0].Directory, "|") != "it always exists: nobody is asked" {
		t.Errorf("%+v", rec.Recipients[0])
	}
	if rec := h.Explain(Query{Client: good.Addr, Rcpts: []string{"jo@elsewhere.example"}}); strings.Join(rec.Recipients[0].Directory, "|") != "elsewhere.example is none of us.domains: nobody is asked" {
		t.Errorf("%+v", rec.Recipients[0])
	}
	found := false
	for _, l := range rec.Lookups {
		found = found || l.Question == "al@here.example" && l.Type == "RCPT" && l.Answer[0] == "no" && l.Source == "test"
	}
	if s := h.o.Recipients.Harvest.Stats(time.Now()); s.Unknown != 0 || !found {
		t.Errorf("%+v, %+v", s, rec.Lookups)
	}
}

// TestMonitorModeLetsUnknownUsersThrough, and says so.
func TestMonitorModeLetsUnknownUsersThrough(t *testing.T) {
	h := withUsers(t, &users{}, true, func(o *Options) { o.Monitor = true })
	for i, got := range try(h, good, fromGood, names("x", 25)...) {
		if got != "continue" {
			t.Errorf("name %d: %s", i+1, got)
		}
	}
	lines := h.lines("verdict")
	if !strings.Contains(lines[0], "action=reject code=550 status=5.1.1") || !strings.Contains(lines[24], "action=tempfail code=450 status=4.7.1") {
		t.Errorf("%s\n%s", lines[0], lines[24])
	}
}
