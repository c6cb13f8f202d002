package milter

import (
	"time"

	"mailprofiled/internal/engine"
)

// Stats is what a server has done so far, and does now.
type Stats struct {
	Open           int    // connections of the MTA
	Judged         int    // those of them that have a place among Config.MaxSessions
	Accepted       uint64 // connections ever taken
	Limited        uint64 // taken without a place
	TurnedAway     uint64 // closed at once: not even room without a place
	Shed           uint64 // idle sessions closed to make room
	AcceptErrors   uint64 // connections that could not be taken, such as for want of file descriptors
	ProtocolErrors uint64 // connections closed for what was not the protocol
	Panics         uint64 // panics of the handler

	Clients     uint64       // SMTP clients that an MTA has shown us; a connection that shows none is a probe
	LastCommand time.Time    // when such a session was last answered; zero: never
	LastMTA     *Negotiation // of the last connection that has shown a client; nil: there was none
	Seen        Seen
}

// A Negotiation is what an MTA and we have agreed on.
type Negotiation struct {
	When       time.Time // when the MTA showed a client after it
	MTA        engine.MTA
	Offered    Offer // by the MTA
	Agreed     Offer // what of it we use
	MacroLists bool  // it sends the macros that we name; else those of its own configuration
}

// Stats gives the present numbers. What it points to is read-only.
func (s *Server) Stats() Stats {
	st := s.sessions.stats()
	st.Accepted = s.accepted.Load()
	st.AcceptErrors = s.acceptErrors.Load()
	st.ProtocolErrors = s.refused.Load()
	st.Panics = s.panics.Load()
	st.Clients = s.clients.Load()
	if ns := s.lastCommand.Load(); ns != 0 {
		st.LastCommand = time.Unix(0, ns)
	}
	st.LastMTA = s.lastMTA.Load()
	st.Seen = s.seen.snapshot(st.Clients)
	return st
}

// noteMTA keeps what was negotiated on a connection, once it has shown a client.
func (s *Server) noteMTA(c *conn) {
	now := time.Now()
	if !s.seen.noteClient(&c.client, now) {
		return
	}
	s.clients.Add(1)
	if c.shown {
		return
	}
	c.shown = true
	n := &Negotiation{When: now, MTA: c.client.MTA, Offered: c.offer}
	if len(c.answered) > offerHead {
		n.Agreed, _ = parseOffer(c.answered[offerHead:])
		n.MacroLists = len(c.answered) > offerHead+offerSize
	}
	c.answered = nil
	s.lastMTA.Store(n)
}
