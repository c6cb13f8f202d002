// Package records keeps what stands behind the answers of the last weeks, so that
// an operator can ask why. A record is some bytes of its owner's, with an id and
// keys by which it is found; what they say is the owner's business.
//
// # The seam
//
// Put hands over something that can make a record. It never waits: a goroutine
// of the Log's makes the record, packs many into a block and writes it, within half a
// second. What finds no room in the queue is counted as lost.
//
//	l := records.Open(records.Options{Dir: dir, Keep: 30 * 24 * time.Hour, Size: 200 << 20, Logger: logger})
//	l.Put(source)                              // on a mail's way
//	found, err := l.Find(ctx, records.Query{ID: "lzbg2hifo8cf"})
//	err = l.Close(ctx)
//
// # On disk
//
//	records.00000007    blocks; appended to by one process, never once it was closed
//	records.00000008    each start begins a new one, and so does size, and age
//
// The oldest file is removed when all of them together grow over Size, and when all that
// is in it is older than Keep. A file is closed when it has a sixteenth of Size or a
// thirtieth of Keep in it, so on disk a record is at most so much older than Keep; what is
// older is not found any more. Whoever opens a Log sees to it that nobody else writes into the
// directory (internal/store's lock).
//
// A block has a head with the ids and the hashes of the keys of its records, and the
// records themselves, compressed (see block.go). Nothing of that is held in memory: a
// search reads the heads of all files, newest first, and unpacks only blocks that
// have what is looked for.
//
// What is torn at the end of a file was being written when the process or the power
// died: it is left out. Damage elsewhere costs the blocks that it hits. Written blocks
// outlive the process at once (kill -9), and a loss of power after ten seconds at most.
//
// # When the disk fails
//
// After an error nothing is known of a file any more: it is closed for good, and what comes is
// kept in memory, the newest 8 MiB of it, until a new file can be written. Then it
// is written there. Without a directory all is in memory only.
package records
