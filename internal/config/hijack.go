package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"mailprofiled/internal/hijack"
	"mailprofiled/profile"
	"mailprofiled/ratelimit"
)

// What becomes of mail of an account that seems stolen.
const (
	HijackReport   = "report"
	HijackTempfail = "tempfail"
	HijackBlock    = "block"
)

// Hijack is how stolen accounts are told.
type Hijack struct {
	Action       string
	Threshold    float64
	Window       time.Duration
	Learn        time.Duration
	Exempt       []string // logins by ratelimit.AccountKey, and domains with an @ before them
	Bytes        int64    // the bound of what is remembered
	Networks     int
	Countries    int
	Senders      int
	Unknown      int
	UnknownShare float64
	Jump         int

	PointsNetworks, PointsCountries, PointsSenders, PointsUnknown, PointsJump, PointsListed float64
}

// Settings are these as the watch takes them.
func (h *Hijack) Settings() hijack.Settings {
	return hijack.Settings{
		Window: h.Window, Learn: h.Learn, Threshold: h.Threshold,
		Points: [hijack.Signs]float64{
			hijack.Networks: h.PointsNetworks, hijack.Countries: h.PointsCountries, hijack.Senders: h.PointsSenders,
			hijack.Unknown: h.PointsUnknown, hijack.Jump: h.PointsJump, hijack.Listed: h.PointsListed,
		},
		Networks: h.Networks, Countries: h.Countries, Senders: h.Senders, Unknown: h.Unknown, UnknownShare: h.UnknownShare, Jump: h.Jump,
	}
}

func hijackKeys() []Key {
	key := func(name string, kind Kind, usual any, doc string, field func(*Config) any) Key {
		return Key{Name: "accounts.hijack." + name, Kind: kind, Default: usual, Hot: true, Policy: true, Doc: doc, field: field}
	}
	keys := []Key{
		key("action", plainChoice(HijackReport, HijackTempfail, HijackBlock), HijackReport,
			"What becomes of mail of an account that seems stolen: it is only told of, it is deferred as long as there are signs, or the account is blocked until it is released.",
			func(c *Config) any { return &c.Hijack.Action }),
		key("threshold", numberKind(0, maxPoints), 10.0,
			"From so many points of its signs on an account seems stolen. As shipped that takes two signs.",
			func(c *Config) any { return &c.Hijack.Threshold }),
		key("window", durationKind(hour, day), "24h",
			"The time within which things are counted. The last third of it may be missing.",
			func(c *Config) any { return &c.Hijack.Window }),
		key("learn", durationKind(0, 90*day), "7d",
			`So long after the state began nobody is suspected, and so long after an account was first seen nothing is a jump: it is learnt what is usual. "0": never.`,
			func(c *Config) any { return &c.Hijack.Learn }),
		key("exempt", listKind[string]("logins and domains", true, false, hijackExemptKind()), []any{},
			`Accounts that are never suspected: logins, and all of a domain by an @ before it.`,
			func(c *Config) any { return &c.Hijack.Exempt }),
		key("networks", integerKind(1, 40), int64(8),
			"The clients of an account in more networks than these, and more than is usual for it, are a sign: by geo.asn, else of the first 16 bits, of IPv6 32.",
			func(c *Config) any { return &c.Hijack.Networks }),
		key("countries", integerKind(1, 20), int64(3),
			"Likewise in more countries, by geo.country. Of these two signs the heavier counts.",
			func(c *Config) any { return &c.Hijack.Countries }),
		key("senders", integerKind(1, 24), int64(12),
			"More envelope senders than these, and more than is usual for it, are a sign; of one domain at most four count, and tags are not looked at.",
			func(c *Config) any { return &c.Hijack.Senders }),
		key("unknown", integerKind(1, 10_000), int64(10),
			"More recipients than these who do not exist are a sign,",
			func(c *Config) any { return &c.Hijack.Unknown }),
		key("unknown_share", shareKind(), 0.2,
			"if they are such a part of all recipients, or more.",
			func(c *Config) any { return &c.Hijack.UnknownShare }),
		key("jump", integerKind(1, ratelimit.MaxMax), int64(100),
			"More recipients than these are a sign where they are far more than is usual for it: four times the spread above the mean of a day, and twice the most.",
			func(c *Config) any { return &c.Hijack.Jump }),
		key("points.networks", weightKind(), 5.0, "What the signs weigh: networks,", func(c *Config) any { return &c.Hijack.PointsNetworks }),
		key("points.countries", weightKind(), 5.0, "countries,", func(c *Config) any { return &c.Hijack.PointsCountries }),
		key("points.senders", weightKind(), 5.0, "senders,", func(c *Config) any { return &c.Hijack.PointsSenders }),
		key("points.unknown", weightKind(), 5.0, "recipients who do not exist,", func(c *Config) any { return &c.Hijack.PointsUnknown }),
		key("points.jump", weightKind(), 5.0, "a jump over what is usual,", func(c *Config) any { return &c.Hijack.PointsJump }),
		key("points.listed", weightKind(), 5.0, `and a client on a list with at = ["auth"].`, func(c *Config) any { return &c.Hijack.PointsListed }),
	}
	size := Key{
		Name: "accounts.hijack.size", Kind: sizeKind(1<<20, 1<<40), Default: "128MiB",
		Doc:   "The most that what is known of accounts takes for this: by default room for 960,000. When it is full, those go first that were not seen for the longest time.",
		field: func(c *Config) any { return &c.Hijack.Bytes },
	}
	return append(keys, size)
}

// weightKind takes the points of a sign.
func weightKind() Kind {
	return notNegative("points", maxPoints, fmt.Sprintf("0 to %d", maxPoints))
}

// shareKind takes a part of a whole.
func shareKind() Kind { return notNegative("share", 1, "0 to 1") }

func notNegative(name string, high float64, in string) Kind {
	return Kind{
		Name: "number", Range: in,
		parse: func(raw any, s spot) (any, bool) {
			f, ok := number(raw)
			switch {
			case !ok:
				return s.wrongType(raw, "a number, without quotes")
			case math.IsNaN(f) || f < 0 || f > high:
				return s.bad(fmt.Sprint(f), "no "+name, "use "+in)
			}
			return f + 0, true
		},
		format: func(v any) string { return formatNumber(v.(float64)) },
	}
}

// hijackExemptKind takes a login, or a domain with an @ before it.
func hijackExemptKind() Kind {
	return textKind("login", "newsletter@example.net", func(text string, s spot) (any, bool) {
		domain, isDomain := strings.CutPrefix(text, "@")
		if !isDomain {
			return exceptionAccount(text, s)
		}
		if what, _ := notHost(domain); what != "" {
			return s.bad(quote(text), what, `write a domain of logins as "@example.net"`)
		}
		name, ok := host(domain, true, s)
		if !ok {
			return nil, false
		}
		return "@" + name.(string), true
	}, formatText)
}

// Exempts reports whether an account, by ratelimit.AccountKey, is never suspected.
func (h *Hijack) Exempts(account string) bool {
	at := strings.LastIndexByte(account, '@')
	for _, x := range h.Exempt {
		if x == account || at >= 0 && x == account[at:] {
			return true
		}
	}
	return false
}

// checkHijack tells of points that say more, or less, than was meant.
func (l *loader) checkHijack(c *Config) {
	h := &c.Hijack
	if c.Policy.Points["account-hijack"].Rule == profile.Off {
		return
	}
	where := max(h.PointsNetworks, h.PointsCountries)
	sum, most := where+h.PointsSenders+h.PointsUnknown+h.PointsJump+h.PointsListed, 0.0
	for _, p := range h.Settings().Points {
		most = max(most, p)
	}
	at := l.at("accounts.hijack.threshold", "accounts.hijack.points.networks", "accounts.hijack.points.countries", "accounts.hijack.points.senders",
		"accounts.hijack.points.unknown", "accounts.hijack.points.jump", "accounts.hijack.points.listed")
	switch {
	case sum < h.Threshold:
		at.fail(fmt.Sprintf("accounts.hijack.threshold is %g: all signs together have %g points, so no account ever seems stolen", h.Threshold, sum),
			`lower it, or write "account-hijack" = "off" under [points]`)
	case most >= h.Threshold && h.Action != HijackReport:
		at.warn(fmt.Sprintf("accounts.hijack.threshold is %g: one sign alone has %g points, and a traveller or a first newsletter has one", h.Threshold, most),
			"let it take two signs")
	}
}
