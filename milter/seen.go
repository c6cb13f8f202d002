package milter

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/internal/engine"
)

// SelfTestName is the {daemon_name} of a client that a self-test shows us: see
// ProbeClient. It is judged like any other, and counted nowhere.
const SelfTestName = "mailprofiled-doctor"

// Seen is what MTAs have sent since the start, as far as it tells how they are set up.
type Seen struct {
	Clients, Unnamed uint64 // SMTP clients shown; of these, without the MTA's name {j}
	Mails, LoggedIn  uint64 // MAIL commands; of these, with a login {auth_authen}
	Rcpts, Unmarked  uint64 // RCPT commands; of these, without {rcpt_mailer}, by which those are known that the MTA refuses
	Recent           Recent
	SelfTest         SelfTest // the last
}

// Recent is who the last clients were: at most recentClients of them, whose
// addresses were told.
type Recent struct {
	Clients  int
	Distinct int        // addresses
	Private  int        // clients with a private address: such as a NAT's
	Loopback int        // clients of this machine
	Most     netip.Addr // the most frequent one; the zero Addr where there is none
	MostSeen int
}

// A SelfTest is a client that a self-test has shown, as it came in here.
type SelfTest struct {
	When   time.Time  // zero: there was none
	Client netip.Addr // the zero Addr: it could not be read
}

// recentClients is how many addresses are kept.
const recentClients = 256

// seen counts it.
type seen struct {
	unnamed, mails, loggedIn, rcpts, unmarked atomic.Uint64

	mu       sync.Mutex
	recent   [recentClients]netip.Addr
	shown    uint64 // ever put into recent
	selfTest SelfTest
}

// noteClient takes in an SMTP client. It is false for one of a self-test.
func (s *seen) noteClient(c *engine.Client, now time.Time) bool {
	if c.MTA.DaemonName == SelfTestName {
		s.mu.Lock()
		s.selfTest = SelfTest{When: now, Client: c.Addr}
		s.mu.Unlock()
		return false
	}
	if c.MTA.Name == "" {
		s.unnamed.Add(1)
	}
	if c.Addr.IsValid() {
		s.mu.Lock()
		s.recent[s.shown%recentClients] = c.Addr
		s.shown++
		s.mu.Unlock()
	}
	return true
}

func (s *seen) noteMail(login bool) {
	s.mails.Add(1)
	if login {
		s.loggedIn.Add(1)
	}
}

func (s *seen) noteRcpt(marked bool) {
	s.rcpts.Add(1)
	if !marked {
		s.unmarked.Add(1)
	}
}

func (s *seen) snapshot(clients uint64) Seen {
	st := Seen{
		Clients: clients, Unnamed: s.unnamed.Load(), Mails: s.mails.Load(), LoggedIn: s.loggedIn.Load(),
		Rcpts: s.rcpts.Load(), Unmarked: s.unmarked.Load(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.SelfTest = s.selfTest
	times := make(map[netip.Addr]int)
	for _, a := range s.recent[:min(s.shown, recentClients)] {
		st.Recent.Clients++
		if a.IsPrivate() {
			st.Recent.Private++
		}
		if a.IsLoopback() {
			st.Recent.Loopback++
		}
		times[a]++
		if times[a] > st.Recent.MostSeen {
			st.Recent.Most, st.Recent.MostSeen = a, times[a]
		}
	}
	st.Recent.Distinct = len(times)
	return st
}
