package main

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/config"
	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/resolver"
	"mailprofiled/profile"
)

// patience is the budget for answers that come: a slow machine must not look like
// a silent server.
const patience = time.Hour

// TestSendersAreJudgedAsExpected asks the engine itself, with the demo's own
// DNS and configuration: a change of points or of the table that makes "make
// demo" fail is seen here first, without a mail server.
func TestSendersAreJudgedAsExpected(t *testing.T) {
	patient, server := judge(t, patience)
	hasty, _ := judge(t, 100*time.Millisecond) // for whom nobody answers anyway
	for _, s := range senders() {
		if s.again {
			continue // explain has no state: nobody was deferred before
		}
		q := engine.Query{Client: s.client(), Helo: &s.helo, From: &s.from, Rcpts: []string{s.to}, Account: s.login}
		e := patient
		if slices.ContainsFunc(silent, func(name string) bool { return strings.HasSuffix(s.from, "@"+name) }) {
			e = hasty
		}
		rec := e.Explain(q)
		var ids []string
		for _, f := range rec.Findings {
			ids = append(ids, f.ID)
		}
		rcpt := rec.Recipients[0]
		got := strconv.Itoa(rcpt.Code) + " " + rcpt.Status + " " + sortedIDs(ids)
		want := strconv.Itoa(s.want.code) + " " + s.want.status + " " + sortedIDs(strings.Fields(s.want.findings))
		if s.want.code == 250 {
			want = "0  " + sortedIDs(strings.Fields(s.want.findings))
		}
		if got != want {
			t.Errorf("%s: got %q, want %q (score %g, asked %v)", s.who, got, want, rec.Score, server.Questions())
		}
	}
}

// judge is an engine in the world of the demo.
func judge(t *testing.T, budget time.Duration) (*engine.Engine, *dnstest.Server) {
	t.Helper()
	server, err := dnstest.Start(world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	for _, name := range silent {
		server.Misbehave(name, dnstest.Timeout)
	}
	cfg, report := config.Parse("demo", []byte(demoConfig("/run/demo", server.Addr().String(), "postfix")))
	if cfg == nil {
		t.Fatalf("the daemon would not take its configuration:\n%v", report)
	}
	r := resolver.New(resolver.Config{Servers: cfg.DNS.Servers, Timeout: patience, Try: patience})
	t.Cleanup(r.Close)
	lists := dnsbl.NewSet(cfg.Lists.All, engine.PastCache{Resolver: r}, nil, dnsbl.Options{}) // without a watch all count
	t.Cleanup(lists.Close)
	return engine.New(engine.Options{
		Lists:    lists,
		Policy:   cfg.Policy,
		Us:       profile.Us{Names: []string{ourName}, Domains: cfg.Us.Domains}, // the name is told by the MTA there
		Exempt:   engine.Exempt{Authenticated: true},
		Budget:   budget,
		Resolver: r,
		Logger:   logging.Discard(),
	}), server
}

// TestTheWorldFitsTheSenders holds the zone to what the table says of names.
func TestTheWorldFitsTheSenders(t *testing.T) {
	_, server := judge(t, patience)
	r := resolver.New(resolver.Config{Servers: []netip.AddrPort{server.Addr()}, Timeout: patience, Try: patience})
	t.Cleanup(r.Close)
	for _, s := range senders() {
		if s.ptr == "" {
			continue
		}
		reverse := r.Reverse(t.Context(), s.client(), nil)
		if len(reverse.Names) != 1 || reverse.Names[0].Name != s.ptr || reverse.Names[0].Forward != resolver.Confirmed {
			t.Errorf("%s: %s leads to %+v, want %s and back", s.who, s.addr, reverse.Names, s.ptr)
		}
	}
	if a := r.Lookup(t.Context(), ourDomain, dns.TypeMX); a.Outcome != resolver.Found || a.MX[0].Host != ourName {
		t.Errorf("MX of %s: %+v", ourDomain, a)
	}
}
