package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// clock tells whether the machine's clock can be right. DNS tells the time to some
// days only, by when the root's signatures hold; the kernel, whether somebody sets it.
func (e *exam) clock(ctx context.Context) {
	set := []string{"timedatectl set-ntp true    # or: apt install chrony"}
	now := e.Now
	if !e.Built.IsZero() && now.Before(e.Built.Add(-24*time.Hour)) {
		e.say(Error, "clock", "", set, "it is %s by the clock, and the program was made on %s: the clock is slow", stamp(now), stamp(e.Built))
		return
	}
	if s := e.Status; s != nil {
		if ahead := s.Started.Sub(now); ahead > time.Minute {
			e.say(Error, "clock", "", set, "it is %s by the clock, and the daemon was started at %s: the clock was set back", moment(now), moment(s.Started))
			return
		}
		if w := s.Store.LastWrite; w.Sub(now) > time.Minute {
			e.say(Error, "clock", "", set, "it is %s by the clock, and the state was written at %s: the clock was set back", moment(now), moment(w))
			return
		}
	}
	from, until, err := e.signatures(ctx)
	switch {
	case err == nil && (now.Before(from) || now.After(until)):
		e.say(Error, "clock", "", set, "it is %s by the clock, and DNS has signatures from %s to %s: the clock is wrong by days", stamp(now), stamp(from), stamp(until))
	case !synchronised():
		e.say(Note, "clock", "", set, "the kernel knows of nobody who sets the clock: waits, limits and ages go by it")
	case err != nil:
		e.ok("clock", "", "it is set by somebody; DNS has told nothing of the time (%v)", err)
	default:
		e.ok("clock", "", "it is set by somebody, and within the days that DNS tells")
	}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02") }

// synchronised reports whether the kernel says that somebody keeps the clock right
// (adjtimex(2), STA_UNSYNC); where it says nothing, it may be so.
func synchronised() bool {
	const unsynchronised = 0x40
	var t syscall.Timex // no modes: nothing is set
	_, err := syscall.Adjtimex(&t)
	return err != nil || t.Status&unsynchronised == 0
}

// Room on the state's disk, in bytes.
const (
	little = 256 << 20
	tiny   = 32 << 20
	// fewFiles is how many files must be left: the state has a handful, and makes new ones.
	fewFiles = 100
)

// state looks at the directory that outlives the daemon.
func (e *exam) state() {
	if e.Config == nil {
		return
	}
	dir := e.Config.State.Path
	make := fmt.Sprintf("install -d -o %s -g %[1]s -m 0700 %s", e.user(), quotePath(dir))
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.say(Warning, "state-directory", "", []string{make, e.service("restart")}, "%s is not there: limits, and who came back, begin anew with each start", dir)
		return
	case err != nil:
		e.say(Note, "state-directory", "", []string{"sudo mailprofiled doctor"}, "the state could not be looked at: %v", err)
		return
	case !info.IsDir():
		e.say(Error, "state-directory", "", []string{make}, "%s is no directory", dir)
		return
	}
	e.owned(dir, info)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		e.say(Note, "state-space", "", nil, "%s: %v", dir, err)
		return
	}
	const readOnly = 1 // ST_RDONLY
	free := disk.Bavail * uint64(disk.Bsize)
	switch {
	case disk.Flags&readOnly != 0:
		e.say(Error, "state-space", "", []string{"mount -o remount,rw " + quotePath(dir) + "    # or give state.path a place that can be written"}, "%s is mounted read-only", dir)
	case free < tiny || disk.Files > 0 && disk.Ffree < fewFiles:
		e.say(Error, "state-space", "", []string{"df -h " + quotePath(dir), "df -i " + quotePath(dir)}, "the disk of %s is full: %d MiB and %d files are left", dir, free>>20, disk.Ffree)
	case free < little:
		e.say(Warning, "state-space", "", []string{"df -h " + quotePath(dir)}, "the disk of %s is nearly full: %d MiB are left", dir, free>>20)
	default:
		e.ok("state-space", "", "%d MiB are left for %s", free>>20, dir)
	}
}

// owned looks whether the daemon's user may write.
func (e *exam) owned(dir string, info fs.FileInfo) {
	uid, gid := owner(info)
	fix := []string{fmt.Sprintf("chown -R %s:%[1]s %s && chmod 0700 %[2]s", e.user(), quotePath(dir)), e.service("restart")}
	if who, err := LookupWho(e.user()); err == nil && !who.may(3, info.Mode().Perm(), uid, gid) {
		e.say(Error, "state-directory", "", fix, "user %s may not write to %s (%s)", who.Name, dir, described(info))
		return
	}
	if info.Mode().Perm()&0o027 != 0 {
		e.say(Warning, "state-directory", "", fix[:1], "%s is %s: others may read the keys of hashes there, or write", dir, described(info))
		return
	}
	e.ok("state-directory", "", "%s is %s", dir, described(info))
}
