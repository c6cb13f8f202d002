package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/profile"
)

// A diary is an Observer that writes everything down.
type diary struct {
	mu       sync.Mutex
	verdicts []string
	waits    map[string][]time.Duration
}

func (d *diary) Verdict(action profile.Action, stage, mode string, visit, own []profile.Finding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make([]string, 0, len(visit)+len(own))
	for _, f := range profile.HeaviestFirst(visit, own) {
		ids = append(ids, f.ID)
	}
	d.verdicts = append(d.verdicts, fmt.Sprintf("%s %s %s %s", action, stage, mode, strings.Join(ids, ",")))
}

func (d *diary) Wait(stage string, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waits == nil {
		d.waits = map[string][]time.Duration{}
	}
	d.waits[stage] = append(d.waits[stage], took)
}

// TestObserver: a verdict is observed once for each line of the log, when it is spoken.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, d := world(), &diary{}
		f.delay = 20 * time.Millisecond
		h := newHarness(t, f, func(o *Options) { o.Observer = d })
		v := h.Connect(nameless)
		v.Helo("helo.elsewhere.example")
		v.Mail(Mail{From: fromGood})
		v.Rcpt(Rcpt{To: toUser})
		if len(d.verdicts) != 1 {
			t.Errorf("observed before the end of the transaction: %q", d.verdicts)
		}
		v.Rcpt(Rcpt{To: "<other@here.example>"})
		v.Rcpt(Rcpt{To: "<postmaster@here.example>"})
		v.Rcpt(Rcpt{To: "<gone@here.example>", Refused: true, Status: "5.1.1"})
		v.EndOfMessage("Q1")
		v.Mail(Mail{From: "<>"})
		v.Close()

		lines := h.lines("verdict")
		if len(lines) != 3 || len(d.verdicts) != 3 {
			t.Fatalf("%d lines, %d verdicts observed: %q", len(lines), len(d.verdicts), d.verdicts)
		}
		for i, line := range lines {
			f := strings.Fields(d.verdicts[i])
			if !strings.Contains(line, " action="+f[0]+" ") || !strings.Contains(line, " stage="+f[1]+" ") || !strings.Contains(line, " mode="+f[2]+" ") {
				t.Errorf("observed %q, the log has %s", d.verdicts[i], line)
			}
			if len(f) > 3 != strings.Contains(line, " findings=") || len(f) > 3 && !strings.Contains(line, strings.Split(f[3], ",")[0]+":") {
				t.Errorf("observed findings %q, the log has %s", d.verdicts[i], line)
			}
		}
		for stage, n := range map[string]int{StageConnect: 1, StageHelo: 1, StageMail: 2, StageRcpt: 3, StageEOM: 1} {
			if len(d.waits[stage]) != n {
				t.Errorf("%d waits at %s, want %d", len(d.waits[stage]), stage, n)
			}
		}
		if d.waits[StageConnect][0] != 0 || d.waits[StageRcpt][0] != 20*time.Millisecond*2 {
			t.Errorf("waits: %v", d.waits)
		}
	})
}

// TestExplainIsNotObserved: it counts nothing.
func TestExplainIsNotObserved(t *testing.T) {
	d := &diary{}
	h := newHarness(t, world(), func(o *Options) { o.Observer = d })
	helo, from := "mx.here.example", "<>"
	h.Explain(Query{Client: nameless.Addr, Helo: &helo, From: &from, Rcpts: []string{"user@here.example"}})
	if len(d.verdicts)+len(d.waits) > 0 {
		t.Errorf("observed %q, %v", d.verdicts, d.waits)
	}
}

// TestExplainKnowsWhoCameBack: it looks at the retries, and uses none of them up.
func TestExplainKnowsWhoCameBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t, world(), nil)
		explain := func(addr string) RecordRecipient {
			helo, from := "helo.elsewhere.example", "joe@good.example"
			return h.Explain(Query{Client: netip.MustParseAddr(addr), Helo: &helo, From: &from, Rcpts: []string{"user@here.example"}}).Recipients[0]
		}
		deliver := func() profile.Action {
			return h.deliver(nameless, "helo.elsewhere.example", fromGood, toUser).Action
		}
		if a := deliver(); a != profile.TempFail {
			t.Fatalf("first visit: %v", a)
		}
		if r := explain("192.0.2.66"); r.Action != "tempfail" {
			t.Errorf("too early: %+v", r)
		}
		time.Sleep(2 * time.Minute)
		for range 2 {
			if r := explain("192.0.2.66"); r.Action != "continue" {
				t.Errorf("in time: %+v", r)
			}
		}
		if r := explain("203.0.113.66"); r.Action != "tempfail" {
			t.Errorf("another network: %+v", r)
		}
		if a := deliver(); a != profile.Continue {
			t.Fatalf("second visit: %v", a)
		}
		if st := h.o.Retries.Stats(); st.Waiting != 0 || st.Returned != 1 {
			t.Errorf("%+v, want nobody who waits and one who returned", st)
		}
		if r := explain("192.0.2.99"); r.Action != "continue" {
			t.Errorf("a neighbour of one that came back: %+v", r)
		}
	})
}
