package wiring

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/harvest"
)

// LoadDirectory makes the directory of the configuration; nil where there is none.
// What old, which may be nil, has read and remembers is taken over. With fatal it
// cannot be used, and there is none; other problems are lines of files that do not
// count, and warnings. The caller closes the Stack.
func LoadDirectory(cfg *config.Config, old *directory.Stack, now time.Time) (stack *directory.Stack, problems []config.Problem, fatal bool) {
	d := &cfg.Directory
	if !d.Used() {
		return nil, nil, false
	}
	o := directory.Options{Ours: cfg.Us.Domains, Aliases: d.Aliases, Delimiters: d.Delimiters}
	keep := directory.Keeping{Yes: d.KeepYes, No: d.KeepNo, Down: d.KeepDown}
	sources := d.Sources()
	files := make([]*directory.File, len(sources))
	for i, s := range sources {
		r := directory.Route{Domains: s.Domains, Kind: s.Source, Name: sourceName(&s), Tempfail: s.Tempfail}
		kind, waits := waitedSources[s.Source]
		switch {
		case s.Source == config.SourceNone && s.Domains == nil:
			continue // as if it were not there
		case s.Source == config.SourceFile:
			file, said := openFiles(&s, now)
			problems = append(problems, said...)
			if file == nil {
				fatal = true
				continue
			}
			r.File, files[i] = file, file
		case waits:
			id := fmt.Sprintf("%s %s %v", s.Source, kind.id(cfg, &s), keep)
			if r.Guard = old.Guard(id); r.Guard != nil {
				break
			}
			src, said, err := kind.make(cfg, &s)
			if err != nil {
				problems, fatal = append(problems, backendProblem(cfg, &s, err)), true
				continue
			}
			problems = append(problems, said...)
			r.Guard = directory.NewGuard(id, src, keep, nil)
		}
		o.Routes = append(o.Routes, r)
	}
	stack = directory.NewStack(o)
	if fatal {
		_ = stack.Close() // nothing was asked yet
		return nil, problems, true
	}
	return stack, append(problems, silentDomains(cfg, sources, files)...), false
}

// sourceName tells what a source asks, without secrets.
func sourceName(s *config.DirectorySource) string {
	b := &s.Backend
	switch s.Source {
	case config.SourceFile:
		return "file " + strings.Join(s.Files, " ")
	case config.SourceSQL:
		return "sql " + strings.Join(strings.Fields(b.Query), " ")
	case config.SourceLDAP:
		return "ldap " + b.Filter
	case config.SourceSocketmap:
		return "socketmap " + b.Socketmap
	case config.SourceCallahead:
		return "callahead " + b.Callahead
	}
	return s.Source
}

// openFiles opens the files of a source, anew: what a reload finds is what is meant.
func openFiles(s *config.DirectorySource, now time.Time) (*directory.File, []config.Problem) {
	specs := make([]directory.FileSpec, 0, len(s.Files))
	for _, text := range s.Files {
		spec, err := directory.ParseFile(text)
		if err != nil {
			return nil, []config.Problem{sourceProblem(s, err.Error(), "correct it")} // the configuration has checked it
		}
		specs = append(specs, spec)
	}
	directory.Settle(context.Background(), specs)
	file, said := directory.OpenFile(specs, now)
	return file, DirectoryProblems(s.At, said)
}

func sourceProblem(s *config.DirectorySource, what, remedy string) config.Problem {
	return config.Problem{File: s.At.File, Line: max(1, s.At.Line), Key: "directory.source", What: "directory: " + s.Source + ": " + what, Remedy: remedy}
}

// DirectoryProblems words problems with files as those of the configuration: of a
// file as a whole at the line that names its source.
func DirectoryProblems(at config.Origin, said []directory.Problem) []config.Problem {
	problems := make([]config.Problem, len(said))
	for i, p := range said {
		problems[i] = config.Problem{File: p.File, Line: p.Line, Key: "directory.files", What: p.What, Remedy: p.Remedy, Warning: p.Warning}
		if p.Line == 0 {
			problems[i].File, problems[i].Line = at.File, max(1, at.Line)
			problems[i].What = "directory.files: " + p.File + ": " + p.What
		}
	}
	return problems
}

// silentDomains warns of domains whose files say nothing of who exists there: nobody
// is refused, and somebody may think so.
func silentDomains(cfg *config.Config, sources []config.DirectorySource, files []*directory.File) []config.Problem {
	var problems []config.Problem
	for i := range sources {
		s := &sources[i]
		if files[i] == nil {
			continue
		}
		domains := s.Domains
		if domains == nil {
			domains = cfg.Us.Domains
		}
		var silent []string
		for _, domain := range domains {
			target := cmp.Or(cfg.Directory.Aliases[domain], domain)
			if !slices.Contains(cfg.Us.Domains, domain) || s.Domains == nil && named(sources, target) {
				continue
			}
			if !files[i].SpeaksFor(target) {
				silent = append(silent, domain)
			}
		}
		if len(silent) == 0 {
			continue
		}
		more := ""
		if n := len(silent) - 3; n > 0 {
			silent, more = silent[:3], fmt.Sprintf(" and %d more", n)
		}
		p := sourceProblem(s, "the files do not say who exists at "+strings.Join(silent, ", ")+more+": nobody is refused there ("+readAs(files[i])+")",
			"name the files that its recipients stand in, with the format before the path where it was mistaken, or give it a [[directory.for]] of its own")
		p.Warning = true
		problems = append(problems, p)
	}
	return problems
}

// readAs tells which format each of the files was taken for.
func readAs(file *directory.File) string {
	var all []string
	for _, f := range file.Files() {
		all = append(all, f.Spec.Path+" is read as "+string(f.Format))
	}
	return strings.Join(all, ", ")
}

// named reports whether a domain has a source of its own.
func named(sources []config.DirectorySource, domain string) bool {
	return slices.ContainsFunc(sources, func(s config.DirectorySource) bool { return slices.Contains(s.Domains, domain) })
}

// DirectoryBeside looks at the files of recipients of a configuration that has
// mistakes elsewhere, so that all is told at once.
func DirectoryBeside(report *config.Report, now time.Time) []config.Problem {
	var problems []config.Problem
	for _, s := range report.Directory.Sources() {
		if s.Source == config.SourceFile && len(s.Files) > 0 {
			_, said := openFiles(&s, now)
			problems = append(problems, said...)
		}
	}
	return problems
}

// LoadTraps opens the file of addresses that never existed; nil for none.
func LoadTraps(cfg *config.Config, now time.Time) (*directory.File, []config.Problem, bool) {
	path := cfg.Directory.Traps
	if path == "" || !cfg.Directory.Used() {
		return nil, nil, false
	}
	at, _ := cfg.Origin("directory.traps")
	file, said := directory.OpenFile([]directory.FileSpec{{Format: directory.Recipients, Path: path}}, now)
	problems := DirectoryProblems(at, said)
	for i := range problems {
		problems[i].Key = "directory.traps"
		problems[i].What = strings.Replace(problems[i].What, "directory.files: ", "directory.traps: ", 1)
		problems[i].Remedy = strings.Replace(problems[i].Remedy, "directory.files", "directory.traps", 1)
	}
	return file, problems, file == nil
}

// HarvestSettings are what is taken for a harvest.
func HarvestSettings(cfg *config.Config) harvest.Settings {
	d := &cfg.Directory
	return harvest.Settings{Names: d.Names, Share: d.Share, Window: d.Window, Trap: d.TrapKeep}
}
