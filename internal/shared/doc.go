// Package shared lets several machines count mail together, in a Redis or Valkey
// server: it is the ratelimit.Shared that a ratelimit.Fallback asks.
//
// # The way of a decision
//
// Each call is one script (lua/), and so one step: all limits of a mail are looked
// at, and reserved together or not at all. The time is the server's. A counter is a
// hash with one row for each machine; what counts is their sum. The rows have the
// sub-buckets of package ratelimit, and its promise. Keys are the IDs that Rules make,
// hashed under a key that all machines read from the server, and expire.
//
// Calls of many sessions share one connection, and are written and read together
// (pipelining). None waits longer than its caller says, and after the first failure
// none waits at all: the store is away until its goroutine has come back to it.
//
// # Who may say what
//
// A machine joins with an epoch. Its calls carry it, and those of an epoch before do
// nothing, however late they arrive: what a machine brings to the store when it comes
// back is then the whole truth about its own rows, whatever became of calls that were
// not answered. What it had pending in an epoch before does not count either, so that
// a machine that was killed leaves nothing behind when it is there again.
//
// Whoever uses more than half of its part of a maximum claims the parts of the others,
// who learn of it at once, by a channel. That is why all can count on by themselves
// when the store goes: see ratelimit.Peers.
//
// # What machines tell each other
//
// A Board hands on what each machine has learned, of servers and of who came back, by one
// stream for each topic. All of it is known to each machine by itself; what stands in the
// store is for those who are away for a while.
package shared
