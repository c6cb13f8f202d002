// Package miltertest is the MTA's side of the milter protocol, for tests,
// benchmarks and fuzzing: a [Client] that speaks packets, well formed or not, a
// [Visit] that sends what Postfix or Sendmail sends for the steps of an SMTP
// session, with their macros and in their order, and [Play], which runs a
// dialogue written as text against a milter.
//
// # Dialogues
//
// One step a line; '#' begins a comment line. Words are separated by spaces; one
// that holds spaces or odd bytes is written as a Go string: helo "a\x00b".
// Behind "->" stands what the milter must answer; without it, continue.
//
//	mta postfix                          or sendmail; before the first connect; postfix is the default
//	offer 6 0x1ff 0x1fffff               what the MTA offers instead: version, actions, protocol
//	connect 192.0.2.7 [name]             a client connects: a new connection to the milter
//	connect local | unknown | nowhere    over a unix socket; of no known kind; with an address nobody can read
//	helo mx.example.com                  HELO or EHLO
//	ehlo2 [name]                         one more EHLO, the same name if none is given
//	starttls [name]                      STARTTLS and the EHLO after it
//	xclient 192.0.2.9 [name]             Postfix's XCLIENT: a second connection to the milter, QUIT to the first
//	mail <a@b.example> [account=joe] [SIZE=100 ...]
//	rcpt <x@y.example> [NOTIFY=NEVER ...]
//	rcpt-refused <x@y.example> 5.1.1     the MTA refuses it itself, and says so if it was asked to (RCPT_REJ)
//	eom                                  DATA, message and final dot; only with an accepted recipient
//	rset                                 RSET
//	quit                                 QUIT
//	next 192.0.2.8 [name]                the milter connection is used again for another client (QUIT_NC)
//	lost                                 the MTA goes away without a word
//	dial                                 a connection to the milter on which nothing is said yet
//	macro R {rcpt_mailer} error ...      one packet of macros, as it stands
//	send H "name\x00"                    one packet, as it stands
//	raw "\x00\x00\x00\x00"               bytes, as they stand
//	repeat 1000 rcpt <u{n}@y.example>    a step again and again, {n} being 1, 2, ...
//
// Answers:
//
//	-> continue
//	-> tempfail [450] [4.7.1] [/text/]   code, status and a regular expression for the text, each optional
//	-> reject [550] [5.1.1] [/text/]
//	-> closed                            the milter closes the connection
//	-> nothing                           no answer is waited for
//	-> any                               whatever it is
//
// An answer that an MTA would call malformed fails the dialogue, whatever was expected.
package miltertest
