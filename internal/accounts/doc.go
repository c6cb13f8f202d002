// Package accounts reads the operator's file of accounts: since when each is
// there, and on which plan it is. What that means is for those who ask.
//
// The file is text in UTF-8, one account a line, in any order:
//
//	login [created=2026-01-31] [plan=pro] [# comment]
//
// The login is one word, as clients log in with it; its case means nothing. A
// date is midnight UTC of that day; a time such as 2026-01-31T08:00:00Z may stand
// in its place. A plan is one word, and its case counts. Empty lines, and those
// that begin with # or ;, are nothing.
package accounts
