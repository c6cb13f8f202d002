// Package hijack tells an account that somebody else has got hold of from one whose
// owner sends: by where its clients are, by how many senders it names, by recipients
// who do not exist, by how much it sends against what it used to send, and by
// lists of addresses that guess passwords.
//
//	Watch      what the accounts do, in bounded memory
//	Evidence   what one mail shows
//	Suspicion  what that makes of its account: signs, with points and words
//
// # What a sign is
//
// No sign is proof: a traveller has many networks, a forwarder many senders, a first
// newsletter is a jump. So what is learnt of the account itself goes before any number:
// what it has done for weeks is no sign. What is not known (an account of this week has no
// habits yet) is none either. Two signs may be one fact: networks and countries are both
// where somebody is, so only the heavier of them counts.
//
// # What is kept
//
// Of each account 120 bytes, without a pointer, under a keyed hash of its name: counts,
// and sketches of one bit for each network, country and sender. Things may share a bit, so that
// what they count is never more than there was. When there is no room, those go first that
// were not seen for the longest time.
//
// All of it is free of I/O, goroutines and clocks: times are handed in. What must
// outlive the process is exported as records of what changed, in a format with a version,
// and taken in again. To take in one twice does no harm.
package hijack
