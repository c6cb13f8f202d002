package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/attach"
	"mailprofiled/internal/config"
	"mailprofiled/internal/doctor"
	"mailprofiled/internal/resolver"
	"mailprofiled/internal/wiring"
	"mailprofiled/milter"
)

const doctorHelp = `
Finds what goes wrong in the field between MTA, daemon, DNS and this machine, and
changes nothing: whether the MTA's user reaches the socket inside its chroot, what
the MTA does while the daemon is down, what arrives from it, whether DNS and the DNS
lists answer, the clock, the state. Each finding has a stable id, and the lines that
mend it. The exit code is 1 where one is an error.

Run it as root: what it could not see otherwise, it says.`

// doctorTime bounds all of it.
const doctorTime = 90 * time.Second

// sendmailCF is where Sendmail has its configuration.
const sendmailCF = "/etc/mail/sendmail.cf"

func runDoctor(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == reachWord {
		return runReach(args[1:], stderr)
	}
	fs := newFlags("doctor", doctorHelp)
	path := fs.String("config", defaultConfig, "the configuration, a `FILE`; conf.d/*.toml beside it is read too")
	postfix := fs.String("postfix", "", "the configuration `DIRECTORY` of Postfix; usually that which postconf knows")
	cf := fs.String("cf", sendmailCF, "the `FILE` by which Sendmail runs")
	asJSON := fs.Bool("json", false, "print one JSON object")
	if code, ok := parse(fs, args, stdout, stderr); !ok {
		return code
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	facts := doctorFacts(ctx, *path, *postfix, *cf)
	report := doctor.Examine(ctx, facts)
	code := exitFine
	if report.Errors > 0 {
		code = exitFailed
	}
	if *asJSON {
		return max(code, printJSON(report, stdout, stderr))
	}
	report.Print(stdout)
	return code
}

// doctorFacts gathers what there is to be seen.
func doctorFacts(ctx context.Context, path, postfix, cf string) *doctor.Facts {
	f := &doctor.Facts{Version: version, Commit: revision(), ConfigPath: path, Now: time.Now(), Built: builtTime(), User: packagedUser}
	_, err := os.Stat("/run/systemd/system") // sd_booted(3)
	f.Systemd = err == nil
	cfg, report := config.Load(path)
	f.Config = cfg
	if cfg == nil {
		f.Mistakes = texts(report.Errors)
	}
	if name := daemonUser(path); name != "" {
		f.User = name
		if cfg != nil {
			f.MistakesAs = mistakesAs(ctx, name, path)
		}
	}
	control := config.ControlSocket(path)
	if control != "" {
		ask, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		daemon := admin.Dial(control)
		if s, err := daemon.Status(ask); err != nil {
			f.StatusErr = err
		} else {
			f.Status = s
			f.SelfTest = selfTester(daemon)
		}
	}
	f.Postfix, f.PostfixErr = findPostfix(ctx, postfix)
	f.Sendmail, f.SendmailErr = attach.ReadSendmailCF(cf)
	if errors.Is(f.SendmailErr, fs.ErrNotExist) && cf == sendmailCF {
		f.SendmailErr = nil
	}
	if os.Geteuid() == 0 {
		f.Reach = reach
	}
	dnsFacts(f)
	return f
}

// findPostfix reads what Postfix is told. One that is installed and not set up is none.
func findPostfix(ctx context.Context, dir string) (*attach.Postfix, error) {
	if dir == "" {
		if _, err := os.Stat("/etc/postfix/main.cf"); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	p, err := attach.ReadPostfix(ctx, dir)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	}
	return p, err
}

// dnsFacts finds the DNS servers, and how lists are where no daemon tells.
func dnsFacts(f *doctor.Facts) {
	cfg := f.Config
	if cfg == nil {
		cfg = config.Default()
	}
	f.Servers, f.ServersErr = wiring.DNSServers(cfg)
	if slices.ContainsFunc(f.Servers, func(s netip.AddrPort) bool { return s.Addr() == resolvedStub }) {
		if upstreams, err := resolver.SystemServers(resolvedConf); err == nil {
			for _, u := range upstreams {
				f.Upstreams = append(f.Upstreams, u.Addr())
			}
		}
	}
	f.InUse = cfg.Lists.All
	if f.Status != nil || f.ServersErr != nil || len(cfg.Lists.All) == 0 {
		return
	}
	r := wiring.NewResolver(f.Servers, cfg.DNS.CacheBytes, nil)
	defer r.Close()
	set, health := testedLists(cfg, r)
	defer set.Close()
	f.Lists = health.Snapshot()
}

// systemd-resolved listens at the stub, and names there whom it asks itself.
var resolvedStub = netip.MustParseAddr("127.0.0.53")

const resolvedConf = "/run/systemd/resolve/resolv.conf"

// selfTester shows a client at one of the daemon's places, and asks it what came in.
func selfTester(daemon *admin.Client) func(context.Context, string, bool, netip.Addr) (*admin.ShownClient, error) {
	return func(ctx context.Context, place string, sendmail bool, client netip.Addr) (*admin.ShownClient, error) {
		at, err := placeAddr(place)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, reachTime)
		defer cancel()
		shown := milter.ProbedClient{Family: '6', Host: "[" + client.String() + "]", Addr: client.String()}
		if sendmail { // RFC 5321 section 4.1.3, and every group of it
			shown.Addr = "IPv6:" + client.StringExpanded()
			shown.Host = "[" + shown.Addr + "]"
		}
		if err := milter.ProbeClient(ctx, at, shown); err != nil {
			return nil, err
		}
		s, err := daemon.Status(ctx)
		if err != nil {
			return nil, err
		}
		return s.Sessions.Test, nil
	}
}

// ownerOf is the user whose a file is.
func ownerOf(path string) (string, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return "", false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	u, err := user.LookupId(strconv.Itoa(int(st.Uid)))
	if err != nil {
		return "", false
	}
	return u.Username, true
}

// builtTime is a time at which the program was not made yet: that of its commit.
// Zero: not known.
func builtTime() time.Time {
	if s, err := strconv.ParseInt(commitTime, 10, 64); err == nil {
		return time.Unix(s, 0)
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
					return t
				}
			}
		}
	}
	return time.Time{}
}
