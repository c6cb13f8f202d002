package wiring

import (
	"fmt"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/geo"
	"mailprofiled/internal/local"
)

var geoKinds = map[string]geo.Kind{geo.Country.String(): geo.Country, geo.ASN.String(): geo.ASN}

// LoadGeo loads databases. What old, which may be nil, has of them is taken over.
// With fatal one cannot be used, and there is no Set; other problems are warnings.
func LoadGeo(files []config.GeoFile, old *geo.Set) (set *geo.Set, problems []config.Problem, fatal bool) {
	sources := make([]geo.Source, len(files))
	for i, f := range files {
		sources[i] = geo.Source{Kind: geoKinds[f.Kind], Path: f.Path}
	}
	set, said := geo.Load(sources, time.Now(), old)
	return set, GeoProblems(files, said), set == nil && len(said) > 0
}

// GeoProblems words problems with databases as those of the configuration, at the
// line that names the database: a line of its own it has not.
func GeoProblems(files []config.GeoFile, said []geo.Problem) []config.Problem {
	problems := make([]config.Problem, len(said))
	for i, p := range said {
		problems[i] = config.Problem{Key: "geo." + p.Kind.String(), What: "geo." + p.Kind.String() + ": " + p.What, Remedy: p.Remedy, Warning: p.Warning}
		for _, f := range files {
			if geoKinds[f.Kind] == p.Kind {
				problems[i].File, problems[i].Line = f.At.File, f.At.Line
			}
		}
	}
	return problems
}

// DeafTo tells of entries in files of rules that no database is there for. In rules
// themselves the configuration refuses them; here the other lines still count.
func DeafTo(set *local.Set, cfg *config.Config) []config.Problem {
	var problems []config.Problem
	for _, q := range []struct {
		field local.Field
		path  string
	}{{local.Country, cfg.Geo.Country}, {local.ASN, cfg.Geo.ASN}} {
		if set == nil || q.path != "" {
			continue
		}
		if file, line, ok := set.FirstInFile(q.field); ok {
			problems = append(problems, config.Problem{
				File: file, Line: line,
				What:   fmt.Sprintf("%s: matches nobody, since geo.%s names no database to tell it by", q.field, q.field),
				Remedy: fmt.Sprintf("set geo.%s to the path of an mmdb, or take such lines out", q.field),
			})
		}
	}
	return problems
}
