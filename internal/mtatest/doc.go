// Package mtatest runs real mail servers for tests and the demo: a private
// Postfix and a private Sendmail, and an SMTP client that can speak from an
// address of the caller's choice.
//
// Nothing of the machine's own mail setup is read or written: each instance has
// its configuration, queue and log to itself, and delivers nowhere. Both servers
// need root. Every process that is started here is ended by its own id.
package mtatest
