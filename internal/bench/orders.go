package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
)

// orders are what a role does when it is told to, one a line; each is answered
// by a line.
type orders struct {
	loads map[string]load // what this role can be told to do, by the order
	cpu   *os.File        // the profile being taken
}

// A load does something for the senders from..to-1, at of them at once.
type load func(from, to, at int) error

func (o *orders) obey(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		answer, err := o.do(lines.Text())
		if err != nil {
			answer = "error " + strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, answer); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (o *orders) do(line string) (string, error) {
	var from, to, at int
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "memory": // as it is: what has been allocated so far
		return allocated(), nil
	case "collect": // after a collection: what is held
		runtime.GC()
		runtime.GC() // the first one moves what pools hold into their second chance
		return allocated(), nil
	case "profile": // write profiles to files that begin so
		return "ok", o.profile(rest)
	case "profiled":
		return "ok", o.profiled(rest)
	}
	do, ok := o.loads[word]
	if !ok {
		return "", fmt.Errorf("no order %q", line)
	}
	if _, err := fmt.Sscan(rest, &from, &to, &at); err != nil {
		return "", err
	}
	return "ok", do(from, to, at)
}

// A use is what memory answers.
type use struct {
	mallocs, bytes uint64 // allocated since the start
	heap, stacks   int64  // held, in bytes
}

func allocated() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Sprintf("%d %d %d %d", m.Mallocs, m.TotalAlloc, m.HeapAlloc, m.StackInuse)
}

// use asks a role what it has allocated, or holds.
func (p *process) use(order string) (use, error) {
	line, err := p.order(order)
	if err != nil {
		return use{}, err
	}
	var u use
	_, err = fmt.Sscan(line, &u.mallocs, &u.bytes, &u.heap, &u.stacks)
	return u, err
}

// profiled writes profiles of a role while do runs, if they are wanted.
func (b *bench) profiled(p *process, do func() error) error {
	if b.profile == "" {
		return do()
	}
	path, err := filepath.Abs(filepath.Join(b.profile, p.name))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.profile, 0o777); err != nil {
		return err
	}
	if _, err := p.order("profile", path); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	b.print("profiles: %s.cpu and .allocs", path)
	_, err = p.order("profiled", path)
	return err
}

// profile begins to write a CPU profile.
func (o *orders) profile(path string) (err error) {
	if o.cpu, err = os.Create(path + ".cpu"); err != nil {
		return err
	}
	return pprof.StartCPUProfile(o.cpu)
}

// profiled ends it, and writes that of all allocations since the start beside it.
func (o *orders) profiled(path string) error {
	pprof.StopCPUProfile()
	if err := o.cpu.Close(); err != nil {
		return err
	}
	f, err := os.Create(path + ".allocs")
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.Lookup("allocs").WriteTo(f, 0)
}
