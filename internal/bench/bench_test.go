package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

// TestMain lets the test be its own children, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == roleCommand {
		main()
		return
	}
	// With the race detector in them the children would sleep a second before they exit.
	os.Setenv("GORACE", "atexit_sleep_ms=10")
	goleak.VerifyTestMain(m)
}

// A small run of everything: what it measures is of no interest, that all of it
// is correct is.
func TestAllParts(t *testing.T) {
	profiles := t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), []string{
		"-clients", "40", "-transactions", "60", "-rounds", "2", "-env", "GOGC=50", "-workers", "4", "-visits", "8", "-delay", "1ms",
		"-accounts", "3000", "-quiet", "1ms",
		"-parts", "warm,state,cold,lists,dead,readers,idle,memory,questions", "-dead", "3", "-budget", "50ms", "-idle", "20", "-many", "200", "-listed", "200", "-rules", "300", "-profile", profiles,
	}, &out, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, part := range []string{"WARM:", "STATE:", "COLD:", "LISTS:", "DEAD DNS:", "IDLE:", "MEMORY:", "QUESTIONS:", "CPU a question on loopback:", "correct:"} {
		if !strings.Contains(out.String(), "\n"+part) {
			t.Errorf("no %s in the report:\n%s", part, out.String())
		}
	}
	if strings.Contains(out.String(), "NOT WARM") {
		t.Errorf("the warm part asks questions:\n%s", out.String())
	}
	if _, err := os.Stat(filepath.Join(profiles, "wired.cpu")); err != nil {
		t.Error(err)
	}
}

// TestNothingGrows is a short soak: after visits of all kinds no goroutine or
// descriptor is left over, and no table is beyond its bound. It fails else.
func TestNothingGrows(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-parts", "soak", "-soak", "20000", "-rules", "300"}, &out, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"\nSOAK: 20000 visits", "\n     20000 ", "13000 good senders, all of them continued: true", "1000 broken sessions"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the report:\n%s", want, out.String())
		}
	}
}

// What a soak must not see is told.
func TestASoakTells(t *testing.T) {
	fine := metrics{"mailprofiled_panics_total": 0, "mailprofiled_log_lost_lines_total": 0, "mailprofiled_sessions_refused_total": 0}
	panicked := metrics{"mailprofiled_panics_total": 1, "mailprofiled_log_lost_lines_total": 0, "mailprofiled_sessions_refused_total": 0}
	for _, tt := range []struct {
		name  string
		m     metrics
		l     look
		wrong int
		grown bool
	}{
		{"as at the start", fine, look{goroutines: 20, fds: 17, cache: mostCache, deferred: mostDeferred}, 0, false},
		{"fewer goroutines", fine, look{goroutines: 19, fds: 17}, 0, false},
		{"a goroutine more", fine, look{goroutines: 21, fds: 17}, 0, true},
		{"a descriptor more", fine, look{goroutines: 20, fds: 18}, 0, true},
		{"sockets to DNS beyond their bound", fine, look{dns: mostDNS + 1}, 1, false},
		{"a cache beyond its bound", fine, look{cache: mostCache + 1}, 1, false},
		{"a panic", panicked, look{}, 1, false},
		{"metrics that are not there", metrics{}, look{}, 3, false},
	} {
		s := &soak{bench: new(bench), seen: []look{{goroutines: 20, fds: 17}}}
		s.sound(tt.m, tt.l)
		if got := s.grown(tt.l); len(s.wrong) != tt.wrong || got != tt.grown {
			t.Errorf("%s: grown %v, wrong %q", tt.name, got, s.wrong)
		}
	}
}

func TestSocketsToAreCounted(t *testing.T) {
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for want := range 3 {
		if n, err := socketsTo(w.port()); n != want || err != nil {
			t.Errorf("%d sockets, %v; want %d", n, err, want)
		}
		c, err := net.Dial("udp", w.conn.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
}

func TestMetricsAreRead(t *testing.T) {
	got := make(metrics)
	for line := range strings.Lines("# HELP a b\na 1.5e+06\nb{x=\"1 2\",y=\"\"} 2\nb{x=\"3\"} 3\n\nbroken\nc NaN?\n") {
		got.add(strings.TrimSuffix(line, "\n"))
	}
	if d := cmp.Diff(metrics{"a": 1.5e6, "b": 5}, got); d != "" {
		t.Error(d)
	}
}

// A run that is interrupted ends at once, and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := run(ctx, []string{"-parts", "warm,memory", "-clients", "50", "-rounds", "1000000"}, interrupter(cancel), new(bytes.Buffer))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// An interrupter calls itself once the measuring begins.
type interrupter func()

func (i interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("WARM:")) {
		i()
	}
	return len(p), nil
}

func TestMisuse(t *testing.T) {
	for _, args := range [][]string{{"-parts", "warm,tepid"}, {"-workers", "0"}, {"-no-such-flag"}} {
		if err := run(t.Context(), args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if err := runRole([]string{"extra", "x"}, nil, nil, nil); err == nil {
		t.Error("an unknown role was taken")
	}
}

func TestSendersAreTheirOwn(t *testing.T) {
	for _, n := range []sender{0, 1, 255, 256, 9999, firstNetSize - 1, firstNetSize, 199_999} {
		if back, ok := senderAt(n.addr()); !ok || back != n {
			t.Errorf("sender %d at %v is %d, %v", n, n.addr(), back, ok)
		}
		for name, want := range map[string]string{n.domain(): "", n.ptr(): "mail", n.helo(): "smtp"} {
			if back, host, ok := senderNamed(name); !ok || back != n || host != want {
				t.Errorf("%s: sender %d, host %q, %v", name, back, host, ok)
			}
		}
	}
}

func TestWorldAnswers(t *testing.T) {
	tests := []struct {
		name  string
		qtype uint16
		want  string // the record's data, "none" or "no name"
	}{
		{"7.1.18.198.in-addr.arpa.", dns.TypePTR, "mail.c263.test."},
		{"mail.c263.test.", dns.TypeA, "198.18.1.7"},
		{"sMTP.C263.test.", dns.TypeA, "198.18.1.7"},
		{"smtp.c263.test.", dns.TypeAAAA, "none"},
		{"c263.test.", dns.TypeMX, "10 mail.c263.test."},
		{"c263.test.", dns.TypeA, "203.0.113.80"},
		{"7.2.0.192.in-addr.arpa.", dns.TypePTR, "no name"},
		{"x.7.2.0.192.in-addr.arpa.", dns.TypePTR, "no name"},
		{"elsewhere.example.", dns.TypeMX, "no name"},
	}
	for _, tt := range tests {
		q, err := new(dns.Msg).SetQuestion(tt.name, tt.qtype).SetEdns0(1232, false).Pack()
		if err != nil {
			t.Fatal(err)
		}
		var m dns.Msg
		if err := m.Unpack(reply(q)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := "none"
		switch {
		case m.Rcode == dns.RcodeNameError:
			got = "no name"
		case len(m.Answer) == 1:
			got = strings.TrimPrefix(m.Answer[0].String(), m.Answer[0].Header().String())
		}
		if got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.name, dns.TypeToString[tt.qtype], got, tt.want)
		}
	}
	if reply([]byte("no question")) != nil {
		t.Error("rubbish was answered")
	}
}

func TestReadLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log := `time=T level=INFO msg=serving pid=1
time=T level=INFO msg=verdict id=a client=192.0.2.1 from=<> action=continue score=0
time=T level=INFO msg=message id=a client=192.0.2.1 rcpts=1
time=T level=INFO msg=verdict id=b client=192.0.2.1 from=<> action=tempfail code=450
time=T level=INFO msg=verdict id=c client=192.0.2.2 from="a msg=verdict action=continue " action=reject code=550
`
	if err := os.WriteFile(path, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readLog(path)
	if want := (tally{verdicts: 3, continued: 2, messages: 1, clients: 2}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestNumbers(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v: got %d, want %d", q, got, want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("quantile of nothing: %d", got)
	}
	got := []span{spanOf([]float64{3, 1, 2}), spanOf([]float64{4, 1}), spanOf(nil), ratios([]float64{3, 8}, []float64{2, 4})}
	want := []span{{1, 2, 3}, {1, 2.5, 4}, {}, {1.5, 1.75, 2}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(span{})); d != "" {
		t.Error(d)
	}
	if got := want[0].String() + ", " + (span{2, 2, 2}).String(); got != "2.00 (1.00-3.00), 2.00" {
		t.Errorf("got %s", got)
	}
}
