package accounts

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/internal/ownfile"
)

// A Problem is what is wrong with a file, and the way out.
type Problem = ownfile.Problem

// A File is a file of accounts that is followed. It is safe for concurrent use;
// whoever asks is never held up by a Refresh.
type File struct {
	path  string
	rules Rules
	list  atomic.Pointer[List]

	mu      sync.Mutex  // of Refresh
	taken   fs.FileInfo // the version of list
	refused fs.FileInfo // the version looked at last that was not taken
	said    string      // what was said then
}

// A Change is a new version that was taken in.
type Change struct{ Accounts, Before int }

// Open reads the file at path, which has names by the rules. Without a File it cannot be used, and the problems
// say why; with one they tell of lines that were left out, or are odd.
func Open(path string, rules Rules, now time.Time) (*File, []Problem) {
	list, info, problems := load(path, rules, now)
	if list == nil {
		return nil, problems
	}
	f := &File{path: path, rules: rules, taken: info}
	f.list.Store(list)
	return f, problems
}

// Path gives the path that was opened.
func (f *File) Path() string { return f.path }

// Rules gives the rules that it was opened with.
func (f *File) Rules() Rules { return f.rules }

// List gives the version in use, never nil.
func (f *File) List() *List { return f.list.Load() }

// Find is that of the version in use.
func (f *File) Find(login string) (Account, bool) { return f.list.Load().Find(login) }

// Refresh looks at the file, and takes it in if it has changed and been left alone
// for two seconds; it costs a stat otherwise. A version that cannot be used changes
// nothing, and is told once.
func (f *File) Refresh(now time.Time) (*Change, []Problem) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return nil, f.refuse(nil, []Problem{unreadable(f.path, err)})
	}
	if ownfile.Same(info, f.taken) {
		f.refused, f.said = nil, ""
		return nil, nil
	}
	if age := now.Sub(info.ModTime()); ownfile.Same(info, f.refused) || age >= 0 && age < ownfile.Quiet {
		return nil, nil
	}
	list, info, problems := load(f.path, f.rules, now)
	if list == nil {
		return nil, f.refuse(info, problems)
	}
	before := f.List().Len()
	f.list.Store(list)
	f.taken, f.refused, f.said = info, nil, ""
	if list.Len() == 0 && before > 0 {
		problems = append(problems, Problem{File: f.path, What: "no accounts any more", Remedy: "if that is not meant, see what has emptied it", Warning: true})
	}
	return &Change{list.Len(), before}, problems
}

// refuse notes a version that is not taken, and gives what is new to say of it.
func (f *File) refuse(info fs.FileInfo, problems []Problem) []Problem {
	f.refused = info
	first := problems[0].String()
	if f.said == first {
		return nil
	}
	f.said = first
	problems[0].What += " (the version before stays in use)"
	return problems
}

// load reads a file. The FileInfo is nil where it could not even be looked at.
func load(path string, rules Rules, now time.Time) (*List, fs.FileInfo, []Problem) {
	var err error
	for range 3 {
		var list *List
		var info fs.FileInfo
		var problems []Problem
		if list, info, problems, err = loadOnce(path, rules, now); err == nil {
			return list, info, problems
		}
		if !errors.Is(err, ownfile.ErrChanged) {
			break
		}
	}
	return nil, nil, []Problem{unreadable(path, err)}
}

func loadOnce(path string, rules Rules, now time.Time) (*List, fs.FileInfo, []Problem, error) {
	f, info, err := ownfile.Open(path)
	if err != nil {
		return nil, nil, nil, err
	}
	defer f.Close()
	list, problems, err := Parse(f, path, rules, now)
	if err != nil {
		return nil, nil, nil, err
	}
	after, err := f.Stat()
	if err != nil {
		return nil, nil, nil, err
	}
	if !ownfile.Same(info, after) {
		return nil, nil, nil, ownfile.ErrChanged
	}
	return list, info, problems, nil
}

// unreadable words an error of reading for the operator.
func unreadable(path string, err error) Problem {
	return ownfile.Unreadable(path, err, "make it, empty if there is nothing to say yet, or take it out of accounts.file")
}
