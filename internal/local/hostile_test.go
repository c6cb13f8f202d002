//go:build unix

package local

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // so that the clocks of the world are there
)

// A slowFile is a file to which something happens before each read.
type slowFile struct {
	*os.File
	before func() error
}

func (f *slowFile) Read(b []byte) (int, error) {
	if err := f.before(); err != nil {
		return 0, err
	}
	return f.File.Read(b[:min(len(b), 16)])
}

// TestAFileThatChangesWhileItIsRead holds that no mixture of two versions is
// taken, and that whoever writes without end does not keep the reader.
func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	const text = "192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n"
	for _, test := range []struct {
		name   string
		change func(path string) error
		want   error
	}{
		{"nothing happens", func(string) error { return nil }, nil},
		{"it grows without end", func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString(strings.Repeat("198.51.100.7\n", 10))
			return errors.Join(err, f.Close())
		}, errChanged},
		{"it is cut short", func(path string) error { return os.Truncate(path, 20) }, errChanged},
		{"it is written anew, of the same size", func(path string) error {
			return os.WriteFile(path, []byte(strings.ReplaceAll(text, "192", "198")), 0o600)
		}, errChanged},
		{"another one takes its place", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("198.51.100.7\n"), 0o600), os.Rename(path+".new", path))
		}, nil}, // all of the old one was read; the next Refresh sees the new one
		{"it is taken away", os.Remove, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, text)
			src := &source{path: s.file}
			f, err := os.Open(s.file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			reads := 0
			slow := &slowFile{f, func() error {
				if reads++; reads > 1000 {
					return errors.New("read on and on")
				}
				if reads == 2 || test.want != nil {
					return test.change(s.file)
				}
				return nil
			}}
			l, problems, err := src.readFrom(slow, s.set.seed, noon)
			if !errors.Is(err, test.want) || (l == nil) != (err != nil) || len(problems) > 0 {
				t.Fatalf("list %v, problems %v, error %v", l != nil, problems, err)
			}
			if l != nil && l.entries != 4 {
				t.Errorf("%d entries", l.entries)
			}
		})
	}
}

// TestFilesWithoutSize reads what tells no size and still gives bytes, as files
// of the kernel do.
func TestFilesWithoutSize(t *testing.T) {
	s := newStage(t, "192.0.2.1\n")
	f, err := os.Open(s.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if l, _, err := (&source{path: s.file}).readFrom(sizeless{f}, s.set.seed, noon); l != nil || !errors.Is(err, errChanged) {
		t.Errorf("list %v, error %v", l != nil, err)
	}
}

type sizeless struct{ *os.File }

func (f sizeless) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return noSize{info}, err
}

type noSize struct{ fs.FileInfo }

func (noSize) Size() int64 { return 0 }

// TestExpiryIsTheSameEverywhere asks in the clocks of places where a day has 23
// or 25 hours, or is another one: a date ends with its day in UTC.
func TestExpiryIsTheSameEverywhere(t *testing.T) {
	for _, test := range []struct{ date, zone string }{
		{"2026-03-29", "Europe/Berlin"}, // 23 hours
		{"2026-10-25", "Europe/Berlin"}, // 25 hours
		{"2026-11-01", "America/New_York"},
		{"2026-05-17", "Pacific/Kiritimati"}, // UTC+14
		{"2026-05-17", "Pacific/Pago_Pago"},  // UTC-11
		{"2028-02-29", "Asia/Kathmandu"},     // UTC+5:45
		{"2026-12-31", "Australia/Lord_Howe"},
	} {
		t.Run(test.date+" in "+test.zone, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			date, err := time.Parse(time.DateOnly, test.date)
			if err != nil {
				t.Fatal(err)
			}
			y, m, d := date.Date()
			s := load(t, Rule{Match: []string{"client:192.0.2.7"}, Expires: time.Date(y, m, d, 12, 0, 0, 0, zone)},
				Rule{Match: []string{"file:" + listFile(t, "192.0.2.7 expires="+test.date, "joe@example.com expires="+test.date)}})
			end := date.AddDate(0, 0, 1)
			for at, want := range map[time.Time]int{end.Add(-24 * time.Hour): 2, end.Add(-1): 2, end: 0, end.Add(time.Hour): 0} {
				sub := Subject{Client: addr("192.0.2.7"), From: "joe@example.com"}
				if got := len(s.Match(&sub, at.In(zone), nil)); got != want {
					t.Errorf("%v: %d hits, want %d", at.In(zone), got, want)
				}
			}
		})
	}
}

// TestNetworksInNetworks has deny and allow for networks that lie in each other,
// in rules and files: all that hold the address are told, deny first.
func TestNetworksInNetworks(t *testing.T) {
	s := load(t,
		Rule{Match: []string{"client:192.0.2.0/24", "client:2001:db8::/32"}, Action: Deny},
		Rule{Match: []string{"client:192.0.2.7", "client:2001:db8:1::/48"}, Action: Allow},
		Rule{Match: []string{"file:" + listFile(t, "192.0.2.6/31", "2001:db8:1:2::/64", "2001:db8:1:2::7")}, Action: Deny},
		Rule{Match: []string{"file:" + listFile(t, "192.0.0.0/16", "2001:db8:1:2::/127", "2001:db8:1:2:8000::/65")}, Action: Allow},
		Rule{Match: []string{"client:0.0.0.0/0", "client:::/0"}, Action: Points, Points: 1},
	)
	for client, want := range map[string][]int{
		"192.0.2.7":                  {0, 2, 1, 3, 4},
		"192.0.2.6":                  {0, 2, 3, 4},
		"192.0.2.8":                  {0, 3, 4},
		"192.0.3.1":                  {3, 4},
		"198.51.100.1":               {4},
		"2001:db8:1:2::7":            {0, 2, 1, 4},
		"2001:db8:1:2::1":            {0, 2, 1, 3, 4},
		"2001:db8:1:2:7fff::":        {0, 2, 1, 4},
		"2001:db8:1:2:8000::":        {0, 2, 1, 3, 4},
		"2001:db8:1:2:ffff::ffff":    {0, 2, 1, 3, 4},
		"2001:db8:1:3::":             {0, 1, 4},
		"2001:db8:0:ffff:ffff::ffff": {0, 4},
		"2001:db9::":                 {4},
		"::":                         {4},
	} {
		var got []int
		for _, h := range s.Match(&Subject{Client: addr(client)}, noon, nil) {
			got = append(got, h.Rule)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: rules %v, want %v", client, got, want)
		}
	}
}

// TestOneBadLineInAMillion has it named and the rest used, while another one asks
// without being held up.
func TestOneBadLineInAMillion(t *testing.T) {
	var text []byte
	for i := range 1_000_000 {
		if i == 777_777 {
			text = append(text, "10.0.0.0.0/8\x00\n"...)
			continue
		}
		text = append(ip4(addr4(i<<8)).AppendTo(text), '\n')
	}
	s := newStage(t, "192.0.2.1\n")
	started, done := make(chan struct{}), make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		sub := Subject{Client: ip4(999_999 << 8), From: "joe@example.com"}
		var buf [2]Hit
		for found := false; ; runtime.Gosched() {
			hit := len(s.set.Match(&sub, noon, buf[:0])) == 1
			if found && !hit {
				t.Error("found, and lost again")
			}
			found = hit
			select {
			case <-done:
				return
			case started <- struct{}{}:
			default:
			}
		}
	})
	<-started
	s.put(string(text), 0)
	s.refresh("FILE: 999999 entries, 1 before",
		`FILE:777778: "10.0.0.0.0/8\x00" is not printable text in UTF-8; see that the line is whole`)
	close(done)
	asking.Wait()
	hits := s.set.Match(&Subject{Client: ip4(999_999 << 8)}, noon, nil)
	if len(hits) != 1 || hits[0].Line != 1_000_000 {
		t.Errorf("%+v", hits)
	}
}
