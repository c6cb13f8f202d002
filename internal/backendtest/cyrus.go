package backendtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// cyrusUser is whom Cyrus runs as once its socket is open; Debian always has it.
const cyrusUser = 1 // daemon

// Cyrus is one that tells Postfix by a socketmap which mailboxes there are (smmapd).
type Cyrus struct {
	*Server
	Map string // as behind "socketmap:" in Postfix
}

// StartCyrus starts one.
func StartCyrus(deps string) (*Cyrus, error) {
	s, err := newServerFrom(filepath.Join(deps, "cyrus"), "cyrus", false)
	if err != nil {
		return nil, err
	}
	// A library of the packages lies in /lib, which is not laid over.
	libraries, err := filepath.Glob(s.root + "/lib/*-linux-gnu")
	if err != nil {
		return nil, err
	}
	s.env = []string{"LD_LIBRARY_PATH=" + strings.Join(libraries, ":")}
	for _, name := range []string{"conf", "mail"} {
		if err := errors.Join(os.Mkdir(s.path(name), 0o755), os.Chown(s.path(name), cyrusUser, cyrusUser)); err != nil {
			return nil, err
		}
	}
	conf := fmt.Sprintf("configdirectory: %[1]s/conf\npartition-default: %[1]s/mail\ndefaultpartition: default\nvirtdomains: userid\ndefaultdomain: %[2]s\n"+
		"unixhierarchysep: yes\ncyrus_user: daemon\nadmins: root\n", s.dir, Domain)
	flags := "-C " + s.path("imapd.conf")
	services := fmt.Sprintf("START {\n recover cmd=\"ctl_cyrusdb %[1]s -r\"\n}\nSERVICES {\n smmap cmd=\"smmapd %[1]s\" listen=%[2]q prefork=0\n}\n", flags, s.Addr())
	if err := errors.Join(s.write("imapd.conf", conf), s.write("cyrus.conf", services)); err != nil {
		return nil, err
	}
	var boxes []string
	for _, name := range []string{Joe, Amy} {
		boxes = append(boxes, fmt.Sprintf(`%q: {"mtime": "1", "uidvalidity": "1", "createdmodseq": "1", "foldermodseq": "1", "mbtype": "e", "partition": "default", "uniqueid": %q, "acl": {%q: "lrswipkxtecdan", "anyone": "p"}}`,
			Domain+"!user."+name, "unique-"+name, name+"@"+Domain))
	}
	const bin = "/usr/lib/cyrus/bin/"
	if err := s.do("", append([]string{bin + "ctl_cyrusdb", "-r"}, strings.Fields(flags)...)...); err != nil {
		return nil, err
	}
	if err := s.do("{\n"+strings.Join(boxes, ",\n")+"\n}\n", append([]string{bin + "ctl_mboxlist", "-u"}, strings.Fields(flags)...)...); err != nil {
		return nil, err
	}
	s.argv = append([]string{bin + "master", "-M", s.path("cyrus.conf"), "-D", "-p", s.path("master.pid")}, strings.Fields(flags)...)
	return &Cyrus{s, "inet:" + s.Addr() + ":users"}, s.Start()
}
