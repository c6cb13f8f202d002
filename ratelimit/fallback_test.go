package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestSharesAddUp(t *testing.T) {
	for most := range uint32(40) {
		for machines := 1; machines < 10; machines++ {
			sum := uint32(0)
			for before := range machines {
				sum += Share(most, machines, before)
			}
			if sum != most {
				t.Errorf("%d of %d machines add up to %d", most, machines, sum)
			}
		}
	}
}

func TestPeersCount(t *testing.T) {
	p := NewPeers("b")
	for _, tt := range []struct {
		names            []string
		machines, before int
	}{{nil, 1, 0}, {[]string{"c", "a", "b"}, 3, 1}, {[]string{"c"}, 2, 0}, {[]string{"a", "a"}, 2, 1}} {
		p.Set(tt.names)
		if m, b := p.Count(); m != tt.machines || b != tt.before {
			t.Errorf("%q: %d machines, %d before it, want %d, %d", tt.names, m, b, tt.machines, tt.before)
		}
	}
}

func TestPartOfAClaimedCounter(t *testing.T) {
	a, b := NewPeers("a"), NewPeers("b")
	for _, p := range []*Peers{a, b} {
		p.Set([]string{"a", "b"})
		p.Claimed(1, Claim{By: "a", Others: 2, Until: noon.Add(time.Hour)}, noon)
	}
	parts := func(id uint64, now time.Time) string { return fmt.Sprint(a.Part(id, 9, now), " ", b.Part(id, 9, now)) }
	if got := parts(1, noon); got != "7 0" {
		t.Errorf("claimed: %s, want 7 0", got)
	}
	if got := parts(2, noon); got != "5 4" {
		t.Errorf("another one: %s, want 5 4", got)
	}
	if got := parts(1, noon.Add(time.Hour)); got != "5 4" {
		t.Errorf("when the claim is over: %s, want 5 4", got)
	}
	a.Expire(noon.Add(time.Hour))
	if len(a.claims) != 0 {
		t.Error("a claim that is over is remembered")
	}
	for i := range uint64(maxClaims + 50) {
		a.Claimed(i, Claim{By: "a", Until: noon.Add(time.Hour)}, noon)
	}
	if len(a.claims) > maxClaims {
		t.Errorf("%d claims are remembered", len(a.claims))
	}
}

// A server is the store that machines share, as simple as can be, at one moment:
// what each machine has of each counter.
type server struct {
	t        *testing.T
	rows     map[uint64]map[string]*serverRow
	machines map[string]*machine
	away     bool
	stalled  bool
	calls    int
}

type serverRow struct{ pending, kept uint32 }

var errBrokenLine = errors.New("broken line")

// A machine is one of those that share a server; it is Shared.
type machine struct {
	*server
	name  string
	peers *Peers
	f     *Fallback
	tx    *Transaction
	local *Table
}

// cluster gives machines that share a server and have joined it.
func cluster(t *testing.T, machines, most int) *server {
	s := &server{t: t, rows: map[uint64]map[string]*serverRow{}, machines: map[string]*machine{}}
	rules := newRules(t, perAccount(most, time.Hour))
	for i := range machines {
		m := &machine{server: s, name: fmt.Sprint("mx", i), local: NewTable(Options{}, noon)}
		m.peers = NewPeers(m.name)
		m.f = NewFallback(m, m.local, m.peers)
		m.tx = Begin(rules, m.f)
		s.machines[m.name] = m
	}
	s.comeBack(true)
	return s
}

// comeBack lets all machines join.
func (s *server) comeBack(all bool) {
	s.t.Helper()
	s.away, s.stalled = false, false
	var names []string
	for name := range s.machines {
		names = append(names, name)
	}
	for _, m := range s.machines {
		m.peers.Set(names)
		if err := m.f.Return(context.Background(), all, m.put, func() time.Time { return noon }); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (m *machine) put(_ context.Context, rows []Row) error {
	if m.away {
		return errBrokenLine
	}
	for _, r := range rows {
		kept := uint32(0)
		for _, n := range r.Counts {
			kept += n
		}
		is := m.row(r.ID)
		if kept > is.kept || r.Clear {
			is.kept = kept
		}
		is.pending = r.Pending
	}
	return nil
}

func (m *machine) row(id uint64) *serverRow {
	if m.rows[id] == nil {
		m.rows[id] = map[string]*serverRow{}
	}
	if m.rows[id][m.name] == nil {
		m.rows[id][m.name] = &serverRow{}
	}
	return m.rows[id][m.name]
}

func (m *machine) broken(ctx context.Context) error {
	m.calls++
	switch {
	case m.stalled:
		<-ctx.Done()
		return ctx.Err()
	case m.away:
		return errBrokenLine
	}
	return nil
}

func (m *machine) Look(ctx context.Context, charges []Charge) (bool, error) {
	if err := m.broken(ctx); err != nil {
		return false, err
	}
	fits := true
	for i := range charges {
		c := &charges[i]
		c.Used = 0
		for _, r := range m.rows[c.ID] {
			c.Used += r.pending + r.kept
		}
		c.Over = c.Used+c.Amount > c.Max
		fits = fits && (!c.Over || c.Report)
	}
	return fits, nil
}

func (m *machine) Take(ctx context.Context, charges []Charge, now time.Time) (bool, error) {
	fits, err := m.Look(ctx, charges)
	if !fits || err != nil {
		return false, err
	}
	for _, c := range charges {
		m.row(c.ID).pending += c.Amount
		by, most, sum := "", uint32(0), uint32(0)
		for name, r := range m.rows[c.ID] {
			use := r.pending + r.kept
			sum += use
			if use > most || use == most && name < by {
				by, most = name, use
			}
		}
		if int(most)*2*len(m.machines) > int(c.Max) {
			for _, other := range m.machines {
				other.peers.Claimed(c.ID, Claim{by, sum - most, noon.Add(24 * time.Hour)}, now)
			}
		}
	}
	return true, nil
}

func (m *machine) Settle(ctx context.Context, charges []Charge, o Outcome, _ time.Time) error {
	if err := m.broken(ctx); err != nil {
		return err
	}
	for _, c := range charges {
		r := m.row(c.ID)
		r.pending -= c.Amount
		if o == Keep {
			r.kept += c.Amount
		}
	}
	return nil
}

func (m *machine) Reset(ctx context.Context, charges []Charge) error {
	if err := m.broken(ctx); err != nil {
		return err
	}
	for _, c := range charges {
		for _, r := range m.rows[c.ID] {
			r.kept = 0
		}
	}
	return nil
}

// burst lets the machines send as many mails as they can, in an order of chance; some
// drop what they began. It gives how many went through.
func (s *server) burst(rnd *rand.Rand, tries int, names ...string) (sent int) {
	joe := &Subject{Account: "joe"}
	for range tries {
		m := s.machines[names[rnd.IntN(len(names))]]
		if rnd.IntN(4) == 0 {
			m.tx.Mail(context.Background(), joe, noon)
			m.tx.Release(context.Background(), noon)
		}
		if send(m.tx, joe, noon) {
			sent++
		}
	}
	return sent
}

// TestTheSumStaysWithinTheMaximum whatever becomes of the store, and whoever has used
// how much when it goes: it goes away in mid-burst, comes back with or without what
// it held, and goes again.
func TestTheSumStaysWithinTheMaximum(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		machines, most := 1+rnd.IntN(4), 1+rnd.IntN(30)
		s := cluster(t, machines, most)
		var names []string
		for i := range machines {
			names = append(names, fmt.Sprint("mx", i))
		}
		sent := 0
		for step := range 6 {
			// Mostly one machine, so that one uses much more than its part.
			some := names[:1+rnd.IntN(machines)]
			sent += s.burst(rnd, rnd.IntN(2*most), some...)
			if sent > most {
				t.Fatalf("seed %d, step %d: %d machines let %d through, max is %d", seed, step, machines, sent, most)
			}
			switch rnd.IntN(3) {
			case 0:
				s.away = true
			case 1:
				s.comeBack(false)
			case 2: // empty
				s.rows = map[uint64]map[string]*serverRow{}
				for _, m := range s.machines {
					m.f.Away()
				}
				s.comeBack(true)
			}
		}
		s.comeBack(false)
		sent += s.burst(rnd, 8*most, names...)
		if sent != most {
			t.Errorf("seed %d: with the store there again %d went through, want all %d", seed, sent, most)
		}
	}
}

// TestWithoutTheStoreAllOfItIsThere: where nobody has used anything the parts add up.
func TestWithoutTheStoreAllOfItIsThere(t *testing.T) {
	for machines := 1; machines <= 5; machines++ {
		for _, most := range []int{1, 3, 100} {
			s := cluster(t, machines, most)
			s.away = true
			sent := 0
			for name := range s.machines {
				sent += s.burst(rand.New(rand.NewPCG(1, 1)), 2*most, name)
			}
			if sent != most {
				t.Errorf("%d machines let %d through, want %d", machines, sent, most)
			}
		}
	}
}

// TestAStalledStoreCostsOneWait, and then nothing.
func TestAStalledStoreCostsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cluster(t, 1, 10)
		s.stalled = true
		start := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what the caller does not wait for is bounded all the same
		m := s.machines["mx0"]
		joe := &Subject{Account: "joe"}
		if d := m.tx.Mail(ctx, joe, noon); d.Refused() || d.Err != nil {
			t.Errorf("%+v", d)
		}
		calls := s.calls
		for range 9 {
			m.tx.Commit(ctx, noon)
			m.tx.Mail(ctx, joe, noon)
		}
		if took := time.Since(start); took != SharedTimeout || s.calls != calls {
			t.Errorf("ten mails waited for %v in all, want %v", took, SharedTimeout)
		}
		if st := m.f.Stats(); st.Up || st.Failures != 1 || st.Locally != 10 {
			t.Errorf("%+v", st)
		}
	})
}

// TestWhatIsOpenIsBrought: mails under way when the store goes, and comes back empty,
// count there while they are open, and end there.
func TestWhatIsOpenIsBrought(t *testing.T) {
	s := cluster(t, 2, 3)
	a, joe := s.machines["mx0"], &Subject{Account: "joe"}
	a.tx.Mail(context.Background(), joe, noon)
	s.away = true
	other := Begin(a.tx.rules, a.f)
	if d := other.Mail(context.Background(), joe, noon); d.Refused() {
		t.Fatalf("%+v", d)
	}
	s.rows = map[uint64]map[string]*serverRow{}
	s.comeBack(true)
	pending := func() (n uint32) {
		for _, row := range s.rows {
			n += row["mx0"].pending
		}
		return n
	}
	if n := pending(); n != 2 {
		t.Errorf("%d are under way there, want 2", n)
	}
	a.tx.Commit(context.Background(), noon)
	other.Release(context.Background(), noon)
	if n := pending(); n != 0 {
		t.Errorf("%d are under way there when all have ended", n)
	}
}

// TestAPutThatFails loses nothing.
func TestAPutThatFails(t *testing.T) {
	s := cluster(t, 2, 10)
	a := s.machines["mx0"]
	s.away = true
	if sent := s.burst(rand.New(rand.NewPCG(1, 2)), 3, "mx0"); sent != 3 {
		t.Fatal(sent)
	}
	if err := a.f.Return(context.Background(), false, a.put, func() time.Time { return noon }); !errors.Is(err, errBrokenLine) || a.f.Stats().Up {
		t.Errorf("got %v", err)
	}
	s.comeBack(false)
	if sent := s.burst(rand.New(rand.NewPCG(1, 3)), 50, "mx1"); sent != 7 {
		t.Errorf("%d went through, want 7: 3 were sent while it was away", sent)
	}
}

// TestResetOfAll forgets what all machines have counted, and while the store is away
// what this one has.
func TestResetOfAll(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 4))
	s := cluster(t, 2, 10)
	a, joe := s.machines["mx0"], &Subject{Account: "joe"}
	s.burst(rnd, 50, "mx0", "mx1")
	if n := a.tx.rules.Reset(a.f, joe, noon); n != 1 {
		t.Error(n)
	}
	if sent := s.burst(rnd, 50, "mx1"); sent != 10 {
		t.Errorf("%d went through, want 10", sent)
	}
	a.tx.rules.Reset(a.f, joe, noon)
	s.burst(rnd, 4, "mx0")
	s.away = true
	s.burst(rnd, 1, "mx0")
	a.tx.rules.Reset(a.f, joe, noon)
	s.comeBack(false)
	if all := a.tx.rules.Standing(a.f, joe, noon); len(all) != 1 || all[0].Used != 0 {
		t.Errorf("%+v", all)
	}
}

// TestHeldToAPart tells the whole maximum, and does not refuse for good what the other
// machines may have left room for.
func TestHeldToAPart(t *testing.T) {
	for _, tt := range []struct {
		machines int
		want     Action
	}{{2, TempFail}, {1, Reject}} {
		s := cluster(t, tt.machines, 4)
		limit := perAccount(4, time.Hour)
		limit.Action = Reject
		m := s.machines["mx0"]
		tx := Begin(newRules(t, limit), m.f)
		s.away = true
		joe := &Subject{Account: "joe"}
		for range 4 / tt.machines {
			send(tx, joe, noon)
		}
		d := tx.Mail(context.Background(), joe, noon)
		if !d.Refused() || d.Action != tt.want || d.Max != 4 || d.Part != 4/tt.machines {
			t.Errorf("%d machines: %+v", tt.machines, d.Over)
		}
	}
}

// TestRowsAreAll brings every counter that holds something, in portions, with
// where its counts lie.
func TestRowsAreAll(t *testing.T) {
	table := NewTable(Options{}, noon)
	const n = 20_000
	for i := range uint64(n) {
		c := charge(i*0x9e3779b97f4a7c15, 10, 1+uint32(i%3), time.Hour)
		table.Take(context.Background(), c, noon)
		if i%2 == 0 {
			table.Settle(context.Background(), c, Keep, noon)
		}
	}
	seen, pending := map[uint64]bool{}, 0
	later := noon.Add(5*time.Minute + time.Second)
	err := table.rows(later, func(rows []Row) error {
		for _, r := range rows {
			seen[r.ID] = true
			if r.Pending > 0 {
				pending++
				continue
			}
			if len(r.Counts) != 3 || r.Counts[2] == 0 || r.Counts[0] != 0 || r.Window != time.Hour || r.Phase != 13*time.Second {
				t.Fatalf("%+v", r)
			}
		}
		return nil
	})
	if err != nil || len(seen) != n || pending != n/2 {
		t.Errorf("%v: %d of %d counters, %d of them pending", err, len(seen), n, pending)
	}
}
