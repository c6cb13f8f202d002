package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version, commit and the time of the commit, in seconds since 1970, are set by the
// linker in a release; a build from a checkout takes the latter two from the build
// information.
var (
	version    = "0.1.0"
	commit     = ""
	commitTime = ""
)

func runVersion(args []string, stdout, stderr io.Writer) int {
	fs := newFlags("version", "Prints version, commit, Go version and platform.")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	fmt.Fprintf(stdout, "mailprofiled %s (%s, %s, %s/%s)\n", version, revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return exitFine
}

func revision() string {
	if commit != "" {
		return commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "commit unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "commit unknown"
}
