package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mailprofiled/internal/doctor"
	"mailprofiled/milter"
)

// reachWord follows doctor where it runs itself once more, to become the MTA's user
// inside its chroot: a process can do that once, and not go back.
const reachWord = "reach"

// reachTime is how long one try may take.
const reachTime = 10 * time.Second

// reach connects to a place as a user, with root as its root directory, in a process
// of its own.
func reach(ctx context.Context, who doctor.Who, root, place string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime+5*time.Second)
	defer cancel()
	groups := make([]string, 0, len(who.Groups))
	for _, g := range who.Groups {
		groups = append(groups, strconv.Itoa(g))
	}
	cmd := exec.CommandContext(ctx, self, "doctor", reachWord, root, strconv.Itoa(who.UID), strconv.Itoa(who.GID), strings.Join(groups, ","), place)
	cmd.Args[0] = os.Args[0]
	cmd.Env = []string{}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(complaint.String()); text != "" {
			return errors.New(text)
		}
		return err
	}
	return nil
}

// runReach is the other side of reach.
func runReach(args []string, stderr io.Writer) int {
	if err := becomeAndReach(args); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return exitFine
}

func becomeAndReach(args []string) error {
	if len(args) != 5 {
		return errors.New("not for people: mailprofiled doctor runs this")
	}
	root, place := args[0], args[4]
	uid, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	groups := []int{gid}
	for text := range strings.SplitSeq(args[3], ",") {
		if g, err := strconv.Atoi(text); err == nil && g != gid {
			groups = append(groups, g)
		}
	}
	at, err := placeAddr(place) // names are looked up out here: Postfix has /etc/hosts in its chroot
	if err != nil {
		return err
	}
	if root != "" {
		if err := errors.Join(syscall.Chroot(root), syscall.Chdir("/")); err != nil {
			return fmt.Errorf("chroot %s: %w", root, err)
		}
	}
	if err := errors.Join(syscall.Setgroups(groups), syscall.Setresgid(gid, gid, gid), syscall.Setresuid(uid, uid, uid)); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), reachTime)
	defer cancel()
	return milter.Probe(ctx, at)
}

// placeAddr is a place, as milter.listen names it, as an address to connect to.
func placeAddr(place string) (net.Addr, error) {
	kind, rest, _ := strings.Cut(place, ":")
	switch kind {
	case "unix":
		return &net.UnixAddr{Name: rest, Net: "unix"}, nil
	case "inet", "inet6":
		return net.ResolveTCPAddr("tcp", rest)
	}
	return nil, fmt.Errorf("%q is no place to connect to", place)
}
