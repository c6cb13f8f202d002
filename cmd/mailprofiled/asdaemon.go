package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/doctor"
)

// packagedUser is the user that the packages make for the daemon.
const packagedUser = "mailprofiled"

// asDaemonTime is how long the configuration may be looked at as the daemon's user:
// files of a directory may be large.
const asDaemonTime = 30 * time.Second

// daemonUser is as whom a daemon with that configuration runs: whose the control
// socket is, else the user that packages make. "": neither is there.
func daemonUser(path string) string {
	if control := config.ControlSocket(path); control != "" {
		if name, ok := ownerOf(control); ok {
			return name
		}
	}
	if _, err := user.Lookup(packagedUser); err == nil {
		return packagedUser
	}
	return ""
}

// mistakesAs gives the mistakes that check finds as that user: what root may read, the
// daemon may not. There are none where it cannot be tried: by anybody but root, say.
func mistakesAs(ctx context.Context, name, path string) []string {
	who, err := doctor.LookupWho(name)
	if err != nil || os.Geteuid() != 0 || who.UID == 0 {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, asDaemonTime)
	defer cancel()
	cred := &syscall.Credential{Uid: uint32(who.UID), Gid: uint32(who.GID)}
	for _, g := range who.Groups {
		cred.Groups = append(cred.Groups, uint32(g))
	}
	cmd := exec.CommandContext(ctx, self, "check", "--config", path)
	cmd.Args[0] = os.Args[0]
	cmd.Dir, cmd.Env = "/", []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	var out bytes.Buffer
	cmd.Stdout = &out
	var failed *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &failed) || failed.ExitCode() != exitFailed {
		return nil
	}
	var mistakes []string
	for line := range strings.Lines(out.String()) {
		if line = strings.TrimSpace(line); line != "" && !strings.Contains(line, ": warning: ") {
			mistakes = append(mistakes, line)
		}
	}
	return mistakes
}
