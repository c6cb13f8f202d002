package doctor

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"mailprofiled/internal/admin"
)

// configuration tells whether the files can be used.
func (e *exam) configuration() {
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
