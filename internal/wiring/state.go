package wiring

import (
	"crypto/rand"
	"iter"
	"time"

	"mailprofiled/internal/accounts"
	"mailprofiled/internal/config"
	"mailprofiled/internal/directory"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/harvest"
	"mailprofiled/internal/hijack"
	"mailprofiled/internal/memory"
	"mailprofiled/internal/store"
	"mailprofiled/internal/trend"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// Counters are what mail is counted in. They outlive configurations, and with a
// store the process too.
type Counters struct {
	Table      *ratelimit.Table
	Accounts   *ratelimit.Accounts
	Exceptions *ratelimit.Exceptions // of the configuration and by command
	Grants     *Grants               // those by command
	Blocks     *ratelimit.Blocks     // accounts that may not send
	Hijack     *hijack.Watch         // what accounts do
	Events     *hijack.Events        // that accounts seemed stolen
	Servers    *memory.Servers       // how servers behaved
	Recent     *memory.Recent        // which was behind an id
	Retries    *memory.Retries       // who was asked to come back, and who did
	Harvest    *harvest.Watch        // who tries names that do not exist
	Known      *Known                // what the directory held
	Trend      *trend.Trend          // verdicts and findings over time; whoever counts them tells it

	share      *Share // with other machines; nil for none
	shareSpace shareSpace
	key        keyring // of limits that are shared

	secret  ratelimit.Secret
	names   memory.Secret   // the same, longer: of servers
	busiest *memory.Busiest // accounts that met limits, of the engines of now
	hashed  bool            // how it names them
}

// NewCounters makes counters that hold nothing, and has the store, which is not
// started yet, keep them. Without one, nil, they end with the process.
func NewCounters(cfg *config.Config, kept *store.Store, now time.Time) *Counters {
	c := &Counters{Exceptions: new(ratelimit.Exceptions), busiest: new(memory.Busiest), hashed: cfg.Log.Hashed}
	c.Grants, c.Blocks, c.Known = NewGrants(c.Exceptions), new(ratelimit.Blocks), newKnown()
	var key memory.Secret
	if kept != nil {
		key = kept.Secret()
	} else {
		rand.Read(key[:]) // it never fails
	}
	copy(c.secret[:], key[:])
	c.names = key
	track := kept != nil
	c.Table = ratelimit.NewTable(ratelimit.Options{Track: track}, now)
	c.Servers = memory.NewServers(memory.Options{Settings: memorySettings(cfg), Bytes: cfg.Memory.Bytes, Track: track, Secret: key}, now)
	c.Recent = new(memory.Recent)
	c.Retries, c.Harvest = memory.NewRetries(RetryWindows(cfg)), harvest.New(HarvestSettings(cfg))
	if track { // what nobody asks for would pile up
		c.Retries = memory.NewKeptRetries(RetryWindows(cfg), key)
		c.Harvest = harvest.NewKept(HarvestSettings(cfg), harvest.Secret(key))
	}
	c.Accounts = ratelimit.NewAccounts(ratelimit.AccountOptions{Learn: cfg.Accounts.Learn, Track: track}, c.secret, now)
	c.Hijack, c.Events = newHijack(cfg, track, key, now), new(hijack.Events)
	c.Trend = trend.New()
	if kept != nil {
		c.Blocks.Track()
		kept.Add("limits", limitSpace{c.Table})
		kept.Add("accounts", accountSpace{c.Accounts})
		kept.Add("learning", learningSpace{c.Accounts})
		kept.Add("exceptions", c.Grants)
		kept.Add("blocks", blockSpace{c.Blocks})
		kept.Add("hijack", hijackSpace{c.Hijack})
		kept.Add("retries", retrySpace{c.Retries})
		kept.Add("servers", serverSpace{c.Servers})
		kept.Add("harvest", harvestSpace{c.Harvest})
		kept.Add("directory", c.Known)
		kept.Add("share", &c.shareSpace)
		kept.Add("trend", trendSpace{c.Trend})
	}
	return c
}

// Apply has the counters go by the configuration from now on, as far as they
// outlive engines. The configuration is right in what it says of them. key tells the account
// of a login, see AccountKeys: names that were given before are read by it anew, so it is to
// be called too when that has changed.
func (c *Counters) Apply(cfg *config.Config, key func(login string) string, now time.Time) {
	c.Accounts.SetLearn(cfg.Accounts.Learn)
	c.Grants.SetWritten(cfg.Accounts.Exceptions, key)
	c.Blocks.Rekey(key, now)
	c.Retries.SetWindows(RetryWindows(cfg))
	c.Servers.Set(memorySettings(cfg))
	c.Hijack.Set(cfg.Hijack.Settings())
	c.Harvest.Apply(HarvestSettings(cfg))
}

// Limits are those of the configuration, counted in c. The file of accounts, and then
// the directory, tell of their age and plan; both may be nil. It is called by one goroutine
// at a time. Who watches them is a *memory.Busiest.
func (c *Counters) Limits(cfg *config.Config, file *accounts.File, stack *directory.Stack) (engine.Limits, error) {
	return c.LimitsWhere(cfg, file, stack, func(*ratelimit.Limit) bool { return true })
}

// LimitsWhere is Limits of those that keep holds of.
func (c *Counters) LimitsWhere(cfg *config.Config, file *accounts.File, stack *directory.Stack, keep func(*ratelimit.Limit) bool) (engine.Limits, error) {
	if c.hashed != cfg.Log.Hashed { // nobody is to be shown who was named the other way
		c.hashed, c.busiest = cfg.Log.Hashed, new(memory.Busiest)
	}
	var limits []ratelimit.Limit
	for i := range cfg.Limits {
		if l, on := bySetting(cfg.Limits[i], cfg.Policy); on && keep(&cfg.Limits[i]) {
			limits = append(limits, l)
		}
	}
	if len(limits) == 0 {
		return engine.Limits{}, nil
	}
	secret := c.secret
	if c.share != nil {
		secret = c.key.use()
	}
	rules, err := ratelimit.NewRules(limits, secret, c.Exceptions)
	if err != nil {
		return engine.Limits{}, err
	}
	return engine.Limits{Rules: rules, Store: c.store(), Accounts: c.Accounts, Born: born(file, stack), Watch: c.busiest}, nil
}

// bySetting is a limit as [points] has it; false: it is switched off. One that is
// only watched must not stand in the way of what others count, so whoever counts
// has to know.
func bySetting(l ratelimit.Limit, policy *profile.Policy) (ratelimit.Limit, bool) {
	switch policy.Points["limit:"+l.Name].Rule {
	case profile.Off:
		return l, false
	case profile.Monitor:
		l.Action = ratelimit.Report
	}
	return l, true
}

// A limitSpace lets the store keep the counters of limits.
type limitSpace struct{ t *ratelimit.Table }

func (s limitSpace) Changed(dst []byte) []byte { return s.t.ExportChanged(dst, time.Now()) }
func (s limitSpace) All() iter.Seq[[]byte]     { return s.t.ExportAll(time.Now()) }
func (s limitSpace) Len() int                  { return s.t.Stats().Keys }
func (s limitSpace) Load(record []byte) error {
	return eachFrame(record, func(f ratelimit.Frame) error {
		_, err := s.t.Import(f, time.Now())
		return err
	})
}

// An accountSpace lets it keep since when accounts are known.
type accountSpace struct{ a *ratelimit.Accounts }

func (s accountSpace) Changed(dst []byte) []byte { return s.a.ExportChanged(dst, time.Now()) }
func (s accountSpace) All() iter.Seq[[]byte]     { return s.a.ExportAll(time.Now()) }
func (s accountSpace) Len() int                  { return s.a.Stats().Keys }
func (s accountSpace) Load(record []byte) error {
	return eachFrame(record, func(f ratelimit.Frame) error {
		_, err := s.a.Import(f, time.Now())
		return err
	})
}

// Lost has the accounts learnt anew: who is missing would look like one that is new.
func (s accountSpace) Lost() { s.a.Relearn(time.Now()) }

// A retrySpace lets it keep who was asked to come back, and who did.
type retrySpace struct{ r *memory.Retries }

func (s retrySpace) Changed(dst []byte) []byte { return s.r.ExportChanged(dst) }
func (s retrySpace) All() iter.Seq[[]byte]     { return s.r.ExportAll() }
func (s retrySpace) Load(record []byte) error  { return s.r.Import(record, time.Now()) }
func (s retrySpace) Len() int {
	st := s.r.Stats()
	return st.Callers + st.Passed
}

// A harvestSpace lets it keep who tries names that do not exist, and who wrote to traps.
type harvestSpace struct{ w *harvest.Watch }

func (s harvestSpace) Changed(dst []byte) []byte { return s.w.ExportChanged(dst) }
func (s harvestSpace) All() iter.Seq[[]byte]     { return s.w.ExportAll() }
func (s harvestSpace) Len() int                  { return s.w.Len() }
func (s harvestSpace) Load(record []byte) error  { return s.w.Import(record, time.Now()) }

// memorySettings are those of the memory of servers.
func memorySettings(cfg *config.Config) memory.Settings {
	m := &cfg.Memory
	return memory.Settings{HalfLife: m.HalfLife, Learn: m.Learn, GoodAfter: m.GoodAfter, ManyHelos: m.ManyHelos}
}

// A serverSpace lets it keep how servers behaved.
type serverSpace struct{ s *memory.Servers }

func (s serverSpace) Changed(dst []byte) []byte { return s.s.ExportChanged(dst) }
func (s serverSpace) All() iter.Seq[[]byte]     { return s.s.ExportAll() }
func (s serverSpace) Len() int                  { return s.s.Stats(time.Now()).Keys }
func (s serverSpace) Load(record []byte) error  { return s.s.Import(record, time.Now()) }

// Lost has nobody called new for a while: who is missing would look like one who is.
func (s serverSpace) Lost() { s.s.Relearn(time.Now()) }

// A trendSpace lets it keep verdicts and findings over time.
type trendSpace struct{ t *trend.Trend }

func (s trendSpace) Changed(dst []byte) []byte { return s.t.Changed(dst, time.Now()) }
func (s trendSpace) All() iter.Seq[[]byte]     { return s.t.All() }
func (s trendSpace) Load(record []byte) error  { return s.t.Load(record, time.Now()) }
func (s trendSpace) Len() int                  { return s.t.Len() }

// eachFrame takes in the frames of a record.
func eachFrame(record []byte, load func(ratelimit.Frame) error) error {
	for len(record) > 0 {
		f, rest, err := ratelimit.NextFrame(record)
		if err != nil {
			return err
		}
		if err := load(f); err != nil {
			return err
		}
		record = rest
	}
	return nil
}
