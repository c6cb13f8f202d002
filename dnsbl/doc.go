// Package dnsbl asks DNS lists about addresses and domains: which lists there
// are, what each may be asked, what each code of theirs means, and whether a
// list is well enough to be believed (RFC 5782).
//
// It decides nothing about mail: it hands back answers, each with the points its
// codes weigh. Only a code that its operator declared can weigh anything. A list
// that refuses, fails, or answers what no list answers has said nothing.
package dnsbl
