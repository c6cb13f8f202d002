package profile

// An Alone says what a finding's shipped points may do by themselves.
type Alone uint8

const (
	AloneNo       Alone = iota // does not refuse by itself
	AloneYes                   // refuses by itself
	AloneStrict                // refuses by itself in baseline strict only
	AloneOperator              // the operator's choice; weighs nothing as shipped
	AloneList                  // as the list's points say
	AloneNever                 // law: the reject threshold must be met without it
	AloneTempfail              // defers by itself, whatever the score
)

// String gives the word of the manual's table.
func (a Alone) String() string {
	return [...]string{"no", "yes", "only strict", "operator's choice", "by the list's points", "never", "tempfail"}[a]
}

// Info describes one finding: a row of the table of findings.
type Info struct {
	ID     string
	Code   int    // basic reply code, 0 when the finding never speaks
	Status string // enhanced status code, "" likewise
	Alone  Alone
	Error  bool     // our own trouble: carries no points, takes "tempfail" instead
	Named  bool     // "ID" or "NAME" stands for a DNS list's id or a limit's name; the points of lists come with the hit
	Fixed  bool     // acts by its nature or by the operator's rule: [points] takes "off" and "monitor", and no points
	Lifts  []string // ids whose points its own, negative points may outweigh; nil when it lifts nothing
}

// Findings returns a row for each finding that this version judges, in table
// order, which breaks ties of who speaks.
func Findings() []Info {
	infos := make([]Info, len(table))
	for i, r := range table {
		infos[i] = Info{ID: r.id, Code: r.code, Status: r.status, Alone: r.alone, Error: r.error, Named: r.named, Fixed: r.fixed}
		for other := range table {
			if r.lifts.has(kind(other)) {
				infos[i].Lifts = append(infos[i].Lifts, table[other].id)
			}
		}
	}
	return infos
}

// A kind is a finding's place in the table.
type kind uint8

const (
	rdnsMissing kind = iota
	rdnsUnconfirmed
	rdnsGeneric
	rdnsDynamic
	rdnsError
	heloMissing
	heloSyntax
	heloNotFQDN
	heloAddress
	heloLiteralMismatch
	heloLocalhost
	heloIsUs
	heloBot
	heloUnresolvable
	heloNotClient
	heloUnrelated
	heloGeneric
	heloHoldsAddress
	heloMany
	fromSyntax
	fromNoDomain
	fromUnresolvable
	fromNullMX
	fromBogusMX
	fromIsUs
	fromAddress
	fromUnrelated
	fromError
	bounceManyRcpts
	spfFail
	spfSoftFail
	spfNone
	spfPermError
	spfPass
	spfNever
	spfError
	unnamedElsewhere
	unnamedBare
	genericElsewhere
	genericBare
	unrelatedElsewhere
	unrelatedBare
	relation
	dnsbl
	rhsbl
	dnswl
	rcptUnknown
	rcptError
	rcptHarvest
	rcptTrap
	limit
	accountBlocked
	accountHijack
	historyGood
	historyBad
	firstSeen
	retryPassed
	localAllow
	localDeny
	localPoints
	kinds // how many there are
)

// A scope is a set of kinds.
type scope uint64

func (s scope) has(k kind) bool { return s>>k&1 != 0 }

type row struct {
	id     string
	code   int
	status string
	alone  Alone
	error  bool
	named  bool
	fixed  bool
	lifts  scope
}

const (
	// byRelation is what speaks against a server that has no name of its own,
	// and not against one that is known to belong to what it claims.
	byRelation = 1<<rdnsMissing | 1<<rdnsUnconfirmed | 1<<rdnsGeneric | 1<<rdnsDynamic | 1<<rdnsError |
		1<<heloUnresolvable | 1<<heloNotClient | 1<<heloUnrelated | 1<<heloGeneric | 1<<heloHoldsAddress | 1<<heloNotFQDN | byPairs | 1<<firstSeen
	byPairs = 1<<unnamedElsewhere | 1<<unnamedBare | 1<<genericElsewhere | 1<<genericBare | 1<<unrelatedElsewhere | 1<<unrelatedBare
	// serverChecks is all that a stranger is judged by.
	serverChecks = 1<<relation - 1 | 1<<dnsbl | 1<<rhsbl | 1<<rcptTrap | 1<<historyBad | 1<<firstSeen | 1<<localPoints
	// byList is what a good name elsewhere speaks against: not lies about who is
	// there, nor a sender who cannot be written to.
	byList = serverChecks &^ (1<<heloIsUs | 1<<heloLocalhost | 1<<heloBot | 1<<heloSyntax |
		1<<fromNoDomain | 1<<fromUnresolvable | 1<<fromNullMX | 1<<rcptTrap)
)

// lifters are the findings that may take points off, in the order in which they
// do: those with a narrow scope first, so that none is wasted on what a wider one
// could have taken.
var lifters = [...]kind{relation, spfPass, historyGood, dnswl, localPoints, localAllow}

// table is part 4 of the design, row by row.
var table = [kinds]row{
	rdnsMissing:         {id: "rdns-missing", code: 550, status: "5.7.25", alone: AloneStrict}, // RFC 7372 section 3.3
	rdnsUnconfirmed:     {id: "rdns-unconfirmed", code: 550, status: "5.7.25"},
	rdnsGeneric:         {id: "rdns-generic", code: 550, status: "5.7.25"},
	rdnsDynamic:         {id: "rdns-dynamic", code: 550, status: "5.7.25"},
	rdnsError:           {id: "rdns-error", code: 451, status: "4.4.3", alone: AloneNever, error: true}, // RFC 3463 section 3.5
	heloMissing:         {id: "helo-missing", code: 503, status: "5.5.1", alone: AloneYes},
	heloSyntax:          {id: "helo-syntax", code: 501, status: "5.5.4", alone: AloneYes},
	heloNotFQDN:         {id: "helo-not-fqdn", code: 550, status: "5.7.1"},
	heloAddress:         {id: "helo-address", code: 550, status: "5.7.1", alone: AloneYes},
	heloLiteralMismatch: {id: "helo-literal-mismatch", code: 550, status: "5.7.1", alone: AloneYes},
	heloLocalhost:       {id: "helo-localhost", code: 550, status: "5.7.1", alone: AloneYes},
	heloIsUs:            {id: "helo-is-us", code: 550, status: "5.7.1", alone: AloneYes},
	heloBot:             {id: "helo-bot", code: 550, status: "5.7.1", alone: AloneYes},
	heloUnresolvable:    {id: "helo-unresolvable", code: 550, status: "5.7.1"},
	heloNotClient:       {id: "helo-not-client", code: 550, status: "5.7.1", alone: AloneNever}, // RFC 5321 section 4.1.4
	heloUnrelated:       {id: "helo-unrelated", code: 550, status: "5.7.1", alone: AloneNever},
	heloGeneric:         {id: "helo-generic", code: 550, status: "5.7.1"},
	heloHoldsAddress:    {id: "helo-holds-address"},
	heloMany:            {id: "helo-many", code: 550, status: "5.7.1"},
	fromSyntax:          {id: "from-syntax", code: 501, status: "5.1.7"},
	fromNoDomain:        {id: "from-no-domain", code: 550, status: "5.1.8", alone: AloneYes}, // RFC 3463 section 3.2
	fromUnresolvable:    {id: "from-unresolvable", code: 550, status: "5.1.8", alone: AloneYes},
	fromNullMX:          {id: "from-null-mx", code: 550, status: "5.7.27", alone: AloneYes}, // RFC 7505 section 4.2
	fromBogusMX:         {id: "from-bogus-mx", code: 550, status: "5.1.8"},
	fromIsUs:            {id: "from-is-us", code: 550, status: "5.7.1", alone: AloneOperator},
	fromAddress:         {id: "from-address", code: 550, status: "5.7.1", alone: AloneOperator},
	fromUnrelated:       {id: "from-unrelated", alone: AloneNever},
	fromError:           {id: "from-error", code: 451, status: "4.4.3", alone: AloneNever, error: true},
	bounceManyRcpts:     {id: "bounce-many-rcpts", code: 550, status: "5.7.1"},
	spfFail:             {id: "spf-fail", code: 550, status: "5.7.23"}, // RFC 7372 section 3.2
	spfSoftFail:         {id: "spf-softfail", code: 550, status: "5.7.23"},
	spfNone:             {id: "spf-none", code: 550, status: "5.7.23"},
	spfPermError:        {id: "spf-permerror", code: 550, status: "5.7.24"},
	spfPass:             {id: "spf-pass", lifts: byRelation},
	spfNever:            {id: "spf-never", code: 550, status: "5.7.23", alone: AloneYes},
	spfError:            {id: "spf-error", code: 451, status: "4.7.24", alone: AloneNever, error: true},
	unnamedElsewhere:    {id: "unnamed-elsewhere", alone: AloneNever},
	unnamedBare:         {id: "unnamed-bare"},
	genericElsewhere:    {id: "generic-elsewhere", alone: AloneNever},
	genericBare:         {id: "generic-bare"},
	unrelatedElsewhere:  {id: "unrelated-elsewhere", alone: AloneNever},
	unrelatedBare:       {id: "unrelated-bare", alone: AloneNever},
	relation:            {id: "relation", lifts: byRelation},
	dnsbl:               {id: "dnsbl:ID", code: 554, status: "5.7.1", alone: AloneList, named: true},
	rhsbl:               {id: "rhsbl:ID", code: 554, status: "5.7.1", alone: AloneList, named: true},
	dnswl:               {id: "dnswl:ID", named: true, lifts: byList},
	rcptUnknown:         {id: "rcpt-unknown", code: 550, status: "5.1.1", alone: AloneYes, fixed: true}, // RFC 3463 section 3.2
	rcptError:           {id: "rcpt-error", code: 451, status: "4.3.0", alone: AloneNever, error: true}, // RFC 3463 section 3.4
	rcptHarvest:         {id: "rcpt-harvest", code: 450, status: "4.7.1", alone: AloneTempfail, fixed: true},
	rcptTrap:            {id: "rcpt-trap", code: 550, status: "5.7.1"},
	limit:               {id: "limit:NAME", code: 450, status: "4.7.28", alone: AloneYes, named: true, fixed: true}, // RFC 7372 has none; 4.7.28 is of the registry
	accountBlocked:      {id: "account-blocked", code: 450, status: "4.7.1", alone: AloneYes, fixed: true},
	accountHijack:       {id: "account-hijack", code: 450, status: "4.7.1", alone: AloneTempfail, fixed: true},
	historyGood:         {id: "history-good", lifts: byRelation},
	historyBad:          {id: "history-bad", code: 550, status: "5.7.1"},
	firstSeen:           {id: "first-seen", code: 450, status: "4.7.1"}, // a question (RFC 6647), no reproach
	retryPassed:         {id: "retry-passed", fixed: true},
	localAllow:          {id: "local-allow", fixed: true, lifts: serverChecks},
	localDeny:           {id: "local-deny", code: 550, status: "5.7.1", alone: AloneYes, fixed: true},
	localPoints:         {id: "local-points", code: 550, status: "5.7.1", alone: AloneYes, fixed: true, lifts: serverChecks},
}
