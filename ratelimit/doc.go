// Package ratelimit keeps mail within limits: so many messages or recipients of
// one account, client, network, sender or recipient in any rolling window.
//
// # The way through it
//
//	Limit, Exception    what the operator wrote
//	Rules               all limits, compiled: which of them a mail falls under
//	Transaction         one mail, from MAIL to its end: reserves, then settles
//	Store               where it is counted: a Table here, or one that machines share
//	Decision            what to do, which limit says so, and when to come again
//	Accounts            since when each account is known
//
// A caller makes one Table and one Accounts for the life of the process, and
// Rules whenever its configuration is read. For each mail:
//
//	tx := ratelimit.Begin(rules, table) // once for a connection
//	d := tx.Mail(ctx, &subject, now)    // MAIL: gives back what an unfinished one held
//	d = tx.Rcpt(ctx, &subject, now)     // each RCPT
//	tx.Drop(ctx, now)                   // the last RCPT was refused for another reason
//	tx.Commit(ctx, now)                 // end of message
//	tx.Release(ctx, now)                // RSET, ABORT, QUIT, loss: any number of times
//
// # The promise
//
// What a limit that refuses has let through in any rolling window, together with
// what is under way, is never more than its maximum, however many sessions race.
// A mail counts from MAIL until it is given back, or until one window after its
// end: a hundred transactions held open and ended together are a hundred then.
// What was refused does not count. Limits that only report count all, and never
// refuse.
//
// Time is cut into sub-buckets of a 25th of the window. What ended in one counts
// until a window after the end of that sub-bucket: never shorter than a window,
// and at most one sub-bucket longer. With 24 hours that is 57 min 36 s.
//
// # Clocks
//
// Times are handed in. Give time.Now() as it is, with its monotonic reading: then
// no step of the wall clock matters while the process lives. Times without one
// are taken by the wall clock; if that steps back, time goes on from where it was
// (a step below a second holds it still for as long), and if it steps forward,
// windows end early. What is exported carries the wall clock's time; what seems
// to be of the future at import is taken as of now. So a clock that stepped back
// gives nothing anew, and shuts nobody out for longer than a window and one
// sub-bucket. Where the clock stepped between an export and its import, what was
// exported may count for one sub-bucket more.
//
// # What is kept
//
// Keys are kept as 64 bits of SipHash under the caller's secret, never as text.
// Two of ten million keys share a counter with a chance of three in a million. A
// Table is bounded; when it is full, keys that hold nothing go first, then those
// that hold little, and one that is at its limit only if there is no other.
//
// All of it is free of I/O, but for what a Store of the caller does, and starts
// no goroutine.
package ratelimit
