package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkStrangers warns where a site begins to refuse before it has said which
// clients are its own: printers and programs greet as they like.
func (l *loader) checkStrangers(c *Config) {
	if !c.Monitor && len(c.Exempt.Networks) == 0 && l.sound("exempt.networks") && !c.listenersExempt() {
		l.at("exempt.networks", "mode").warn(`mode is "enforce" and exempt.networks is empty: your own machines are judged as strangers`,
			"name what Postfix has in mynetworks, your backup MX and relays (if there are none, this machine's own address)")
	}
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
