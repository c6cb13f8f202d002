package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// checkStrangers warns where a site begins to refuse before it has said which
// clients are its own: printers and programs greet as they like.
func (l *loader) checkStrangers(c *Config) {
	if !c.Monitor && len(c.Exempt.Networks) == 0 && l.sound("exempt.networks") && !c.listenersExempt() {
		l.at("exempt.networks", "mode").warn(`mode is "enforce" and exempt.networks is empty: your own machines are judged as strangers`,
			"name what Postfix has in mynetworks, your backup MX and relays (if there are none, this machine's own address)")
	}
}

// checkState warns of a state.path that is named and cannot be kept in: then limits begin
// anew with each start. The default place is left out, as below.
func (l *loader) checkState(c *Config) {
	if !l.here || !l.isSet("state.path") || !l.sound("state.path") {
		return
	}
	what, remedy := "", "give it to the user that runs mailprofiled, with mode 0700"
	switch info, err := os.Stat(c.State.Path); {
	case errors.Is(err, fs.ErrNotExist):
		what, remedy = "there is no such directory, and nothing is kept: limits, blocked accounts and what is known of servers begin anew with each start",
			"create it, for the user that runs mailprofiled, with mode 0700"
	case err != nil:
		what = "it cannot be looked at: " + errors.Unwrap(err).Error()
	case !info.IsDir():
		what, remedy = "it is no directory, and nothing can be kept in it", "name a directory"
	case syscall.Access(c.State.Path, 0b11) != nil: // to write and to search
		what = "this user cannot write there, and nothing is kept if the daemon cannot either"
	default:
		return
	}
	l.at("state.path").warn("state.path is "+quote(c.State.Path)+": "+what, remedy)
}

// checkDirectories warns of sockets whose directory is missing on this machine.
// The default places are left out: the unit file makes their directory at the start.
func (l *loader) checkDirectories(c *Config) {
	if !l.here {
		return
	}
	places := map[string][]string{"admin.listen": {c.Admin.Listen}, "admin.control": {"unix:" + c.Admin.Control}}
	for _, door := range c.Doors() {
		places[door.key] = append(places[door.key], door.Listen)
	}
	for _, key := range sorted(places) {
		for _, place := range places[key] {
			path, isUnix := strings.CutPrefix(place, "unix:")
			if !isUnix || path == "" || !l.isSet(key) || !l.sound(key) {
				continue
			}
			dir := filepath.Dir(path)
			if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
				l.at(key).warn(keyName(key)+" is in "+quote(dir)+": there is no such directory", "create it, for the user that runs mailprofiled, before the start")
			}
		}
	}
}
