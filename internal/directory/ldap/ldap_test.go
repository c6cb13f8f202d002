package ldap

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"

	"mailprofiled/internal/backendtest"
	"mailprofiled/internal/directory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A stub is a server that answers each request by what its function gives: protocol
// operations, each put into a message of its own. Without any it hangs up.
type stub struct {
	*backendtest.Stub

	mu     sync.Mutex
	answer func(op *ber.Packet) []*ber.Packet
}

func start(t testing.TB, answer func(op *ber.Packet) []*ber.Packet) *stub {
	t.Helper()
	return startAt(t, "tcp", "127.0.0.1:0", answer)
}

func startAt(t testing.TB, network, address string, answer func(op *ber.Packet) []*ber.Packet) *stub {
	t.Helper()
	s := &stub{answer: answer}
	var err error
	if s.Stub, err = backendtest.StartStub(network, address, s.speak); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func (s *stub) speak(c net.Conn) {
	for {
		message, err := ber.ReadPacket(c)
		if err != nil || len(message.Children) < 2 {
			return
		}
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		ops := answer(message.Children[1])
		if ops == nil {
			return
		}
		for _, op := range ops {
			reply := ber.NewSequence("message")
			reply.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, message.Children[0].Value, "id"))
			reply.AppendChild(op)
			if _, err := c.Write(reply.Bytes()); err != nil {
				return
			}
		}
	}
}

// result is the end of an operation.
func result(tag, code int) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ber.Tag(tag), nil, "result")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, "code"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", "dn"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "because", "text"))
	return p
}

// entry is one found, with an attribute for each pair.
func entry(pairs ...string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "uid=x,dc=example", "dn"))
	attributes := ber.NewSequence("attributes")
	for i := 0; i < len(pairs); i += 2 {
		a := ber.NewSequence("attribute")
		a.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, pairs[i], "type"))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, pairs[i+1], "value"))
		a.AppendChild(values)
		attributes.AppendChild(a)
	}
	p.AppendChild(attributes)
	return p
}

func reference() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "reference")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "ldap://other.test/dc=example", "uri"))
	return p
}

// finds answers searches by the operations, and binds as told.
func finds(bind int, ops ...*ber.Packet) func(*ber.Packet) []*ber.Packet {
	return func(op *ber.Packet) []*ber.Packet {
		if op.Tag == ldap.ApplicationBindRequest {
			return []*ber.Packet{result(ldap.ApplicationBindResponse, bind)}
		}
		return ops
	}
}

func done(code int) *ber.Packet { return result(ldap.ApplicationSearchResultDone, code) }

func source(t testing.TB, s *stub, o Options) *Source {
	t.Helper()
	o.URL = "ldap://" + s.Addr().String() + "/dc=example"
	if o.Filter == "" {
		o.Filter = "(mail=%s)"
	}
	src, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

var joe = directory.Address{Local: "Joe", Domain: "example.net"}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAnswers(t *testing.T) {
	garbage := ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "hello", "")
	for _, c := range []struct {
		name string
		ops  []*ber.Packet
		want directory.Result
	}{
		{"an entry is a yes", []*ber.Packet{entry(), done(0)}, directory.Yes},
		{"none is a no", []*ber.Packet{done(0)}, directory.No},
		{"more than asked for are a yes", []*ber.Packet{entry(), entry(), done(ldap.LDAPResultSizeLimitExceeded)}, directory.Yes},
		{"a limit without an entry", []*ber.Packet{done(ldap.LDAPResultSizeLimitExceeded)}, directory.Failed},
		{"too slow for the server", []*ber.Packet{done(ldap.LDAPResultTimeLimitExceeded)}, directory.Failed},
		{"a base that is not there is no no", []*ber.Packet{done(ldap.LDAPResultNoSuchObject)}, directory.Failed},
		{"not allowed to look", []*ber.Packet{done(ldap.LDAPResultInsufficientAccessRights)}, directory.Failed},
		{"busy", []*ber.Packet{done(ldap.LDAPResultBusy)}, directory.Failed},
		{"another server knows", []*ber.Packet{reference(), done(0)}, directory.Failed},
		{"another server may know more", []*ber.Packet{entry(), reference(), done(0)}, directory.Yes},
		{"a referral", []*ber.Packet{done(ldap.LDAPResultReferral)}, directory.Failed},
		{"something else", []*ber.Packet{garbage}, directory.Failed},
		{"more than anybody wants", []*ber.Packet{entry("x", strings.Repeat("y", 2*maxAnswer)), done(0)}, directory.Failed},
		{"hangs up", nil, directory.Failed},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			e := source(t, start(t, finds(0, c.ops...)), Options{}).Lookup(ctx, joe)
			if e.Result != c.want || (e.Err != nil) != (c.want == directory.Failed) {
				t.Errorf("%v (%v), want %v", e.Result, e.Err, c.want)
			}
		})
	}
}

func TestWhatAnEntrySays(t *testing.T) {
	found := entry("createtimestamp", "20260131120000Z", "employeeType", "pro", "quota", "5", "unasked", "x")
	s := start(t, finds(0, found, done(0)))
	e := source(t, s, Options{Plan: "employeeType", Attributes: []string{"Quota"}}).Lookup(soon(t), joe)
	if e.Result != directory.Yes || e.Plan != "pro" || e.Created.Hour() != 12 || len(e.Settings) != 1 || e.Settings["quota"] != "5" {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsAsked(t *testing.T) {
	var mu sync.Mutex
	var filters []string
	s := start(t, func(op *ber.Packet) []*ber.Packet {
		text, err := ldap.DecompileFilter(op.Children[6])
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		filters = append(filters, text)
		return []*ber.Packet{done(0)}
	})
	src := source(t, s, Options{Filter: "(|(mail=%s)(alias=%s))"})
	for _, a := range []directory.Address{joe, {Local: "", Domain: "example.net"}, {Local: `*)(uid=*\`, Domain: "example.net"}, {Local: "a\x00", Domain: "example.net"}} {
		src.Lookup(soon(t), a)
	}
	want := []string{
		"(|(mail=joe@example.net)(alias=joe@example.net))", "(|(mail=@example.net)(alias=@example.net))",
		`(|(mail=\2a\29\28uid=\2a\5c@example.net)(alias=\2a\29\28uid=\2a\5c@example.net))`,
	}
	if got := strings.Join(filters, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if e := source(t, s, Options{Filter: "(uid=%u)"}).Lookup(soon(t), directory.Address{Domain: "example.net"}); e.Result != directory.No || len(filters) != 3 {
		t.Errorf("a catch-all by local part: %+v", e)
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestBinding(t *testing.T) {
	for _, c := range []struct {
		name string
		code int
		want directory.Result
	}{
		{"as whom we are known", 0, directory.No},
		{"with a wrong password", ldap.LDAPResultInvalidCredentials, directory.Failed},
	} {
		s := start(t, finds(c.code, done(0)))
		e := source(t, s, Options{BindDN: "cn=us,dc=example", Password: "hush"}).Lookup(soon(t), joe)
		if e.Result != c.want || e.Err != nil && strings.Contains(e.Err.Error(), "hush") {
			t.Errorf("%s: %+v, want %v", c.name, e, c.want)
		}
	}
}

func TestAServerThatHungUpIsAskedAnew(t *testing.T) {
	s := start(t, finds(0, entry(), done(0)))
	src := source(t, s, Options{})
	for range 3 {
		if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
			t.Fatalf("%+v", e)
		}
		s.HangUp()
	}
}

func TestSilenceEndsWithTheDeadline(t *testing.T) {
	asked := make(chan bool, 1)
	s := start(t, func(*ber.Packet) []*ber.Packet { asked <- true; return []*ber.Packet{} })
	src := source(t, s, Options{})
	ctx, cancel := context.WithCancel(soon(t))
	go func() { <-asked; cancel() }()
	if e := src.Lookup(ctx, joe); e.Result != directory.Failed {
		t.Fatalf("%+v", e)
	}
	s.mu.Lock()
	s.answer = finds(0, done(0))
	s.mu.Unlock()
	if e := src.Lookup(soon(t), joe); e.Result != directory.No {
		t.Errorf("afterwards: %+v", e)
	}
}

func TestServersInTrouble(t *testing.T) {
	for _, raw := range []string{"", "HTTP/1.1 400 Bad Request\r\n\r\n", strings.Repeat("\xff", 1000), "\x30\x84\x7f\xff\xff\xff\x02\x01\x01", "\x30\x05\x02\x01\x07\x65\x00"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			c, err := l.Accept()
			if err == nil {
				c.Write([]byte(raw))
				if raw != "" {
					io.Copy(io.Discard, c)
				}
				c.Close()
			}
		})
		src, err := New(Options{URL: "ldaps://" + l.Addr().String() + "/dc=example", Filter: "(mail=%s)"})
		if err != nil {
			t.Fatal(err)
		}
		src.where.tls = raw == ""
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if e := src.Lookup(ctx, joe); e.Result != directory.Failed {
			t.Errorf("%q: %+v", raw, e)
		}
		cancel()
		src.Close()
		l.Close()
		wg.Wait()
	}
}

func TestLDAPI(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ldapi")
	startAt(t, "unix", path, finds(0, entry(), done(0)))
	src, err := New(Options{URL: "ldapi://" + strings.ReplaceAll(path, "/", "%2F") + "/dc=example", Filter: "(mail=%s)"})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if e := src.Lookup(soon(t), joe); e.Result != directory.Yes {
		t.Errorf("%+v", e)
	}
}

func TestOptions(t *testing.T) {
	good := "ldap://ldap.test/dc=example,dc=net"
	for _, c := range []struct {
		o             Options
		option, wrong string
	}{
		{Options{URL: good}, "", ""},
		{Options{URL: "ldap://ldap.test:3389/ou=a%20b,dc=net??one?(mail=%25s)"}, "", ""},
		{Options{URL: "ldaps://[::1]/dc=net"}, "", ""},
		{Options{URL: good, StartTLS: true, BindDN: "cn=us,dc=net", Password: "hush"}, "", ""},
		{Options{URL: good, BindDN: "us@example.net", Password: "hush"}, "", ""},
		{Options{URL: good, Filter: "(&(mail=%s)(status=100%%))"}, "", ""},
		{Options{URL: "ldap.test/dc=net"}, "URL", "no URL"},
		{Options{URL: "http://ldap.test/dc=net"}, "URL", "neither"},
		{Options{URL: "ldap:///dc=net"}, "URL", "no host"},
		{Options{URL: "ldap://ldap.test"}, "URL", "no base"},
		{Options{URL: "ldap://ldap.test/example"}, "URL", "distinguished"},
		{Options{URL: "ldap://ldap.test:x/dc=net"}, "URL", "port"},
		{Options{URL: "ldap://us:hush@ldap.test/dc=net"}, "URL", "keys of their own"},
		{Options{URL: "ldap://ldap.test/dc=net??all"}, "URL", "scope"},
		{Options{URL: "ldap://ldap.test/dc=%zz"}, "URL", "%"},
		{Options{URL: "ldapi://run/dc=net"}, "URL", "path"},
		{Options{URL: good, Filter: "mail=%s)"}, "Filter", "RFC 4515"},
		{Options{URL: good, Filter: "(mail=*)"}, "Filter", "nobody in particular"},
		{Options{URL: good, Filter: "(mail=%d)"}, "Filter", "nobody in particular"},
		{Options{URL: good, Filter: "(mail=%x)"}, "Filter", "stands for nothing"},
		{Options{URL: good, Filter: "(mail=%s)%"}, "Filter", "stands for nothing"},
		{Options{URL: good, BindDN: "cn=us,dc=net"}, "BindDN", "no password"},
		{Options{URL: good, Password: "hush"}, "Password", "nobody's"},
		{Options{URL: good, BindDN: "us", Password: "hush"}, "BindDN", "distinguished"},
		{Options{URL: "ldaps://ldap.test/dc=net", StartTLS: true}, "StartTLS", "already"},
		{Options{URL: good, CA: "/nowhere/ca.pem"}, "CA", "cannot be read"},
	} {
		if c.o.Filter == "" {
			c.o.Filter = "(mail=%s)"
		}
		src, err := New(c.o)
		if err == nil {
			src.Close()
		}
		var wrong *OptionError
		switch {
		case c.wrong == "" && err != nil:
			t.Errorf("%+v: %v", c.o, err)
		case c.wrong == "":
		case !errors.As(err, &wrong) || wrong.Option != c.option || !strings.Contains(err.Error(), c.wrong) || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "hush"):
			t.Errorf("%+v: %v, want %s with a word of %q, a remedy, and no password", c.o, err, c.option, c.wrong)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("joe", "example.net")
	f.Add(`*)(uid=*\`, "d")
	template, err := parseFilter("(&(mail=%s)(uid=%u))")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, local, domain string) {
		a := directory.Address{Local: local, Domain: domain}
		if !a.Askable() {
			return
		}
		packet, err := ldap.CompileFilter(template.fill(a))
		if err != nil {
			t.Fatalf("%q: %v", local, err)
		}
		if packet.Tag != ldap.FilterAnd || len(packet.Children) != 2 || packet.Children[0].Tag != ldap.FilterEqualityMatch && local+domain != "" {
			t.Fatalf("%q makes another filter: %s", local, template.fill(a))
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	src := source(b, start(b, finds(0, entry("createTimestamp", "20260131120000Z"), done(0))), Options{})
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if e := src.Lookup(ctx, joe); e.Result != directory.Yes {
			b.Fatal(e)
		}
	}
}
