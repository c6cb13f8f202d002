// Package profile is the judgement: facts about a sending mail server go in, a
// verdict comes out. It decides what the facts prove (Judge) and what one
// recipient is answered (Judgement.Decide); gathering facts, waiting for them
// and speaking are left to its callers. It does no I/O, reads no clock, starts
// no goroutine and logs nothing, so that every verdict can be had again from
// the same facts and the same Policy.
//
// A finding is said only if it holds whatever the unknown facts turn out to be:
// a question that failed or was not asked is never evidence. The standards it
// rests on are RFC 5321 (SMTP), RFC 7505 (null MX), RFC 8601 section 3 (iprev)
// and RFC 3463 with RFC 7372 (enhanced status codes).
//
// All functions may be called from many goroutines; a Session, Policy or Us must
// not be changed while it is in use.
package profile
