package milter

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
)

// TestSeen: what MTAs leave out is counted, and who the last clients were is known.
func TestSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, Config{Handler: new(scripted)})
		v := visit(t, r, miltertest.Postfix())
		mail(t, v)
		synctest.Wait()
		seen := r.Stats().Seen
		if seen.Clients != 1 || seen.Unnamed != 0 || seen.Mails != 1 || seen.LoggedIn != 0 || seen.Recent.Clients != 1 || seen.Recent.Distinct != 1 {
			t.Errorf("got %+v", seen)
		}
		if _, err := v.Rcpt("<jo@example.net>"); err != nil {
			t.Fatal(err)
		}
		if err := v.Send('R', "<jo@example.net>"); err != nil { // without macros
			t.Fatal(err)
		}
		if _, err := v.Wait(); err != nil {
			t.Fatal(err)
		}
		if seen := r.Stats().Seen; seen.Rcpts != 2 || seen.Unmarked != 1 {
			t.Errorf("got %+v", seen)
		}
	})
}

func TestRecent(t *testing.T) {
	var s seen
	note := func(addr string, n int) {
		for range n {
			s.noteClient(&engine.Client{Addr: netip.MustParseAddr(addr), MTA: engine.MTA{Name: "mx"}}, time.Now())
		}
	}
	note("192.0.2.1", recentClients)
	note("172.17.0.1", recentClients/2)
	note("127.0.0.1", 3)
	s.noteClient(&engine.Client{Local: true}, time.Now())
	got := s.snapshot(9).Recent
	want := Recent{Clients: recentClients, Distinct: 3, Private: recentClients / 2, Loopback: 3, Most: netip.MustParseAddr("172.17.0.1"), MostSeen: recentClients / 2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if n := s.snapshot(9).Unnamed; n != 1 {
		t.Errorf("%d without a name", n)
	}
}

// TestProbeClient: a client of a self-test comes in as it was shown, and is no client
// of an MTA.
func TestProbeClient(t *testing.T) {
	l := mustListen(t, "unix:"+socketPath(t))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := NewServer(Config{Handler: HandlerFunc(func(engine.Client) Session { return empty{} })})
	go func() { ended <- s.Serve(ctx, l) }()
	for _, shown := range []string{"2001:db8::19", "IPv6:2001:db8:0:0:0:0:0:19"} {
		if err := ProbeClient(ctx, l.Addr(), ProbedClient{Family: '6', Host: "[" + shown + "]", Addr: shown}); err != nil {
			t.Fatal(err)
		}
		st := s.Stats()
		if got := st.Seen.SelfTest; got.Client != netip.MustParseAddr("2001:db8::19") || got.When.IsZero() {
			t.Errorf("%s: %+v", shown, got)
		}
		if st.Clients != 0 || st.LastMTA != nil || st.Seen.Recent.Clients != 0 {
			t.Errorf("counted: %+v", st)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := ProbeClient(context.Background(), l.Addr(), ProbedClient{Family: '6', Addr: "::1"}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("nobody is there: %v", err)
	}
}

func BenchmarkSeen(b *testing.B) {
	b.ReportAllocs()
	var s seen
	c := engine.Client{Addr: netip.MustParseAddr("192.0.2.1"), MTA: engine.MTA{Name: "mx"}}
	now := time.Now()
	for b.Loop() {
		s.noteClient(&c, now)
		s.noteMail(false)
		s.noteRcpt(true)
	}
}
