package directory

import "strconv"

// A Problem is what is wrong with a file, and the way out.
type Problem struct {
	File    string
	Line    int // from 1; 0 for the file as a whole
	What    string
	Remedy  string
	Warning bool // nothing was left out for it
}

// String gives the problem as "file:line: what; remedy".
func (p Problem) String() string {
	where, kind := p.File, ""
	if p.Line > 0 {
		where += ":" + strconv.Itoa(p.Line)
	}
	if p.Warning {
		kind = "warning: "
	}
	return where + ": " + kind + p.What + "; " + p.Remedy
}

// maxProblems are told of one file, and how many more there are.
const maxProblems = 20

// A mistake is what is wrong with a line.
type mistake struct {
	what, remedy string
}
