package config

import (
	"log/slog"
	"time"

	"mailprofiled/profile"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// keysNow are the keys of this version.
func keysNow() []Key {
	var keys []Key
	for _, section := range [][]Key{topKeys(), usKeys(), milterKeys(), listenerKeys(), dnsKeys(), verdictKeys(), textKeys(), retryKeys(), memoryKeys(), recordKeys(), exemptKeys(), dnsListKeys(), localKeys(), limitKeys(), accountKeys(), hijackKeys(), directoryKeys(), geoKeys(), stateKeys(), logKeys(), notifyKeys(), adminKeys()} {
		keys = append(keys, section...)
	}
	return keys
}

func topKeys() []Key {
	return []Key{
		{
			Name: "baseline", Kind: baselineKind(), Default: "standard", Hot: true, Policy: true,
			Doc:   `A named, versioned set of points and thresholds; "standard@1" pins the version. "strict" refuses a server without PTR, the others defer it.`,
			field: func(c *Config) any { return &c.Policy.Baseline },
			apply: func(c *Config, v any) { c.Policy = v.(*profile.Policy) },
		},
		{
			Name: "mode", Kind: choiceKind(word{text: "monitor", value: true}, word{text: "enforce", value: false}), Hot: true, Policy: true,
			Doc:   `"monitor" judges, logs and counts, and lets everything through; "enforce" speaks. It has no default and must be said.`,
			field: func(c *Config) any { return &c.Monitor },
		},
		candidateKey(),
	}
}

func usKeys() []Key {
	return []Key{
		{
			Name: "us.names", Kind: hostsKind(false, "host names"), Default: []any{}, Hot: true,
			Doc:   "Our host names, added to the one the MTA tells: a stranger who greets with one lies. A domain does not cover the hosts below it.",
			field: func(c *Config) any { return &c.Us.Names },
		},
		{
			Name: "us.domains", Kind: hostsKind(true, "domains"), Default: []any{}, Hot: true,
			Doc:   "Domains that are final here: no stranger may greet with one, and postmaster and abuse there stay open to all.",
			field: func(c *Config) any { return &c.Us.Domains },
		},
		{
			Name: "us.addresses", Kind: addressesKind(), Default: []any{}, Hot: true,
			Doc:   "Our own addresses, added to those the MTA tells.",
			field: func(c *Config) any { return &c.Us.Addresses },
		},
	}
}

func milterKeys() []Key {
	return []Key{
		{
			Name: "milter.listen", Kind: doorsKind(), Default: []any{"unix:/run/mailprofiled/milter.sock"},
			Doc:   `Where the MTA connects: "unix:/path", "inet:127.0.0.1:8891" or "inet6:[::1]:8891". Over inet any local user can speak as the MTA.`,
			field: func(c *Config) any { return &c.Milter.Listen },
		},
		{
			Name: "milter.socket_mode", Kind: modeKind(), Default: "0660",
			Doc:   "Permissions of the unix sockets, in octal digits.",
			field: func(c *Config) any { return &c.Milter.SocketMode },
		},
		{
			Name: "milter.socket_group", Kind: groupKind(), Default: "",
			Doc:   "Group of the unix sockets; empty keeps the daemon's own, or that of a setgid directory.",
			field: func(c *Config) any { return &c.Milter.SocketGroup },
		},
		{
			Name: "milter.idle_timeout", Kind: durationKind(time.Second, 30*day), Default: "2h", Hot: true, Policy: true,
			Doc:   "The longest silence between two commands; must exceed the MTA's own (Sendmail 1h).",
			field: func(c *Config) any { return &c.Milter.IdleTimeout },
		},
		{
			Name: "milter.data_timeout", Kind: durationKind(time.Second, 30*day), Default: "24h", Hot: true, Policy: true,
			Doc:   "The longest wait from an accepted recipient to the end of the message: the MTA is silent then.",
			field: func(c *Config) any { return &c.Milter.DataTimeout },
		},
		{
			Name: "milter.max_sessions", Kind: integerKind(1, 1_000_000), Default: int64(4000), Hot: true, Policy: true,
			Doc:   "Beyond it, sessions idle over 5 minutes without MAIL are closed; then on_failure answers.",
			field: func(c *Config) any { return &c.Milter.MaxSessions },
		},
		{
			Name: "milter.on_failure", Hot: true, Policy: true, Default: "continue",
			Kind:  choiceKind(word{text: "continue", value: profile.Continue}, word{text: "tempfail", value: profile.TempFail}),
			Doc:   "The answer when we fail ourselves, or no session is free. Limits hold all the same.",
			field: func(c *Config) any { return &c.Milter.OnFailure },
		},
		{
			Name: "milter.drain", Kind: durationKind(0, hour), Default: "30s", Hot: true, Policy: true,
			Doc:   "How long open transactions may go on after SIGTERM.",
			field: func(c *Config) any { return &c.Milter.Drain },
		},
		{
			Name: "milter.answer_at", Hot: true, Policy: true, Default: "rcpt",
			Kind:  answerAtKind(),
			Doc:   `The command that is answered; "mail" shuts postmaster and abuse to refused clients.`,
			field: func(c *Config) any { return &c.Milter.AnswerAtMail },
		},
	}
}

func dnsKeys() []Key {
	return []Key{
		{
			Name: "dns.servers", Kind: serversKind(), Default: []any{}, Hot: true,
			Doc:   "DNS servers to ask, by address; empty takes those of /etc/resolv.conf, and follows them.",
			field: func(c *Config) any { return &c.DNS.Servers },
		},
		{
			Name: "dns.budget", Kind: durationKind(time.Millisecond, 10*minute), Default: "5s", Hot: true,
			Doc:   "The longest wait for all outside answers before one reply.",
			field: func(c *Config) any { return &c.DNS.Budget },
		},
		{
			Name: "dns.cache_size", Kind: sizeKind(4<<10, 1<<40), Default: "256MiB", Hot: true,
			Doc:   "Memory for DNS answers; a client costs at most 1 KiB.",
			field: func(c *Config) any { return &c.DNS.CacheBytes },
		},
	}
}

func verdictKeys() []Key {
	return []Key{
		{
			Name: "verdict.tempfail_score", Kind: numberKind(0, 1000), Default: 5.0, Hot: true, Policy: true, Baseline: true,
			Doc:   "At or over this score a visit is deferred.",
			field: func(c *Config) any { return &c.Policy.TempfailScore },
		},
		{
			Name: "verdict.reject_score", Kind: numberKind(0, 1000), Default: 10.0, Hot: true, Policy: true, Baseline: true,
			Doc:   "At or over this score a visit is refused.",
			field: func(c *Config) any { return &c.Policy.RejectScore },
		},
		{
			Name: "verdict.help_url", Kind: textKind("web address", "https://postmaster.example.net/why/{id}", helpURL, formatText), Default: "", Hot: true, Policy: true,
			Doc:   `A link that goes into replies, with {id} for the id of the reply: "https://postmaster.example.net/why/{id}", or {finding} for what speaks in it: "https://postmaster.example.net/refused/{finding}.html" leads to the pages that "mailprofiled pages" writes.`,
			field: func(c *Config) any { return &c.HelpURL },
		},
	}
}

func retryKeys() []Key {
	return []Key{
		{
			Name: "retry.after", Kind: durationKind(time.Millisecond, 7*day), Default: "1m", Hot: true, Policy: true,
			Doc:   "A visit deferred for its score passes when it comes back this long after the first deferral.",
			field: func(c *Config) any { return &c.Retry.After },
		},
		{
			Name: "retry.within", Kind: durationKind(time.Millisecond, 90*day), Default: "24h", Hot: true, Policy: true,
			Doc:   "It must come back within this time after the first deferral.",
			field: func(c *Config) any { return &c.Retry.Within },
		},
		{
			Name: "retry.keep", Kind: durationKind(0, 365*day), Default: "7d", Hot: true, Policy: true,
			Doc:   "A server that came back passes for so long, and with it all of its operator, SPF domain or network (see docs/findings.md), while its score stays between the thresholds.",
			field: func(c *Config) any { return &c.Retry.Keep },
		},
	}
}

func exemptKeys() []Key {
	return []Key{
		{
			Name: "exempt.networks", Kind: networksKind(), Default: []any{}, Hot: true, Policy: true,
			Doc:   "Clients that skip server checks, added to loopback: networks or addresses. What Postfix has in mynetworks, backup MX, relays, partners.",
			field: func(c *Config) any { return &c.Exempt.Networks },
		},
		{
			Name: "exempt.authenticated", Kind: boolKind(), Default: true, Hot: true, Policy: true,
			Doc:   "Whether authenticated clients skip server checks.",
			field: func(c *Config) any { return &c.Exempt.Authenticated },
		},
		{
			Name: "exempt.recipients", Kind: recipientsKind(), Default: []any{}, Hot: true, Policy: true,
			Doc:   "Mail addresses that take mail from any client, added to postmaster and abuse.",
			field: func(c *Config) any { return &c.Exempt.Recipients },
		},
		{
			Name: "points.*", Kind: pointsKind(), Hot: true, Policy: true, Baseline: true,
			Doc: `By finding id: a number (0 is said and weighs nothing), "off" (not judged) or "monitor" (judged and said, not counted); *-error findings take "tempfail" instead of a number.`,
		},
	}
}

func logKeys() []Key {
	return []Key{
		{
			Name: "log.format", Hot: true, Default: "logfmt",
			Kind:  choiceKind(word{text: "logfmt", value: false}, word{text: "json", value: true}),
			Doc:   "How log lines are written.",
			field: func(c *Config) any { return &c.Log.JSON },
		},
		{
			Name: "log.level", Hot: true, Default: "info",
			Kind: choiceKind(word{text: "debug", value: slog.LevelDebug}, word{text: "info", value: slog.LevelInfo},
				word{text: "warn", value: slog.LevelWarn}, word{text: "error", value: slog.LevelError}),
			Doc:   "The least important line that is logged; verdicts are info.",
			field: func(c *Config) any { return &c.Log.Level },
		},
		{
			Name: "log.addresses", Hot: true, Default: "plain",
			Kind:  choiceKind(word{text: "plain", value: false}, word{text: "hashed", value: true}),
			Doc:   `What log lines hold of mail addresses: themselves, or by "hashed" a token such as h:mfzwizltoq5gk3ti, the same for the same address, made with the key hash.key in state.path.`,
			field: func(c *Config) any { return &c.Log.Hashed },
		},
	}
}
