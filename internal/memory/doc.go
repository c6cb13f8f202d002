// Package memory remembers how servers and accounts behaved before.
//
//	Servers    how each server behaved: by address, network and operator
//	Standing   what that says of one: good, bad, never met, many HELO names
//	Retries    who was asked to come back, and who did (RFC 6647)
//	Recent     which server was behind the id of a transaction
//	Busiest    which accounts met their limits most often, or are near one
//
// # What is kept
//
// Counts, not mails: no address of a sender or recipient is kept but as a hash under
// the caller's secret. Servers stand under their address: who is to be shown to an
// operator must have a name. Counts halve with each half-life, so that silence is
// forgotten slowly and nothing is held against anybody for ever.
//
// All of it is bounded, and free of I/O, goroutines and clocks: times are handed in.
// What must outlive the process is exported as records of what changed, in a format
// with a version, and taken in again. To take in one twice does no harm.
package memory
