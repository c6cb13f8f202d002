package miltertest

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fake milter answers each command by a fixed packet, 'c' where none is named,
// and tells what it has received.
type fake struct {
	answers map[byte]string // code -> whole payload, its own code first; "" closes
	got     chan string     // "code payload" of each packet
}

func (f fake) dial(t *testing.T) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		near, far := net.Pipe()
		done := make(chan struct{})
		t.Cleanup(func() { near.Close(); far.Close(); <-done })
		go func() {
			defer close(done)
			f.serve(far)
		}()
		return near, nil
	}
}

func (f fake) serve(conn net.Conn) {
	defer conn.Close()
	c := NewClient(conn) // packets look alike both ways
	for {
		code, payload, err := c.Receive()
		if err != nil || code == 'Q' {
			return
		}
		if f.got != nil {
			f.got <- string(code) + " " + string(payload)
		}
		answer, ok := f.answers[code]
		switch {
		case ok && answer == "":
			return
		case ok:
			c.AddRaw(answer[0], []byte(answer[1:]))
		case code == 'O':
			c.AddRaw('O', []byte("\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x0f\x70"))
		case code != 'D' && code != 'A' && code != 'K':
			c.AddRaw('c', nil)
		}
		if c.Flush() != nil {
			return
		}
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers map[byte]string
		script  string
		err     string // "" is none
	}{
		{"all goes on", nil, "connect 192.0.2.7\nhelo x\nmail <a@b>\nrcpt <c@d> -> continue\neom\nquit", ""},
		{"code, status and text as expected", map[byte]string{'R': "y550 5.1.1 no %% such user\x00"}, "connect 192.0.2.7\nmail <a@b>\nrcpt <c@d> -> reject 550 5.1.1 /^no % such user$/", ""},
		{"another action", map[byte]string{'R': "y450 4.1.1 wait\x00"}, "connect 192.0.2.7\nmail <a@b>\nrcpt <c@d> -> reject", `line 3: rcpt <c@d> -> reject: answer is tempfail 450 4.1.1 "wait"`},
		{"continue is expected where nothing is", map[byte]string{'H': "r"}, "connect 192.0.2.7\n\n# a comment\nhelo x", "line 4: helo x: answer is reject"},
		{"another code", map[byte]string{'M': "y550 5.1.1 no\x00"}, "connect 192.0.2.7\nmail <a@b> -> reject 554", "answer is"},
		{"another status", map[byte]string{'M': "y550 5.1.1 no\x00"}, "connect 192.0.2.7\nmail <a@b> -> reject 5.7.1", "answer is"},
		{"another text", map[byte]string{'M': "y550 5.1.1 no\x00"}, "connect 192.0.2.7\nmail <a@b> -> reject /yes/", "answer is"},
		{"any answer", map[byte]string{'M': "y550 5.1.1 no\x00"}, "connect 192.0.2.7\nmail <a@b> -> any", ""},
		{"a malformed one is none", map[byte]string{'M': "y550 5.1.1 a\nb\x00"}, "connect 192.0.2.7\nmail <a@b> -> any", "malformed reply, not printable"},
		{"closed as expected", map[byte]string{'M': ""}, "connect 192.0.2.7\nmail <a@b> -> closed", ""},
		{"not closed", nil, "connect 192.0.2.7\nraw \"\\x00\\x00\\x00\\x01H\" -> closed", "not closed"},
		{"closed and not expected", map[byte]string{'M': ""}, "connect 192.0.2.7\nmail <a@b>", "line 2: mail <a@b>: EOF"},
		{"abilities that were not offered", map[byte]string{'O': "O\x00\x00\x00\x02\x00\x00\x04\x00\x00\x00\x00\x00"}, "connect 192.0.2.7", "filter abilities 0x400"},
		{"protocol that was not offered", map[byte]string{'O': "O\x00\x00\x00\x02\x00\x00\x00\x00\x00\x20\x00\x00"}, "connect 192.0.2.7", "protocol abilities 0x200000"},
		{"a list nobody allowed", map[byte]string{'O': "O\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00i\x00"}, "connect 192.0.2.7", "without the right"},
		{"a broken list", map[byte]string{'O': "O\x00\x00\x00\x02\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"}, "connect 192.0.2.7", "broken list"},
		{"no connect", nil, "helo x", "no connect before it"},
		{"no such step", nil, "hello x", `line 1: hello x: no such step "hello"`},
		{"no such answer", nil, "helo x -> maybe", `no such answer "maybe"`},
		{"no such MTA", nil, "mta exim", `no such MTA "exim"`},
		{"an arrow to nothing", nil, "helo x ->", "nothing behind the arrow"},
		{"too many words", nil, "quit now", "quit takes 0 to 0 words"},
		{"not an address", nil, "connect here", "ParseAddr"},
		{"an unfinished string", nil, `helo "x`, "invalid syntax"},
		{"an expectation of nonsense", nil, "helo x -> reject 5", "neither code, status nor /text/"},
		{"a pattern of nonsense", nil, "helo x -> reject /(/", "missing closing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Run(fake{answers: c.answers}.dial(t), c.script)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, want %q in it", err, c.err)
			}
		})
	}
}

// TestPackets: what each MTA sends for the same steps, macros left out.
func TestPackets(t *testing.T) {
	const script = `
		connect 2001:db8::10
		helo one
		mail <a@b> account=joe SIZE=1
		rcpt-refused <n@d> 5.1.1
		rcpt <c@d> NOTIFY=NEVER
		ehlo2 two
		mail <>
		rcpt <e@f>
		eom
		next local
		quit`
	for mta, want := range map[string]string{
		"postfix":  "O C:6 H:one M:<a@b>,SIZE=1, R:<n@d>, R:<c@d>,NOTIFY=NEVER, H:two A M:<>, R:<e@f>, E A A K C:L A",
		"sendmail": "O C:IPv6 H:one M:<a@b>,SIZE=1, R:<n@d>, R:<c@d>,NOTIFY=NEVER, A H:two M:<>, R:<e@f>, E K C:L",
	} {
		t.Run(mta, func(t *testing.T) {
			f := fake{got: make(chan string, 100)}
			if err := Run(f.dial(t), "mta "+mta+script); err != nil {
				t.Fatal(err)
			}
			close(f.got)
			var seen []string
			for p := range f.got {
				code, payload := p[:1], strings.ReplaceAll(p[2:], "\x00", ",")
				switch {
				case code == "D":
					continue
				case code == "C" && strings.Contains(payload, "IPv6:2001:db8:0:0:0:0:0:10,"):
					code = "C:IPv6"
				case code == "C" && strings.Contains(payload, ",6"):
					code = "C:6"
				case code == "C":
					code = "C:L"
				case code == "H":
					code += ":" + strings.TrimSuffix(payload, ",")
				case code == "M", code == "R":
					code += ":" + payload
				}
				seen = append(seen, code)
			}
			if got := strings.Join(seen, " "); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestParseReply(t *testing.T) {
	for _, c := range []struct{ name, payload, want string }{
		{"a good one", "550 5.7.1 no\x00", `reject 550 5.7.1 "no"`},
		{"percent signs", "450 4.7.1 100%% of %%s\x00", `tempfail 450 4.7.1 "100% of %s"`},
		{"no NUL", "550 5.7.1 no", ""},
		{"no text", "550 5.7.1\x00", ""},
		{"no status", "550 no such user\x00", ""},
		{"another class", "451 5.7.1 no\x00", ""},
		{"good news", "250 2.0.0 ok\x00", ""},
		{"a single percent sign", "550 5.7.1 100% %%\x00", ""},
		{"three of them", "550 5.7.1 100%%%\x00", ""},
		{"two lines", "550-5.7.1 a\r\n550 5.7.1 b\x00", ""},
		{"8-bit", "550 5.7.1 caf\xe9\x00", ""},
		{"a NUL inside", "550 5.7.1 a\x00b\x00", ""},
		{"too long", "550 5.7.1 " + strings.Repeat("x", 231) + "\x00", ""},
		{"leading zeros", "550 5.07.1 no\x00", ""},
	} {
		a, err := ParseReply([]byte(c.payload))
		if (err == nil) != (c.want != "") || err == nil && a.String() != c.want {
			t.Errorf("%s: %q is %v, %v, want %s", c.name, c.payload, a, err, c.want)
		}
	}
}

func TestSpelled(t *testing.T) {
	for in, want := range map[string]string{
		"2001:db8::10":          "2001:db8:0:0:0:0:0:10",
		"::1":                   "0:0:0:0:0:0:0:1",
		"fe80:0:0:a0:b00::c000": "fe80:0:0:a0:b00:0:0:c000",
	} {
		if got := spelled(netip.MustParseAddr(in)); got != want {
			t.Errorf("spelled(%s) = %s, want %s", in, got, want)
		}
	}
}
