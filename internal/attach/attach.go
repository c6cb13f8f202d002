// Package attach works out the lines by which an MTA asks mailprofiled, for the
// machine that it runs on. It looks and changes nothing.
package attach

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"
)

// Ours is what mailprofiled is set to.
type Ours struct {
	Config  string        // its file, to be named in advice
	Sockets []string      // where it listens: "unix:/path", "inet:host:port", "inet6:[address]:port"
	Budget  time.Duration // the longest wait before one reply (dns.budget)
	Enforce bool          // it speaks; else it lets everything through
}

// A Paper is what is printed: lines for a file of the MTA, and what to know of them.
type Paper struct {
	b strings.Builder
	// Unfit says that the lines do not work before something else is done.
	Unfit bool
}

// String is the whole of it. All that is no line for the MTA is a comment there.
func (p *Paper) String() string { return p.b.String() }

func (p *Paper) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

// remark wraps words as comments behind mark.
func (p *Paper) remark(mark, format string, args ...any) {
	const width = 90
	line := mark
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		if len(line)+1+len(word) > width && line != mark {
			p.line("%s", line)
			line = mark
		}
		line += " " + word
	}
	p.line("%s", line)
}

// wait is how long the MTA should wait for one reply: longer than we do, and never
// shorter than 30 seconds. In whole seconds.
func wait(budget time.Duration) int {
	return max(30, int(math.Ceil(budget.Seconds()))+10)
}

// below gives the path of a unix socket relative to dir, if it lies there.
func below(dir, socket string) (string, bool) {
	path, ok := strings.CutPrefix(socket, "unix:")
	if !ok || dir == "" {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == "." || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return rel, true
}
