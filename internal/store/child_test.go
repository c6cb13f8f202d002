package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// childEnv makes the test's binary a daemon that keeps state in this directory,
// or, with tmpfsEnv too, one that meets a small disk there.
const (
	childEnv = "STORE_TEST_CHILD"
	tmpfsEnv = "STORE_TEST_TMPFS"
)

const childKeys = 500

func child(dir string) {
	if os.Getenv(tmpfsEnv) != "" {
		if err := meetSmallDisk(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	var mu sync.Mutex // lines come out in the order of what they tell
	say := func(what string, value uint64) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %d %d\n", what, value, time.Now().UnixNano())
	}
	s, err := open(Options{Dir: dir, minJournals: 50_000}, &osDisk{dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	n := newNumbers()
	s.Add("numbers", n)
	s.Start()
	n.onAsk = func() { say("ask", 0) }
	first, _ := strconv.ParseUint(os.Getenv("STORE_TEST_FIRST"), 10, 64)
	tick := time.NewTicker(200 * time.Microsecond)
	for value := first; ; value++ {
		<-tick.C
		n.set(value%childKeys, value)
		say("ack", value)
	}
}

// TestKill kills a process with SIGKILL while it changes its state, several times
// over one directory. What it had acknowledged before it was last asked is there,
// which is all but the last second.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	rnd := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	next := uint64(1)
	floor := map[uint64]uint64{} // what each key holds at least
	for round := range 4 {
		lines := killedAfter(t, dir, next, 3+rnd.IntN(2), rnd.IntN(500))
		asks := 0
		for _, l := range lines {
			if l.what == "ask" {
				asks++
			}
		}
		if asks < 2 {
			t.Fatalf("round %d: asked %d times in %d lines", round, asks, len(lines))
		}
		var longest, asked int64 // between two times of asking
		seen := 0
		for _, l := range lines {
			switch {
			case l.what == "ask":
				seen++
				if asked > 0 {
					longest = max(longest, l.at-asked)
				}
				asked = l.at
			case seen < asks-1: // it was asked for this one, and then for more
				floor[l.value%childKeys] = l.value
			}
		}
		last := lines[len(lines)-1]

		s := openDir(t, dir)
		got := s.numbers.copy()
		for key, value := range floor {
			if got[key] < value {
				t.Fatalf("round %d: key %d is %d, was %d when it was written\n%s", round, key, got[key], value, s.log)
			}
		}
		var lost time.Duration
		for _, l := range lines {
			if l.what == "ack" && got[l.value%childKeys] < l.value {
				lost = time.Duration(last.at - l.at)
				break
			}
		}
		t.Logf("round %d: %d changes, lost the last %v; the longest time between two writes was %v", round, len(lines)-asks, lost, time.Duration(longest))
		if lost > time.Second && time.Duration(longest) < time.Second { // else the machine let the process wait
			t.Errorf("round %d: lost the last %v", round, lost)
		}
		if s.loaded.Lost || s.log.count("level=ERROR") > 0 {
			t.Errorf("round %d:\n%s", round, s.log)
		}
		floor, next = maps.Clone(got), last.value+childKeys
		s.end(t)
	}
}

type line struct {
	what  string
	value uint64
	at    int64
}

// killedAfter starts a daemon, kills it when it has been asked so often and has
// then changed so much, and gives all that it said.
func killedAfter(t *testing.T, dir string, first uint64, asks, more int) []line {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, fmt.Sprintf("STORE_TEST_FIRST=%d", first))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []line
	killed := false
	for in := bufio.NewScanner(out); in.Scan(); {
		var l line
		if _, err := fmt.Sscan(in.Text(), &l.what, &l.value, &l.at); err != nil {
			if !killed {
				t.Errorf("%q: %v", in.Text(), err)
			}
			break // the last, torn
		}
		lines = append(lines, l)
		if l.what == "ask" {
			asks--
		} else if asks <= 0 {
			more--
		}
		if more < 0 && !killed {
			killed = true
			cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("%v, want killed", err)
	}
	return lines
}

// openDir opens and starts a store in a real directory.
func openDir(t testing.TB, dir string) *site {
	t.Helper()
	return begin(t, &osDisk{dir: dir})
}

// TestASmallDisk fills a file system of its own, in a mount namespace that goes
// with its process. Where that cannot be had, only the memDisk is ever full.
func TestASmallDisk(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, tmpfsEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // and what is mounted stays private to it
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, fs.ErrPermission) || strings.Contains(string(out), "cannot mount"):
		t.Logf("no file system of its own, that takes root (%v %s): see TestFaultsUnderWay for full disks", err, out)
	case err != nil:
		t.Errorf("%v: %s", err, out)
	}
}

func meetSmallDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		return fmt.Errorf("cannot mount: %w", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 180<<10), 0o600); err != nil {
		return err
	}
	n := newNumbers()
	start := func() (*Store, error) {
		s, err := open(Options{Dir: dir}, &osDisk{dir: dir})
		if err != nil {
			return nil, err
		}
		s.Add("numbers", n)
		s.Start()
		return s, nil
	}
	s, err := start()
	if err != nil {
		return err
	}
	for key := uint64(0); err == nil; key++ {
		for i := range uint64(500) {
			n.set(key*500+i, 1)
		}
		err = s.Sync(context.Background())
	}
	if st := s.Status(); !errors.Is(err, syscall.ENOSPC) || st.Kept || st.Remedy != "make room on the disk" {
		return fmt.Errorf("full: %v, %+v", err, st)
	}
	want := n.copy()
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Close(context.Background()); err != nil { // it tries at once
		return fmt.Errorf("with room again: %w", err)
	}
	n = newNumbers()
	if s, err = start(); err != nil {
		return err
	}
	if !maps.Equal(n.copy(), want) {
		return fmt.Errorf("%d keys after the start, want %d", n.Len(), len(want))
	}
	return s.Close(context.Background())
}
