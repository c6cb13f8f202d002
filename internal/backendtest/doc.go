// Package backendtest runs what the recipient directory asks, for tests and
// benchmarks: a private PostgreSQL, MariaDB, slapd, Dovecot and Cyrus, as Debian
// packages them. Each keeps to a folder of its own, to loopback, and to the two mailboxes
// and the password that are in it; each can be killed, stopped in mid-run, and begun anew
// at the same address.
//
// .ci/deps unpacks them. They are started with their files laid over /usr, in a mount
// namespace of their own, which needs root.
package backendtest
