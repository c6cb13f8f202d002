package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mailprofiled/internal/admin"
)

// configuration tells whether the files can be used.
func (e *exam) configuration() {
	if e.Config != nil && len(e.MistakesAs) > 0 {
		e.say(Error, "config", "", e.letRead(e.MistakesAs[0]), "user %s, as whom the daemon runs, cannot use %s, and none starts with it: %s", e.user(), e.ConfigPath, e.MistakesAs[0])
		return
	}
	if e.Config != nil {
		e.ok("config", "", "%s can be used", e.ConfigPath)
		return
	}
	first := ""
	if len(e.Mistakes) > 0 {
		first = ": " + e.Mistakes[0]
	}
	e.say(Error, "config", "", []string{"mailprofiled check --config " + e.ConfigPath}, "%s has %s, and no daemon starts with it%s", e.ConfigPath, count(max(1, len(e.Mistakes)), "mistake"), first)
}

// letRead gives the lines that let the daemon's user read the file of a mistake.
func (e *exam) letRead(mistake string) []string {
	again := "runuser -u " + e.user() + " -- mailprofiled check --config " + e.ConfigPath
	path, _, found := strings.Cut(mistake, ":")
	who, err := LookupWho(e.user())
	if !found || err != nil || !filepath.IsAbs(path) {
		return []string{again}
	}
	group := groupName(who.GID)
	if b := passable("", filepath.Dir(path), who); b != nil && !b.absent && !b.Unseen {
		return []string{fmt.Sprintf("chgrp %s %s && chmod g+rx %[2]s", group, quotePath(b.Path)), again}
	}
	info, err := os.Stat(path)
	if err != nil {
		return []string{again}
	}
	if uid, gid := owner(info); who.may(4, info.Mode().Perm(), uid, gid) {
		return []string{again}
	}
	return []string{fmt.Sprintf("chgrp %s %s && chmod 0640 %[2]s", group, quotePath(path)), again}
}

// daemon tells whether it runs, and by these settings.
func (e *exam) daemon() {
	s := e.Status
	switch {
	case s != nil:
	case errors.Is(e.StatusErr, fs.ErrPermission):
		e.say(Note, "daemon-running", "", []string{"sudo mailprofiled doctor"}, "the daemon could not be asked, for want of permission: %v", e.StatusErr)
		return
	case errors.Is(e.StatusErr, admin.ErrNoDaemon):
		e.say(Error, "daemon-running", "", []string{e.service("start"), e.service("status")}, "no daemon answers: mail is not judged, or held up, as the MTA is told to do then")
		return
	case e.StatusErr != nil:
		e.say(Error, "daemon-running", "", []string{e.service("restart")}, "the daemon does not answer as it should: %v", e.StatusErr)
		return
	default:
		e.say(Note, "daemon-running", "", []string{`admin.control = "/run/mailprofiled/control.sock"    # in ` + e.ConfigPath}, "admin.control is off: a daemon cannot be asked")
		return
	}
	e.ok("daemon-running", "", "pid %d, since %s, mode %s", s.PID, s.Started.UTC().Format("2006-01-02 15:04"), s.Mode)
	if s.Version != e.Version || s.Commit != e.Commit {
		e.say(Warning, "daemon-version", "", []string{e.service("restart")}, "the daemon is %s (%s), this program %s (%s)", s.Version, s.Commit, e.Version, e.Commit)
	} else {
		e.ok("daemon-version", "", "%s, as this program", s.Version)
	}
	e.settings(s)
	switch {
	case s.Store.Path == "":
	case !s.Store.Kept:
		e.say(Error, "state-kept", "", remedies(s.Store.Remedy), "the state is not kept on disk: %s", s.Store.Error)
	case s.Store.SetAside > 0:
		e.say(Warning, "state-kept", "", []string{"ls -l " + s.Store.Path + "/state.*.corrupt-*"},
			"%d files of the state had damage, and are kept beside it; what was whole in them is in use: look at them, then take them away", s.Store.SetAside)
	default:
		e.ok("state-kept", "", "changes are on disk within a second")
	}
}

// settings tells whether the daemon judges as the files say.
func (e *exam) settings(s *admin.Status) {
	if n := len(s.Config.Refused); n > 0 {
		e.say(Warning, "daemon-settings", "", []string{"mailprofiled check --config " + e.ConfigPath, "mailprofiled reload --config " + e.ConfigPath},
			"the last reload was refused, what was before it holds: %s", s.Config.Refused[0])
		return
	}
	if e.Config == nil {
		return
	}
	if s.Config.Settings != e.Config.SettingsID() {
		e.say(Warning, "daemon-settings", "", []string{"mailprofiled reload --config " + e.ConfigPath}, "the daemon judges by other settings than %s says", e.ConfigPath)
		return
	}
	var shut []string
	for _, d := range e.Config.Doors() {
		if !slices.Contains(s.Listen, d.Listen) {
			shut = append(shut, d.Listen)
		}
	}
	if len(shut) > 0 {
		e.say(Warning, "daemon-settings", "", []string{e.service("restart")}, "the daemon does not listen at %s", strings.Join(shut, ", "))
		return
	}
	e.ok("daemon-settings", "", "the daemon judges as %s says, policy %s", e.ConfigPath, s.Policy)
}

func remedies(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
