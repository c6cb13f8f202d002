package wiring

import (
	"encoding/binary"
	"fmt"
	"iter"
	"sync"

	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/ratelimit"
)

// Known is what a directory has shown to hold, kept over restarts: how many addresses
// its files had, so that one which was cut off is told from one that is small, and at
// which domains a source has named somebody, so that its no counts from the start on.
// It is safe for concurrent use.
type Known struct {
	mu      sync.Mutex
	counts  map[string]uint32          // addresses, by the name of a route
	named   map[naming]struct{}        // bounded by maxNamed
	changed map[naming]struct{}        // since the last export; of a count where domain is ""
	files   map[string]*directory.File // in use
}

// A naming is a source, by the name of its route, and a domain.
type naming struct{ route, domain string }

// maxNamed bounds the domains, of all sources; beyond it others are learned at each start.
const maxNamed = 50_000

func newKnown() *Known {
	return &Known{counts: map[string]uint32{}, named: map[naming]struct{}{}, changed: map[naming]struct{}{}, files: map[string]*directory.File{}}
}

// Begin has a directory that comes in force go by what is known of it. At the start of
// the process, first, files that have lost too many addresses since are in doubt: nobody
// is refused by them, and that is told. At a reload what is there is what is meant.
func (k *Known) Begin(stack *directory.Stack, at config.Origin, first bool) []config.Problem {
	var problems []config.Problem
	for _, r := range stack.Routes() {
		if r.Guard != nil { // which calls note
			for _, domain := range k.domains(r.Name) {
				r.Guard.Named(domain)
			}
			r.Guard.OnNamed(func(domain string) { k.note(naming{r.Name, domain}) })
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.files)
	for _, r := range stack.Routes() {
		file, ok := r.File.(*directory.File)
		if !ok {
			continue
		}
		before, users := int(k.counts[r.Name]), file.Users()
		k.files[r.Name] = file
		if !first || !directory.LostTooMany(before, users) {
			continue
		}
		file.Doubt(before)
		problems = append(problems, config.Problem{
			File: at.File, Line: max(1, at.Line), Key: "directory.files",
			What:   fmt.Sprintf("directory.files: %s: of %d addresses that were there before the start only %d are left: who is missing is not refused, but has rcpt-error", r.Name, before, users),
			Remedy: `mend the file, or take it as it is by "mailprofiled reload"`,
		})
	}
	return problems
}

// domains are those at which a source has named somebody.
func (k *Known) domains(route string) (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for n := range k.named {
		if n.route == route {
			all = append(all, n.domain)
		}
	}
	return all
}

func (k *Known) note(n naming) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.named[n]; !ok && len(k.named) < maxNamed {
		k.named[n] = struct{}{}
		k.changed[n] = struct{}{}
	}
}

// count looks how many addresses the files in use have. It is called under mu.
func (k *Known) count() {
	for name, file := range k.files {
		if users := uint32(file.Users()); !file.Doubted() && k.counts[name] != users {
			k.counts[name] = users
			k.changed[naming{route: name}] = struct{}{}
		}
	}
}

// knownVersion begins each record. Then come entries: the name of a route and a domain,
// "" for the files of the route, with two octets of their lengths before them, and four
// of the number of addresses, the least first.
const knownVersion = 1

// Changed appends one record with what changed.
func (k *Known) Changed(dst []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count()
	if len(k.changed) == 0 {
		return dst
	}
	dst = append(dst, knownVersion)
	for n := range k.changed {
		dst = k.appendEntry(dst, n)
	}
	clear(k.changed)
	return dst
}

// All yields one record with all there is.
func (k *Known) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		k.mu.Lock()
		k.count()
		b := []byte{knownVersion}
		for name := range k.counts {
			b = k.appendEntry(b, naming{route: name})
		}
		for n := range k.named {
			b = k.appendEntry(b, n)
		}
		k.mu.Unlock()
		yield(b)
	}
}

func (k *Known) appendEntry(b []byte, n naming) []byte {
	for _, text := range [...]string{n.route, n.domain} {
		text = text[:min(len(text), 1<<16-1)]
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
	}
	return binary.LittleEndian.AppendUint32(b, k.counts[n.route])
}

// Len is how many entries there are.
func (k *Known) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.counts) + len(k.named)
}

// Load takes in a record.
func (k *Known) Load(record []byte) error {
	if len(record) == 0 {
		return ratelimit.ErrDamaged
	}
	if record[0] != knownVersion {
		return ratelimit.ErrVersion
	}
	counts, named := map[string]uint32{}, map[naming]struct{}{}
	for b := record[1:]; len(b) > 0; {
		var n naming
		for _, text := range [...]*string{&n.route, &n.domain} {
			if len(b) < 2 || len(b)-2 < int(binary.LittleEndian.Uint16(b)) {
				return ratelimit.ErrDamaged
			}
			end := 2 + int(binary.LittleEndian.Uint16(b))
			*text, b = string(b[2:end]), b[end:]
		}
		if len(b) < 4 {
			return ratelimit.ErrDamaged
		}
		if n.domain == "" {
			counts[n.route] = binary.LittleEndian.Uint32(b)
		} else {
			named[n] = struct{}{}
		}
		b = b[4:]
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, n := range counts {
		if len(k.counts) < maxNamed {
			k.counts[name] = n
		}
	}
	for n := range named {
		if len(k.named) < maxNamed {
			k.named[n] = struct{}{}
		}
	}
	return nil
}
