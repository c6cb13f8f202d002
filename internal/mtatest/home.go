package mtatest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// A postfixHome is where Postfix's programs lie, and as whom they run.
type postfixHome struct {
	root             string
	owner, dropGroup string
}

// unpackedPostfix is where .ci/deps leaves it on a machine with another mail
// server, from the project's own folder.
const unpackedPostfix = "build/deps/postfix"

// findPostfix looks below root, or where one is where root is "".
func findPostfix(root string) (postfixHome, error) {
	roots := []string{root}
	if root == "" {
		roots = []string{"/", unpackedPostfix}
	}
	var errs []error
	for _, r := range roots {
		abs, err := filepath.Abs(r)
		if err != nil {
			return postfixHome{}, err
		}
		home := postfixHome{root: abs, owner: "postfix", dropGroup: "postdrop"}
		if abs != "/" {
			// The package's own users are made when it is installed. Any two that
			// nobody else runs as will do; these every Debian has.
			home.owner, home.dropGroup = "uucp", "operator"
		}
		if _, err = os.Stat(home.daemons() + "/master"); err == nil {
			return home, nil
		}
		errs = append(errs, err)
	}
	return postfixHome{}, fmt.Errorf("no Postfix here (run .ci/deps): %w", errors.Join(errs...))
}

func (h postfixHome) libraries() string { return filepath.Join(h.root, "usr/lib/postfix") }

func (h postfixHome) daemons() string { return filepath.Join(h.libraries(), "sbin") }

// env is what its programs need to find their libraries.
func (h postfixHome) env() []string {
	if h.root == "/" {
		return nil
	}
	return []string{"LD_LIBRARY_PATH=" + h.libraries()}
}
