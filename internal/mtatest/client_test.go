package mtatest

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// script serves one connection: it greets, and answers each line by the next of
// answers. The lines that came are sent on the channel at the end.
func script(t *testing.T, greeting string, answers ...string) (addr string, heard <-chan []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan []string, 1)
	go func() {
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		var got []string
		in := bufio.NewScanner(conn)
		_, _ = conn.Write([]byte(greeting))
		for i := 0; i < len(answers) && in.Scan(); i++ {
			got = append(got, in.Text())
			_, _ = conn.Write([]byte(answers[i]))
		}
		lines <- got
	}()
	return l.Addr().String(), lines
}

func TestReplies(t *testing.T) {
	for _, tc := range []struct {
		name, raw string
		want      Reply
		fails     bool
	}{
		{"one line", "220 mx.test\r\n", Reply{220, "mx.test"}, false},
		{"several lines", "250-mx.test\r\n250-SIZE 1\r\n250 DSN\r\n", Reply{250, "mx.test\nSIZE 1\nDSN"}, false},
		{"a bare code", "250\r\n", Reply{250, ""}, false},
		{"a refusal", "554 go away\r\n", Reply{554, "go away"}, false},
		{"a bare LF", "220 mx.test\n", Reply{}, true},
		{"no code", "hello\r\n", Reply{}, true},
		{"two replies in one", "250-a\r\n550 b\r\n", Reply{}, true},
		{"the end", "", Reply{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr, _ := script(t, tc.raw)
			c, err := Dial("127.0.0.1", addr)
			if tc.fails {
				if err == nil {
					c.Close()
					t.Fatalf("taken: %v", c.Greeting)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.Greeting != tc.want {
				t.Errorf("got %v; want %v", c.Greeting, tc.want)
			}
		})
	}
}

func TestXClientSaysAllThatPostfixWants(t *testing.T) {
	for _, tc := range []struct {
		name string
		x    XClient
		want string
	}{
		{"an address alone", XClient{Addr: netip.MustParseAddr("192.0.2.7")},
			"XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE]"},
		{"IPv6, with names", XClient{Addr: netip.MustParseAddr("2001:db8::7"), Name: "a.example", ReverseName: "b.example"},
			"XCLIENT ADDR=IPV6:2001:db8::7 NAME=a.example REVERSE_NAME=b.example"},
		{"a login that needs xtext", XClient{Login: "jo e+x", Helo: "a=b"},
			"XCLIENT NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] HELO=a+3Db LOGIN=jo+20e+2Bx"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			addr, heard := script(t, "220 a\r\n", "220 b\r\n")
			c, err := Dial("", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if r, err := c.XClient(tc.x); err != nil || r.Text != "b" {
				t.Errorf("%v, %v", r, err)
			}
			if got := <-heard; got[0] != tc.want {
				t.Errorf("got  %s\nwant %s", got[0], tc.want)
			}
		})
	}
}

func TestSendMailStopsWhereItIsStopped(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answers string
		said    string
		last    Reply
	}{
		{"all goes well", "250 1|250 2|250 3|354 4|250 5", "MAIL|RCPT|RCPT|DATA|From", Reply{250, "5"}},
		{"one recipient is enough", "250 1|550 2|250 3|354 4|250 5", "MAIL|RCPT|RCPT|DATA|From", Reply{250, "5"}},
		{"the sender is refused", "550 1", "MAIL", Reply{550, "1"}},
		{"all recipients are", "250 1|550 2|450 3|250 4", "MAIL|RCPT|RCPT|RSET", Reply{450, "3"}},
		{"DATA is", "250 1|250 2|250 3|451 4", "MAIL|RCPT|RCPT|DATA", Reply{451, "4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// One more line than are answered: the message itself has several.
			answers := strings.Split(strings.ReplaceAll(tc.answers, "|", "\r\n|")+"\r\n", "|")
			addr, heard := script(t, "220 a\r\n", answers...)
			c, err := Dial("", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			d, err := c.SendMail("a@b.example", "x@c.example", "y@c.example")
			if err != nil {
				t.Fatal(err)
			}
			if d.Last() != tc.last {
				t.Errorf("last reply %v; want %v", d.Last(), tc.last)
			}
			var said []string
			for _, line := range <-heard {
				said = append(said, line[:4])
			}
			if got := strings.Join(said, "|"); got != tc.said {
				t.Errorf("said %s; want %s", got, tc.said)
			}
		})
	}
}

func TestSyslogTag(t *testing.T) {
	for line, want := range map[string]string{
		"<22>Nov 24 23:20:00 sendmail[12]: text": "sendmail",
		"<22>Nov 24 23:20:00 a-b.c: text":        "a-b.c",
		"<22>Nov 24 23:20:00 alone":              "alone",
		"<22>short":                              "",
		"":                                       "",
	} {
		if got := syslogTag(line); got != want {
			t.Errorf("%q: got %q; want %q", line, got, want)
		}
	}
}
