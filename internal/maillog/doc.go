// Package maillog reads logs of Postfix and Sendmail and puts their lines together
// into visits: who connected, how it named itself, whom it wrote for and to, and what
// became of it.
//
// A Framer takes a line apart into an Entry: time, host, program, text; by syslog with
// or without a year, ISO dates, RFC 5424, and the JSON of journalctl. An Assembler is
// given entries in their order and gives visits in the order of their beginning. It
// holds a bounded number of them open.
//
// Log lines quote what strangers sent. Nothing in them is trusted, and none of them is
// an error: what is not about a visit is passed over.
package maillog
