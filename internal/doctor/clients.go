package doctor

import (
	"context"
	"crypto/rand"
	"net/netip"
	"time"
)

const (
	// settled is after what time, and how many clients, figures tell something.
	settled       = 15 * time.Minute
	enoughClients = 20
	// nearlyAll of the last clients with one address are no strangers any more.
	nearlyAll = 0.95
)

// rcptRej is SMFIP_RCPT_REJ: the MTA shows recipients that it refuses itself.
const rcptRej = 0x800

// seen looks at what came in from MTAs so far.
func (e *exam) seen() {
	s := e.Status
	if s == nil {
		return
	}
	if s.MTA == nil {
		e.unseen(s.Now.Sub(s.Started))
		return
	}
	if silent := s.Now.Sub(s.MTA.LastCommand).Round(time.Minute); silent >= 4*settled {
		e.say(Note, "mta-seen", "", nil, "%s was last heard of %v ago", name(s.MTA.Name), silent)
	} else {
		e.ok("mta-seen", "", "%s, last heard of %v ago", name(s.MTA.Name), s.Now.Sub(s.MTA.LastCommand).Round(time.Second))
	}
	if s.MTA.Agreed.Protocol&rcptRej == 0 {
		e.say(Warning, "mta-negotiated", "", []string{"postconf -e milter_protocol=6 && postfix reload    # at Postfix; an old Sendmail cannot"},
			"the MTA does not show the recipients that it refuses itself: unknown users, harvests and traps are not seen")
	} else {
		e.ok("mta-negotiated", "", "version %d, protocol 0x%x, actions 0x%x", s.MTA.Agreed.Version, s.MTA.Agreed.Protocol, s.MTA.Agreed.Actions)
	}
	e.macros()
	e.addresses()
}

// unseen tells that no MTA has come since the daemon's start, so long ago.
func (e *exam) unseen(since time.Duration) {
	attach := "mailprofiled attach postfix --config " + e.ConfigPath + "    # or sendmail"
	switch {
	case e.asked == "" && since < settled:
		e.say(Note, "mta-seen", "", []string{attach}, "no MTA has shown a client in the %v since the start", since.Round(time.Second))
	case e.asked == "":
		e.say(Warning, "mta-seen", "", []string{attach}, "no MTA has shown a client in the %v since the start", since.Round(time.Minute))
	case since < settled:
		e.say(Note, "mta-seen", "", nil, "%s is told to ask, and has shown no client in the %v since the start: wait for the next visitor", e.asked, since.Round(time.Second))
	default:
		again := map[string]string{"Postfix": "postfix reload", "Sendmail": "systemctl restart sendmail"}[e.asked]
		e.say(Warning, "mta-seen", "", []string{again + "    # where it was not done since the line was written"}, "%s is told to ask, and has shown no client in the %v since the start", e.asked, since.Round(time.Minute))
	}
}

func name(s string) string {
	if s == "" {
		return "an MTA without a name"
	}
	return s
}

// macros looks at what MTAs have left out.
func (e *exam) macros() {
	sent := &e.Status.Sessions.Sent
	switch {
	case sent.Rcpts > 0 && 2*sent.Unmarked > sent.Rcpts:
		e.say(Warning, "mta-macros", "", nil,
			"%d of %d recipients came without {rcpt_mailer}, which was asked for: those that the MTA refuses itself are taken for valid", sent.Unmarked, sent.Rcpts)
	case 2*sent.Unnamed > e.Status.Sessions.Total:
		e.say(Note, "mta-macros", "", []string{"us.names = [\"mx1.example.net\"]    # its name, in " + e.ConfigPath},
			"%d of %d clients came without {j}, which was asked for: the MTA's own name is known only by us.names", sent.Unnamed, e.Status.Sessions.Total)
	default:
		e.ok("mta-macros", "", "what is needed arrives")
	}
	if !e.submissionDoor() || sent.Mails < 200 {
		return
	}
	if sent.LoggedIn == 0 {
		e.say(Warning, "mta-logins", "", []string{"postconf smtpd_sasl_auth_enable    # at Postfix, and in master.cf: do customers log in where this door is asked?"},
			"none of %d mails came with a login {auth_authen}, and there is a door for submission: limits of accounts do not hold", sent.Mails)
		return
	}
	e.ok("mta-logins", "", "%d of %d mails came with a login", sent.LoggedIn, sent.Mails)
}

func (e *exam) submissionDoor() bool {
	for _, d := range e.Status.Doors {
		if d.Role == "submission" {
			return true
		}
	}
	return false
}

// addresses looks whether clients show their own.
func (e *exam) addresses() {
	r := &e.Status.Sessions.Recent
	if r.Clients < enoughClients {
		e.say(Note, "client-addresses", "", nil, "%s so far: too few to see whether a NAT hides them", count(r.Clients, "client"))
		return
	}
	if float64(r.MostSeen) < nearlyAll*float64(r.Clients) {
		e.ok("client-addresses", "", "%d addresses among the last %d clients", r.Distinct, r.Clients)
		return
	}
	most, err := netip.ParseAddr(r.Most)
	proxy := []string{"postconf -e smtpd_upstream_proxy_protocol=haproxy && postfix reload    # where a proxy in front speaks that protocol; a NAT has to let addresses through"}
	gateway := []string{"exempt.networks = [\"" + r.Most + "\"]    # in " + e.ConfigPath + ", where it is a gateway of your own"}
	switch {
	case err != nil:
	case most.IsLoopback():
		e.say(Warning, "client-addresses", "", proxy, "%d of the last %d clients are this machine itself: behind a proxy all are exempt, and nobody is judged", r.MostSeen, r.Clients)
	case most.IsPrivate(), most.IsLinkLocalUnicast():
		severity := Warning
		if e.enforce() {
			severity = Error
		}
		e.say(severity, "client-addresses", "", append(proxy, gateway...), "%d of the last %d clients have the address %s: a NAT or proxy hides who they are, and all are judged by it", r.MostSeen, r.Clients, most)
	default:
		e.say(Warning, "client-addresses", "", gateway, "%d of the last %d clients have the address %s: is a gateway in front, whose address all are judged by?", r.MostSeen, r.Clients, most)
	}
}

// clients shows the daemon clients of IPv6, as both MTAs write them.
func (e *exam) clients(ctx context.Context) {
	const id = "ipv6-clients"
	if e.SelfTest == nil || e.Status == nil || len(e.Status.Listen) == 0 {
		return
	}
	place := e.Status.Listen[0]
	for _, sendmail := range []bool{false, true} {
		client := documentation()
		how := map[bool]string{false: "Postfix", true: "Sendmail"}[sendmail]
		shown, err := e.SelfTest(ctx, place, sendmail, client)
		switch {
		case err != nil:
			e.say(Note, id, "", []string{"sudo mailprofiled doctor"}, "no client could be shown at %s: %v", place, err)
			return
		case shown == nil:
			e.say(Note, id, "", nil, "the daemon does not tell what came in at %s: is it of another version?", place)
			return
		case shown.Client != client.String():
			e.say(Error, id, "", nil, "the client %s, as %s writes it, came in as %q at %s: please report this", client, how, shown.Client, place)
			return
		}
	}
	e.ok(id, "", "clients of IPv6 come in as they are, as Postfix and as Sendmail write them")
}

// documentation makes an address that nobody has (RFC 3849).
func documentation() netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	rand.Read(a[8:])
	return netip.AddrFrom16(a)
}
