package milter

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"mailprofiled/internal/engine"
	"mailprofiled/internal/miltertest"
	"mailprofiled/profile"
)

// Where each trap of protocol, MTAs and library is closed, and the test that
// springs it (dialogues are those of testdata, played by TestDialogues):
//
//	an answer makes the library ask for a new backend       TestIdentityOutlivesAnswers, refused-recipient, refused-sender
//	messages follow each other without C and H              TestIdentityOutlivesAnswers, refused-recipient
//	more is asked than the MTA offers                       TestNegotiation, old-mta
//	the list of macros goes to an MTA without lists         TestNegotiation
//	an answer too many or too few (NR_*, nil, nil)          TestOneAnswerForEachCommand
//	macros: not sent unless listed, replaced at each D      TestMacrosByStage, stale-macros
//	{i} comes late (Postfix), or once (Sendmail)            TestMacrosByStage
//	Sendmail's "IPv6:"                                      TestConnectPacket, second-ehlo-sendmail
//	mapped and scoped addresses                             TestConnectPacket
//	families L and U, unreadable addresses                  TestConnectPacket, local-and-unknown
//	MAIL and RCPT lose brackets and arguments               raw-addresses
//	recipients that the MTA refuses (RCPT_REJ)              TestRecipientsRefusedByTheMTA, refused-by-mta
//	a verdict at connect or HELO loses its text, and sticks TestNothingIsRefusedBeforeMail
//	reply text: %, CR, LF, NUL, 8-bit, length, classes      TestReplyText, FuzzReply, hostile-bytes
//	U, T, K, L, N, B                                        unexpected-commands, old-mta, next-client
//	Postfix sends H before A at a second EHLO               TestSecondEHLO, second-ehlo-postfix, second-ehlo-sendmail
//	A comes after every message, twice                      TestAbortClearsTheMessageOnly, rset
//	MAIL without HELO                                       no-helo
//	XCLIENT opens a second connection                       TestXCLIENTLeavesNoTrace, xclient
//	zero-length, short, oversize packets                    TestRefusedBytes, not-the-protocol
//	two reads for a packet                                  TestOneReadAndOneWritePerCommand
//	an answer in several writes would be masked in part     TestOneReadAndOneWritePerCommand
//	a length that promises a lot takes memory               TestBufferGrowsWithWhatComes
//	no deadlines: half a packet, a drip, no reader, silence TestHalfAPacket, TestDrip, TestClientThatNeverReads, TestSilence
//	idle deadline during DATA                               TestSilence
//	accept error ends the library's Serve                   TestAcceptErrors, TestFileDescriptorsRunOut
//	Close of the library races and leaves sessions open     TestDrain, TestServeEndsUnderLoad
//	panic in a handler closes the session                   TestPanics
//	nothing tells the end of a connection                   TestCloseComesOnce
//	the library writes to the standard logger               TestMain
//	socket is made with the umask; stale, foreign, in use   TestListenUnix*, TestSecondInstance

// play runs a dialogue against a new server and gives the handler's calls.
func play(t *testing.T, cfg Config, script string) *scripted {
	t.Helper()
	h := new(scripted)
	cfg.Handler = h
	r := serve(t, cfg)
	miltertest.Play(t, r.Dial, script)
	r.stop()
	return h
}

func wantTrace(t *testing.T, h *scripted, want ...string) {
	t.Helper()
	if got := h.trace(); got != strings.Join(want, "\n") {
		t.Errorf("calls of the handler:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestIdentityOutlivesAnswers(t *testing.T) {
	h := play(t, Config{}, `
		mta sendmail
		connect 192.0.2.7
		helo mx.example.com
		mail <badmail@example.net> -> reject
		mail <a@example.net>
		rcpt <nobody@example.org>  -> reject
		rcpt <b@example.org>
		eom
		mail <c@example.net>
		rcpt <later@example.org>   -> tempfail
		rcpt <d@example.org>
		eom
		quit`)
	wantTrace(t, h,
		"1 connect 192.0.2.7",
		"1 helo mx.example.com",
		"1 mail <badmail@example.net>  4Zq1000",
		"1 mail <a@example.net>  4Zq1000",
		"1 rcpt <nobody@example.org> 4Zq1000",
		"1 rcpt <b@example.org> 4Zq1000",
		"1 eom 4Zq1000",
		"1 mail <c@example.net>  4Zq1001",
		"1 rcpt <later@example.org> 4Zq1001",
		"1 rcpt <d@example.org> 4Zq1001",
		"1 eom 4Zq1001",
		"1 close")
}

func TestNegotiation(t *testing.T) {
	for _, c := range []struct {
		name        string
		offer, want miltertest.Offer
		lists       bool
	}{
		{"all of it, as both MTAs offer", miltertest.Offer{Version: 6, Actions: 0x1ff, Protocol: 0x1fffff}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0xf70}, true},
		{"Postfix with milter_protocol 4", miltertest.Offer{Version: 4, Actions: 0x1ff, Protocol: 0x37f}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0x370}, true},
		{"Postfix with milter_protocol 3", miltertest.Offer{Version: 3, Actions: 0x1ff, Protocol: 0x17f}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0x170}, true},
		{"Postfix with milter_protocol 2", miltertest.Offer{Version: 2, Actions: 0x1ff, Protocol: 0x7f}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0x70}, true},
		{"a Sendmail without RCPT_REJ", miltertest.Offer{Version: 6, Actions: 0x1ff, Protocol: 0x7ff}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0x770}, true},
		{"no lists of macros", miltertest.Offer{Version: 2, Actions: 0x3f, Protocol: 0x7f}, miltertest.Offer{Version: 2, Actions: 0, Protocol: 0x70}, false},
		{"nothing at all", miltertest.Offer{Version: 1}, miltertest.Offer{Version: 1}, false},
		{"more than there is", miltertest.Offer{Version: 99, Actions: ^uint32(0), Protocol: ^uint32(0)}, miltertest.Offer{Version: 2, Actions: 0x100, Protocol: 0xf70}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			mta := miltertest.Postfix()
			mta.Offer = c.offer
			v := miltertest.NewVisit(serve(t, Config{Handler: new(scripted)}).Dial(), mta)
			defer v.Close()
			if err := v.Negotiate(); err != nil {
				t.Fatal(err)
			}
			if v.Agreed != c.want {
				t.Errorf("offer %x: agreed %x, want %x", c.offer, v.Agreed, c.want)
			}
			if got := len(v.Lists) > 0; got != c.lists {
				t.Errorf("offer %x: lists of macros %v", c.offer, v.Lists)
			}
			if c.lists && !slices.Equal(v.Lists['C'], askMacros[0]) {
				t.Errorf("macros at connect are %v", v.Lists['C'])
			}
		})
	}
}

func TestOneAnswerForEachCommand(t *testing.T) {
	for _, mta := range []miltertest.MTA{miltertest.Postfix(), miltertest.Sendmail()} {
		t.Run(mta.Name, func(t *testing.T) {
			v := visit(t, serve(t, Config{Handler: new(scripted)}), mta)
			steps := []func() (miltertest.Answer, error){
				func() (miltertest.Answer, error) { return v.Helo("mx.example.com") },
				func() (miltertest.Answer, error) { return v.Mail("<badmail@example.net>", "") },
				func() (miltertest.Answer, error) { return v.Mail("<a@example.net>", "joe") },
				func() (miltertest.Answer, error) { return v.Rcpt("<nobody@example.org>") },
				func() (miltertest.Answer, error) { return v.RcptRefused("<nobody@example.org>", "5.1.1") },
				func() (miltertest.Answer, error) { return v.Rcpt("<b@example.org>") },
				v.EOM,
			}
			for i, step := range steps {
				before := v.Received
				if _, err := step(); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
				if v.Received != before+1 {
					t.Errorf("step %d: %d answers", i, v.Received-before)
				}
			}
			before := v.Received
			if err := v.Quit(); err != nil {
				t.Fatal(err)
			}
			if code, _, err := v.Receive(); err == nil || v.Received != before {
				t.Errorf("answer %q to QUIT", code)
			}
		})
	}
}

// visit opens a session of a client from 192.0.2.7.
func visit(t *testing.T, r *running, mta miltertest.MTA) *miltertest.Visit {
	t.Helper()
	v := miltertest.NewVisit(r.Dial(), mta)
	t.Cleanup(func() { v.Close() })
	if err := v.Negotiate(); err != nil {
		t.Fatal(err)
	}
	a, err := v.Connect(miltertest.Peer{Addr: netip.MustParseAddr("192.0.2.7")})
	if err != nil || a.Action != "continue" {
		t.Fatalf("connect: %v, %v", a, err)
	}
	return v
}

func TestMacrosByStage(t *testing.T) {
	const dialogue = `
		connect 2001:db8::10
		helo mx.example.com
		mail <a@example.net> account=joe
		rcpt <b@example.org>
		rcpt <c@example.org>
		eom
		mail <d@example.net>
		rcpt <e@example.org>
		eom
		quit`
	us := netip.MustParseAddr("192.0.2.25")
	for _, c := range []struct {
		mta  string
		told engine.MTA
		want []string
	}{
		{"postfix", engine.MTA{Name: "mx.example.net", DaemonAddr: us, DaemonName: "mx.example.net"}, []string{
			"1 connect 2001:db8::10", "1 helo mx.example.com",
			"1 mail <a@example.net> joe", "1 rcpt <b@example.org>", "1 rcpt <c@example.org> 4Zq1000", "1 eom 4Zq1000", "1 abort", "1 abort",
			"1 mail <d@example.net>", "1 rcpt <e@example.org>", "1 eom 4Zq1001", "1 abort", "1 abort", "1 abort", "1 close"}},
		{"sendmail", engine.MTA{Name: "mx.example.net", IfAddr: us, DaemonAddr: netip.MustParseAddr("0.0.0.0"), DaemonName: "MTA"}, []string{
			"1 connect 2001:db8::10", "1 helo mx.example.com",
			"1 mail <a@example.net> joe 4Zq1000", "1 rcpt <b@example.org> 4Zq1000", "1 rcpt <c@example.org> 4Zq1000", "1 eom 4Zq1000",
			"1 mail <d@example.net>  4Zq1001", "1 rcpt <e@example.org> 4Zq1001", "1 eom 4Zq1001", "1 close"}},
	} {
		t.Run(c.mta, func(t *testing.T) {
			h := play(t, Config{}, "mta "+c.mta+"\n"+dialogue)
			wantTrace(t, h, c.want...)
			if h.mtas[0] != c.told {
				t.Errorf("the MTA said of itself %+v, want %+v", h.mtas[0], c.told)
			}
		})
	}
}

func TestMacroForms(t *testing.T) {
	var m macros
	m.define([]byte("Mi\x00one\x00{auth_authen}\x00\x00{j}\x00two\x00last"))
	m.define([]byte("Ri\x00three\x00"))
	m.define([]byte("X{i}\x00never\x00"))
	for _, c := range []struct {
		name    string
		command byte
		macro   string
		want    string
	}{
		{"a plain name", 'M', "i", "one"},
		{"an empty value", 'M', "auth_authen", ""},
		{"braces do not matter", 'M', "j", "two"},
		{"a name without value or NUL", 'M', "last", ""},
		{"one that was not sent", 'M', "nothing", ""},
		{"another stage's", 'R', "i", "three"},
		{"not of another stage", 'R', "j", ""},
		{"a stage without macros", 'E', "i", ""},
		{"a command that has none", 'X', "i", ""},
	} {
		if got := m.get(c.command, c.macro); got != c.want {
			t.Errorf("%s: get(%q, %q) = %q, want %q", c.name, c.command, c.macro, got, c.want)
		}
	}
	m.define([]byte("M"))
	m.drop('R')
	if m.get('M', "i") != "" || m.get('R', "i") != "" {
		t.Error("an empty packet and drop leave macros behind")
	}
	m.define(append([]byte("Ri\x00"), make([]byte, 100<<10)...))
	m.drop('R')
	if got := cap(*m.slot('R')); got > keepMacros {
		t.Errorf("%d bytes are kept of a large packet", got)
	}
}

func TestConnectPacket(t *testing.T) {
	ip := func(s string) engine.Client { return engine.Client{Addr: netip.MustParseAddr(s)} }
	for _, c := range []struct {
		name, packet string
		want         engine.Client
		refused      bool
	}{
		{"IPv4", "mail.example\x004\x00\x19192.0.2.7\x00", ip("192.0.2.7"), false},
		{"without the last NUL", "mail.example\x004\x00\x19192.0.2.7", ip("192.0.2.7"), false},
		{"IPv6 from Postfix", "mail.example\x006\x00\x192001:db8::7\x00", ip("2001:db8::7"), false},
		{"IPv6 from Sendmail", "mail.example\x006\x00\x19IPv6:2001:db8:0:0:0:0:0:10\x00", ip("2001:db8::10"), false},
		{"the tag in other letters", "mail.example\x006\x00\x19ipv6:2001:db8::7\x00", ip("2001:db8::7"), false},
		{"IPv4 mapped into IPv6", "mail.example\x006\x00\x19::ffff:192.0.2.7\x00", ip("192.0.2.7"), false},
		{"a link-local address with its zone", "mail.example\x006\x00\x19fe80::1%eth0\x00", ip("fe80::1"), false},
		{"a port whose bytes are NUL", "mail.example\x004\x00\x00192.0.2.7\x00", ip("192.0.2.7"), false},
		{"no name", "\x004\x00\x19192.0.2.7\x00", ip("192.0.2.7"), false},
		{"an address nobody can read", "x\x004\x00\x19nowhere\x00", engine.Client{}, false},
		{"no address", "x\x004\x00\x19", engine.Client{}, false},
		{"the tag alone", "x\x006\x00\x19IPv6:\x00", engine.Client{}, false},
		{"a unix socket", "localhost\x00L\x00\x00/run/client.sock\x00", engine.Client{Local: true}, false},
		{"an unknown family has no address", "localhost\x00U", engine.Client{Local: true}, false},
		{"a family of the future", "x\x009\x00\x19something\x00", engine.Client{}, false},
		{"nothing", "", engine.Client{}, true},
		{"no NUL behind the name", "mail.example", engine.Client{}, true},
		{"no family", "mail.example\x00", engine.Client{}, true},
		{"half a port", "mail.example\x004\x00", engine.Client{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseConnect([]byte(c.packet))
			if got != c.want || (err != nil) != c.refused {
				t.Errorf("parseConnect(%q) = %+v, %v, want %+v", c.packet, got, err, c.want)
			}
		})
	}
}

func TestRecipientsRefusedByTheMTA(t *testing.T) {
	for _, mta := range []string{"postfix", "sendmail"} {
		t.Run(mta, func(t *testing.T) {
			h := play(t, Config{}, "mta "+mta+`
				connect 192.0.2.7
				mail <a@example.net>
				rcpt-refused <nobody@example.org> 5.1.1 -> continue
				rcpt-refused <relay@elsewhere.example> 4.7.1 -> continue
				rcpt <b@example.org>
				quit`)
			for _, want := range []string{"rcpt <nobody@example.org>", "rcpt <relay@elsewhere.example>"} {
				if h.seen(want) != 1 {
					t.Errorf("no %s in\n%s", want, h.trace())
				}
			}
			got := h.trace()
			if !strings.Contains(got, " refused 5.1.1\n") || !strings.Contains(got, " refused 4.7.1\n") || strings.Count(got, "refused") != 2 {
				t.Errorf("calls of the handler:\n%s", got)
			}
		})
	}
}

func TestNothingIsRefusedBeforeMail(t *testing.T) {
	play(t, Config{OnFailure: profile.TempFail}, `
		connect 192.0.2.66     -> continue
		helo panic             -> continue
		mail <a@example.net>   -> tempfail 451 4.3.0
		quit
		connect 192.0.2.7      -> continue
		helo panic             -> continue
		mail <a@example.net>   -> tempfail 451 4.3.0
		quit`)
}

func TestSecondEHLO(t *testing.T) {
	for mta, want := range map[string][]string{
		"postfix":  {"1 helo two", "1 abort", "1 abort", "1 close"},
		"sendmail": {"1 abort", "1 helo two", "1 close"},
	} {
		t.Run(mta, func(t *testing.T) {
			h := play(t, Config{}, "mta "+mta+`
				connect 192.0.2.7
				helo one
				mail <a@example.net>
				rcpt <b@example.org>
				ehlo2 two
				quit`)
			wantTrace(t, h, append([]string{"1 connect 192.0.2.7", "1 helo one", h.mailLine(), h.rcptLine()}, want...)...)
		})
	}
}

// mailLine and rcptLine give the first of those calls, whatever the queue id.
func (h *scripted) mailLine() string { return h.first(" mail ") }
func (h *scripted) rcptLine() string { return h.first(" rcpt ") }

func (h *scripted) first(call string) string {
	i := slices.IndexFunc(h.calls, func(c string) bool { return strings.Contains(c, call) })
	if i < 0 {
		return "no" + call
	}
	return h.calls[i]
}

func TestAbortClearsTheMessageOnly(t *testing.T) {
	h := play(t, Config{}, `
		connect 192.0.2.7
		helo mx.example.com
		mail <a@example.net> account=joe
		rcpt <b@example.org>
		rset
		rset
		mail <c@example.net>
		rcpt <whoami@example.org> -> reject /^192\.0\.2\.7\|mx\.example\.com\|<c@example\.net>\| /
		quit`)
	wantTrace(t, h,
		"1 connect 192.0.2.7", "1 helo mx.example.com",
		"1 mail <a@example.net> joe", "1 rcpt <b@example.org>", "1 abort", "1 abort",
		"1 mail <c@example.net>", "1 rcpt <whoami@example.org>", "1 abort", "1 close")
}

func TestXCLIENTLeavesNoTrace(t *testing.T) {
	h := play(t, Config{}, `
		connect 127.0.0.1
		helo proxy.example.net
		xclient 203.0.113.9
		helo mx.example.com
		mail <a@example.net>
		quit`)
	if got := h.trace(); strings.Contains(got, "1 mail") || strings.Contains(got, "1 rcpt") || !strings.Contains(got, "1 close") {
		t.Errorf("the first connection was more than connect and close:\n%s", got)
	}
	if h.seen("close") != 2 || h.seen("mail") != 1 {
		t.Errorf("calls of the handler:\n%s", h.trace())
	}
}

func TestRefusedBytes(t *testing.T) {
	for _, c := range []struct{ name, bytes, log string }{
		{"a packet of length zero", "\x00\x00\x00\x00", "packet of length zero"},
		{"one over the limit", "\x00\x02\x00\x01M", "packet of 131073 bytes, more than 131072"},
		{"the longest length there is", "\xff\xff\xff\xff", "packet of 4294967295 bytes"},
		{"an unknown code", "\x00\x00\x00\x01Z", "unknown command code 'Z'"},
		{"a connect packet without address", "\x00\x00\x00\x03Cx\x00", "connect packet is too short"},
		{"macros of no stage", "\x00\x00\x00\x01D", "macros of no stage"},
		{"MAIL of nothing", "\x00\x00\x00\x01M", "without argument"},
		{"half an offer", "\x00\x00\x00\x05O\x00\x00\x00\x06", "negotiation packet is too short"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := new(scripted)
			r := serve(t, Config{Handler: h})
			v := visit(t, r, miltertest.Postfix())
			if err := v.Raw([]byte(c.bytes)); err != nil {
				t.Fatal(err)
			}
			if code, _, err := v.Receive(); err == nil {
				t.Fatalf("answer %q", code)
			}
			r.stop()
			if got := r.log.String(); !strings.Contains(got, c.log) || !strings.Contains(got, "client=192.0.2.7") {
				t.Errorf("log:\n%s\nwant %q in it", got, c.log)
			}
			if st := r.Stats(); st.ProtocolErrors != 1 || st.Open != 0 || h.seen("close") != 1 {
				t.Errorf("%+v, closed %d times", st, h.seen("close"))
			}
		})
	}
}

// A countingConn counts reads and writes that have done something.
type countingConn struct {
	net.Conn
	reads, writes *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads.Add(1)
	}
	return n, err
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestOneReadAndOneWritePerCommand(t *testing.T) {
	var reads, writes atomic.Int64
	l := newPipeListener()
	r := serveOn(t, Config{Handler: new(scripted)}, l)
	near, far := net.Pipe()
	l.conns <- countingConn{far, &reads, &writes}
	miltertest.Play(t, func() net.Conn { return near }, `
		mta sendmail
		connect 192.0.2.7
		helo mx.example.com
		mail <a@example.net>
		rcpt <nobody@example.org> -> reject
		rcpt <b@example.org>
		eom
		quit`)
	r.stop()
	// O C H M R R E Q, with macros in the same write of the MTA; no answer to Q.
	if reads.Load() != 8 || writes.Load() != 7 {
		t.Errorf("%d reads and %d writes, want 8 and 7", reads.Load(), writes.Load())
	}
}

// TestBufferGrowsWithWhatComes: a length costs the sender as much as it costs us.
func TestBufferGrowsWithWhatComes(t *testing.T) {
	c := &conn{buf: make([]byte, firstBuf), w: lengthSize + 1}
	c.makeRoom(maxPacket)
	if len(c.buf) != firstBuf {
		t.Errorf("%d bytes for a packet of which 5 have come", len(c.buf))
	}
	for c.w = len(c.buf); c.w < maxPacket; c.w = len(c.buf) {
		c.makeRoom(maxPacket)
		if len(c.buf) > 2*c.w || len(c.buf) <= c.w {
			t.Fatalf("%d bytes when %d have come", len(c.buf), c.w)
		}
	}
}
