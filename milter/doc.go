// Package milter is the MTA's side of mailprofiled: it listens, keeps one
// session for each connection of the MTA, and turns the packets of the milter
// protocol into calls of a [Handler], and its answers into replies that Postfix
// and Sendmail both take. What to answer is the handler's business alone.
//
// The protocol itself is spoken by emersion/go-milter, one server of it per
// connection over a listener that gives just that connection: the library asks
// for a new backend after some answers, and so always gets the same one, and
// nothing that the client has shown is lost. Between library and socket stands
// a conn of ours, which
//
//   - takes whole packets from one buffer, with one read where one is enough,
//   - sets a deadline for every read and write,
//   - cuts the negotiation to what the MTA offers,
//   - keeps macros by stage, and the bytes of MAIL and RCPT as the MTA sent them,
//   - answers what the library would take for an error, or the judge has no use for,
//   - and refuses what is not the protocol, with a line in the log that says why.
//
// Nothing the library could complain of reaches it, so it writes nothing to the
// standard logger.
//
// Goroutines: [Server.Serve] runs on its caller's; each connection has one, which
// Serve waits for before it returns.
package milter
