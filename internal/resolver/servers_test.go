package resolver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/dnstest"
)

// logged sends the message of each log line.
type logged chan string

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logged) WithGroup(string) slog.Handler            { return l }
func (l logged) Handle(_ context.Context, rec slog.Record) error {
	l <- rec.Message
	return nil
}

func TestTheNextServerIsAsked(t *testing.T) {
	for _, tt := range []struct {
		rule string
		mode dnstest.Mode
	}{
		{"after a time-out", dnstest.Timeout},
		{"after SERVFAIL", dnstest.ServFail},
		{"after REFUSED", dnstest.Refused},
		{"after nonsense", dnstest.Loop},
		{"after a spoof that only looks like an answer", dnstest.WrongID},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			for _, way := range ways {
				bad, good := startDNS(t), startDNS(t)
				bad.Misbehave(".", tt.mode)
				r := way.set(newTest(t, Config{Try: 20 * time.Millisecond}, bad, good))
				if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found {
					t.Errorf("%s socket: %+v", way.name, a)
				}
				if n := r.Stats().Servers[0].Queries; n == 0 {
					t.Errorf("%s socket: the first server was not asked first", way.name)
				}
			}
		})
	}
	t.Run("at once when nothing listens", func(t *testing.T) {
		for _, way := range ways {
			bad, good := startDNS(t), startDNS(t)
			bad.Close()
			r := way.set(newTest(t, Config{Try: time.Hour, Timeout: time.Hour}, bad, good))
			if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found {
				t.Errorf("%s socket: %+v", way.name, a)
			}
		}
	})
}

func TestLateAnswerCounts(t *testing.T) {
	late, silent := startDNS(t), startDNS(t)
	late.Delay(50 * time.Millisecond)
	silent.Misbehave(".", dnstest.Timeout)
	for _, way := range ways {
		r := way.set(newTest(t, Config{}, late, silent))
		giveUpOnce(r)
		if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found {
			t.Errorf("%s socket: %+v", way.name, a)
		}
	}
}

func TestServerGoesDownAndComesBack(t *testing.T) {
	first, second := startDNS(t), startDNS(t)
	first.Misbehave(".", dnstest.Timeout)
	log := make(logged, 10)
	r := newTest(t, Config{Logger: slog.New(log)}, first, second)
	r.probeFirst, r.probeWait = 10*time.Millisecond, 100*time.Millisecond
	giveUpOnce(r)
	for i := range missesToProbe {
		r.Lookup(t.Context(), fmt.Sprintf("down%d.test", i), dns.TypeA)
	}
	r.ask = r.exchange
	if line := <-log; line != "dns server down" {
		t.Fatalf("logged %q", line)
	}
	if st := r.Stats().Servers; st[0].Up || !st[1].Up || st[0].Failures == 0 {
		t.Errorf("state %+v", st)
	}
	r.Lookup(t.Context(), "skip.test", dns.TypeA)
	if n := first.Questions()["skip.test A"]; n != 0 {
		t.Errorf("a server that is down was asked %d times", n)
	}
	if err := first.Await(t.Context(), " NS", 1); err != nil { // the probe asks for the root
		t.Fatal(err)
	}
	first.Misbehave(".", dnstest.OK)
	if line := <-log; line != "dns server up" {
		t.Fatalf("logged %q", line)
	}
	r.Lookup(t.Context(), "again.test", dns.TypeA)
	if n := first.Questions()["again.test A"]; n != 1 {
		t.Errorf("a server that came back was asked %d times", n)
	}
}

func TestServerThatRefusesStaysDown(t *testing.T) {
	first, second := startDNS(t), startDNS(t)
	first.Misbehave(".", dnstest.Refused)
	log := make(logged, 10)
	r := newTest(t, Config{Logger: slog.New(log)}, first, second)
	r.probeFirst = time.Millisecond
	for i := range missesToProbe {
		r.Lookup(t.Context(), fmt.Sprintf("refused%d.test", i), dns.TypeA)
	}
	<-log
	if err := first.Await(t.Context(), " NS", 3); err != nil {
		t.Fatal(err)
	}
	if r.Stats().Servers[0].Up {
		t.Error("a refused probe brought the server up")
	}
}

func TestServfailPutsNoServerAside(t *testing.T) {
	s := startDNS(t)
	s.Misbehave("broken.test", dnstest.ServFail)
	r := newTest(t, Config{}, s)
	for i := range 10 {
		r.Lookup(t.Context(), fmt.Sprintf("n%d.broken.test", i), dns.TypeA)
	}
	if st := r.Stats().Servers[0]; !st.Up || st.Failures != 10 {
		t.Errorf("after SERVFAIL for a stranger's zone: %+v", st)
	}
}

func TestStrangersDeadZonePutsNoServerAside(t *testing.T) {
	s := startDNS(t)
	s.Misbehave("dead.test", dnstest.Timeout)
	log := make(logged, 10)
	r := newTest(t, Config{Logger: slog.New(log)}, s)
	endAtOnce(r)
	for i := range missesToProbe {
		r.Lookup(t.Context(), fmt.Sprintf("n%d.dead.test", i), dns.TypeA)
	}
	if err := s.Await(t.Context(), " NS", 1); err != nil {
		t.Fatal(err)
	}
	for srv := r.servers.all[0]; srv.beingProbed(); {
		runtime.Gosched()
	}
	if len(log) > 0 {
		t.Errorf("logged %q, though the server answers what it knows", <-log)
	}
}

func TestSoleServerIsAskedEvenWhenDown(t *testing.T) {
	s := startDNS(t)
	at := s.Addr()
	s.Close()
	r := newTest(t, Config{}, s)
	r.probeFirst = time.Hour
	r.Lookup(t.Context(), "a.test", dns.TypeA)
	if r.Stats().Servers[0].Up {
		t.Fatal("nothing listens, and the server is up")
	}
	back, err := dnstest.StartAt(at, world)
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if a := r.Lookup(t.Context(), "mx.good.test", dns.TypeA); a.Outcome != Found {
		t.Errorf("the server is back: %+v", a)
	}
	if !r.Stats().Servers[0].Up {
		t.Error("an answer does not bring the server up")
	}
}

func (s *server) beingProbed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.probing
}

// strict answers queries without EDNS0 only.
func strict(t *testing.T, header bool) netip.AddrPort {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{})
	srv := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(started) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.IsEdns0() != nil {
			m.SetRcode(q, dns.RcodeFormatError)
			if header {
				m.Question = nil
			}
		} else {
			rr, _ := dns.NewRR(q.Question[0].Name + " 300 IN A 192.0.2.1")
			m.Answer = []dns.RR{rr}
		}
		_ = w.WriteMsg(m)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = srv.Shutdown(); <-done })
	return pc.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestServerWithoutEDNS(t *testing.T) {
	for _, header := range []bool{false, true} {
		r := newTest(t, Config{Servers: []netip.AddrPort{strict(t, header)}})
		for i, name := range []string{"a.test", "b.test"} {
			if a := r.Lookup(t.Context(), name, dns.TypeA); a.Outcome != Found {
				t.Errorf("FORMERR with the header only %v: %+v", header, a)
			}
			if n := r.Stats().Servers[0].Queries; int(n) != i+2 {
				t.Errorf("question %d: %d queries so far, EDNS0 must be given up once", i, n)
			}
		}
	}
}

func TestPortsAndIDsAreFresh(t *testing.T) {
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	r := ownSockets(newTest(t, Config{Servers: []netip.AddrPort{pc.LocalAddr().(*net.UDPAddr).AddrPort()}}))
	ports, ids := map[string]bool{}, map[uint16]bool{}
	const n = 50
	for i := range n {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan Answer)
		go func() { done <- r.Lookup(ctx, fmt.Sprintf("n%d.test", i), dns.TypeA) }()
		var buf [512]byte
		_, from, err := pc.ReadFrom(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		ports[from.String()], ids[uint16(buf[0])<<8|uint16(buf[1])] = true, true
		cancel()
		<-done
	}
	// Of 50 draws out of 28,000 ports or 65,536 ids one or two may meet by chance.
	if len(ports) < n-5 || len(ids) < n-5 {
		t.Errorf("%d questions: %d ports, %d ids", n, len(ports), len(ids))
	}
}

func TestSystemServers(t *testing.T) {
	for _, tt := range []struct {
		rule, file string
		want       []string
		fails      bool
	}{
		{"in order, once each", "nameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.1\n", []string{"192.0.2.1:53", "[2001:db8::1]:53"}, false},
		{"comments and other lines", "# x\nsearch test\noptions edns0\nnameserver 127.0.0.53\n", []string{"127.0.0.53:53"}, false},
		{"a scoped address", "nameserver fe80::1%lo\n", []string{"[fe80::1%lo]:53"}, false},
		{"none is the local one", "", []string{"127.0.0.1:53"}, false},
		{"a line without an address is passed over", "nameserver ns.test\nnameserver 192.0.2.2\n", []string{"192.0.2.2:53"}, false},
		{"only such lines", "nameserver ns.test\n", nil, true},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "resolv.conf")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := SystemServers(path)
			var gots []string
			for _, s := range got {
				gots = append(gots, s.String())
			}
			if !slices.Equal(gots, tt.want) || (err != nil) != tt.fails {
				t.Errorf("got %v, %v; want %v", gots, err, tt.want)
			}
		})
	}
	if _, err := SystemServers(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there gave servers")
	}
}
