package milter

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

// TestStatsOfTheMTA: what was negotiated is told once a client was shown, and
// when an MTA was last heard of.
func TestStatsOfTheMTA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, Config{Handler: new(scripted)})
		probe := miltertest.NewVisit(r.Dial(), miltertest.Postfix())
		if err := probe.Negotiate(); err != nil {
			t.Fatal(err)
		}
		probe.Quit()
		synctest.Wait()
		if st := r.Stats(); st.LastMTA != nil || st.Clients != 0 || !st.LastCommand.IsZero() || st.Accepted != 1 {
			t.Errorf("after a probe: %+v", st)
		}

		start := time.Now()
		v := visit(t, r, miltertest.Sendmail())
		synctest.Wait()
		st := r.Stats()
		if st.Clients != 1 || !st.LastCommand.Equal(start) || st.LastMTA == nil {
			t.Fatalf("after a connect: %+v", st)
		}
		want := Negotiation{
			When:       start,
			MTA:        st.LastMTA.MTA,
			Offered:    Offer{6, 0x1ff, 0x1fffff},
			Agreed:     Offer{2, uint32(askActions), uint32(askProtocol)},
			MacroLists: true,
		}
		if got := *st.LastMTA; !got.When.Equal(start) || got.Offered != want.Offered || got.Agreed != want.Agreed || !got.MacroLists {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if st.LastMTA.MTA.Name != "mx.example.net" || st.LastMTA.MTA.DaemonName != "MTA" {
			t.Errorf("the MTA: %+v", st.LastMTA.MTA)
		}
		pass(time.Minute)
		helo(t, v)
		synctest.Wait()
		if got := r.Stats().LastCommand; !got.Equal(start.Add(time.Minute)) {
			t.Errorf("last command at %v, want a minute after %v", got, start)
		}

		old := miltertest.Postfix()
		old.Offer = miltertest.Offer{Version: 2, Actions: 0x3f, Protocol: 0x7f}
		visit(t, r, old)
		if got := r.Stats(); got.Clients != 2 || got.LastMTA.MacroLists || got.LastMTA.Offered.Version != 2 || got.LastMTA.Agreed.Actions != 0 {
			t.Errorf("an old MTA: %+v", got.LastMTA)
		}
	})
}

// TestApply: new sessions live by what was applied, open ones by what they began with.
func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := serve(t, Config{Handler: new(scripted), MaxSessions: 1, IdleTimeout: time.Hour})
		old := visit(t, r, miltertest.Postfix())
		full := visit(t, r, miltertest.Postfix())
		expect(t, "continue")(full.Mail("<a@example.net>", ""))

		r.Apply(Config{MaxSessions: 2, IdleTimeout: time.Minute, OnFailure: profile.TempFail})
		fresh := visit(t, r, miltertest.Postfix())
		mail(t, fresh)
		if st := r.Stats(); st.Judged != 2 {
			t.Errorf("%d sessions judged, want 2", st.Judged)
		}
		late := visit(t, r, miltertest.Postfix())
		expect(t, "tempfail")(late.Mail("<a@example.net>", ""))
		expect(t, "continue")(full.Mail("<a@example.net>", ""))

		pass(2 * time.Minute)
		if _, _, err := fresh.Receive(); !errors.Is(err, io.EOF) {
			t.Errorf("the new idle_timeout does not hold: %v", err)
		}
		helo(t, old)

		r.Apply(Config{MaxSessions: 1})
		helo(t, old)
	})
}

func TestProbe(t *testing.T) {
	l := mustListen(t, "unix:"+socketPath(t))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := NewServer(Config{Handler: HandlerFunc(func(engine.Client) Session { return empty{} }), MaxSessions: 1})
	go func() { ended <- s.Serve(ctx, l) }()
	for range 3 {
		if err := Probe(ctx, l.Addr()); err != nil {
			t.Error(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := Probe(context.Background(), l.Addr()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("a probe of nobody: %v", err)
	}
}

// TestProbeOfOthers: who is there and cannot answer is told apart.
func TestProbeOfOthers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(net.Conn)
		within time.Duration
		want   error
	}{
		{"no room", func(c net.Conn) { c.Close() }, time.Minute, ErrTurnedAway},
		{"no answer in time", func(net.Conn) {}, 20 * time.Millisecond, context.DeadlineExceeded},
		{"no milter", func(c net.Conn) { io.WriteString(c, "220 mx.example.net ESMTP\r\n") }, time.Minute, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := mustListen(t, "inet:127.0.0.1:0")
			taken := make(chan net.Conn, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					tt.answer(c)
				}
				taken <- c
			}()
			ctx, cancel := context.WithTimeout(context.Background(), tt.within)
			defer cancel()
			err := Probe(ctx, l.Addr())
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			(<-taken).Close()
		})
	}
}
