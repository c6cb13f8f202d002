package main

import (
	"bytes"
	"context"
	"hash/fnv"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/miltertest"
	"mailprofiled/internal/resolver"
	"mailprofiled/milter"
	"mailprofiled/profile"
)

// FuzzSession makes a dialogue and a DNS world of its input, plays it against
// milter, engine and profile together, and holds the answers and the log to
// the laws of judgement.
func FuzzSession(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Add([]byte("\x01\x05\x07\x00\x01\x01\x02\x02\x03\x03\x04\x04\x02\x05\x00"))
	f.Add([]byte("\x08\x03\x00\x00\x0d\x01\x03\x02\x00\x02\x04\x03"))
	f.Add([]byte("\x02\x07\x09\x00\x04\x01\x0a\x02\x08\x02\x09\x03\x01\x01\x02\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newFuzzSession(t, data)
		s.play()
		s.end()
		s.checkLog()
	})
}

// The words of the dialogues: harmless, wrong, and hostile.
var (
	fuzzClients = []string{"192.0.2.7", "192.0.2.66", "198.51.100.9", "2001:db8::7", "203.0.113.5", "127.0.0.1", "::1", "10.9.8.7", "::ffff:192.0.2.7"}
	fuzzHelos   = []string{
		"mail.good.example", "dsl-198-51-100-9.pool.isp.example", "mx.here.example", "here.example", "localhost", "[192.0.2.7]",
		"[IPv6:2001:db8::7]", "[203.0.113.1]", "192.0.2.7", "ylmf-pc", "host", "", "a b%s%n", "x\r\n250 ok", "\xff\xfe", "..", "[", "[IPv6:",
		strings.Repeat("a.", 140) + "example", "MAIL.GOOD.EXAMPLE.", "xn--mgbaam7a8h.example", "müller.example", "1.2.3", "-a.example",
	}
	fuzzSenders = []string{
		"<>", "<joe@good.example>", "<x@null.example>", "<x@here.example>", "<x@nowhere.example>", "joe", "<<a@b>>", "<a@>", "<@b>",
		"<\"a b\"@good.example>", "<192.0.2.7@good.example>", "<a@[192.0.2.7]>", "<a%s@good.example>", "<a\r\n@b.example>", "<a@b\xff.example>",
		"<prvs=0123456789=joe@good.example>", "<@a.example,@b.example:c@good.example>", "<" + strings.Repeat("a", 500) + "@good.example>", "<ü@müller.example>",
	}
	fuzzRcpts = []string{
		"<user@here.example>", "<Postmaster>", "<ABUSE@here.example>", "<postmaster@mx.here.example>", "<postmaster@elsewhere.example>", "<free@here.example>",
		"<x>", "<>", "<@a:postmaster@here.example>", "<a%n@here.example>", "<\"post\\master\"@here.example>", "<" + strings.Repeat("y", 900) + "@here.example>",
	}
)

// alwaysOpen are those of fuzzRcpts that law 3 and exempt.recipients keep open.
var alwaysOpen = map[string]bool{
	"<Postmaster>": true, "<ABUSE@here.example>": true, "<postmaster@mx.here.example>": true, "<free@here.example>": true,
}

// A fuzzSession is one run of FuzzSession.
type fuzzSession struct {
	t    *testing.T
	data []byte

	monitor, atMail, dead bool

	log   bytes.Buffer // read only after end
	visit *miltertest.Visit
	stop  func()

	trusted  bool // nothing may be refused: local, exempt
	authed   bool
	inMail   bool
	accepted int
	mails    int // MAIL commands that the daemon saw
	messages int
}

func newFuzzSession(t *testing.T, data []byte) *fuzzSession {
	s := &fuzzSession{t: t, data: data}
	flags := s.next()
	s.monitor, s.atMail, s.dead = flags&1 != 0, flags&2 != 0, flags&4 != 0
	mta := miltertest.Postfix()
	if flags&8 != 0 {
		mta = miltertest.Sendmail()
	}
	policy, err := profile.Baseline("standard")
	if err != nil {
		t.Fatal(err)
	}
	logger := logging.New(&s.log, logging.Options{NoStamp: true, Level: slog.LevelInfo})
	eng := engine.New(engine.Options{
		Policy: policy, PolicyID: "standard@1-fuzz", Monitor: s.monitor, AnswerAtMail: s.atMail,
		Us:       profile.Us{Names: []string{"mx.here.example"}, Domains: []string{"here.example"}},
		Exempt:   engine.Exempt{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Authenticated: true, Recipients: []string{"free@here.example"}},
		Budget:   time.Minute,
		Resolver: fuzzDNS{seed: uint64(s.next())<<8 | uint64(s.next()), dead: s.dead},
		Retries:  memory.NewRetries(memory.Windows{After: time.Nanosecond, Within: time.Hour, Keep: time.Hour}),
		Logger:   logger,
	})
	server := milter.NewServer(milter.Config{
		Handler:     milter.HandlerFunc(func(c engine.Client) milter.Session { return eng.Connect(c) }),
		Logger:      logger,
		IdleTimeout: time.Minute, DataTimeout: time.Minute, MaxSessions: 10, Drain: time.Minute,
	})
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	l := newOneConn(far)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, l) }()
	s.stop = func() {
		near.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	s.visit = miltertest.NewVisit(near, mta)
	return s
}

func (s *fuzzSession) next() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func pick(words []string, b byte) string { return words[int(b)%len(words)] }

func (s *fuzzSession) play() {
	if err := s.visit.Negotiate(); err != nil {
		s.t.Fatalf("negotiate: %v", err)
	}
	s.connect()
	for step := 0; len(s.data) > 0 && step < 200; step++ {
		s.step()
	}
	if s.next()%2 == 0 {
		s.visit.Quit()
	}
}

func (s *fuzzSession) connect() {
	var p miltertest.Peer
	switch b := s.next(); {
	case b == 255:
		p = miltertest.Peer{Family: 'L'}
		s.trusted = true
	default:
		p.Addr = netip.MustParseAddr(pick(fuzzClients, b)).Unmap()
		p.Port = 25
		s.trusted = p.Addr.IsLoopback() || p.Addr == netip.MustParseAddr("10.9.8.7")
	}
	s.want("connect", true)(s.visit.Connect(p))
}

// want checks an answer: the protocol was kept, and where the laws say so, the
// mail goes on.
func (s *fuzzSession) want(step string, mustGoOn bool) func(miltertest.Answer, error) miltertest.Answer {
	return func(a miltertest.Answer, err error) miltertest.Answer {
		s.t.Helper()
		if err != nil {
			s.t.Fatalf("%s: %v", step, err)
		}
		if mustGoOn && !a.Continue() {
			s.t.Fatalf("%s: %v, want continue", step, a)
		}
		return a
	}
}

func (s *fuzzSession) step() {
	op, arg := s.next(), s.next()
	switch op % 8 {
	case 0:
		s.want("helo", true)(s.visit.Helo(strings.ReplaceAll(pick(fuzzHelos, arg), "\x00", "")))
		s.inMail = false
	case 1:
		s.mail(pick(fuzzSenders, arg), arg >= 224)
	case 2, 3:
		s.rcpt(pick(fuzzRcpts, arg))
	case 4:
		if s.inMail {
			s.want("refused rcpt", true)(s.visit.RcptRefused(pick(fuzzRcpts, arg), "5.1.1"))
		}
	case 5:
		s.eom()
	case 6:
		s.reset()
		s.inMail = false
	case 7:
		s.want("starttls", true)(s.visit.StartTLS(pick(fuzzHelos, arg)))
		s.inMail = false
	}
}

func (s *fuzzSession) mail(from string, authed bool) {
	account := ""
	if authed {
		account = "joe"
	}
	s.authed = authed
	goOn := s.trusted || s.monitor || authed || !s.atMail
	a := s.want("mail "+from, goOn)(s.visit.Mail(from, account))
	s.inMail, s.accepted = a.Continue(), 0
	s.mails++
}

func (s *fuzzSession) rcpt(to string) {
	if !s.inMail {
		return
	}
	goOn := s.trusted || s.monitor || s.authed || alwaysOpen[to]
	if a := s.want("rcpt "+to, goOn)(s.visit.Rcpt(to)); a.Continue() {
		s.accepted++
	}
}

func (s *fuzzSession) eom() {
	if !s.inMail || s.accepted == 0 {
		return
	}
	s.want("eom", true)(s.visit.EOM())
	s.inMail = false
	s.messages++
}

func (s *fuzzSession) reset() {
	if err := s.visit.Reset(); err != nil {
		s.t.Fatalf("rset: %v", err)
	}
}

func (s *fuzzSession) end() { s.stop() }

var (
	scoreKey    = regexp.MustCompile(` score=(\S+)`)
	findingsKey = regexp.MustCompile(` findings=(\S+)`)
	actionKey   = regexp.MustCompile(` action=(\S+)`)
)

// checkLog holds the log to what it promises.
func (s *fuzzSession) checkLog() {
	verdicts, messages := 0, 0
	for line := range strings.Lines(s.log.String()) {
		switch {
		case strings.HasPrefix(line, "msg=verdict "):
			verdicts++
			s.checkVerdict(line)
		case strings.HasPrefix(line, "msg=message "):
			messages++
		case strings.HasPrefix(line, "msg=panic"):
			s.t.Fatalf("a panic: %s", line)
		}
	}
	if verdicts < s.mails || messages != s.messages {
		s.t.Fatalf("%d verdict lines for %d MAILs, %d message lines for %d messages\n%s", verdicts, s.mails, messages, s.messages, s.log.String())
	}
}

func (s *fuzzSession) checkVerdict(line string) {
	action := actionKey.FindStringSubmatch(line)[1]
	score, err := strconv.ParseFloat(scoreKey.FindStringSubmatch(line)[1], 64)
	if err != nil {
		s.t.Fatalf("score: %v in %s", err, line)
	}
	sum := 0.0
	if m := findingsKey.FindStringSubmatch(line); m != nil {
		for finding := range strings.SplitSeq(m[1], ",") {
			id, points, _ := strings.Cut(finding, ":")
			value, err := strconv.ParseFloat(points, 64)
			if err != nil {
				s.t.Fatalf("finding %q in %s", finding, line)
			}
			sum += value
			if s.dead && needsDNS(id) {
				s.t.Fatalf("%s with every answer failed: %s", id, line)
			}
		}
	}
	if math.Abs(sum-score) > 1e-6 {
		s.t.Fatalf("score %v, but the points sum to %v: %s", score, sum, line)
	}
	if action == "reject" && score < 10 || action == "tempfail" && score < 5 {
		s.t.Fatalf("%s below its threshold: %s", action, line)
	}
}

// needsDNS tells the findings that only an answer can bring.
func needsDNS(id string) bool {
	return strings.HasPrefix(id, "rdns-") && id != "rdns-error" || id == "relation" || id == "helo-unresolvable" ||
		id == "helo-not-client" || id == "helo-unrelated" ||
		strings.HasPrefix(id, "from-") && id != "from-error" && id != "from-syntax" && id != "from-address"
}

// fuzzDNS answers by its seed: the same question always alike.
type fuzzDNS struct {
	seed uint64
	dead bool
}

// roll gives a number below n for a question, the same in every process.
func (f fuzzDNS) roll(name string, qtype uint16, n uint64) uint64 {
	h := fnv.New64a()
	io.WriteString(h, name)
	h.Write([]byte{byte(qtype), byte(f.seed >> 8), byte(f.seed)})
	return h.Sum64() >> 7 % n
}

func (f fuzzDNS) Cached(name string, qtype uint16) (resolver.Answer, bool) {
	if f.roll("cached "+name, qtype, 2) == 0 {
		return resolver.Answer{}, false
	}
	return f.Lookup(context.Background(), name, qtype), true
}

func (f fuzzDNS) Lookup(_ context.Context, name string, qtype uint16) resolver.Answer {
	if f.dead {
		return resolver.Answer{Outcome: resolver.Failed, Reason: "timeout"}
	}
	switch f.roll(name, qtype, 6) {
	case 0:
		return resolver.Answer{Outcome: resolver.Failed, Reason: "servfail"}
	case 1:
		return resolver.Answer{Outcome: resolver.NoName}
	case 2:
		return resolver.Answer{Outcome: resolver.NoData}
	}
	a := resolver.Answer{Outcome: resolver.Found, Stale: f.roll("stale "+name, qtype, 4) == 0}
	which := byte(f.roll("value "+name, qtype, 251))
	switch qtype {
	case dns.TypeA, dns.TypeAAAA:
		a.Addrs = []netip.Addr{netip.MustParseAddr(pick(fuzzClients, which)).Unmap()}
	case dns.TypeMX:
		a.MX = []resolver.MX{{Preference: 10, Host: pick([]string{"", "mail.good.example", "192.0.2.7", "localhost", "\xff"}, which)}}
	case dns.TypePTR:
		a.Names = []string{pick(fuzzHelos, which), pick(fuzzHelos, which/2)}
	}
	return a
}

func (f fuzzDNS) CachedReverse(client netip.Addr) (resolver.Reverse, bool) {
	if f.roll("cached "+client.String(), dns.TypePTR, 2) == 0 {
		return resolver.Reverse{}, false
	}
	return f.Reverse(context.Background(), client, nil), true
}

func (f fuzzDNS) Reverse(ctx context.Context, client netip.Addr, partial func(resolver.Reverse)) resolver.Reverse {
	ptr := f.Lookup(ctx, client.String(), dns.TypePTR)
	r := resolver.Reverse{Outcome: ptr.Outcome, Reason: ptr.Reason, Stale: ptr.Stale}
	for _, name := range ptr.Names {
		forward := []resolver.Forward{resolver.Confirmed, resolver.Mismatch, resolver.ForwardFailed}[f.roll(name+client.String(), dns.TypeA, 3)]
		r.Names = append(r.Names, resolver.ReverseName{Name: name, Forward: forward})
	}
	if partial != nil {
		partial(r)
	}
	return r
}

// A oneConn is a listener of one connection.
type oneConn struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newOneConn(c net.Conn) *oneConn {
	l := &oneConn{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- c
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
