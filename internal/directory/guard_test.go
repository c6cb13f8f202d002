package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/ownfile"
)

// A backend is a Source that a test plays: it knows some addresses, takes its time,
// and fails when told to.
type backend struct {
	mu     sync.Mutex
	known  map[string]Result
	delay  time.Duration
	quick  Address // who is answered for without delay
	fails  error
	excuse error // of those who are known as Failed
	panics bool
	asked  map[string]int
	atOnce int
	most   int
	closed int
}

func (b *backend) Lookup(ctx context.Context, a Address) Entry {
	b.mu.Lock()
	if b.asked == nil {
		b.asked = map[string]int{}
	}
	b.asked[a.String()]++
	b.atOnce++
	b.most = max(b.most, b.atOnce)
	delay, fails, panics := b.delay, b.fails, b.panics
	answer, ok := b.known[a.String()]
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.atOnce--
		b.mu.Unlock()
	}()
	if panics {
		panic("a bug")
	}
	if delay > 0 && a != b.quick {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return Fail(ctx.Err())
		}
	}
	switch {
	case fails != nil:
		return Fail(fails)
	case ok && answer == Failed:
		return Fail(b.excuse)
	case ok:
		return Entry{Result: answer}
	}
	return Entry{Result: No}
}

func (b *backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return nil
}

func (b *backend) set(change func(*backend)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

var (
	jo     = Address{"jo", "a.example"}
	nobody = Address{"nobody", "a.example"}
	keeps  = Keeping{Yes: time.Hour, No: time.Minute, Down: 24 * time.Hour}
)

func newBackend() *backend { return &backend{known: map[string]Result{"jo@a.example": Yes}} }

func within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func (g *Guard) result(d time.Duration, a Address) string {
	e, stale := g.Lookup(within(d), a)
	text := e.Result.String()
	if stale {
		text += " stale"
	}
	return text
}

func TestAnswersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		steps := []struct {
			after time.Duration
			a     Address
			want  string
			asked int // in all
		}{
			{0, jo, "yes", 1}, {59 * time.Minute, jo, "yes", 1}, {time.Minute, jo, "yes", 2},
			{0, nobody, "no", 1}, {59 * time.Second, nobody, "no", 1}, {time.Second, nobody, "no", 2},
		}
		for i, s := range steps {
			time.Sleep(s.after)
			if got := g.result(time.Second, s.a); got != s.want || b.asked[s.a.String()] != s.asked {
				t.Errorf("step %d: %s, asked %d times; want %s, %d", i, got, b.asked[s.a.String()], s.want, s.asked)
			}
		}
	})
}

// TestTheLastAnswerServes, but only one that lets somebody in.
func TestTheLastAnswerServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		g.result(time.Second, jo)
		g.result(time.Second, nobody)
		b.set(func(b *backend) { b.fails = errors.New("gone") })
		time.Sleep(2 * time.Hour)
		if got := g.result(time.Second, jo); got != "yes stale" {
			t.Error(got)
		}
		if got := g.result(time.Second, nobody); got != "failed" {
			t.Error(got)
		}
		time.Sleep(23 * time.Hour)
		if got := g.result(time.Second, jo); got != "failed" {
			t.Errorf("after its time: %s", got)
		}
		if h := g.Health(); h.Trouble != "gone" || h.Stale != 1 {
			t.Errorf("%+v", h)
		}
	})
}

// TestWhoIsKnownIsKnownByOtherForms: while the source fails, mail for jo+lists@ goes to
// whom it knew as jo@, and any name to a domain that it knew to take all.
func TestWhoIsKnownIsKnownByOtherForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.known["@all.example"] = Yes
		s := NewStack(Options{Ours: []string{"a.example", "all.example"}, Delimiters: "+", Routes: []Route{{Kind: "sql", Guard: NewGuard("x", b, keeps, nil)}}})
		defer s.Close()
		ask := func(text string) string {
			local, domain, _ := strings.Cut(text, "@")
			got := s.Lookup(within(time.Second), Address{local, domain})
			return fmt.Sprint(got.Result, " ", got.Stale)
		}
		ask("jo@a.example")
		ask("al@all.example")
		b.set(func(b *backend) { b.fails = errors.New("gone") })
		time.Sleep(2 * time.Hour)
		for text, want := range map[string]string{
			"jo+lists@a.example": "yes true", "prvs=4163ab7d58=jo+x@a.example": "yes true", "eve@all.example": "yes true",
			"eve+lists@a.example": "failed false", "jolists@a.example": "failed false",
		} {
			if got := ask(text); got != want {
				t.Errorf("%s: %s, want %s", text, got, want)
			}
		}
	})
}

func TestOneQuestionForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.delay = time.Second
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				want, patience := "yes", 2*time.Second
				if i%10 == 0 {
					want, patience = "failed", time.Millisecond // it leaves, and the others still get their answer
				}
				if got := g.result(patience, jo); got != want {
					t.Errorf("%d: %s", i, got)
				}
			})
		}
		all.Wait()
		if b.asked[jo.String()] != 1 {
			t.Errorf("asked %d times", b.asked[jo.String()])
		}
	})
}

// TestALateAnswerServesWhoAsksNext: a source that takes longer than anybody waits is no
// source that fails.
func TestALateAnswerServesWhoAsksNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		g.result(time.Second, jo)
		b.set(func(b *backend) { b.delay, b.quick, b.known["al@a.example"] = 6*time.Second, jo, Yes })
		al := Address{"al", "a.example"}
		for i := range 10 { // a tarpit: each would be a failure
			if got := g.result(5*time.Second, Address{fmt.Sprint("x", i), "a.example"}); got != "failed" {
				t.Error(got)
			}
		}
		if got := g.result(5*time.Second, al); got != "failed" {
			t.Error(got)
		}
		time.Sleep(2 * time.Second)
		if got, asked := g.result(5*time.Second, al), b.asked[al.String()]; got != "yes" || asked != 1 {
			t.Errorf("asked again: %s, after %d questions", got, asked)
		}
		if h := g.Health(); !h.Up || h.Failed != 0 {
			t.Errorf("%+v", h)
		}
	})
}

// TestAQuestionEnds when nobody waits and its turn has not come, or when it has taken
// too long altogether.
func TestAQuestionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.delay = time.Hour
		g := NewGuard("x", b, keeps, nil)
		var all sync.WaitGroup
		for i := range maxParallel + 5 {
			all.Go(func() {
				if got := g.result(time.Second, Address{fmt.Sprint("x", i), "a.example"}); got != "failed" {
					t.Error(got)
				}
			})
		}
		all.Wait()
		synctest.Wait()
		out := func() int {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.atOnce
		}
		if h := g.Health(); out() != maxParallel || h.Failed != 0 || h.Turned != 5 || h.Trouble != "it did not answer in time" {
			t.Errorf("%d are out; %+v", out(), h)
		}
		time.Sleep(late)
		synctest.Wait()
		if h := g.Health(); out() != 0 || h.Failed != maxParallel {
			t.Errorf("%d are still out; %+v", out(), h)
		}
		if err := g.Close(); err != nil || b.closed != 1 {
			t.Errorf("%v, closed %d times", err, b.closed)
		}
	})
}

func TestQuestionsAtATimeAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		g.result(time.Second, jo)
		b.delay = time.Second
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if got := g.result(time.Minute, Address{fmt.Sprint("u", i), "a.example"}); got != "no" {
					t.Error(got)
				}
			})
		}
		all.Wait()
		if b.most != maxParallel {
			t.Errorf("%d at a time, want %d", b.most, maxParallel)
		}
	})
}

// TestASourceThatFailsIsLeftAlone, is tried now and then, and asked again once it works.
func TestASourceThatFailsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.fails = errors.New("gone")
		g := NewGuard("x", b, keeps, nil)
		defer g.Close()
		ask := func(n int) (asked int) {
			before := g.Health().Asked
			for i := range n {
				g.result(time.Second, Address{fmt.Sprint("u", i), "a.example"})
			}
			return int(g.Health().Asked - before)
		}
		if n := ask(20); n != mostFailures {
			t.Errorf("asked %d times before it was left alone", n)
		}
		if h := g.Health(); h.Up || h.Since.IsZero() || h.Turned != 15 {
			t.Errorf("%+v", h)
		}
		if _, err := g.Lookup(within(time.Second), jo); err {
			t.Error("stale")
		}
		e, _ := g.Lookup(within(time.Second), jo)
		if !errors.Is(e.Err, ErrUnavailable) || !strings.Contains(e.Err.Error(), "gone") {
			t.Error(e.Err)
		}
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			time.Sleep(pause*time.Second - time.Millisecond)
			if n := ask(10); n != 0 {
				t.Errorf("asked %d times within %d s", n, pause)
			}
			time.Sleep(time.Millisecond)
			if n := ask(10); n != 1 {
				t.Errorf("tried %d times after %d s", n, pause)
			}
		}
		b.set(func(b *backend) { b.fails = nil })
		time.Sleep(30 * time.Second)
		g.result(time.Second, jo)
		if n := ask(10); n != 10 || !g.Health().Up || g.Health().Trouble != "" {
			t.Errorf("asked %d times once it works: %+v", n, g.Health())
		}
	})
}

func TestAPanicIsAFailure(t *testing.T) {
	b := newBackend()
	b.panics = true
	g := NewGuard("x", b, keeps, nil)
	defer g.Close()
	if e, _ := g.Lookup(context.Background(), jo); e.Result != Failed || !strings.Contains(e.Err.Error(), "a bug") {
		t.Errorf("%+v", e)
	}
}

// TestStacks: which sources are asked of whom, and whose word counts.
func TestStacks(t *testing.T) {
	answer := func(all string) *backend { // "jo=yes al=failed @=yes", at a.example
		b := newBackend()
		b.known = map[string]Result{}
		for word := range strings.FieldsSeq(all) {
			name, text, _ := strings.Cut(word, "=")
			b.known[strings.TrimSuffix(name, "@")+"@a.example"] = map[string]Result{"yes": Yes, "no": No, "failed": Failed, "unknown": Unknown}[text]
		}
		return b
	}
	for _, tt := range []struct {
		name    string
		sources []string
		ask     string
		want    string
	}{
		{"known", []string{"jo=yes"}, "jo@a.example", "yes"},
		{"not known", []string{"jo=yes"}, "al@a.example", "no"},
		{"the whole address first", []string{"jo+x=no jo=yes"}, "jo+x@a.example", "yes"},
		{"the catch-all last", []string{"@=yes"}, "eve+x@a.example", "yes"},
		{"without the tag of BATV", []string{"jo=yes"}, "prvs=4163ab7d58=jo@a.example", "yes"},
		{"nor its extension", []string{"jo=yes"}, "PRVS=4163ab7d58=jo+x@a.example", "yes"},
		{"nor Barracuda's", []string{"jo=yes"}, "btv1==4163ab7d58==jo@a.example", "yes"},
		{"tagged, and nobody behind it", []string{"jo=yes"}, "prvs=4163ab7d58=al@a.example", "no"},
		{"a bounce to forwarded mail", []string{"jo=yes"}, "SRS0=Hx4s=BQ=b.example=al@a.example", "unknown"},
		{"that was forwarded twice", []string{"jo=yes"}, "srs1+Ab12=c.example==Hx4s=BQ=b.example=al@a.example", "unknown"},
		{"to a domain where all exist", []string{"@=yes"}, "SRS0=Hx4s=BQ=b.example=al@a.example", "yes"},
		{"a name that only looks so", []string{"jo=yes"}, "srs0=al@a.example", "no"},
		{"another domain that stands for it", []string{"jo=yes"}, "jo@alias.example", "yes"},
		{"and does not know it there", []string{"jo=yes"}, "al@alias.example", "no"},
		{"of others nobody is asked", []string{"jo=yes"}, "jo@others.example", "unknown"},
		{"the second knows", []string{"", "jo=yes"}, "jo@a.example", "yes"},
		{"none knows", []string{"", ""}, "jo@a.example", "no"},
		{"the first failed, the second knows", []string{"jo=failed", "jo=yes"}, "jo@a.example", "yes"},
		{"the first failed, the second does not know", []string{"jo=failed", ""}, "jo@a.example", "failed"},
		{"the second failed", []string{"", "jo=failed"}, "jo@a.example", "failed"},
		{"the second does not speak for it", []string{"", "jo=unknown"}, "jo@a.example", "unknown"},
		{"the catch-all failed", []string{"@=failed"}, "jo@a.example", "failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Ours: []string{"a.example", "alias.example"}, Delimiters: "+", Aliases: map[string]string{"alias.example": "a.example"}}
			for i, text := range tt.sources {
				o.Routes = append(o.Routes, Route{Kind: fmt.Sprint(i), Domains: []string{"a.example"}, Guard: NewGuard(fmt.Sprint(i), answer(text), keeps, nil), Tempfail: true})
			}
			s := NewStack(o)
			defer s.Close()
			for i := range o.Routes {
				o.Routes[i].Guard.vouch(Address{"eric", "a.example"}) // else no No is believed
			}
			local, domain, _ := strings.Cut(tt.ask, "@")
			for range 2 {
				got := s.Lookup(context.Background(), Address{local, domain})
				if got.Result.String() != tt.want || got.Result == Failed && !got.Tempfail {
					t.Errorf("%+v, want %s", got, tt.want)
				}
			}
			if got, ok := s.Now(Address{local, domain}); !strings.Contains(strings.Join(tt.sources, " "), "failed") && (!ok || got.Result.String() != tt.want) {
				t.Errorf("asked once, and it has to wait: %+v, %v", got, ok)
			}
		})
	}
}

// TestAnotherStackGoesOn with what the one before remembers, and the source is closed
// with the last.
func TestAnotherStackGoesOn(t *testing.T) {
	b := newBackend()
	s := NewStack(Options{Ours: []string{"a.example"}, Routes: []Route{{Kind: "x", Guard: NewGuard("x", b, keeps, nil)}}})
	s.Lookup(context.Background(), jo)
	next := NewStack(Options{Ours: []string{"a.example"}, Routes: []Route{{Kind: "x", Guard: s.Guard("x")}}})
	if s.Guard("y") != nil || (*Stack)(nil).Guard("x") != nil {
		t.Error("a guard of another source")
	}
	again := next.Share()
	for _, one := range []*Stack{s, next} {
		if err := one.Close(); err != nil || b.closed != 0 {
			t.Fatalf("%v, closed %d times", err, b.closed)
		}
	}
	if a, ok := again.Now(jo); !ok || a.Result != Yes {
		t.Errorf("%+v, %v", a, ok)
	}
	if err := again.Close(); err != nil || b.closed != 1 {
		t.Errorf("%v, closed %d times", err, b.closed)
	}
}

func TestAccountsOfAStack(t *testing.T) {
	f := openLines(t, "jo@a.example created=2026-01-31 plan=pro\n@a.example x\nal@b.example plan=free\n")
	s := NewStack(Options{Ours: []string{"a.example", "b.example"}, Routes: []Route{{Kind: "file", File: f}}})
	for login, want := range map[string]string{"jo@A.example": "2026-01-31 pro", "jo": "2026-01-31 pro", "al@b.example": "0001-01-01 free", "eve": "0001-01-01 ", "al@c.example": "0001-01-01 ", "": "0001-01-01 "} {
		created, plan, failed := s.Account(context.Background(), login)
		if got := created.Format(time.DateOnly) + " " + plan; got != want || failed {
			t.Errorf("%s: %s, %v, want %s", login, got, failed, want)
		}
	}
	b := newBackend()
	b.fails = errors.New("away")
	s = NewStack(Options{Ours: []string{"a.example"}, Routes: []Route{{Kind: "x", Guard: NewGuard("x", b, keeps, nil)}}})
	defer s.Close()
	for login, want := range map[string]bool{"jo@a.example": true, "jo": true, "al@c.example": false, "": false} {
		if created, plan, failed := s.Account(context.Background(), login); failed != want || !created.IsZero() || plan != "" {
			t.Errorf("%q, of a source that is away: %v, %q, failed %v", login, created, plan, failed)
		}
	}
}

// TestTriesDoNotDriveOutWhoExists: who exists is remembered, however many names that do
// not are tried, since that has to serve while the source is away.
func TestTriesDoNotDriveOutWhoExists(t *testing.T) {
	b := newBackend()
	g := NewGuard("x", b, keeps, nil)
	defer g.Close()
	g.result(time.Minute, jo)
	g.mu.Lock()
	for i := range maxKept + maxDenied {
		g.remember(Address{fmt.Sprint("x", i), "a.example"}, Entry{Result: No})
	}
	held := g.denied.Len()
	g.mu.Unlock()
	if e, ok := g.Cached(jo); !ok || e.Result != Yes || held != maxDenied {
		t.Errorf("%v, %v; %d held", e, ok, held)
	}
	g.mu.Lock()
	g.remember(jo, Entry{Result: No}) // he has left
	g.mu.Unlock()
	if e, ok := g.Cached(jo); !ok || e.Result != No {
		t.Errorf("%v, %v", e, ok)
	}
}

// A blind backend is one to which case means nothing.
type blind struct{ *backend }

func (blind) IgnoresCase() {}

// TestOneQuestionWhateverTheCase, where that means nothing to the source; it is also asked
// for how Postfix writes a letter, unless it knows the letter itself.
func TestOneQuestionWhateverTheCase(t *testing.T) {
	b := newBackend()
	b.known["strasse@a.example"], b.known["weiß@a.example"] = Yes, Yes
	g := NewGuard("x", blind{b}, keeps, nil)
	defer g.Close()
	for _, tt := range []struct{ local, want string }{
		{"jo", "yes"}, {"Jo", "yes"}, {"JO", "yes"}, {"STRAßE", "yes"}, {"straße", "yes"}, {"Weiß", "yes"}, {"Groß", "no"}, {"nobody", "no"}, {"NOBODY", "no"},
	} {
		if got := g.result(time.Minute, Address{tt.local, "a.example"}); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.local, got, tt.want)
		}
	}
	want := map[string]int{"jo@a.example": 1, "straße@a.example": 1, "strasse@a.example": 1, "weiß@a.example": 1, "groß@a.example": 1, "gross@a.example": 1, "nobody@a.example": 1}
	if !maps.Equal(b.asked, want) {
		t.Errorf("asked %v, want %v", b.asked, want)
	}
	kept := newBackend()
	g = NewGuard("y", kept, keeps, nil)
	defer g.Close()
	if got := g.result(time.Minute, Address{"JO", "a.example"}); kept.asked["JO@a.example"] != 1 {
		t.Errorf("of a source to which case may mean something: %s, %v", got, kept.asked)
	}
}

func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestAHalfWrittenFileIsNotTaken: a million may be written in their place, with pauses.
func TestAHalfWrittenFileIsNotTaken(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "one")
	all := lines(2000)
	write(t, path, all, now.Add(-time.Hour))
	f, said := OpenFile([]FileSpec{{Path: path}}, now)
	if f == nil {
		t.Fatal(said)
	}
	for _, part := range []float64{0, 0.3, 0.6, 0.8, 0.95, 0.999} {
		write(t, path, all[:int(part*float64(len(all)))], now)
		for _, after := range []time.Duration{time.Second, 5 * time.Second, 50 * time.Second} {
			if change, _ := f.Refresh(now.Add(after)); change != nil {
				t.Errorf("%v of it is taken after %v: %+v", part, after, change)
			}
		}
		change, said := f.Refresh(now.Add(time.Hour))
		if taken := change != nil; taken != (part >= 0.95) || !taken && part > 0.9 {
			t.Errorf("%v of it, an hour later: %+v, %v", part, change, said)
		}
		now = now.Add(2 * time.Hour)
		write(t, path, all, now)
		f.Refresh(now.Add(time.Hour))
		if f.Users() != 2000 {
			t.Fatalf("%v: whole again: %d", part, f.Users())
		}
		now = now.Add(2 * time.Hour)
	}
	write(t, path, all+"new@a.example\n", now)
	for i := range 59 { // it is never left alone
		write(t, path, all+"new@a.example\n"+strings.Repeat("# x\n", i), now.Add(time.Duration(i)*time.Second))
		if change, _ := f.Refresh(now.Add(time.Duration(i) * time.Second)); change != nil {
			t.Fatalf("taken after %d s", i)
		}
	}
	write(t, path, all+"new@a.example\n# x\n", now.Add(61*time.Second))
	if change, said := f.Refresh(now.Add(62 * time.Second)); change == nil {
		t.Errorf("still not taken after a minute: %v", said)
	}
}

// TestAFileThatIsWrittenAnewAllTheTime is taken in, with fewer addresses too.
func TestAFileThatIsWrittenAnewAllTheTime(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "one")
	write(t, path, lines(50), now.Add(-time.Hour))
	f, said := OpenFile([]FileSpec{{Path: path}}, now)
	if f == nil {
		t.Fatal(said)
	}
	for i := range 8 { // each 10 s, of which 4 are quiet
		at := now.Add(time.Duration(i) * 10 * time.Second)
		write(t, path, lines(49)+strings.Repeat("# x\n", i), at)
		for _, after := range []time.Duration{time.Second, 4 * time.Second} {
			f.Refresh(at.Add(after))
		}
		if taken := f.Users() == 49; taken != (i >= 6) {
			t.Errorf("after %v: %d addresses", at.Sub(now), f.Users())
		}
	}
	write(t, path, lines(48), now.Add(100*time.Second))
	f.Refresh(now.Add(110 * time.Second))
	write(t, path, lines(60), now.Add(120*time.Second))
	f.Refresh(now.Add(121 * time.Second))
	f.Refresh(now.Add(123 * time.Second))
	if f.Users() != 60 {
		t.Errorf("one that has grown waits for what the one before waited for: %d", f.Users())
	}
}

// TestSettle waits for a file that was just written, and for no other.
// TestNobodyWaitsForARefresh who asks how the files are: a map may take its time.
func TestNobodyWaitsForARefresh(t *testing.T) {
	f := openLines(t, "jo@a.example\n")
	f.mu.Lock() // as a Refresh does
	defer f.mu.Unlock()
	if all := f.Files(); len(all) != 1 || f.Users() != 1 || f.Doubted() || f.Lookup(t.Context(), jo).Result != Yes {
		t.Errorf("%+v", all)
	}
}

func TestSettle(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "old"), "jo@a.example\n", time.Now().Add(-time.Hour))
	write(t, filepath.Join(dir, "ahead"), "jo@a.example\n", time.Now().Add(time.Hour))
	Settle(t.Context(), []FileSpec{{Path: filepath.Join(dir, "old")}, {Path: filepath.Join(dir, "ahead")}, {Path: filepath.Join(dir, "none")}})
	fresh := time.Now().Add(-ownfile.Quiet + 100*time.Millisecond)
	write(t, filepath.Join(dir, "fresh"), "jo@a.example\n", fresh)
	Settle(t.Context(), []FileSpec{{Path: filepath.Join(dir, "fresh")}})
	if age := time.Since(fresh); age < ownfile.Quiet {
		t.Errorf("it is not waited for: %v", age)
	}
}

func TestFilesAreFollowed(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	one, two := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")
	write(t, one, "jo@a.example x\nal@a.example x\n", now.Add(-time.Hour))
	write(t, two, "eve@a.example x\n", now.Add(-time.Hour))
	f, said := OpenFile([]FileSpec{{Path: one}, {Path: two}}, now)
	if f == nil || len(said) > 0 || f.Users() != 3 {
		t.Fatal(said)
	}
	step := func(name string, at time.Time, taken bool, want string, users int) {
		t.Helper()
		change, problems := f.Refresh(at)
		text := ""
		for _, p := range problems {
			text += strings.ReplaceAll(strings.ReplaceAll(p.String(), one, "one"), two, "two")
		}
		if (change != nil) != taken || !strings.HasPrefix(text, want) || want == "" && text != "" || f.Users() != users {
			t.Errorf("%s: %+v, %q, %d addresses", name, change, text, f.Users())
		}
	}
	step("nothing changed", now, false, "", 3)
	write(t, two, "eve@a.example x\nzoe@a.example x\n", now)
	step("written just now", now.Add(time.Second), false, "", 3)
	step("left alone", now.Add(3*time.Second), true, "", 4)
	write(t, two, "zoe@a.example x\n", now.Add(10*time.Second))
	step("with fewer, left alone for seconds", now.Add(20*time.Second), false, "", 4)
	step("and for longer", now.Add(69*time.Second), false, "", 4)
	step("for a minute", now.Add(70*time.Second), true, "", 3)
	write(t, two, "eve@a.example x\nzoe@a.example x\n", now.Add(24*time.Hour))
	step("written by a clock that is ahead", now.Add(80*time.Second), false, "", 3)
	step("and left alone", now.Add(82*time.Second), true, "", 4)
	now = now.Add(24 * time.Hour)
	write(t, one, "jo@a.example x\nal@\nal@a.example x\n", now.Add(time.Minute))
	step("with a line that is broken", now.Add(2*time.Minute), true, `one:2: "" is no domain`, 4)
	write(t, one, "", now.Add(3*time.Minute))
	write(t, two, "eve@a.example x\n", now.Add(3*time.Minute))
	step("most are gone", now.Add(4*time.Minute), false, `one: of 4 addresses only 1 are left (the version before stays in use); if that is meant, "mailprofiled reload" takes it in`, 4)
	step("it is told once", now.Add(5*time.Minute), false, "", 4)
	if s := f.Files(); len(s) != 2 || !strings.Contains(s[0].Trouble, "only 1 are left") {
		t.Errorf("%+v", s)
	}
	if err := os.Remove(two); err != nil {
		t.Fatal(err)
	}
	step("gone", now.Add(6*time.Minute), false, "two: no such file (the version before stays in use)", 4)
	write(t, one, "jo@a.example x\nal@a.example x\nzoe@a.example x\n", now.Add(7*time.Minute))
	write(t, two, "", now.Add(7*time.Minute))
	step("mended", now.Add(8*time.Minute), true, "", 3)
	if s := f.Files(); s[0].Trouble != "" {
		t.Errorf("%+v", s)
	}
	if g, said := OpenFile([]FileSpec{{Path: one}, {Path: "/dev/null"}, {Path: filepath.Dir(one)}}, now); g != nil || len(said) != 2 {
		t.Errorf("%v", said)
	}
}
