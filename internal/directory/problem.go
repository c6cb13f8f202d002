package directory

import "mailprofiled/internal/ownfile"

// A Problem is what is wrong with a file, and the way out.
type Problem = ownfile.Problem

// maxProblems are told of one file, and how many more there are.
const maxProblems = 20

// A mistake is what is wrong with a line.
type mistake struct {
	what, remedy string
	beside       bool // the address was taken, and the mistake is in what stands beside it
}
