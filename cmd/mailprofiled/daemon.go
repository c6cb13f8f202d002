package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mailprofiled/dnsbl"
	"mailprofiled/internal/admin"
	"mailprofiled/internal/candidate"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/logging"
	"mailprofiled/internal/notify"
	"mailprofiled/internal/records"
	"mailprofiled/internal/store"
	"mailprofiled/internal/systemd"
	"mailprofiled/internal/wiring"
	"mailprofiled/milter"
	"mailprofiled/ratelimit"
)

// A daemon is all of "mailprofiled serve" but the process. What a reload changes
// is its current generation; the rest lives as long as the daemon.
type daemon struct {
	first   *config.Config   // in force at the start
	handed  []systemd.Socket // by the service manager
	manager systemd.Manager
	lost    func() uint64 // log lines; nil: nobody counts
	started time.Time

	out    io.Writer // of the log
	logs   *logging.Switch
	logger *slog.Logger // over logs: it outlives a configuration
	tap    logging.Tap  // of verdicts, for who watches them

	metrics *admin.Metrics
	health  *dnsbl.Health    // of the DNS lists
	trial   *candidate.Trial // of the candidate, where there is one
	lines   *candidate.Lines // of its log
	unknown *logging.Hasher  // of those in the log; nil until needed
	counted *wiring.Counters // of limits, and memory; made when the daemon begins to serve
	state   *store.Store     // which keeps them; nil: nothing is kept
	teller  *notify.Sender   // tells somebody of what cannot wait
	host    string           // our name, for that
	records *records.Log     // what stands behind answers
	server  *milter.Server
	doors   doors

	current atomic.Pointer[generation]
	turn    chan struct{}                    // holds a token while somebody reloads
	system  func() ([]netip.AddrPort, error) // DNS servers of the machine

	serversSeen []netip.AddrPort             // at the last look; guarded by turn
	sources     map[*directory.Guard]*source // of the directory, as they were told in the log; guarded by turn

	rekeyed  chan struct{}         // limits are to be made anew: see followKey
	blocked  chan *ratelimit.Block // by other machines, or released: to be told, see followBlocks
	unsaid   atomic.Int64          // those that found no room there
	stopping atomic.Bool
	work     sync.WaitGroup // resolvers that are closing

	learnTurn   sync.Mutex // of who changes the time of learning
	mu          sync.Mutex
	refused     []string // mistakes of the last reload, if it was refused
	refusedAt   time.Time
	listed      *dnsbl.Cache // what DNS lists answered
	listedBytes int64        // its bound
}

// newDaemon makes a daemon that logs to out, and opens nothing yet.
func newDaemon(cfg *config.Config, out io.Writer) *daemon {
	d := &daemon{first: cfg, started: time.Now(), out: out, turn: make(chan struct{}, 1), rekeyed: make(chan struct{}, 1), blocked: make(chan *ratelimit.Block, maxBlocksUnsaid)}
	d.system = systemServers
	d.logs = logging.NewSwitch(d.newLogger(cfg))
	d.logger = slog.New(d.logs)
	d.metrics = admin.NewMetrics(d.status)
	d.lines = candidate.NewLines(d.logger)
	d.trial = candidate.NewTrial(d.logger, d.differs)
	d.health = dnsbl.NewHealth(dnsbl.HealthOptions{Logger: d.logger})
	d.teller, d.host = notify.New(d.logger), hostName()
	settings := wiring.MilterSettings(cfg)
	settings.Logger = d.logger
	d.server = milter.NewServer(settings)
	return d
}

// newLogger returns a logger as the configuration wants it.
func (d *daemon) newLogger(cfg *config.Config) *slog.Logger {
	return logging.New(d.out, logging.Options{JSON: cfg.Log.JSON, Level: cfg.Log.Level, NoStamp: logging.UnderJournald(os.Stderr)})
}

// serve runs the daemon until ctx ends, and then until its sessions are drained.
// It calls ready when an MTA can connect.
func (d *daemon) serve(ctx context.Context, ready func()) error {
	defer d.work.Wait()
	own, cfg, problems, bad := loadRules(d.first, rules{})
	d.logProblems(problems)
	if bad.fatal() {
		return fmt.Errorf("the %s have %s, nothing was started", bad, count(mistakes(problems), "mistake"))
	}
	own.tried, problems = loadCandidate(cfg, own)
	d.logCandidate(problems)
	hash, problem := addressHash(cfg, cfg.State.Path)
	if problem != nil {
		own.close()
		return errors.New(problem.String())
	}
	if err := d.openState(cfg); err != nil {
		own.close()
		return err
	}
	defer d.closeState()
	d.records = wiring.OpenRecords(cfg, d.recordsDir(), d.logger)
	defer d.closeRecords() // before the directory is let go
	d.tellNoServers(cfg)
	d.openShare(cfg)
	defer d.counted.CloseShare()
	g, err := d.newGeneration(cfg, own, hash)
	if err != nil {
		own.close()
		return err
	}
	d.begin(g)
	defer func() { d.current.Load().leave() }()
	if err := d.open(); err != nil {
		return err
	}
	beside, end := context.WithCancel(context.Background()) // it outlives ctx by the drain
	var all sync.WaitGroup
	defer all.Wait()
	defer end()
	d.serveBeside(beside, &all)
	d.obeyHangups(beside, &all)
	all.Go(func() { d.health.Run(beside) })
	d.awaitLists(ctx)
	all.Go(func() { d.watch(ctx) })
	all.Go(func() { d.followLists(beside) })
	all.Go(func() { d.teller.Run(beside) })
	all.Go(func() { d.followKey(beside) })
	all.Go(func() { d.followBlocks(beside) })
	all.Go(func() { d.trial.Run(beside) })
	all.Go(func() { d.followTrend(beside) })
	stop := sync.OnceFunc(d.stop)
	defer context.AfterFunc(ctx, stop)()

	d.logger.Info("serving", "version", version, "pid", os.Getpid(), "go", runtime.Version(),
		"policy", cfg.PolicyID(), "mode", mode(d.first), "listen", d.doors.listen(), "admin", d.doors.webAddr(), "control", d.doors.controlAddr())
	d.notify(systemd.Ready, d.statusLine())
	ready()
	err = d.serveMTAs(ctx)
	if ctx.Err() != nil {
		stop() // a daemon with nothing to do may be here before the context has got round to it
	}
	return err
}

// stop says that the end has come; open transactions may still end.
func (d *daemon) stop() {
	d.stopping.Store(true)
	d.notify(systemd.Stopping, systemd.Status("stopping: open transactions may end"))
}

// serveMTAs serves at all doors for MTAs; when one fails, all end.
func (d *daemon) serveMTAs(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, len(d.doors.mta))
	for _, l := range d.doors.mta {
		go func() { ended <- d.server.ServeWith(ctx, l, d.handlerAt(l.place)) }()
	}
	var errs []error
	for range d.doors.mta {
		if err := <-ended; err != nil {
			errs = append(errs, err)
			cancel()
		}
	}
	return errors.Join(errs...)
}

// serveBeside serves the control socket and the web, where they are open. Mail
// goes on without them.
func (d *daemon) serveBeside(ctx context.Context, all *sync.WaitGroup) {
	if l := d.doors.control; l != nil {
		control := admin.Control{Status: d.status, Reload: d.reload, Explain: d.explain, Limits: d.limits, Accounts: accountDesk{d}, Blocks: accountDesk{d}, Teacher: accountDesk{d}, Servers: serverDesk{d}, Trend: d.trend, Logger: d.logger}
		control.Why = d.why
		all.Go(func() { d.complain("the control socket is lost", control.Serve(ctx, l)) })
	}
	if l := d.doors.web; l != nil {
		web := admin.Web{Metrics: d.metrics, Status: d.status, Page: d.newPage(l), Logger: d.logger}
		all.Go(func() { d.complain("metrics and the page are not served any more", web.Serve(ctx, l)) })
	}
}

func (d *daemon) complain(msg string, err error) {
	if err != nil {
		d.logger.Error(msg, "error", err.Error())
	}
}

// notify tells the service manager, if there is one.
func (d *daemon) notify(lines ...string) {
	if err := d.manager.Notify(lines...); err != nil {
		d.logger.Warn("systemd not told", "error", err.Error())
	}
}

// statusLine is what "systemctl status" shows.
func (d *daemon) statusLine() string {
	cfg := d.current.Load().cfg
	return systemd.Status("serving, policy " + cfg.PolicyID() + ", mode " + mode(cfg))
}

func mode(cfg *config.Config) string {
	if cfg.Monitor {
		return "monitor"
	}
	return "enforce"
}
