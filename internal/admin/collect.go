package admin

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mailprofiled/internal/resolver"
)

// desc describes a metric of ours.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	verdictsDesc = desc("verdicts_total", "Distinct answers of transactions, as the log has them: by action, the stage they were spoken at, and mode. In monitor mode: what would have been said.", "action", "stage", "mode")
	findingsDesc = desc("findings_total", "Findings of those answers.", "finding")
	reloadsDesc  = desc("config_reloads_total", "Reloads of the configuration.", "result")
)

// A tally collects what Metrics counts itself, every label value from the start.
type tally struct{ m *Metrics }

func (t tally) Describe(to chan<- *prometheus.Desc) {
	to <- verdictsDesc
	to <- findingsDesc
	to <- reloadsDesc
	to <- limitRefusals
	to <- limitReports
}

func (t tally) Collect(to chan<- prometheus.Metric) {
	for action, name := range actions {
		for stage := range stages {
			for mode := range modes {
				to <- counter(verdictsDesc, t.m.verdicts[action][stage][mode].Load(), name, stages[stage], modes[mode])
			}
		}
	}
	t.m.eachFinding(func(id string, n uint64) { to <- counter(findingsDesc, n, id) })
	to <- counter(reloadsDesc, t.m.reloads.ok.Load(), "ok")
	to <- counter(reloadsDesc, t.m.reloads.failed.Load(), "failed")
	t.m.limits.collect(to)
}

func counter(d *prometheus.Desc, n uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// A reading is one number of a Status.
type reading struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Status) float64
}

func counts(name, help string, value func(*Status) uint64) reading {
	return reading{desc(name, help), prometheus.CounterValue, func(s *Status) float64 { return float64(value(s)) }}
}

func measures(name, help string, value func(*Status) float64) reading {
	return reading{desc(name, help), prometheus.GaugeValue, value}
}

// readings are the metrics without labels.
var readings = []reading{
	measures("sessions_open", "Connections of MTAs.", func(s *Status) float64 { return float64(s.Sessions.Open) }),
	measures("sessions_limit", "Sessions judged at once, at most: milter.max_sessions.", func(s *Status) float64 { return float64(s.Sessions.Limit) }),
	counts("sessions_total", "SMTP clients that an MTA has shown.", func(s *Status) uint64 { return s.Sessions.Total }),
	counts("sessions_refused_total", "Connections of MTAs for which there was no place.", func(s *Status) uint64 { return s.Sessions.Limited + s.Sessions.TurnedAway }),
	counts("milter_protocol_errors_total", "Connections closed for what was not the milter protocol.", func(s *Status) uint64 { return s.Sessions.ProtocolErrors }),
	counts("panics_total", "Panics of our own, answered by milter.on_failure.", func(s *Status) uint64 { return s.Sessions.Panics }),
	measures("mta_last_command_timestamp_seconds", "When an MTA was last heard of; 0 is never.", func(s *Status) float64 {
		if s.MTA == nil {
			return 0
		}
		return unix(s.MTA.LastCommand)
	}),
	counts("cache_hits_total", "Questions answered from the DNS cache.", func(s *Status) uint64 { return s.Cache.Hits }),
	counts("cache_stale_hits_total", "Answers past their expiry, given because no server answers.", func(s *Status) uint64 { return s.Cache.StaleHits }),
	measures("cache_entries", "Names and addresses in the DNS cache.", func(s *Status) float64 { return float64(s.Cache.Entries) }),
	measures("cache_bytes", "Memory of the DNS cache.", func(s *Status) float64 { return float64(s.Cache.Bytes) }),
	measures("dns_servers_up", "DNS servers that answer.", func(s *Status) float64 {
		up := 0
		for _, server := range s.DNS.Servers {
			if server.Up {
				up++
			}
		}
		return float64(up)
	}),
	measures("dns_servers", "DNS servers that are asked.", func(s *Status) float64 { return float64(len(s.DNS.Servers)) }),
	counts("dns_turned_away_total", "Questions not asked because too many were out.", func(s *Status) uint64 { return s.DNS.TurnedAway }),
	measures("retry_deferred", "Deferrals that may come back as an honest retry.", func(s *Status) float64 { return float64(s.Retry.Deferred) }),
	measures("retry_passed", "Callers that came back as an honest retry, and are remembered.", func(s *Status) float64 { return float64(s.Retry.Passed) }),
	counts("retry_asked_total", "Callers asked to come back for their score: an operator, SPF domain or network that waits is asked once.", func(s *Status) uint64 { return s.Retry.Asked }),
	counts("retry_returned_total", "Of these, those who came back.", func(s *Status) uint64 { return s.Retry.Returned }),
	counts("retry_gave_up_total", "Of these, those who did not within retry.within.", func(s *Status) uint64 { return s.Retry.GaveUp }),
	measures("retry_longest_wait_seconds", "How long one who came back has waited at most, since the start.", func(s *Status) float64 { return s.Retry.LongestS }),
	measures("memory_keys", "Addresses, networks and operators of servers that are remembered.", func(s *Status) float64 { return float64(s.Memory.Keys) }),
	measures("memory_room", "For how many there is room: memory.size.", func(s *Status) float64 { return float64(s.Memory.Room) }),
	counts("memory_evicted_total", "Of these, those forgotten for want of room.", func(s *Status) uint64 { return s.Memory.Evicted }),
	counts("store_errors_total", "Failures of the stores of state, on disk and shared.", func(s *Status) uint64 { return s.Store.Errors + s.Shared.errors() }),
	measures("store_bytes", "What the state takes on disk.", func(s *Status) float64 { return float64(s.Store.Bytes) }),
	counts("records_total", "Visits whose answers were recorded, for the command why.", func(s *Status) uint64 { return s.Records.Records }),
	counts("records_lost_total", "Visits whose answers were to be recorded and were not: too many at once, or no disk for long.", func(s *Status) uint64 { return s.Records.Lost }),
	counts("records_errors_total", "Failures of the disk that records are kept on.", func(s *Status) uint64 { return s.Records.Errors }),
	measures("records_bytes", "What records take on disk.", func(s *Status) float64 { return float64(s.Records.Bytes) }),
	measures("records_kept", "Whether records are on disk within a second.", func(s *Status) float64 { return truth(s.Records.Kept) }),
	measures("store_kept", "Whether changes of the state are on disk within a second.", func(s *Status) float64 { return truth(s.Store.Kept) }),
	measures("limit_counters", "Counters of limits that hold something.", func(s *Status) float64 { return float64(s.Store.Counters) }),
	measures("limit_counters_room", "For how many there is room.", func(s *Status) float64 { return float64(s.Limits.Room.Counters) }),
	counts("limit_counters_evicted_total", "Of these, those forgotten for want of room while they held something.", func(s *Status) uint64 { return s.Limits.Room.Evicted }),
	counts("limit_counters_evicted_at_limit_total", "Of these, those at their limit: their allowance came back too early.", func(s *Status) uint64 { return s.Limits.Room.EvictedMax }),
	counts("accounts_unnoted_total", "Sightings of accounts that there was no room for: their age is unknown.", func(s *Status) uint64 { return s.Limits.Room.Unnoted }),
	measures("accounts_learning", "Whether accounts that are first seen now are of unknown age.", func(s *Status) float64 { return truth(s.Limits.Learning) }),
	measures("accounts", "Accounts of which it is known since when.", func(s *Status) float64 { return float64(s.Store.Accounts) }),
	measures("accounts_blocked", "Accounts that may not send now.", func(s *Status) float64 { return float64(s.Blocked.Accounts) }),
	counts("hijack_events_total", "Accounts that began to seem stolen.", func(s *Status) uint64 { return s.Hijack.Events }),
	measures("hijack_learning", "Whether nobody is suspected yet: it is being learnt what is usual.", func(s *Status) float64 { return truth(s.Hijack.Learning) }),
	measures("hijack_accounts", "Accounts of which it is remembered what they do.", func(s *Status) float64 { return float64(s.Hijack.Accounts) }),
	counts("hijack_evicted_total", "Of these, those forgotten for want of room.", func(s *Status) uint64 { return s.Hijack.Evicted }),
	counts("log_lost_lines_total", "Log lines that could not be written.", func(s *Status) uint64 { return s.Log.LostLines }),
	measures("directory_up", "Whether all sources of the directory are asked: 0 while one is left alone as it fails.", func(s *Status) float64 { return truth(s.Directory.up()) }),
	measures("directory_addresses", "Recipients in the files of the directory.", func(s *Status) float64 {
		return float64(s.Directory.sum(func(d *DirectorySource) uint64 { return uint64(d.Addresses) }))
	}),
	counts("directory_questions_total", "Questions asked of sources that are not files.", func(s *Status) uint64 {
		return s.Directory.sum(func(d *DirectorySource) uint64 { return d.Asked })
	}),
	counts("directory_failures_total", "Of these, those that failed.", func(s *Status) uint64 {
		return s.Directory.sum(func(d *DirectorySource) uint64 { return d.Failed })
	}),
	counts("rcpt_unknown_total", "Recipients of strangers that do not exist, without those of bounces.", func(s *Status) uint64 { return s.Directory.Harvest.Unknown }),
	counts("rcpt_unknown_bounces_total", "Recipients of bounces that do not exist.", func(s *Status) uint64 { return s.Directory.Harvest.Bounced }),
	counts("rcpt_traps_total", "Recipients that are traps.", func(s *Status) uint64 { return s.Directory.Harvest.Trapped }),
	measures("harvest_networks", "Client addresses and networks that are taken for a harvest now.", func(s *Status) float64 { return float64(s.Directory.Harvest.Fishing) }),
	measures("config_last_reload_successful", "Whether the last reload was taken over; 1 where there was none.", func(s *Status) float64 { return truth(len(s.Config.Refused) == 0) }),
	measures("config_loaded_timestamp_seconds", "When the configuration in force was loaded.", func(s *Status) float64 { return unix(s.Config.Loaded) }),
}

var (
	queriesDesc = desc("dns_queries_total", "Questions that were asked of DNS servers.", "type", "result")
	secondsDesc = desc("dns_seconds", "How long those questions took.")
	policyDesc  = desc("policy_info", "The policy in force: machines with the same hash judge alike.", "baseline", "hash")
	listHits    = desc("list_hits_total", "Judged visits that a DNS list hit.", "list")
	listUp      = desc("list_up", "Whether a DNS list is asked and trusted: 1 only in state up.", "list")
	listAsked   = desc("list_queries_total", "Questions of visits asked of a DNS list.", "list")
	listUnknown = desc("list_unknown_total", "Of these, those without a usable answer.", "list")
	listHarsher = desc("list_harsher_total", "Answers that would have been milder without a DNS list.", "list")
	listSofter  = desc("list_softer_total", "Answers that would have been harsher without a DNS list.", "list")
	listStrange = desc("list_undeclared_total", "Answers of a DNS list with an address that none of its codes declares.", "list")
	sharedUp    = desc("shared_up", "Whether limits are counted together with other machines now.")
	sharedAlone = desc("shared_local_total", "Decisions of limits that were made without the shared store.")
	sharedCalls = desc("shared_calls_total", "Calls of the shared store.")
	sharedFails = desc("shared_errors_total", "Of these, those that failed or came too late.")
	sharedBoard = desc("shared_memory_up", "Whether machines tell each other what they remember of servers now.")
	sharedTold  = desc("shared_memory_told_total", "Notes of that which this machine has told.")
	sharedHeard = desc("shared_memory_heard_total", "Notes of that which it has heard.")
	sharedPeers = desc("shared_machines", "Machines that count together, with this one.")
	sharedAway  = desc("shared_machines_away", "Of these, those that have not been heard of.")
	buildDesc   = desc("build_info", "The program that runs.", "version", "commit")
)

// Types and results of questions, so that each has its counter from the start.
var (
	questionTypes   = []string{"A", "AAAA", "MX", "TXT", "PTR"}
	questionResults = []string{"found", "none", "failed", "refused"}
)

// A snapshot collects what a Status tells.
type snapshot struct{ status func() *Status }

func (c snapshot) Describe(to chan<- *prometheus.Desc) {
	for _, r := range readings {
		to <- r.desc
	}
	for _, d := range []*prometheus.Desc{queriesDesc, secondsDesc, listHits, listUp, listAsked, listUnknown, listHarsher, listSofter, listStrange, policyDesc, buildDesc,
		notifications, sharedUp, sharedAlone, sharedCalls, sharedFails, sharedPeers, sharedAway, sharedBoard, sharedTold, sharedHeard} {
		to <- d
	}
	for _, d := range candidateDescs {
		to <- d
	}
}

func (c snapshot) Collect(to chan<- prometheus.Metric) {
	s := c.status()
	for _, r := range readings {
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, r.value(s))
	}
	for _, qtype := range questionTypes {
		for _, result := range questionResults {
			i := slices.IndexFunc(s.DNS.Queries, func(q DNSCount) bool { return q.Type == qtype && q.Result == result })
			n := uint64(0)
			if i >= 0 {
				n = s.DNS.Queries[i].Count
			}
			to <- counter(queriesDesc, n, qtype, result)
		}
	}
	to <- seconds(s.DNS.stats)
	for i := range s.Lists {
		l := &s.Lists[i]
		to <- counter(listHits, l.Visits, l.List)
		to <- gauge(listUp, truth(l.State == "up"), l.List)
		to <- counter(listAsked, l.Asked, l.List)
		to <- counter(listUnknown, l.Unknown, l.List)
		to <- counter(listHarsher, l.Harsher, l.List)
		to <- counter(listSofter, l.Softer, l.List)
		to <- counter(listStrange, l.Undeclared, l.List)
	}
	s.Shared.collect(to)
	s.Notify.collect(to)
	s.Candidate.collect(to)
	baseline, hash := s.Policy, ""
	if i := strings.LastIndexByte(s.Policy, '-'); i >= 0 {
		baseline, hash = s.Policy[:i], s.Policy[i+1:]
	}
	to <- gauge(policyDesc, 1, baseline, hash)
	to <- gauge(buildDesc, 1, s.Version, s.Commit)
}

func (s *Shared) errors() uint64 {
	if s == nil {
		return 0
	}
	return s.Errors
}

func (s *Shared) collect(to chan<- prometheus.Metric) {
	if s == nil {
		return
	}
	away := 0
	for _, m := range s.Machines {
		if m.Away {
			away++
		}
	}
	to <- gauge(sharedUp, truth(s.Up))
	to <- counter(sharedAlone, s.Locally)
	to <- counter(sharedCalls, s.Calls)
	to <- counter(sharedFails, s.Errors)
	to <- gauge(sharedBoard, truth(s.MemoryUp))
	to <- counter(sharedTold, s.Told)
	to <- counter(sharedHeard, s.Heard)
	to <- gauge(sharedPeers, float64(len(s.Machines)))
	to <- gauge(sharedAway, float64(away))
}

// seconds makes a histogram of what the resolver has counted.
func seconds(st resolver.Stats) prometheus.Metric {
	buckets := make(map[float64]uint64, len(resolver.DurationBounds))
	count := uint64(0)
	for i, bound := range resolver.DurationBounds {
		if i < len(st.Durations) {
			count += st.Durations[i]
		}
		buckets[bound.Seconds()] = count
	}
	if n := len(resolver.DurationBounds); n < len(st.Durations) {
		count += st.Durations[n]
	}
	return prometheus.MustNewConstHistogram(secondsDesc, count, st.Total.Seconds(), buckets)
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
