package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A stage is a Set with one list file, and a clock.
type stage struct {
	*testing.T
	file string
	set  *Set
	now  time.Time
}

func newStage(t *testing.T, text string) *stage {
	file := write(t, filepath.Join(t.TempDir(), "deny.txt"), text, noon.Add(-time.Hour))
	return &stage{t, file, load(t, Rule{Match: []string{"file:" + file}}), noon}
}

// put writes a new version, as old as said.
func (s *stage) put(text string, age time.Duration) {
	s.Helper()
	write(s, s.file, text, s.now.Add(-age))
}

// refresh looks at the file a minute later, and wants these words.
func (s *stage) refresh(want ...string) {
	s.Helper()
	s.now = s.now.Add(time.Minute)
	s.refreshNow(want...)
}

func (s *stage) refreshNow(want ...string) {
	s.Helper()
	changes, problems := s.set.Refresh(s.now)
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	for _, p := range problems {
		got = append(got, p.String())
	}
	text := strings.ReplaceAll(strings.Join(got, "\n"), s.file, "FILE")
	if text != strings.Join(want, "\n") {
		s.Errorf("got  %s\nwant %s", text, strings.Join(want, "\n"))
	}
}

// denies tells whether a client is in the list.
func (s *stage) denies(client string, want bool) {
	s.Helper()
	if got := len(s.set.Peek(&Subject{Client: addr(client)}, s.now, nil)) > 0; got != want {
		s.Errorf("%s is denied: %v", client, got)
	}
}

func TestRefreshTakesWhatChanged(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	digest := s.set.Digest()
	s.refresh()
	s.put("192.0.2.2\n192.0.2.3\n", 0)
	s.refresh("FILE: 2 entries, 1 before")
	s.denies("192.0.2.1", false)
	s.denies("192.0.2.3", true)
	s.refresh()
	if bytes.Equal(digest, s.set.Digest()) {
		t.Error("the digest is the same")
	}
}

func TestRefreshWaitsForWhoeverWrites(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	s.put("192.0.2.2\n", 0)
	s.now = s.now.Add(quiet - 1)
	s.refreshNow()
	s.denies("192.0.2.1", true)
	s.now = s.now.Add(1)
	s.refreshNow("FILE: 1 entries, 1 before")
	s.denies("192.0.2.2", true)
}

func TestRefreshTakesWhatIsDatedInTheFuture(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	s.put("192.0.2.2\n", -time.Hour)
	s.refresh("FILE: 1 entries, 1 before")
}

func TestRefreshSeesARenamedFileOfTheSameSizeAndTime(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	beside := write(t, s.file+".new", "192.0.2.2\n", noon.Add(-time.Hour))
	if err := os.Rename(beside, s.file); err != nil {
		t.Fatal(err)
	}
	s.refresh("FILE: 1 entries, 1 before")
	s.denies("192.0.2.2", true)
}

func TestABadVersionChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(*stage) error
		want []string
	}{
		{"binary rubbish", func(s *stage) error { s.put("\x00\x01\x02\n\x00", 0); return nil },
			[]string{"FILE:1: binary data, not a list (the version before stays in use); see what has been put there"}},
		{"a page of the web", func(s *stage) error { s.put("<html>\n", 0); return nil },
			[]string{"FILE: the only line cannot be read (the version before stays in use)",
				`FILE:1: "<html>" is no address, network or domain; write a type before it (` + types + `), and # before a comment`}},
		{"a missing file", func(s *stage) error { return os.Remove(s.file) },
			[]string{"FILE: no such file (the version before stays in use); make it, empty if there is nothing to say yet, or take it out of the rule"}},
		{"a directory", func(s *stage) error { return errors.Join(os.Remove(s.file), os.Mkdir(s.file, 0o700)) },
			[]string{"FILE: a directory (the version before stays in use); name a file in it"}},
		{"a link to itself", func(s *stage) error {
			return errors.Join(os.Remove(s.file), os.Symlink(filepath.Base(s.file), s.file))
		}, []string{"FILE: a link that leads back to itself (the version before stays in use); see where it should lead"}},
		{"a link to nowhere", func(s *stage) error { return errors.Join(os.Remove(s.file), os.Symlink("nowhere", s.file)) },
			[]string{`FILE: a link to "nowhere", which is not there (the version before stays in use); make it, empty if there is nothing to say yet, or take it out of the rule`}},
		{"a pipe that nobody writes to", func(s *stage) error { return errors.Join(os.Remove(s.file), syscall.Mkfifo(s.file, 0o600)) },
			[]string{"FILE: not a regular file (the version before stays in use); name a file"}},
		{"a file too large", func(s *stage) error { return os.Truncate(s.file, maxFile+1) },
			[]string{"FILE: a file of 1024 MB (the version before stays in use); a list has at most 1024 MB"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, "192.0.2.1\n")
			digest := s.set.Digest()
			if err := test.make(s); err != nil {
				t.Fatal(err)
			}
			s.now = time.Now().Add(time.Hour) // not all of these have the time of the stage
			s.refresh(test.want...)
			s.refresh() // told once
			s.denies("192.0.2.1", true)
			if !bytes.Equal(digest, s.set.Digest()) {
				t.Error("the digest changed")
			}
			if u := s.set.Usage(s.now)[0].Files[0]; u.Trouble == "" || u.Entries != 1 {
				t.Errorf("%+v", u)
			}
			// By hand it is told again, and there is no new Set.
			if set, problems := Load([]Rule{{Match: []string{"file:" + s.file}}}, s.now, s.set); set != nil || len(problems) != len(test.want) {
				t.Error(set != nil, problems)
			}
			if err := os.RemoveAll(s.file); err != nil {
				t.Fatal(err)
			}
			s.put("192.0.2.1\n192.0.2.2\n", 0)
			s.refresh("FILE: 2 entries, 1 before")
			if u := s.set.Usage(s.now)[0].Files[0]; u.Trouble != "" {
				t.Errorf("%+v", u)
			}
		})
	}
}

func TestAFileThatWasEmptied(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	s.put("", 0)
	s.refresh("FILE: 0 entries, 1 before", "FILE: warning: no entries any more; if that is not meant, see what has emptied it")
	s.denies("192.0.2.1", false)
}

func TestABadVersionThatIsTakenBack(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	beside := s.file + ".good"
	if err := os.Rename(s.file, beside); err != nil {
		t.Fatal(err)
	}
	s.refresh("FILE: no such file (the version before stays in use); make it, empty if there is nothing to say yet, or take it out of the rule")
	if err := os.Rename(beside, s.file); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	if u := s.set.Usage(s.now)[0].Files[0]; u.Trouble != "" {
		t.Errorf("%+v", u)
	}
}

func TestWordsForWhatCannotBeRead(t *testing.T) {
	s := source{path: "/lists/deny.txt"}
	for want, err := range map[string]error{
		fmt.Sprintf("/lists/deny.txt: cannot be read: permission denied; the daemon runs as user %d: give that user read access, and search access to /lists", os.Getuid()): &fs.PathError{Op: "open", Path: s.path, Err: syscall.EACCES},
		"/lists/deny.txt: cannot be read: input/output error":                                   &fs.PathError{Op: "read", Path: s.path, Err: syscall.EIO},
		"/lists/deny.txt: changes while it is read; write a new file beside it and rename that": errChanged,
	} {
		if got := s.unreadable(err).String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestUsage(t *testing.T) {
	file := listFile(t, "192.0.2.1", "# nothing", "192.0.2.2", "gone.example expires=2026-01-01", "helo:x")
	rules := []Rule{
		{Match: []string{"client:198.51.100.1"}, Action: Allow},
		{Match: []string{"file:" + file}, Action: Deny, Owner: "jo"},
		{Match: []string{"helo:old"}, Action: Deny, Expires: noon.AddDate(0, 0, -3)},
	}
	s := load(t, rules...)
	later := noon.Add(time.Hour)
	s.Match(&Subject{Client: addr("192.0.2.1")}, noon, nil)
	s.Match(&Subject{Client: addr("192.0.2.1"), Helo: "x"}, later, nil)
	s.Match(&Subject{Helo: "old"}, later, nil)
	s.Peek(&Subject{Client: addr("198.51.100.1")}, later, nil)

	all := s.Usage(later)
	if u := all[0]; u.Hits != 0 || !u.Last.IsZero() || !u.Since.Equal(noon) || u.Expired {
		t.Errorf("%+v", u)
	}
	if u := all[1]; u.Hits != 2 || !u.Last.Equal(later) || u.Rule.Owner != "jo" {
		t.Errorf("%+v", u)
	}
	if u := all[2]; u.Hits != 0 || !u.Expired {
		t.Errorf("%+v", u)
	}
	f := all[1].Files[0]
	if f.File != file || f.Entries != 4 || f.Expired != 1 || f.Hits != 2 || !f.Last.Equal(later) || !f.Loaded.Equal(noon) {
		t.Errorf("%+v", f)
	}
	if !f.Tracked || f.Unused != 2 || fmt.Sprint(f.UnusedLines) != "[3 5]" {
		t.Errorf("%+v", f)
	}
}

func TestUsageLivesThroughReloads(t *testing.T) {
	s := newStage(t, "192.0.2.1\n192.0.2.2\n192.0.2.3\n")
	for _, client := range []string{"192.0.2.1", "192.0.2.3"} {
		s.set.Match(&Subject{Client: addr(client)}, noon, nil)
	}
	s.put("# moved\n192.0.2.3\n192.0.2.4\n192.0.2.1\n", 0)
	s.refresh("FILE: 3 entries, 3 before")
	check := func(when string) {
		t.Helper()
		u := s.set.Usage(s.now)[0]
		if f := u.Files[0]; u.Hits != 2 || f.Hits != 2 || !u.Since.Equal(noon) || !f.Since.Equal(noon) || fmt.Sprint(f.UnusedLines) != "[3]" {
			t.Errorf("%s: %+v", when, u)
		}
	}
	check("after a refresh")
	was := s.set.tables.Load().lists[0]
	set, problems := Load([]Rule{{Match: []string{"helo:new"}}, {Match: []string{"file:" + s.file}, Owner: "another"}}, s.now, s.set)
	if set == nil {
		t.Fatal(problems)
	}
	if set.tables.Load().lists[0] != was {
		t.Error("an unchanged file was read again")
	}
	s.set = set
	if n := s.set.Usage(s.now)[0].Hits; n != 0 {
		t.Errorf("a new rule has %d hits", n)
	}
	s.set.rules = s.set.rules[1:]
	check("after a reload")
	s.put("192.0.2.3\n192.0.2.1\n192.0.2.4\n", 0)
	if set, problems = Load([]Rule{{Match: []string{"file:" + s.file}}}, s.now, set); set == nil {
		t.Fatal(problems)
	}
	s.set = set
	check("after a reload that read the file anew")
}

func TestLargeFilesAreCountedAsAWhole(t *testing.T) {
	lines := make([]string, maxTracked+1)
	for i := range lines {
		lines[i] = ip4(addr4(i << 8)).String()
	}
	s := load(t, Rule{Match: []string{"file:" + listFile(t, lines...)}})
	s.Match(&Subject{Client: netip.IPv4Unspecified()}, noon, nil)
	if f := s.Usage(noon)[0].Files[0]; f.Hits != 1 || f.Tracked || f.Unused != 0 || f.UnusedLines != nil {
		t.Errorf("%+v", f)
	}
}

func TestDigest(t *testing.T) {
	digests := map[string]string{}
	for name, texts := range map[string][]string{
		"one":                {"192.0.2.1\n"},
		"another":            {"192.0.2.2\n"},
		"a comment more":     {"192.0.2.1\n#\n"},
		"both":               {"192.0.2.1\n", "192.0.2.2\n"},
		"both the other way": {"192.0.2.2\n", "192.0.2.1\n"},
		"none":               nil,
	} {
		var rules []Rule
		for _, text := range texts {
			rules = append(rules, Rule{Match: []string{"file:" + listFile(t, strings.TrimSuffix(text, "\n"))}})
		}
		first := load(t, rules...).Digest()
		digests[string(first)] = name
		if again := load(t, rules...).Digest(); !bytes.Equal(first, again) {
			t.Errorf("%s: not the same twice", name)
		}
	}
	if len(digests) != 6 {
		t.Error("the same for different contents:", digests)
	}
}

// TestAskWhileFilesChange is for the race detector: nobody who asks sees a
// version that never was.
func TestAskWhileFilesChange(t *testing.T) {
	s := newStage(t, "192.0.2.1\nfrom:a.example\n")
	done := make(chan struct{})
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			sub := Subject{Client: addr("192.0.2.1"), From: "x@a.example"}
			var buf [2]Hit
			for {
				select {
				case <-done:
					return
				default:
				}
				if len(s.set.Match(&sub, noon, buf[:0])) != 1 {
					t.Error("neither by the address nor by the sender")
					return
				}
				s.set.Digest()
				s.set.Asks(Deny, Client)
			}
		})
	}
	for i := range 100 {
		// Each version has one of the two, and there is always one.
		s.put(fmt.Sprintf("%s\n%s\n", []string{"192.0.2.1", "from:a.example"}[i%2], strings.Repeat("#", i)), 0)
		s.refresh(fmt.Sprintf("FILE: 1 entries, %d before", 1+(100-i)/100))
		s.set.Usage(s.now)
	}
	close(done)
	asking.Wait()
}
