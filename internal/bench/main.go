// Command bench measures the daemon beside an empty filter, in one run on one
// machine, and prints ratios. Speeds are never judged here: it fails only when a
// mail of a good sender was not let through, or the log does not have the line
// of every transaction.
//
// Sides, each a process of its own, under the same load in turns:
//
//	A  an empty filter on plain go-milter, with the same negotiation
//	B  an empty handler behind our own listener, connection wrapper and macro list
//	C  the shipped daemon, everything on, its log in a file
//
// Parts: warm (every answer in the cache), cold (nothing in it, and DNS is late),
// state (accounts that log in, and a million of them at rest), lists (what twenty DNS lists add), dead (DNS is silent), readers (who look at the page meanwhile), idle (sessions that do nothing), memory (of many clients),
// soak (what grows under very many visits of all kinds), questions (the CPU of one
// to a resolver on loopback), directory (databases, LDAP and LMTP servers asked for
// recipients; only when named, since it wants root and .ci/deps).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == roleCommand {
		err = runRole(os.Args[2:], os.Stdin, os.Stdout, os.Stderr)
	} else {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are sizes of the parts. The defaults end within five minutes on two cores.
type options struct {
	parts        []string
	clients      int // distinct senders, in turn
	transactions int // of a side in a round
	rounds       int
	workers      int
	visits       int // cold ones
	delay        time.Duration
	dead         int // visits while DNS is dead
	budget       time.Duration
	idle         int // sessions
	many         int // clients of the memory part
	listed       int // clients of the memory of lists
	soaking      int // visits of the soak
	accounts     int // of the state part
	quiet        time.Duration
	rules        int    // names, and as many networks, of the operator's own
	env          string // of the shipped daemon
	profile      string
	before       string
	limit        time.Duration
}

// parts are all parts, in the order in which they run.
var parts = []string{"warm", "state", "cold", "lists", "dead", "readers", "idle", "memory", "soak", "questions", directoryPart}

// directoryPart runs only when it is named.
const directoryPart = "directory"

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	chosen := fs.String("parts", strings.Join(slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == directoryPart }), ","), "what to measure; "+directoryPart+" is another")
	fs.IntVar(&o.clients, "clients", 10_000, "distinct clients, in turn, of the warm part")
	fs.IntVar(&o.transactions, "transactions", 3000, "transactions of a side in a round")
	fs.IntVar(&o.rounds, "rounds", 20, "rounds of the warm part: many short ones meet the same disturbances")
	fs.IntVar(&o.workers, "workers", 16, "transactions at once; the warm part also runs with one")
	fs.IntVar(&o.visits, "visits", 400, "visits of the cold part")
	fs.DurationVar(&o.delay, "delay", 20*time.Millisecond, "how late each DNS answer is in the cold part")
	fs.IntVar(&o.dead, "dead", 20, "visits while DNS is dead")
	fs.DurationVar(&o.budget, "budget", time.Second, "dns.budget while DNS is dead")
	fs.IntVar(&o.idle, "idle", 2000, "idle sessions")
	fs.IntVar(&o.many, "many", 200_000, "distinct clients of the memory part")
	fs.IntVar(&o.listed, "listed", 20_000, "distinct clients of the memory of the lists part; 200000 are three times as much work as those of the memory part")
	fs.IntVar(&o.soaking, "soak", 50_000, "visits of the soak part; a million takes 20 minutes or more, and a longer -limit")
	fs.IntVar(&o.rules, "rules", 30_000, "names, and as many networks up to 65536, in files of [[local]]")
	fs.IntVar(&o.accounts, "accounts", 1_000_000, "accounts of the state part, at rest")
	fs.DurationVar(&o.quiet, "quiet", 10*time.Second, "how long they rest before the memory is looked at")
	fs.StringVar(&o.env, "env", "", "`NAME=VALUE` added to the environment of the shipped daemon, such as GOGC=50")
	fs.StringVar(&o.profile, "profile", "", "also write CPU and allocation profiles of the warm and memory parts to `DIR`")
	fs.StringVar(&o.before, "before", "", "another build of this `PROGRAM`, whose questions are measured in turns with ours")
	fs.DurationVar(&o.limit, "limit", 15*time.Minute, "give up after this long")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.parts = strings.Split(*chosen, ",")
	for _, part := range o.parts {
		if !slices.Contains(parts, part) {
			return o, fmt.Errorf("no part %q; there are %s", part, strings.Join(parts, ", "))
		}
	}
	for _, n := range []int{o.clients, o.transactions, o.rounds, o.workers, o.visits, o.dead, o.idle, o.many, o.listed, o.rules, o.soaking, o.accounts} {
		if n < 1 {
			return o, errors.New("every size must be 1 or more")
		}
	}
	return o, nil
}

// A bench is one run.
type bench struct {
	options
	ctx   context.Context
	dir   string // sockets, logs, configurations, the daemon's binary; removed at the end
	world *world
	out   io.Writer
	wrong []string // what was not correct
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	b := &bench{options: o, ctx: ctx, out: stdout}
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.world, err = newWorld(); err != nil {
		return err
	}
	defer b.world.close()
	if err := b.build(); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "mailprofiled bench, %s, %d CPUs, %s, %s\n", runtime.Version(), runtime.NumCPU(), busy(), time.Now().Format(time.DateTime))
	if err := b.runParts(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("ended early: %w", context.Cause(ctx))
		}
		return err
	}
	if len(b.wrong) > 0 {
		return errors.New("not correct: " + strings.Join(b.wrong, "; "))
	}
	fmt.Fprintln(stdout, "\ncorrect: every mail of a good sender went on, the log has the line of every transaction, nothing was left over")
	return nil
}

func (b *bench) runParts() error {
	do := map[string]func() error{
		"warm": b.warm, "state": b.state, "cold": b.cold, "lists": b.askedLists, "dead": b.silent, "readers": b.readers, "idle": b.idleSessions, "memory": b.memory, "soak": b.soaked, "questions": b.questions,
		directoryPart: b.directory,
	}
	for _, part := range parts {
		if !slices.Contains(b.parts, part) {
			continue
		}
		b.world.behave(0, false)
		start := time.Now()
		if err := do[part](); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		b.print("(%s took %.0f s)", part, time.Since(start).Seconds())
	}
	return nil
}

// busy says how much else the machine has to do: times are worth less then,
// ratios hold better.
func busy() string {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	now, _, _ := strings.Cut(string(load), " ")
	return "load " + now
}

// print writes a line of the report.
func (b *bench) print(format string, args ...any) {
	fmt.Fprintf(b.out, format+"\n", args...)
}

// check notes what was not correct.
func (b *bench) check(ok bool, format string, args ...any) {
	if !ok {
		b.wrong = append(b.wrong, fmt.Sprintf(format, args...))
	}
}
