package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A Barred is what keeps a user from a socket.
type Barred struct {
	Path   string // of the directory or socket that is in the way
	Why    string
	Unseen bool // it may be that nothing is: we could not look
	socket bool // Path is the socket's, not that of a directory above it
	absent bool // it is not there
	parent bool // Path is the socket's own directory
}

// Look looks whether a user whose root directory is root ("" for the machine's) may
// use the socket at a path, by mode and owner of all that is on the way; nil where
// nothing bars it. Access control lists and security modules are not looked at.
func Look(root, path string, who Who) *Barred {
	if b := passable(root, filepath.Dir(path), who); b != nil {
		return b
	}
	info, err := os.Stat(path)
	if err != nil {
		return missing(path, err, true, false)
	}
	uid, gid := owner(info)
	switch {
	case info.Mode()&fs.ModeSocket == 0:
		return &Barred{Path: path, Why: path + " is no socket", socket: true}
	case !who.may(2, info.Mode().Perm(), uid, gid):
		return &Barred{Path: path, Why: fmt.Sprintf("%s is %s: it may not be written to", path, described(info)), socket: true}
	}
	return nil
}

// passable looks whether a user may pass all directories below root down to dir.
func passable(root, dir string, who Who) *Barred {
	step := filepath.Clean("/" + root)
	below := strings.Trim(strings.TrimPrefix(dir, step), "/")
	for name := range strings.SplitSeq(below, "/") {
		if name == "" {
			continue
		}
		step = filepath.Join(step, name)
		info, err := os.Stat(step)
		if err != nil {
			return missing(step, err, false, step == dir)
		}
		uid, gid := owner(info)
		if !info.IsDir() {
			return &Barred{Path: step, Why: step + " is no directory", parent: step == dir}
		}
		if !who.may(1, info.Mode().Perm(), uid, gid) {
			return &Barred{Path: step, Why: fmt.Sprintf("%s is %s: it may not be passed", step, described(info)), parent: step == dir}
		}
	}
	return nil
}

func missing(path string, err error, socket, parent bool) *Barred {
	b := &Barred{Path: path, socket: socket, parent: parent}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.Why, b.absent = path+" is not there", true
	default:
		b.Why, b.Unseen = err.Error(), true
	}
	return b
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// described writes owner and mode as people know them: "mailprofiled:root 0700".
func described(info fs.FileInfo) string {
	uid, gid := owner(info)
	return fmt.Sprintf("%s:%s %04o", userName(uid), groupName(gid), octal(info.Mode()))
}

func octal(m fs.FileMode) fs.FileMode {
	o := m.Perm()
	if m&fs.ModeSetgid != 0 {
		o |= 0o2000
	}
	return o
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

func groupName(gid int) string {
	if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
		return g.Name
	}
	return strconv.Itoa(gid)
}

// remedy gives the lines that let a user through.
func (b *Barred) remedy(e *exam, who Who) []string {
	group := groupName(who.GID)
	switch {
	case b.socket && b.absent:
		return []string{e.service("restart"), e.service("status")}
	case b.absent && b.parent:
		return []string{fmt.Sprintf("install -d -o %s -g %s -m 2710 %s", e.user(), group, quotePath(b.Path)), e.service("restart")}
	case b.absent:
		return []string{"mkdir -m 0755 -p " + quotePath(b.Path)}
	case b.socket:
		return []string{
			fmt.Sprintf("chgrp %s %s && chmod 0660 %[2]s    # now", group, quotePath(b.Path)),
			fmt.Sprintf("milter.socket_group = %q    # and for good, in %s; then: %s", group, e.ConfigPath, e.service("restart")),
		}
	case b.parent:
		return []string{fmt.Sprintf("chown %s:%s %s && chmod 2710 %[3]s", e.user(), group, quotePath(b.Path)), e.service("restart")}
	}
	return []string{"chmod o+x " + quotePath(b.Path)}
}

// quotePath quotes a path where a shell wants it.
func quotePath(path string) string {
	for _, r := range path {
		if !strings.ContainsRune("/._-+@:", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return quote(path)
		}
	}
	return path
}
