package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"mailprofiled/internal/replay"
)

const replayHelp = `
Tells what this policy would have done to mail that was already seen: logs of
Postfix and Sendmail, or CSV with a header; plain or by gzip, "-" for stdin. It judges
by what the input holds: what is not in there is unknown, and not held against the
client. Without --dns no question leaves this machine.

With --against it tells what another policy would change, the senders that it
changes most first. With --rows stdout has one CSV row for each visit, and the
summary goes to stderr.

A clock follows the times of the input, and by it go limits, deferrals and what is
remembered of servers, all of them empty at the beginning. Nothing that runs is asked
or changed. A file that is cut off is judged up to there, and the exit code is 1.`

// A replayCommand is the command replay.
type replayCommand struct {
	config, against string
	format          string
	dns, rows       bool
	assume          bool
	files           []string

	stdin          io.Reader
	stdout, stderr io.Writer
}

func runReplay(args []string, stdout, stderr io.Writer) int {
	c := &replayCommand{stdin: os.Stdin, stdout: stdout, stderr: stderr}
	fs := newFlags("replay FILE...", replayHelp)
	fs.StringVar(&c.config, "config", defaultConfig, "the `FILE` of the configuration")
	fs.StringVar(&c.against, "against", "", "the `FILE` of another configuration, to tell what it would change")
	fs.StringVar(&c.format, "format", "auto", "what the files are: postfix, sendmail or csv, a `NAME`; without it each tells by its beginning")
	fs.BoolVar(&c.dns, "dns", false, "ask DNS and the lists now for what the input does not hold")
	fs.BoolVar(&c.rows, "rows", false, "print one CSV row for each visit: the input's columns, and then action,code,status,score,findings")
	fs.BoolVar(&c.assume, "assume-unconfirmed", false, `hold a client without a confirmed name ("unknown" of Postfix) for one whose PTR is missing or unconfirmed, whichever weighs less`)
	files, code, ok := parseFiles(fs, args, stdout, stderr)
	if !ok {
		return code
	}
	c.files = files
	format, err := replay.ParseFormat(c.format)
	if err != nil {
		fmt.Fprintf(stderr, "mailprofiled replay: --format: %v\n", err)
		return exitMisuse
	}
	return c.run(format)
}

// parseFiles reads flags and names of files, in any order.
func parseFiles(fs *flag.FlagSet, args []string, stdout, stderr io.Writer) (files []string, code int, ok bool) {
	for {
		err := fs.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			fs.SetOutput(stdout)
			fs.Usage()
			return nil, exitFine, false
		case err == nil && fs.NArg() == 0 && len(files) == 0:
			err = errors.New(`no file is named; "-" is stdin`)
		}
		if err != nil {
			misused(fs, err, stderr)
			return nil, exitMisuse, false
		}
		if fs.NArg() == 0 {
			return files, exitFine, true
		}
		files, args = append(files, fs.Arg(0)), fs.Args()[1:]
	}
}

func (c *replayCommand) run(format replay.Format) int {
	worlds, err := c.worlds()
	defer func() {
		for _, w := range worlds {
			w.close()
		}
	}()
	if err != nil {
		fmt.Fprintf(c.stderr, "mailprofiled replay: %v\n", err)
		return exitFailed
	}
	walk := &replayWalk{replayCommand: c, worlds: worlds, newest: time.Now().Add(24 * time.Hour)}
	code := exitFine
	for _, name := range c.files {
		if err := walk.file(name, format); err != nil { // the others, and what was read of it, are worth something
			walk.progress.clear()
			fmt.Fprintf(c.stderr, "mailprofiled replay: %v\n", err)
			code = exitFailed
		}
	}
	return max(code, walk.end(code == exitFine))
}

// A replayWalk goes through the files.
type replayWalk struct {
	*replayCommand
	worlds   []*replayWorld
	run      *replay.Run // from the first visit on
	policies []*replay.Policy
	header   string
	junk     junk
	progress progress
	undated  []*replay.Visit // before the clock was set
	newest   time.Time       // no visit that was seen can be later
	ahead    int             // visits that are
}

// file replays one file.
func (w *replayWalk) file(name string, format replay.Format) error {
	from, size, written, err := w.open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	counted := &countingReader{r: from}
	w.progress.begin(w.stderr, name, size, counted)
	in, err := replay.Open(name, counted, replay.Reading{Format: format, Zone: time.Local, Newest: written})
	if err != nil {
		return err
	}
	if err := w.sameColumns(name, in.Header); err != nil {
		return err
	}
	visits := 0
	for {
		v, trouble, ok := in.Next()
		if !ok {
			break
		}
		if trouble != nil {
			w.junk.add(trouble, v == nil)
		}
		if v == nil {
			continue
		}
		if err := w.visit(v); err != nil {
			return err
		}
		visits++
		w.progress.visits(visits)
	}
	w.progress.end(visits, in.Note())
	return in.Err()
}

// open gives a file, its size and when it was written last.
func (w *replayWalk) open(name string) (io.ReadCloser, int64, time.Time, error) {
	if name == "-" {
		return io.NopCloser(w.stdin), 0, time.Now(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, time.Time{}, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory; name the files in it", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, time.Time{}, err
	}
	return f, info.Size(), info.ModTime(), nil
}

// sameColumns sees that all rows of the output have the same columns.
func (w *replayWalk) sameColumns(name, header string) error {
	if w.header != "" && w.rows && header != w.header {
		return fmt.Errorf("%s has other columns than the file before it: with --rows give each kind of file a run of its own", name)
	}
	w.header = header
	return nil
}

// maxUndated bounds the visits without a time that wait for one that sets the clock.
const maxUndated = 1000

// visit replays one visit; the first with a time sets the clock.
func (w *replayWalk) visit(v *replay.Visit) error {
	if v.Precision != replay.NoTime && v.Time.After(w.newest) { // it would make all that follow late
		v.Precision = replay.NoTime
		w.ahead++
	}
	if w.run == nil && v.Precision == replay.NoTime && len(w.undated) < maxUndated {
		w.undated = append(w.undated, v)
		return nil
	}
	if w.run == nil {
		if err := w.begin(v); err != nil {
			return err
		}
	}
	w.run.Visit(v)
	return nil
}

func (w *replayWalk) begin(first *replay.Visit) error {
	start := first.Time
	if first.Precision == replay.NoTime {
		start = time.Now()
	}
	for _, world := range w.worlds {
		p, err := world.policy(start)
		if err != nil {
			return err
		}
		w.policies = append(w.policies, p)
	}
	o := replay.Options{Assume: w.assume, Ask: w.dns}
	if w.rows {
		o.Rows = w.stdout
	}
	var against *replay.Policy
	if len(w.policies) > 1 {
		against = w.policies[1]
	}
	w.run = replay.NewRun(o, w.policies[0], against)
	w.run.Header(w.header)
	for _, v := range w.undated {
		w.run.Visit(v)
	}
	w.undated = nil
	return nil
}

// end prints what was found. whole says that all files were read to their end.
func (w *replayWalk) end(whole bool) int {
	if w.run == nil && len(w.undated) > 0 {
		if err := w.begin(w.undated[0]); err != nil {
			w.progress.clear()
			fmt.Fprintf(w.stderr, "mailprofiled replay: %v\n", err)
			return exitFailed
		}
	}
	if w.run == nil {
		w.junk.print(w.stderr)
		if whole {
			fmt.Fprintln(w.stderr, "mailprofiled replay: there is no visit in it")
		}
		return exitFailed
	}
	err := w.run.Close()
	w.progress.clear()
	w.junk.print(w.stderr)
	if late := w.run.Summary.Late; late > 0 {
		fmt.Fprintf(w.stderr, "note: %s older than one before: judged without limits and memory, which go by time; sort by date to have them\n", areText(late, "visit"))
	}
	if w.ahead > 0 {
		fmt.Fprintf(w.stderr, "note: %s of the future: judged without limits and memory; was the clock of a machine wrong?\n", areText(w.ahead, "visit"))
	}
	to := w.stdout
	if w.rows {
		to = w.stderr
	}
	w.run.Summary.Print(to, w.policies[0])
	if w.run.Changes != nil {
		w.run.Changes.Print(to, w.run.Summary.Visits, w.policies[0], w.policies[1])
	}
	if err != nil {
		fmt.Fprintf(w.stderr, "mailprofiled replay: %v\n", err)
		return exitFailed
	}
	return exitFine
}

func areText(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}
