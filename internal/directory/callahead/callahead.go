// Package callahead asks the next hop of the mail who exists, in the words of a
// delivery that stops at its recipient: MAIL FROM:<>, RCPT TO, RSET, by SMTP (RFC 5321)
// or LMTP (RFC 2033).
//
// It is for one's own next hop only, never for strangers. What is not clearly a no is
// none: a temporary answer, a session that breaks and a next hop that does not want us
// are failures; a refusal for any other reason says nothing about who exists. A next
// hop that takes every name of a domain, which one made-up name shows, is not believed
// when it says yes.
package callahead

import (
	"context"
	"errors"
	"time"

	"mailprofiled/internal/connpool"
	"mailprofiled/internal/directory"
)

// Options say whom to ask.
type Options struct {
	NextHop     string // "lmtp:host:port", "smtp:host:port" or "lmtp:unix:/path"
	Hello       string // our name in EHLO; "" is localhost
	Connections int    // at once; 0 is 4
}

const (
	defaultConnections = 4
	keepIdle           = 20 * time.Second // less than servers wait
)

// A Source asks one next hop.
type Source struct {
	hop   hop
	pool  *connpool.Pool[*session]
	wilds *wilds
}

// New makes a source. It connects to nobody: the next hop may be down as yet. Errors
// are mistakes in the options, worded "what; remedy".
func New(o Options) (*Source, error) {
	h, err := parseHop(o.NextHop)
	if err != nil {
		return nil, err
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Hello == "" || !dotString(o.Hello) {
		o.Hello = "localhost"
	}
	s := &Source{hop: h, wilds: newWilds(time.Now)}
	s.pool = connpool.New(o.Connections, keepIdle, func(ctx context.Context) (*session, error) { return h.open(ctx, o.Hello) })
	return s, nil
}

// Lookup asks for an address, as sent: whether case matters there, the next hop knows.
// Whether a domain has a catch-all, it knows too: of its own there is none.
func (s *Source) Lookup(ctx context.Context, a directory.Address) directory.Entry {
	if !a.Askable() {
		return directory.Entry{}
	}
	if a.Local == "" {
		return directory.Entry{Result: directory.No}
	}
	result, err := s.lookup(ctx, a)
	e := directory.Entry{Result: result}
	if err != nil {
		e.Err = directory.Complain(s.hop.address, err, a)
	}
	return e
}

func (s *Source) lookup(ctx context.Context, a directory.Address) (directory.Result, error) {
	c, reused, err := s.pool.Get(ctx)
	if err != nil {
		return directory.Failed, err
	}
	path := quotePath(a.Local, a.Domain)
	result, err := s.ask(ctx, c, path)
	if reused && gone(err) {
		if c, err = s.pool.Renew(ctx, c); err != nil {
			return directory.Failed, err
		}
		result, err = s.ask(ctx, c, path)
	}
	if result == directory.Yes && s.takesAll(ctx, c, a.Domain) {
		result, err = directory.Unknown, errCatchAll
	}
	if c.over || c.dead {
		s.pool.Drop(c)
	} else {
		s.pool.Put(c)
	}
	return result, err
}

var (
	errCatchAll = errors.New("the next hop takes every name of the domain, made-up ones too; ask where the users are kept instead")
	errNoUTF8   = errors.New("the next hop does not offer SMTPUTF8")
)

// ask puts one recipient to one session.
func (s *Source) ask(ctx context.Context, c *session, path string) (directory.Result, error) {
	ascii := isASCII(path)
	if !ascii && !c.utf8 {
		return directory.Unknown, errNoUTF8
	}
	r, err := c.rcpt(ctx, path, !ascii)
	if err != nil {
		return directory.Failed, err
	}
	return judge(r, path)
}

// takesAll reports whether the next hop takes a name that nobody has, in a domain of
// which it just took one. What it said is remembered; while it is being asked, and
// when it does not say, a yes is believed.
func (s *Source) takesAll(ctx context.Context, c *session, domain string) bool {
	all, known := s.wilds.recall(domain)
	if known || c.dead {
		return all
	}
	r, err := c.rcpt(ctx, nobody()+"@"+domain, false)
	if err != nil || r.class() == 4 {
		return false
	}
	all = r.class() == 2
	s.wilds.remember(domain, all)
	return all
}

// Close ends all sessions, when the last question is answered.
func (s *Source) Close() error { return s.pool.Close() }
