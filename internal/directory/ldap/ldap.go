// Package ldap asks an LDAP directory (RFC 4511) who exists, by a filter in which the
// address is put.
//
// An entry means yes, a search that ends well without one means no. All else is a
// failure: a base that is not there, a referral to another server, a server that is
// busy or away.
package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"mailprofiled/internal/connpool"
	"mailprofiled/internal/directory"
)

// Options say which directory to ask, and for what.
type Options struct {
	URL         string   // "ldap://host/base", "ldaps://host/base" or "ldapi://%2Fpath/base" (RFC 4516)
	Filter      string   // RFC 4515, with %s for the address, %u for its local part, %d for its domain
	StartTLS    bool     // on ldap://: go on in TLS, or not at all
	CA          string   // a file of certificates in PEM form; "" for the system's
	BindDN      string   // "" for nobody
	Password    string   // of BindDN
	Created     string   // the attribute with the time since when somebody exists; "" is createTimestamp
	Plan        string   // the attribute with the plan; "" for none
	Attributes  []string // others, that become settings
	Connections int      // at once; 0 is 8
}

const (
	defaultConnections = 8
	keepIdle           = time.Minute
	defaultCreated     = "createTimestamp" // RFC 4512 section 3.4.2

	// wanted is how many entries are asked for: of a second one it is enough to know.
	wanted = 2
	// maxAnswer is how much is read of one answer, in octets.
	maxAnswer = 1 << 20
)

// A Source asks one directory.
type Source struct {
	where  place
	filter template
	o      Options
	tls    *tls.Config
	asked  []string // attributes
	pool   *connpool.Pool[*conn]
}

// New makes a source. It connects to nobody: the server may be down as yet. Errors are
// mistakes in the options, worded "what; remedy"; errors.As with *OptionError tells
// which option it is.
func New(o Options) (*Source, error) {
	where, err := parsePlace(o.URL)
	if err != nil {
		return nil, &OptionError{"URL", err}
	}
	if o.Filter == "" {
		o.Filter = where.filter
	}
	filter, err := parseFilter(o.Filter)
	if err != nil {
		return nil, &OptionError{"Filter", err}
	}
	if err := checkBind(o); err != nil {
		return nil, err
	}
	s := &Source{where: where, filter: filter, o: o}
	if s.tls, err = where.tlsConfig(o); err != nil {
		return nil, err
	}
	if s.o.Created == "" {
		s.o.Created = defaultCreated
	}
	s.asked = append([]string{s.o.Created}, o.Attributes...)
	if o.Plan != "" {
		s.asked = append(s.asked, o.Plan)
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	s.pool = connpool.New(o.Connections, keepIdle, s.dial)
	return s, nil
}

// An OptionError is a mistake in the option of that name.
type OptionError struct {
	Option string
	err    error
}

// Error says what is wrong, and the way out.
func (e *OptionError) Error() string { return e.err.Error() }

// IgnoresCase implements [directory.CaseBlind].
func (s *Source) IgnoresCase() {}

// Lookup asks for an address, in lower case as Postfix does. Of several entries the
// first counts.
func (s *Source) Lookup(ctx context.Context, a directory.Address) directory.Entry {
	if !a.Askable() {
		return directory.Entry{}
	}
	if a.Local == "" && s.filter.needsLocal() {
		return directory.Entry{Result: directory.No}
	}
	e, err := s.lookup(ctx, a)
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidAttributeSyntax, ldap.LDAPResultInappropriateMatching) {
		err = directory.OnlyThis(err) // it cannot compare such an address, and others it can
	}
	if err != nil {
		return directory.Fail(directory.Complain(s.where.address, err, a, s.o.Password))
	}
	return e
}

func (s *Source) lookup(ctx context.Context, a directory.Address) (directory.Entry, error) {
	request := s.request(ctx, a)
	c, reused, err := s.pool.Get(ctx)
	if err != nil {
		return directory.Entry{}, err
	}
	result, err := c.search(ctx, request)
	if reused && gone(err) && ctx.Err() == nil {
		if c, err = s.pool.Renew(ctx, c); err != nil {
			return directory.Entry{}, err
		}
		result, err = c.search(ctx, request)
	}
	if healthy(err) && !c.IsClosing() {
		s.pool.Put(c)
	} else {
		s.pool.Drop(c)
	}
	return s.judge(result, err)
}

func (s *Source) request(ctx context.Context, a directory.Address) *ldap.SearchRequest {
	seconds := 0
	if deadline, ok := ctx.Deadline(); ok {
		seconds = max(1, int(time.Until(deadline)/time.Second))
	}
	return ldap.NewSearchRequest(s.where.base, s.where.scope, ldap.NeverDerefAliases, wanted, seconds, false, s.filter.fill(a), s.asked, nil)
}

// judge says what a search tells.
func (s *Source) judge(result *ldap.SearchResult, err error) (directory.Entry, error) {
	switch {
	case result != nil && len(result.Entries) > 0 && (err == nil || ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)):
		return s.entry(result.Entries[0]), nil
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return directory.Entry{}, fmt.Errorf("%s is not there, or may not be seen: %w", s.where.base, err)
	case err != nil:
		return directory.Entry{}, err
	case result != nil && len(result.Referrals) > 0:
		return directory.Entry{}, errors.New("the server refers to another, which is not asked")
	}
	return directory.Entry{Result: directory.No}, nil
}

func (s *Source) entry(found *ldap.Entry) directory.Entry {
	e := directory.Entry{Result: directory.Yes}
	for _, attribute := range s.o.Attributes {
		e.Note(attribute, found.GetEqualFoldAttributeValue(attribute))
	}
	e.Note("created", found.GetEqualFoldAttributeValue(s.o.Created))
	if s.o.Plan != "" {
		e.Note("plan", found.GetEqualFoldAttributeValue(s.o.Plan))
	}
	return e
}

// healthy reports whether a connection is fit for another question: the server has
// answered this one, well or not.
func healthy(err error) bool {
	var said *ldap.Error
	switch {
	case err == nil:
		return true
	case !errors.As(err, &said) || said.ResultCode >= ldap.ErrorNetwork:
		return false
	}
	return said.ResultCode != ldap.LDAPResultUnavailable && said.ResultCode != ldap.LDAPResultBusy
}

// gone reports the end of a connection that was idle: the server's right, and no
// answer to anything.
func gone(err error) bool {
	var said *ldap.Error
	return err != nil && (!errors.As(err, &said) || said.ResultCode == ldap.ErrorNetwork)
}

// A conn is one connection, bound as who we are.
type conn struct {
	*ldap.Conn
	raw *meter
}

// dial connects, goes on in TLS where that is wanted, and binds.
func (s *Source) dial(ctx context.Context) (*conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, s.where.network, s.where.address)
	if err != nil {
		return nil, err
	}
	m := &meter{Conn: raw}
	m.left.Store(maxAnswer)
	done := connpool.Limit(ctx, raw)
	c, err := s.begin(m)
	if !done() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		if c != nil {
			c.Close()
		}
		return nil, err
	}
	return c, nil
}

// begin makes a session of a connection. With an error it may give one that is to be
// closed.
func (s *Source) begin(m *meter) (*conn, error) {
	var stream net.Conn = m
	if s.where.tls {
		stream = tls.Client(m, s.tls)
	}
	c := &conn{Conn: ldap.NewConn(stream, s.where.tls), raw: m}
	c.Start()
	if s.o.StartTLS {
		if err := c.Conn.StartTLS(s.tls); err != nil {
			return c, fmt.Errorf("starting TLS: %w", err)
		}
	}
	if s.o.BindDN == "" {
		return c, nil
	}
	if err := c.Bind(s.o.BindDN, s.o.Password); err != nil {
		return c, fmt.Errorf("binding as %s: %w", s.o.BindDN, err)
	}
	return c, nil
}

// search puts one question, within its context.
func (c *conn) search(ctx context.Context, request *ldap.SearchRequest) (*ldap.SearchResult, error) {
	c.raw.left.Store(maxAnswer)
	done := connpool.Limit(ctx, c.raw)
	result, err := c.Search(request)
	if !done() {
		c.raw.Close()
		if err == nil {
			err = context.Cause(ctx)
		}
	}
	return result, err
}

// Close hangs up. go-ldap's own Close waits for its goroutines, which the end of the
// stream ends.
func (c *conn) Close() error {
	c.raw.Close()
	return c.Conn.Close()
}

// Close ends all connections, when the last question is answered.
func (s *Source) Close() error { return s.pool.Close() }

// checkBind refuses a name without a password: to servers that is nobody's bind, which
// succeeds (RFC 4513 section 5.1.2).
func checkBind(o Options) error {
	switch {
	case o.BindDN != "" && o.Password == "":
		return &OptionError{"BindDN", errors.New("has no password beside it, and many servers then take anybody; give the password")}
	case o.BindDN == "" && o.Password != "":
		return &OptionError{"Password", errors.New("is nobody's: there is no name to bind as; give the DN")}
	case o.BindDN != "":
		if _, err := ldap.ParseDN(o.BindDN); err != nil && !strings.Contains(o.BindDN, "@") {
			return &OptionError{"BindDN", errors.New(`no distinguished name; write "cn=mailprofiled,dc=example,dc=net"`)}
		}
	}
	return nil
}

// InClear reports whether a password is sent over a network that others may listen to.
func (s *Source) InClear() bool {
	ip := net.ParseIP(s.where.host)
	here := s.where.network == "unix" || s.where.host == "localhost" || ip != nil && ip.IsLoopback()
	return s.o.BindDN != "" && !here && !s.where.tls && !s.o.StartTLS
}
