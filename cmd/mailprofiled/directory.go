package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/harvest"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/wiring"
)

// refreshDirectory looks at the files of recipients and of traps, and takes in those
// that changed, for sessions under way too.
func (d *daemon) refreshDirectory(g *generation, now time.Time) {
	look := func(file *directory.File, at config.Origin) {
		change, said := file.Refresh(now)
		d.logProblems(wiring.DirectoryProblems(at, said))
		if change != nil {
			d.logger.Info("directory taken in", "files", filesText(file), "addresses", change.Users, "before", change.Before, "took", change.Took.Round(10*time.Microsecond).String())
		}
	}
	for _, r := range g.directory.Routes() {
		if file, ok := r.File.(*directory.File); ok {
			look(file, namedAt(g.cfg, "directory.files"))
		}
	}
	if g.traps != nil {
		look(g.traps, namedAt(g.cfg, "directory.traps"))
	}
}

// namedAt is where a key is set, or else the first line of the configuration.
func namedAt(cfg *config.Config, key string) config.Origin {
	if at, ok := cfg.Origin(key); ok {
		return at
	}
	return config.Origin{File: cfg.Path, Line: 1}
}

func filesText(file *directory.File) string {
	var names []string
	for _, state := range file.Files() {
		names = append(names, state.Spec.Path)
	}
	return strings.Join(names, " ")
}

// unknownHash gives what stands in the log for recipients that do not exist, nil
// where none are looked for: the token that hash stands for them if there is one, else
// one by the same key, so that it stays the same over restarts. Where no key can be
// kept it is one of this start; no directory is made for it.
func (d *daemon) unknownHash(cfg *config.Config, hash *logging.Hasher) *logging.Hasher {
	if hash != nil || !cfg.Directory.Used() {
		return hash
	}
	if d.unknown != nil {
		return d.unknown
	}
	if _, err := os.Stat(d.first.State.Path); err == nil {
		if d.unknown, err = logging.KeepKey(d.first.State.Path); err == nil {
			return d.unknown
		}
		d.logger.Warn("recipients that do not exist have other tokens in the log after a restart", "error", err.Error())
	}
	var key [logging.KeySize]byte
	rand.Read(key[:]) // it never fails
	d.unknown = logging.NewHasher(key)
	return d.unknown
}

// directoryStatus tells how the directory is, and who is after addresses.
func directoryStatus(g *generation, watch *harvest.Watch, now time.Time) admin.Directory {
	s := admin.Directory{Sources: []admin.DirectorySource{}}
	for _, r := range g.directory.Routes() {
		row := admin.DirectorySource{Source: r.Kind, Domains: append([]string{}, r.Domains...), Up: true, Files: []admin.DirectoryFile{}}
		if file, ok := r.File.(*directory.File); ok {
			row.Addresses = file.Users()
			row.Files = directoryFiles(file)
		}
		if r.Guard != nil {
			h := r.Guard.Health()
			row.Up, row.Since, row.Trouble, row.Kept = h.Up, h.Since, h.Trouble, h.Kept
			row.Asked, row.Failed, row.Cached, row.Stale, row.Turned = h.Asked, h.Failed, h.Cached, h.Stale, h.Turned
		}
		s.Sources = append(s.Sources, row)
	}
	if g.traps != nil {
		s.Traps = g.traps.Users()
	}
	h := watch.Stats(now)
	s.Harvest = admin.Harvest{Unknown: h.Unknown, Bounced: h.Bounced, Trapped: h.Trapped, Watched: h.Peers, Fishing: h.Fishing, Marked: h.Marked}
	return s
}

func directoryFiles(file *directory.File) []admin.DirectoryFile {
	rows := []admin.DirectoryFile{}
	for _, f := range file.Files() {
		rows = append(rows, admin.DirectoryFile{
			File: f.Spec.String(), Format: string(f.Format), Entries: f.Entries, Bad: f.Bad, Loaded: f.Loaded, Trouble: f.Trouble, Doubted: f.Doubted,
		})
	}
	return rows
}

// directoryRows are those of status, none where nobody says who exists.
func directoryRows(s *admin.Status) []string {
	var rows []string
	for _, src := range s.Directory.Sources {
		text := src.Source
		if len(src.Domains) > 0 {
			text += " for " + strings.Join(src.Domains[:min(len(src.Domains), 3)], ", ")
			if more := len(src.Domains) - 3; more > 0 {
				text += fmt.Sprintf(" and %d more", more)
			}
		}
		switch {
		case len(src.Files) > 0:
			text += ", " + count(src.Addresses, "name")
		case src.Asked+src.Cached+src.Turned > 0 || !src.Up:
			state := "up"
			if !src.Up {
				state = "LEFT ALONE"
			}
			text += fmt.Sprintf(" %s, %s failed, %d answered by memory", state, ofQuestions(src.Failed, src.Asked), src.Cached)
			if src.Trouble != "" {
				text += "; the last: " + src.Trouble
			}
		}
		rows = append(rows, plain(text))
		for _, f := range src.Files {
			line := fmt.Sprintf("  %s, %d lines, read as %s %s ago", f.File, f.Entries, f.Format, age(s.Now.Sub(f.Loaded)))
			if f.Bad > 0 {
				line += fmt.Sprintf(", %s cannot be read", count(f.Bad, "line"))
			}
			rows = append(rows, plain(line))
		}
	}
	return rows
}

// ofQuestions is how many of them failed: "1 of 7 questions".
func ofQuestions(failed, asked uint64) string {
	return fmt.Sprintf("%d of %s", failed, count(int(asked), "question"))
}

// harvestText tells who tries names that do not exist.
func harvestText(d *admin.Directory) string {
	h := &d.Harvest
	text := fmt.Sprintf("%d tries of names that do not exist, and %d bounces to such; %d addresses and networks watched, %d of them harvest now; %d wrote to traps",
		h.Unknown, h.Bounced, h.Watched, h.Fishing, h.Marked)
	if d.Traps > 0 {
		text += fmt.Sprintf(" (there are %d)", d.Traps)
	}
	return text
}

// directoryAttention lists what somebody should do something about.
func directoryAttention(s *admin.Status) []string {
	var all []string
	for _, src := range s.Directory.Sources {
		if !src.Up {
			all = append(all, fmt.Sprintf("the directory %s is left alone since %s ago, as it fails: %s", src.Source, age(s.Now.Sub(src.Since)), plain(src.Trouble)))
		}
		told := ""
		for _, f := range src.Files {
			if f.Trouble != "" && f.Trouble != told {
				told = f.Trouble
				if f.Doubted {
					all = append(all, "files of the directory have lost addresses since before the start, and nobody is refused by them, who is missing has rcpt-error: "+plain(f.Trouble))
					continue
				}
				all = append(all, fmt.Sprintf("a file of the directory has changed and is not used; the version read %s ago is: %s", age(s.Now.Sub(f.Loaded)), plain(f.Trouble)))
			}
		}
	}
	return all
}
