package main

import (
	"strings"
	"testing"

	"mailprofiled/internal/admin"
)

// TestAttentionToFilesOfTheDirectory: one that was not taken in is told from one that is
// in use, but in doubt.
func TestAttentionToFilesOfTheDirectory(t *testing.T) {
	for _, tt := range []struct {
		name string
		file admin.DirectoryFile
		want string
	}{
		{"all is well", admin.DirectoryFile{}, ""},
		{"not taken in", admin.DirectoryFile{Trouble: "of 4 addresses only 1 are left"}, "a file of the directory has changed and is not used"},
		{"in doubt since the start", admin.DirectoryFile{Trouble: "of 4 addresses only 1 are left", Doubted: true}, "files of the directory have lost addresses since before the start, and nobody is refused by them, who is missing has rcpt-error: of 4 addresses only 1 are left"},
	} {
		s := admin.Status{Directory: admin.Directory{Sources: []admin.DirectorySource{{Source: "file", Up: true, Files: []admin.DirectoryFile{tt.file, tt.file}}}}}
		got := strings.Join(directoryAttention(&s), "|")
		if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") || strings.Contains(got, "|") {
			t.Errorf("%s: %q", tt.name, got)
		}
	}
}
