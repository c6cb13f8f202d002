package backendtest

import (
	"errors"
	"fmt"
	"os"
)

// Dovecot is one that takes mail by LMTP.
type Dovecot struct {
	*Server
	Socket string // the same on a unix socket
}

// StartDovecot starts one.
func StartDovecot(deps string) (*Dovecot, error) {
	s, err := newServer(deps, "dovecot", false)
	if err != nil {
		return nil, err
	}
	userdb := "{\n  driver = passwd-file\n  args = " + s.path("users") + "\n}\n"
	conf := fmt.Sprintf("base_dir = %[1]s/run\nstate_dir = %[1]s/state\nmail_location = maildir:%[1]s/mail/%%u\n", s.dir) +
		"auth_username_format = %Lu\ndefault_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = daemon\n" +
		"protocols = lmtp\nlisten = 127.0.0.1\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nhostname = mx.test\n" +
		"userdb " + userdb + "passdb " + userdb +
		fmt.Sprintf("service lmtp {\n  inet_listener lmtp {\n    port = %d\n  }\n}\n", s.Port)
	users := ""
	for _, name := range []string{Joe, Amy} {
		users += fmt.Sprintf("%s@%s:{PLAIN}x:%d:%d::/nonexistent::\n", name, Domain, nobodyUser, nobodyGroup)
	}
	if err := errors.Join(os.Mkdir(s.path("run"), 0o755), os.Mkdir(s.path("state"), 0o755), s.write("dovecot.conf", conf), s.write("users", users)); err != nil {
		return nil, err
	}
	s.argv = []string{"/usr/sbin/dovecot", "-F", "-c", s.path("dovecot.conf")}
	s.ready = "starting up for lmtp"
	return &Dovecot{s, s.path("run/lmtp")}, s.Start()
}
