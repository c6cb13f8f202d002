package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"mailprofiled/internal/dnstest"
	"mailprofiled/internal/mtatest"
)

// A stage is the world of the demo: DNS, the daemon and a Postfix, and a
// temporary folder that holds all they have.
type stage struct {
	dir     string
	dns     *dnstest.Server
	daemon  *daemon
	postfix *mtatest.Postfix
}

func newStage() (*stage, error) {
	dir, err := os.MkdirTemp("", "mailprofiled-demo-")
	if err != nil {
		return nil, err
	}
	// Postfix runs as a user of its own and must reach the socket in there.
	return &stage{dir: dir}, os.Chmod(dir, 0o755)
}

// raise starts everything; strike ends it, also when raise has failed half way.
func (s *stage) raise(ctx context.Context) (err error) {
	if err := build(ctx, s.path("mailprofiled")); err != nil {
		return err
	}
	if s.dns, err = dnstest.Start(world); err != nil {
		return err
	}
	s.dns.Delay(dnsDelay)
	for _, name := range silent {
		s.dns.Misbehave(name, dnstest.Timeout)
	}
	if err := os.WriteFile(s.path(configName), []byte(s.config()), 0o644); err != nil {
		return err
	}
	if err := os.Mkdir(s.path(stateName), 0o700); err != nil {
		return err
	}
	if s.daemon, err = startDaemon(ctx, s.dir); err != nil {
		return err
	}
	if err := os.Mkdir(s.path("postfix"), 0o755); err != nil {
		return err
	}
	s.postfix, err = mtatest.StartPostfix(mtatest.PostfixOptions{
		Dir:        s.path("postfix"),
		Hostname:   ourName,
		Domains:    []string{ourDomain},
		MilterAddr: "unix:" + s.path(socketName),
		XCLIENT:    true,
	})
	if err != nil {
		return err
	}
	return s.warmUp()
}

// warmUp has Postfix start the processes it needs for the first mail: a wait of
// its own, which is not to stand in the table. A client of this machine is exempt.
func (s *stage) warmUp() error {
	c, err := mtatest.Dial("", s.postfix.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do("EHLO localhost"); err != nil {
		return err
	}
	if _, err := c.SendMail("", "jo@"+ourDomain); err != nil {
		return err
	}
	return c.Quit()
}

// strike ends what raise started, and only that, and removes the folder.
func (s *stage) strike() (err error) {
	if s.postfix != nil {
		err = s.postfix.Stop()
	}
	if s.daemon != nil {
		err = errors.Join(err, s.daemon.stop())
	}
	if s.dns != nil {
		s.dns.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// The files of the stage that are shown to the reader.
const (
	configName = "mailprofiled.toml"
	logName    = "mailprofiled.log"
	socketName = "milter.sock"
	pageName   = "page.sock"
	stateName  = "state"
)

// config is what the daemon is told. Where Postfix is only unpacked, beside the
// machine's own mail server, it has no group and runs as some other user.
func (s *stage) config() string {
	group := "postfix"
	if _, err := user.LookupGroup(group); err != nil {
		group = ""
	}
	return demoConfig(s.dir, s.dns.Addr().String(), group)
}

// demoConfig is what a site would say, and where to listen, ask and keep its state here:
// nothing of a daemon that the machine has is touched. Without a group everybody may connect.
func demoConfig(dir, server, group string) string {
	door := fmt.Sprintf("milter.socket_group = %q", group)
	if group == "" {
		door = `milter.socket_mode  = "0666"`
	}
	return fmt.Sprintf(`mode                = "enforce"
us.domains          = [%q]
exempt.networks     = ["10.0.0.0/8"]
milter.listen       = ["unix:%s"]
%s
admin.control       = %q
admin.listen        = "unix:%s"
state.path          = %q
dns.servers         = [%q]
dns.budget          = %q
retry.after         = %q

[[lists.own]]
id    = "watch"
zone  = "bl.watch.example"
ask   = ["ip4"]
at    = ["connect"]
codes = [{ answer = "127.0.0.2", points = 10.0, meaning = "wrote to spam traps" }]
test  = { listed = "127.0.0.2", unlisted = "127.0.0.1" }
`, ourDomain, filepath.Join(dir, socketName), door, filepath.Join(dir, "control.sock"), filepath.Join(dir, pageName), filepath.Join(dir, stateName), server, dnsBudget, retryAfter)
}
