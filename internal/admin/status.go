package admin

import (
	"time"

	"mailprofiled/internal/resolver"
)

// States of a daemon.
const (
	Serving  = "serving"
	Stopping = "stopping" // it lets the open transactions end
)

// A Status is what a daemon tells of itself. Counts are since its start; a zero
// time is never.
type Status struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Now     time.Time `json:"now"`
	State   string    `json:"state"`
	Mode    string    `json:"mode"`   // monitor, enforce
	Policy  string    `json:"policy"` // "standard@1-3f9a2c1b"

	Config   Config   `json:"config"`
	Listen   []string `json:"listen"` // where an MTA can connect
	Doors    []Door   `json:"doors"`  // the same, with what holds there
	Web      string   `json:"web"`    // where metrics are; "" for nowhere
	Sessions Sessions `json:"sessions"`
	MTA      *MTA     `json:"mta"` // null: none has shown a client yet
	DNS      DNS      `json:"dns"`
	Cache    Cache    `json:"cache"`

	Verdicts map[string]uint64 `json:"verdicts"` // by action: continue, tempfail, reject
	Findings map[string]uint64 `json:"findings"` // by finding, those that were found
	Log      Log               `json:"log"`
	Retry    Retry             `json:"retry"`
	Memory   Memory            `json:"memory"`
	Limits   LimitStatus       `json:"limits"`
	Blocked  BlockedStatus     `json:"blocked"`
	Hijack   HijackStatus      `json:"hijack"`
	Notify   Notify            `json:"notify"`

	Directory Directory `json:"directory"`

	Candidate *Candidate `json:"candidate"` // a policy that is tried; null for none

	Store   Store       `json:"store"`
	Records Records     `json:"records"`
	Shared  *Shared     `json:"shared"`           // limits that machines count together; null: they do not
	Lists   []DNSList   `json:"lists"`            // in the order of lists.use
	Outage  *Outage     `json:"lists_unanswered"` // null: the world answers, as far as is known
	Local   []LocalRule `json:"local"`            // the operator's own rules, in their order
	Geo     []Database  `json:"geo"`              // databases in use
}

// LimitStatus is how limits are. All of them: see Limits.
type LimitStatus struct {
	InForce  int       `json:"in_force"`
	Learning bool      `json:"learning"` // accounts first seen before Learnt are of unknown age, and it has not come
	ByAge    bool      `json:"by_age"`   // some limits ask for it: they only report on those
	Learnt   time.Time `json:"learnt,omitzero"`
	Room     LimitRoom `json:"room"`
}

// LimitRoom is for how many counters and accounts there is memory, and what became of those
// beyond. Counts are since the start.
type LimitRoom struct {
	Counters   int    `json:"counters"`    // that there is room for
	Evicted    uint64 `json:"evicted"`     // counters forgotten that still held something
	EvictedMax uint64 `json:"evicted_max"` // of these, those at their limit: their allowance came back too early
	Accounts   int    `json:"accounts"`    // that there is room for
	Unnoted    uint64 `json:"unnoted"`     // sightings of accounts beyond: their age is unknown
}

// BlockedStatus tells of accounts that may not send. All of them: see Blocks.
type BlockedStatus struct {
	Accounts int       `json:"accounts"`
	Newest   time.Time `json:"newest,omitzero"` // since when the last of them is blocked
}

// Records is how what stands behind answers is kept.
type Records struct {
	Path    string    `json:"path"`   // "" where they are in memory only
	KeepS   float64   `json:"keep_s"` // for so long; 0: nothing is recorded
	Limit   int64     `json:"limit"`  // bytes
	Sample  float64   `json:"sample"` // the share of plain answers among them
	Kept    bool      `json:"kept"`   // they are on disk within a second
	Error   string    `json:"error"`
	Remedy  string    `json:"remedy"`
	Since   time.Time `json:"since,omitzero"` // of the error
	Errors  uint64    `json:"errors"`
	Records uint64    `json:"records"` // since the start
	Lost    uint64    `json:"lost"`
	Bytes   int64     `json:"bytes"`
	Oldest  time.Time `json:"oldest,omitzero"` // as of when there are records
}

// Store is how what outlives the daemon is kept: counters of limits, and since when accounts are
// known.
type Store struct {
	Path      string    `json:"path"` // "" where nothing is kept: all of it ends with the process
	Kept      bool      `json:"kept"` // changes are on disk within a second
	Error     string    `json:"error"`
	Remedy    string    `json:"remedy"`
	Since     time.Time `json:"since,omitzero"` // of the error
	Errors    uint64    `json:"errors"`
	LastWrite time.Time `json:"last_write,omitzero"`
	Bytes     int64     `json:"bytes"`
	SetAside  int       `json:"set_aside"` // damaged files, for the operator to look at
	Accounts  int       `json:"accounts"`
	Counters  int       `json:"counters"`
}

// Shared is how limits are counted together with other machines.
type Shared struct {
	At       string          `json:"at"`      // the server, without its password
	Machine  string          `json:"machine"` // the name of this one
	Up       bool            `json:"up"`      // it is asked; else each machine counts its part by itself
	Since    time.Time       `json:"since"`   // of Up, or of being away
	Error    string          `json:"error"`
	Remedy   string          `json:"remedy"`
	Warning  string          `json:"warning"` // what is wrong with how the server is set up
	Machines []SharedMachine `json:"machines"`
	Calls    uint64          `json:"calls"`
	Errors   uint64          `json:"errors"`
	Locally  uint64          `json:"locally"` // decisions made without it

	MemoryUp    bool      `json:"memory_up"` // what is remembered of servers is shared too
	MemorySince time.Time `json:"memory_since"`
	MemoryError string    `json:"memory_error"`
	Told        uint64    `json:"told"`  // records of that
	Heard       uint64    `json:"heard"` // of other machines
}

// A SharedMachine is one of the machines that count together, as of the last time that
// their server answered.
type SharedMachine struct {
	Name    string  `json:"name"`
	SilentS float64 `json:"silent_s"`
	Away    bool    `json:"away"` // silent for so long that it may be counting by itself
}

// A DNSList is how one DNS list in use is, and what it does. Figures are since the
// daemon began to use it.
type DNSList struct {
	List     string    `json:"list"`
	State    string    `json:"state"` // up, untested, refused, empty, lists-all, silent, suspended: only up counts
	Reason   string    `json:"reason"`
	Remedy   string    `json:"remedy"`
	Since    time.Time `json:"since,omitzero"`
	Tested   time.Time `json:"tested,omitzero"`
	NextTest time.Time `json:"next_test,omitzero"`
	Missed   time.Time `json:"missed_until,omitzero"` // of an allow list that gives no answer: until then nothing is refused that it could have lifted

	Asked   uint64  `json:"asked"`   // questions of visits on the wire
	Hits    uint64  `json:"hits"`    // of these: listed, or spoken for
	Unknown uint64  `json:"unknown"` // of these: no usable answer
	Share   float64 `json:"share"`   // of hits among the answers, 0 to 1

	Undeclared       uint64 `json:"undeclared"`        // answers with an address that no code of the list declares: it weighs nothing
	UndeclaredAnswer string `json:"undeclared_answer"` // the last such address; "" before the first

	P50MS   float64          `json:"p50_ms"`
	P99MS   float64          `json:"p99_ms"`
	Visits  uint64           `json:"visits"`  // judged visits that it hit
	Alone   uint64           `json:"alone"`   // of these: hit by no other list
	Harsher uint64           `json:"harsher"` // answers that would have been milder without it
	Softer  uint64           `json:"softer"`  // answers that would have been harsher without it
	Overlap []DNSListOverlap `json:"overlap"`
}

// An Outage is that DNS lists fail, and the world does not answer either: it is no list's
// fault.
type Outage struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy"`
}

// A DNSListOverlap counts the visits that another list hit too.
type DNSListOverlap struct {
	List   string `json:"list"`
	Visits uint64 `json:"visits"`
}

// A Door is one place where an MTA can connect.
type Door struct {
	Listen   string `json:"listen"`
	Role     string `json:"role"`            // mx, submission
	AnswerAt string `json:"answer_at"`       // rcpt, mail
	Exempt   int    `json:"exempt_networks"` // how many of its own
	Own      bool   `json:"own"`             // it has a [[listener]]
}

// Config is which configuration is in force.
type Config struct {
	Path     string    `json:"path"`
	Files    []string  `json:"files"` // all that were read
	Loaded   time.Time `json:"loaded"`
	Settings string    `json:"settings"` // names all that verdicts rest on: see config.SettingsID

	// Refused is the last reload if it was refused, and what is in force older
	// than the files: its mistakes, as check prints them.
	Refused   []string  `json:"refused"`
	RefusedAt time.Time `json:"refused_at,omitzero"`
}

// Sessions are connections of MTAs.
type Sessions struct {
	Open           int    `json:"open"`
	Limit          int    `json:"limit"` // judged at once
	Total          uint64 `json:"total"` // SMTP clients shown
	Limited        uint64 `json:"limited"`
	TurnedAway     uint64 `json:"turned_away"`
	Shed           uint64 `json:"shed"`
	ProtocolErrors uint64 `json:"protocol_errors"`
	Panics         uint64 `json:"panics"`

	Sent   Sent         `json:"sent"`
	Recent Recent       `json:"recent"`
	Test   *ShownClient `json:"self_test"` // the last client that a self-test has shown; null: there was none
}

// Sent is what MTAs have sent of what we need.
type Sent struct {
	Unnamed  uint64 `json:"unnamed"`   // clients without the MTA's name {j}
	Mails    uint64 `json:"mails"`     // MAIL commands
	LoggedIn uint64 `json:"logged_in"` // of these with a login {auth_authen}
	Rcpts    uint64 `json:"rcpts"`     // RCPT commands
	Unmarked uint64 `json:"unmarked"`  // of these without {rcpt_mailer}
}

// Recent is who the last clients were, at most some hundred: by that a NAT shows.
type Recent struct {
	Clients  int    `json:"clients"`
	Distinct int    `json:"distinct"` // addresses
	Private  int    `json:"private"`  // clients with a private address
	Loopback int    `json:"loopback"` // clients of this machine
	Most     string `json:"most"`     // the most frequent address, "" for none
	MostSeen int    `json:"most_seen"`
}

// A ShownClient is a client as it came in here.
type ShownClient struct {
	When   time.Time `json:"when"`
	Client string    `json:"client"` // "" where it could not be read
}

// MTA is the mail server that was last heard of.
type MTA struct {
	LastCommand time.Time `json:"last_command"`
	Negotiated  time.Time `json:"negotiated"`
	Name        string    `json:"name"`   // {j}
	Daemon      string    `json:"daemon"` // {daemon_name}
	Offered     Offer     `json:"offered"`
	Agreed      Offer     `json:"agreed"`
	MacroLists  bool      `json:"macro_lists"` // it sends the macros that we name
}

// An Offer is one side of a milter negotiation.
type Offer struct {
	Version  uint32 `json:"version"`
	Actions  uint32 `json:"actions"`
	Protocol uint32 `json:"protocol"`
}

// DNS is how the resolver fares.
type DNS struct {
	Servers    []DNSServer `json:"servers"`
	Queries    []DNSCount  `json:"queries"` // zero counts left out
	TurnedAway uint64      `json:"turned_away"`
	InFlight   int         `json:"in_flight"`

	stats resolver.Stats // whence all this
}

// A DNSServer is one server that is asked.
type DNSServer struct {
	Address  string  `json:"address"`
	Up       bool    `json:"up"`
	RTTMS    float64 `json:"rtt_ms"`
	Queries  uint64  `json:"queries"`
	Failures uint64  `json:"failures"`
}

// A DNSCount counts questions by type and result.
type DNSCount struct {
	Type   string `json:"type"`   // A, AAAA, MX, TXT, PTR
	Result string `json:"result"` // found, none, failed, refused
	Count  uint64 `json:"count"`
}

// Cache is what is remembered of DNS.
type Cache struct {
	Entries   int    `json:"entries"` // names and addresses
	Bytes     int64  `json:"bytes"`
	Limit     int64  `json:"limit_bytes"`
	Hits      uint64 `json:"hits"`
	StaleHits uint64 `json:"stale_hits"`
}

// Log is how the log fares.
type Log struct {
	LostLines uint64 `json:"lost_lines"`
}

// Memory is what is remembered of servers.
type Memory struct {
	Keys    int       `json:"keys"` // addresses, networks, operators
	Room    int       `json:"room"`
	Evicted uint64    `json:"evicted"` // forgotten for want of room, since the start
	Began   time.Time `json:"began"`
	Learnt  time.Time `json:"learnt,omitzero"` // until then nobody is said to be new
}

// Retry is who was asked to come back.
type Retry struct {
	Deferred int `json:"deferred"` // mails that may come back
	Callers  int `json:"callers"`  // whose they are: operators, SPF domains, networks
	Passed   int `json:"passed"`   // those who came back, and are remembered

	// Since the start; one who waits is asked once, whatever he sends meanwhile.
	Asked     uint64        `json:"asked"`
	Returned  uint64        `json:"returned"`
	GaveUp    uint64        `json:"gave_up"`
	Forgotten uint64        `json:"forgotten"` // for want of room
	LongestS  float64       `json:"longest_wait_s"`
	Reasons   []RetryReason `json:"reasons"`
}

// A RetryReason tells how many of those came back who were asked to for a finding.
type RetryReason struct {
	Finding  string `json:"finding"`
	Deferred uint64 `json:"deferred"`
	Returned uint64 `json:"returned"`
}

// A LocalRule is one rule of the operator's own, and what became of it.
type LocalRule struct {
	Where   string    `json:"where"`  // "mailprofiled.toml:31"
	Action  string    `json:"action"` // allow, deny, points
	Owner   string    `json:"owner"`
	Hits    uint64    `json:"hits"`
	Last    time.Time `json:"last,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	State   string    `json:"state"` // active, unused, expired

	Files []LocalFile `json:"files"`
}

// A LocalFile is a file of a rule of the operator's own, and what became of it.
type LocalFile struct {
	File    string    `json:"file"`
	Entries int       `json:"entries"`
	Bad     int       `json:"bad"`     // lines that cannot be read
	Expired int       `json:"expired"` // entries
	Hits    uint64    `json:"hits"`
	Last    time.Time `json:"last,omitzero"`
	Loaded  time.Time `json:"loaded"`
	Trouble string    `json:"trouble,omitempty"` // why the version on disk is not the one in use

	// Tracked: the use of each entry is known. Unused never matched; UnusedLines
	// are the first of them.
	Tracked     bool  `json:"tracked"`
	Unused      int   `json:"unused"`
	UnusedLines []int `json:"unused_lines"`
}

// A Database tells which country or network an address belongs to.
type Database struct {
	Kind    string    `json:"kind"` // country, asn
	File    string    `json:"file"`
	Type    string    `json:"type"`    // as it calls itself: "GeoLite2-Country"
	Entries int       `json:"entries"` // distinct records
	Built   time.Time `json:"built"`   // by its maker
	Loaded  time.Time `json:"loaded"`
	Trouble string    `json:"trouble,omitempty"` // why the version on disk is not the one in use
}

// Resolver fills in what the resolver tells of itself.
func (s *Status) Resolver(st resolver.Stats) {
	s.DNS = DNS{Servers: []DNSServer{}, Queries: []DNSCount{}, TurnedAway: st.TurnedAway, InFlight: st.InFlight, stats: st}
	for _, srv := range st.Servers {
		s.DNS.Servers = append(s.DNS.Servers, DNSServer{
			Address: srv.Addr.String(), Up: srv.Up, Queries: srv.Queries, Failures: srv.Failures,
			RTTMS: float64(srv.RTT.Round(10*time.Microsecond)) / float64(time.Millisecond),
		})
	}
	for _, q := range st.Queries {
		s.DNS.Queries = append(s.DNS.Queries, DNSCount{Type: q.Type, Result: q.Result, Count: q.N})
	}
	s.Cache.Entries, s.Cache.Bytes, s.Cache.Hits, s.Cache.StaleHits = st.Entries, st.Bytes, st.Hits, st.StaleHits
}

// NotReady says why no mail should come here now; nil when it may.
func (s *Status) NotReady() []string {
	var why []string
	if s.State != Serving {
		why = append(why, "not serving: "+s.State)
	}
	if s.Config.Loaded.IsZero() {
		why = append(why, "no configuration is loaded")
	}
	if len(s.Listen) == 0 {
		why = append(why, "no MTA can connect")
	}
	if !s.DNS.anyUp() {
		why = append(why, "no DNS server answers")
	}
	return why
}

func (d DNS) anyUp() bool {
	for _, server := range d.Servers {
		if server.Up {
			return true
		}
	}
	return false
}

// Directory is how it is known who exists here, and what became of who does not.
type Directory struct {
	Sources []DirectorySource `json:"sources"` // the default first; none where nobody says
	Traps   int               `json:"traps"`   // addresses in the file of traps
	Harvest Harvest           `json:"harvest"`
}

// A DirectorySource is one place that knows who exists. Figures are since it was
// opened; a source of the same settings stays open over reloads, files do not.
type DirectorySource struct {
	Source    string          `json:"source"`  // mta, file, ...
	Domains   []string        `json:"domains"` // none: those that no other has
	Addresses int             `json:"addresses"`
	Files     []DirectoryFile `json:"files"`

	Up      bool      `json:"up"` // it is asked; false: it is left alone as it fails
	Since   time.Time `json:"since,omitzero"`
	Trouble string    `json:"trouble"` // of the last question, "" when it was answered
	Asked   uint64    `json:"asked"`
	Failed  uint64    `json:"failed"`
	Cached  uint64    `json:"cached"`
	Stale   uint64    `json:"stale"`  // of the cached: past their time, since it failed
	Turned  uint64    `json:"turned"` // not asked, as it was left alone or too busy
	Kept    int       `json:"kept"`   // answers remembered
}

// A DirectoryFile is one file of a source.
type DirectoryFile struct {
	File    string    `json:"file"`
	Format  string    `json:"format"`
	Entries int       `json:"entries"` // lines
	Bad     int       `json:"bad"`     // lines that cannot be read
	Loaded  time.Time `json:"loaded"`
	Trouble string    `json:"trouble,omitempty"` // why the version on disk is not the one in use
	Doubted bool      `json:"doubted"`           // what it lacks is not refused
}

// Harvest is who tries names that do not exist. Counts are since the start.
type Harvest struct {
	Unknown uint64 `json:"unknown"` // recipients that do not exist, without those of bounces
	Bounced uint64 `json:"bounced"` // those of bounces
	Trapped uint64 `json:"trapped"` // recipients that are traps
	Watched int    `json:"watched"` // addresses and networks that tried one lately
	Fishing int    `json:"fishing"` // of these: now taken for a harvest
	Marked  int    `json:"marked"`  // clients remembered for writing to a trap
}

// up reports whether all sources are asked.
func (d *Directory) up() bool {
	for i := range d.Sources {
		if !d.Sources[i].Up {
			return false
		}
	}
	return true
}

// sum adds up a figure of all sources.
func (d *Directory) sum(of func(*DirectorySource) uint64) uint64 {
	n := uint64(0)
	for i := range d.Sources {
		n += of(&d.Sources[i])
	}
	return n
}
