package ratelimit

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"
)

// The bounds of blocks.
const (
	maxBlocks    = 100_000             // that hold, and that are remembered
	blockStays   = 90 * 24 * time.Hour // it is remembered so long after its end
	maxBlockName = 320                 // octets: an address with its longest parts (RFC 5321 section 4.5.3.1)
	maxBlockNote = 200                 // octets
)

// Errors of Blocks.Add.
var (
	ErrBlocked     = errors.New("the account is blocked already")
	ErrBlocksFull  = fmt.Errorf("%d accounts are blocked, and no more fit; release some", maxBlocks)
	errBlockedName = errors.New("no account in lower case of 1 to 320 octets")
)

// A Block keeps an account from sending, until it is released.
type Block struct {
	Account string    // by AccountKey
	Since   time.Time // set by Add
	Until   time.Time // from then on it is over by itself; zero: only by a release
	Reject  bool      // its mail is refused for good (5yz), in place of for now (4yz)
	Auto    bool      // by the daemon itself, for signs of a stolen account
	By      string    // who has blocked it, for people: "uid 0", "account-hijack"
	Owner   string    // who is to be asked
	Reason  string    // why: a ticket, or the signs

	Released   time.Time // zero: not yet
	ReleasedBy string

	// Changed is when all of this was last changed, by the clock of the machine where it
	// was, and later than what that machine had changed or heard before: of what several
	// say of an account the latest is true. Zero in what was kept by older versions.
	Changed time.Time
}

// Check gives what keeps a block from being used; nil if nothing does.
func (b *Block) Check() error {
	if b.Account == "" || len(b.Account) > maxBlockName || b.Account != AccountKey(b.Account) {
		return errBlockedName
	}
	for _, t := range []time.Time{b.Since, b.Until, b.Released} {
		if y := t.Year(); y > 9999 { // RFC 3339, as it is kept
			return errors.New("a time after the year 9999; leave it out")
		}
	}
	if b.Changed.Year() > 9998 { // so that there are times after it
		return errors.New("changed after the year 9998")
	}
	for _, text := range []string{b.Account, b.By, b.Owner, b.Reason, b.ReleasedBy} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return errors.New("a control character, or not UTF-8")
		}
	}
	for _, text := range []string{b.By, b.Owner, b.Reason, b.ReleasedBy} {
		if len(text) > maxBlockNote {
			return fmt.Errorf("a text of more than %d octets", maxBlockNote)
		}
	}
	return nil
}

// End gives when the block was over, by a release or by its time; the zero time
// while it holds.
func (b *Block) End(now time.Time) time.Time {
	switch {
	case !b.Released.IsZero():
		return b.Released
	case !b.Until.IsZero() && !now.Before(b.Until):
		return b.Until
	}
	return time.Time{}
}

// Holds reports whether the account may not send now.
func (b *Block) Holds(now time.Time) bool { return b.End(now).IsZero() }

// Blocks are the accounts that may not send, and those that were blocked lately. All
// is in memory, and bounded: no method waits for anything. The zero Blocks has none,
// and so has a nil one for those who ask. It is safe for concurrent use.
type Blocks struct {
	open atomic.Int64 // accounts that are not released: nobody asks further where there is none

	mu      sync.RWMutex
	rows    map[string]*Block // the last of each account; a Block is not changed once it is in there
	changed map[string]bool   // accounts, since TakeChanged; nil: nobody asks
	news    map[string]bool   // accounts that other machines have to be told of; nil: there are none
	key     func(login string) string
}

// Find gives the block that holds for an account (see AccountKey) now, nil for none.
// It is not to be changed. Find is made for the way of each mail: it does not allocate.
func (x *Blocks) Find(account string, now time.Time) *Block {
	if x == nil || x.open.Load() == 0 || account == "" {
		return nil
	}
	x.mu.RLock()
	b := x.rows[account]
	x.mu.RUnlock()
	if b == nil || !b.Holds(now) {
		return nil
	}
	return b
}

// Last gives the last block of an account, whether it holds or is over.
func (x *Blocks) Last(account string) (Block, bool) {
	if x == nil {
		return Block{}, false
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if b := x.rows[account]; b != nil {
		return *b, true
	}
	return Block{}, false
}

// Cleared tells when the last block of an account was over; the zero time where it
// holds, or where there was none. Signs from before then have been looked at: they are
// no reason to block it once more.
func (x *Blocks) Cleared(account string, now time.Time) time.Time {
	if b, ok := x.Last(account); ok {
		return b.End(now)
	}
	return time.Time{}
}

// Add blocks an account from now on. One that is blocked stays so since before; what an
// operator says of it takes the place of what was said, and what the daemon finds
// (Block.Auto) does not: that is ErrBlocked.
func (x *Blocks) Add(b Block, now time.Time) (Block, error) {
	b.Since, b.Released, b.ReleasedBy = now.Round(0).UTC(), time.Time{}, ""
	if err := b.Check(); err != nil {
		return b, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.rows[b.Account]
	switch holds := old != nil && old.Holds(now); {
	case holds && b.Auto:
		return *old, ErrBlocked
	case holds:
		b.Since = old.Since
	case old == nil && !x.room(now):
		return b, ErrBlocksFull
	}
	b.Changed = changeAfter(old, now)
	x.put(&b)
	x.tell(&b)
	return b, nil
}

// Release ends the block of an account, and gives it as it was; false where none holds.
func (x *Blocks) Release(account, by string, now time.Time) (Block, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.rows[account]
	if old == nil || !old.Holds(now) {
		return Block{}, false
	}
	b := *old
	b.Released, b.ReleasedBy, b.Changed = now.Round(0).UTC(), by, changeAfter(old, now)
	x.put(&b)
	x.tell(&b)
	return b, true
}

// otherName is who has released a block that holds under another name since.
const otherName = "its name of now"

// Rekey reads the names of blocked accounts anew, and those that are heard from now on: a
// block holds for the account that key gives of its name. What has another name now is
// ended, and stands under that name.
func (x *Blocks) Rekey(key func(login string) string, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.key = key
	if x.open.Load() == 0 {
		return
	}
	moved := map[string]*Block{}
	for account, b := range x.rows {
		if name := key(account); name != account && b.Holds(now) {
			moved[name] = b
		}
	}
	for name, b := range moved {
		gone, is := *b, *b
		gone.Released, gone.ReleasedBy, gone.Changed = now.Round(0).UTC(), otherName, changeAfter(b, now)
		x.put(&gone) // and not told: another machine may know it by that name still
		if old := x.rows[name]; old == nil || !old.Holds(now) {
			if is.Account, is.Changed = name, changeAfter(old, now); is.Check() == nil {
				x.put(&is)
				x.tell(&is)
			}
		}
	}
}

// put enters a block in the place of the one before. x.mu is held.
func (x *Blocks) put(b *Block) {
	if x.rows == nil {
		x.rows = make(map[string]*Block)
	}
	if old := x.rows[b.Account]; old != nil && old.Released.IsZero() {
		x.open.Add(-1)
	}
	if b.Released.IsZero() {
		x.open.Add(1)
	}
	x.rows[b.Account] = b
	if x.changed != nil {
		x.changed[b.Account] = true
	}
}

// room makes room for one more, and reports whether there is. What ended long ago goes;
// else a part of what has ended, the oldest first. x.mu is held.
func (x *Blocks) room(now time.Time) bool {
	if len(x.rows) < maxBlocks {
		return true
	}
	oldest, ended := now, 0
	for _, b := range x.rows {
		if end := b.End(now); !end.IsZero() {
			ended++
			if end.Before(oldest) {
				oldest = end
			}
		}
	}
	if ended == 0 {
		return false
	}
	before := now.Add(-blockStays)
	if oldest.After(before) {
		before = oldest.Add(max(now.Sub(oldest)/16, time.Second))
	}
	for account, b := range x.rows {
		if end := b.End(now); !end.IsZero() && !end.After(before) {
			x.drop(account, b)
		}
	}
	return len(x.rows) < maxBlocks
}

func (x *Blocks) drop(account string, b *Block) {
	if b.Released.IsZero() {
		x.open.Add(-1)
	}
	delete(x.rows, account)
	delete(x.changed, account)
	delete(x.news, account)
}

// All gives all blocks: those that hold, and those that are over and remembered. The
// order is none.
func (x *Blocks) All() []Block {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Block, 0, len(x.rows))
	for _, b := range x.rows {
		all = append(all, *b)
	}
	return all
}

// Held counts the blocks that hold, and gives the newest; nil for none.
func (x *Blocks) Held(now time.Time) (n int, newest *Block) {
	if x.open.Load() == 0 {
		return 0, nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, b := range x.rows {
		if !b.Holds(now) {
			continue
		}
		if n++; newest == nil || b.Since.After(newest.Since) {
			newest = b
		}
	}
	return n, newest
}

// Len is how many there are, those that are over among them.
func (x *Blocks) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.rows)
}

// Track has changes noted from now on, for TakeChanged.
func (x *Blocks) Track() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changed = make(map[string]bool)
}

// TakeChanged gives the blocks that changed since the last call, or since Track.
func (x *Blocks) TakeChanged() []Block {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.changed) == 0 {
		return nil
	}
	all := make([]Block, 0, len(x.changed))
	for account := range x.changed {
		all = append(all, *x.rows[account])
	}
	clear(x.changed)
	return all
}

// Restore enters blocks as they were given by All or TakeChanged, each in the place of
// what is known of its account, and counts those that it could take. What Check finds
// wrong is left out, and what does not fit; the errors are joined.
func (x *Blocks) Restore(all []Block, now time.Time) (taken int, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var wrong []error
	for i := range all {
		b := all[i]
		err := b.Check()
		if end := b.End(now); err == nil && !end.IsZero() && now.Sub(end) > blockStays {
			if old := x.rows[b.Account]; old != nil {
				x.drop(b.Account, old)
			}
			taken++
			continue
		}
		if err == nil && x.rows[b.Account] == nil && !x.room(now) {
			err = ErrBlocksFull
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("block %d: %w", i+1, err))
			continue
		}
		x.put(&b)
		taken++
	}
	return taken, errors.Join(wrong...)
}
