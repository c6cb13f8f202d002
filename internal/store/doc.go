// Package store keeps on disk what must survive the daemon: the state of several
// spaces (limits, accounts, ...), whose owners hold it in memory and are the
// only ones to look into it. The store holds their records as plain bytes.
//
// # The seam
//
// An owner implements Space. The store asks it, twice a second, for what has
// changed, and now and then for all of it; at the start it hands the records
// back in the order in which they were written. So nothing of it is on a mail's
// path: a mail changes memory, and the store comes by.
//
//	s, err := store.Open(store.Options{Dir: dir, Logger: logger}) // ErrLocked: another daemon has it
//	table := ratelimit.NewTable(...)                              // keyed by s.Secret()
//	s.Add("limits", limitsSpace{table})
//	loaded := s.Start()                                           // reads; then the store's goroutine runs
//	...
//	err = s.Close(ctx)                                            // all that changed is on disk, or why not
//
// # The promise
//
// What was changed is written within half a second and synced right after, so
// that kill -9, or a power cut with a disk that obeys, loses at most one second
// of changes. A clean stop loses nothing.
//
// # On disk
//
//	state.lock                 flock'ed by the daemon that keeps state here
//	state.00000007.snapshot    all records, as of when journal 7 began
//	state.00000007.journal     what changed since; appended to
//	state.00000008.journal     each start, and each snapshot, begins a new one
//
// The state is the newest snapshot with all journals that are not older. When
// the journals have grown beyond the snapshot, a new journal is begun, a new
// snapshot is written beside it (to a file of another name, synced, renamed, the
// directory synced), and only then what is older is removed. No file is ever
// written to by two processes, or once it was closed.
//
// Each file is a sequence of frames (see frame.go) with their checksums. What is
// torn at the end of a file was being written when the power went: it is left
// out. Damage anywhere else costs the frames that it hits; the others are read,
// and when their state has been written anew the file is set aside as
// NAME.corrupt-DATE. Nothing is removed that could not be read.
//
// # When the disk fails
//
// After an error nothing is known of a file any more (fsync tells of lost pages
// just once), so it is closed for good. The daemon goes on in memory; the store
// tries again after a second, then at longer intervals, and then writes the whole
// state anew. It does not write into a directory that holds state which it has
// not read: that is for the next start.
package store
