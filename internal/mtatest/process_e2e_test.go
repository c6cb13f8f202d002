//go:build e2e

package mtatest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// groupMembers lists the processes of a group, by what /proc says of each.
func groupMembers(t *testing.T, group int) []string {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended since
		}
		// "pid (name) state ppid pgrp ...": the name may hold anything.
		_, after, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(after); len(f) > 2 && f[2] == strconv.Itoa(group) && f[0] != "Z" {
			members = append(members, string(text))
		}
	}
	return members
}
