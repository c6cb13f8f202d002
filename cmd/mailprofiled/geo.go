package main

import (
	"fmt"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/geo"
)

// geoStatus tells of the databases in use.
func geoStatus(set *geo.Set) []admin.Database {
	all := []admin.Database{}
	for _, s := range set.Status() {
		all = append(all, admin.Database{
			Kind: s.Kind.String(), File: s.Path, Type: s.Type, Entries: s.Entries, Built: s.Built, Loaded: s.Loaded, Trouble: s.Trouble,
		})
	}
	return all
}

// geoAttention lists what somebody should do something about.
func geoAttention(s *admin.Status) []string {
	var all []string
	for _, db := range s.Geo {
		if db.Trouble != "" {
			all = append(all, fmt.Sprintf("a database has changed and cannot be used; the version read %s ago is in use: %s", age(s.Now.Sub(db.Loaded)), plain(db.Trouble)))
		}
		if old := s.Now.Sub(db.Built); old > geo.OldAfter {
			all = append(all, fmt.Sprintf("geo.%s is %d days old: fetch a new %s", db.Kind, int(old/(24*time.Hour)), plain(db.File)))
		}
	}
	return all
}

// geoRows tell of each database.
func geoRows(s *admin.Status) []string {
	var rows []string
	for _, db := range s.Geo {
		rows = append(rows, fmt.Sprintf("%s: %s, %s, built %s, read %s ago", db.Kind, plain(db.File), plain(strings.TrimSpace(db.Type)),
			db.Built.UTC().Format(time.DateOnly), age(s.Now.Sub(db.Loaded))))
	}
	return rows
}
