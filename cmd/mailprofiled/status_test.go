package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailprofiled/internal/admin"
)

// TestPrintStatus shows a status as a postmaster reads it at night: on a good day
// and on a bad one.
func TestPrintStatus(t *testing.T) {
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	good := func() *admin.Status {
		return &admin.Status{
			Version: "0.1.0", PID: 4711, Started: now.Add(-76 * time.Hour), Now: now, State: admin.Serving, Mode: "enforce", Policy: "standard@1-3f9a2c1b",
			Config: admin.Config{
				Path:  "/etc/mailprofiled/mailprofiled.toml",
				Files: []string{"/etc/mailprofiled/mailprofiled.toml", "/etc/mailprofiled/conf.d/10.toml"}, Loaded: now.Add(-90 * time.Minute),
			},
			Listen: []string{"unix:/run/mailprofiled/milter.sock", "inet:127.0.0.1:8891"}, Web: "127.0.0.1:8892",
			Sessions: admin.Sessions{Open: 3, Limit: 4000, Total: 12345},
			MTA: &admin.MTA{
				LastCommand: now.Add(-2 * time.Second), Negotiated: now.Add(-5 * time.Minute), Name: "mx1.example.net", Daemon: "MTA",
				Offered: admin.Offer{Version: 6, Actions: 0x1ff, Protocol: 0x1fffff}, Agreed: admin.Offer{Version: 2, Actions: 0x100, Protocol: 0xf70}, MacroLists: true,
			},
			DNS: admin.DNS{
				Servers: []admin.DNSServer{{Address: "127.0.0.1:53", Up: true, RTTMS: 1.25, Queries: 4567, Failures: 3}, {Address: "[::1]:53", Up: true}},
				Queries: []admin.DNSCount{{Type: "A", Result: "found", Count: 4000}, {Type: "MX", Result: "found", Count: 61}, {Type: "A", Result: "none", Count: 500}},
			},
			Cache:    admin.Cache{Entries: 1234, Bytes: 1258291, Limit: 256 << 20, Hits: 5678},
			Verdicts: map[string]uint64{"continue": 1200, "tempfail": 80, "reject": 20},
			Findings: map[string]uint64{"rdns-missing": 70, "helo-is-us": 20, "a": 1, "b": 1, "c": 1, "d": 1, "e": 1, "f": 1, "g": 1, "h": 1, "i": 1, "j": 1},
			Memory:   admin.Memory{Keys: 4321, Room: 1000000, Learnt: now.Add(24 * time.Hour)},
			Retry: admin.Retry{
				Deferred: 12, Passed: 1, Asked: 100, Returned: 75, GaveUp: 20, LongestS: 3720,
				Reasons: []admin.RetryReason{{Finding: "rdns-missing", Deferred: 80, Returned: 60}, {Finding: "spf-fail", Deferred: 30, Returned: 15}},
			},
			Limits: admin.LimitStatus{InForce: 3, ByAge: true, Learning: true, Learnt: now.Add(30 * 24 * time.Hour)},
			Hijack: admin.HijackStatus{Action: "report", Accounts: 300, Events: 1, Learning: true, Learnt: now.Add(24 * time.Hour)},
			Store:  admin.Store{Path: "/var/lib/mailprofiled", Kept: true, Bytes: 5 << 20, Accounts: 321, Counters: 987},
			Records: admin.Records{
				Path: "/var/lib/mailprofiled", KeepS: 30 * 24 * 3600, Limit: 200 << 20, Kept: true, Records: 4567, Lost: 2, Bytes: 3 << 20, Oldest: now.Add(-50 * time.Hour),
			},
			Lists: []admin.DNSList{{List: "spamcop", State: "up"}, {List: "psbl", State: "up"}},
			Local: []admin.LocalRule{
				{Where: "mailprofiled.toml:31", Action: "deny", Owner: "jo", Hits: 7, Last: now.Add(-time.Hour), Expires: now.Add(24 * time.Hour), State: "active"},
				{Where: "conf.d/10.toml:2", Action: "allow", State: "unused", Files: []admin.LocalFile{
					{File: "/etc/allow.txt", Entries: 12, Bad: 1, Expired: 2, Tracked: true, Unused: 11, UnusedLines: []int{1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13}, Loaded: now.Add(-time.Hour)},
					{File: "/etc/large.txt", Entries: 1000000, Loaded: now.Add(-time.Minute)},
				}},
			},
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*admin.Status)
		want   string
	}{
		{"a good day", func(*admin.Status) {}, `mailprofiled 0.1.0, pid 4711, serving for 3d04h

policy     standard@1-3f9a2c1b, mode enforce
config     /etc/mailprofiled/mailprofiled.toml, loaded 1h30m ago
           /etc/mailprofiled/conf.d/10.toml
listening  unix:/run/mailprofiled/milter.sock inet:127.0.0.1:8891
metrics    http://127.0.0.1:8892/metrics
sessions   3 open of 4000, 12345 since the start, 0 without a place
MTA        mx1.example.net (MTA), last command 2s ago
           negotiated 5m00s ago: version 2 of 6, protocol 0xf70 of 0x1fffff, actions 0x100 of 0x1ff, the macros we name
verdicts   continue 1200 (92.3%), tempfail 80 (6.2%), reject 20 (1.5%)
findings   rdns-missing 70, helo-is-us 20, a 1, b 1, c 1, d 1, e 1, f 1, g 1, h 1, 2 more
DNS        127.0.0.1:53 up, 1.2 ms, 3 of 4567 queries failed
           [::1]:53 not asked yet
           answers: 4061 found, 500 none, 0 failed, 0 refused
cache      1234 names and addresses, 1.2 MiB of 256 MiB, 5678 hits
servers    4321 remembered, room for 1000000; none is said to be new before 2026-11-25 03:00 UTC
retry      12 mails asked to come back, 1 honest caller remembered
           of 100 callers asked 75 (75%) came back, 20 gave up; the longest wait was 1h02m
           came back by finding: rdns-missing 60 (75%) of 80, spf-fail 15 (50%) of 30
lists      2 of 2 up
limits     3 in force; those by age only report on accounts first seen before 2026-12-24 03:00 UTC
hijack     report, 300 accounts remembered; nobody is suspected before 2026-11-25 03:00 UTC; 1 account seemed stolen: mailprofiled accounts suspects
state      321 accounts, 987 counters of limits, 5 MiB in /var/lib/mailprofiled
records    4567 since the start, 2 lost; 3 MiB of 200 MiB in /var/lib/mailprofiled, the oldest 2d02h old
log        0 lines lost

local rules:
  mailprofiled.toml:31  deny   jo  7 hits  last 1h00m ago  until 2026-11-25  active
  conf.d/10.toml:2      allow  -   0 hits  never used      does not expire   unused
  /etc/allow.txt: 12 entries, 1 line that cannot be read, 2 expired, 11 never used (line 1 2 3 5 6 7 8 9 10 11 and more), read 1h00m ago
  /etc/large.txt: 1000000 entries, never used, read 1m00s ago
`},
		{"a bad one", func(s *admin.Status) {
			s.State, s.Mode, s.Web, s.Local, s.Findings, s.Verdicts, s.MTA = admin.Stopping, "monitor", "", nil, nil, nil, nil
			s.Config.Files = s.Config.Files[:1]
			s.Config.Refused, s.Config.RefusedAt = []string{"m.toml:3: dns.budget is 5: no unit; \x1b[31mwrite"}, now.Add(-40*time.Second)
			s.Sessions.Limited, s.Sessions.Panics = 5, 2
			s.DNS.Servers[0].Up, s.DNS.Servers[1] = false, admin.DNSServer{Address: "[::1]:53", Queries: 5, Failures: 5}
			s.DNS.TurnedAway = 9
			s.Log.LostLines = 1
			s.Lists[1].State = "silent"
			s.Limits = admin.LimitStatus{Learning: true, Room: admin.LimitRoom{Counters: 4_000_000, Evicted: 1234, EvictedMax: 5, Accounts: 4_000_000, Unnoted: 6}}
			s.Store.Kept, s.Store.Error, s.Store.Remedy, s.Store.Since = false, "no space left on device", "Make room", now.Add(-3*time.Minute)
			s.Store.SetAside = 2
			s.Records.Kept, s.Records.Error, s.Records.Remedy, s.Records.Since, s.Records.Oldest = false, "no space left on device", "make room there", now.Add(-2*time.Minute), time.Time{}
			s.Local = []admin.LocalRule{{Where: "m.toml:9", Action: "deny", State: "expired", Files: []admin.LocalFile{
				{File: "/etc/deny.txt", Entries: 1, Hits: 1, Loaded: now.Add(-time.Hour), Trouble: "/etc/deny.txt: binary data, not a list; see what has been put there"},
			}}}
		}, `mailprofiled 0.1.0, pid 4711, stopping for 3d04h
! it is stopping: no new session is taken
! the last reload, 40s ago, was refused: 1 mistake. Mend it, then: mailprofiled reload
!   "m.toml:3: dns.budget is 5: no unit; \x1b[31mwrite"
! no DNS server answers: most of what is judged is unknown, and passes. Look at: mailprofiled check --dns
! the state is not kept on disk, since 3m00s ago: no space left on device. Make room
! 2 files of the state had damage; what was whole in there is in use. Look at /var/lib/mailprofiled/state.*.corrupt-*, then take them away
! records are in memory only, since 2m00s ago: no space left on device. make room there
! a list has changed and cannot be used; the version read 1h00m ago is in use: /etc/deny.txt: binary data, not a list; see what has been put there
! 1234 counters of limits were forgotten for want of room for more than 4000000, 5 of them at their limit: fewer limits per recipient or client, or shorter windows, need less
! 6 times an account was of unknown age for want of room for more than 4000000: tell ages by accounts.file or the directory
! 5 sessions found no place, and were answered by milter.on_failure: raise milter.max_sessions
! 2 panics of ours, answered by milter.on_failure: please report them, with the log
! 1 line of the log could not be written: is the disk full?

policy     standard@1-3f9a2c1b, mode monitor
config     /etc/mailprofiled/mailprofiled.toml, loaded 1h30m ago
listening  unix:/run/mailprofiled/milter.sock inet:127.0.0.1:8891
metrics    nowhere: admin.listen is off, or could not be opened (see the log)
sessions   3 open of 4000, 12345 since the start, 5 without a place
MTA        no MTA has connected yet: "mailprofiled attach" prints its lines, "mailprofiled doctor" what is in the way
verdicts   none yet
findings   none yet
DNS        127.0.0.1:53 DOWN, 1.2 ms, 3 of 4567 queries failed
           [::1]:53 DOWN, 5 of 5 queries failed
           answers: 4061 found, 500 none, 0 failed, 0 refused, 9 not asked for want of room
cache      1234 names and addresses, 1.2 MiB of 256 MiB, 5678 hits
servers    4321 remembered, room for 1000000; none is said to be new before 2026-11-25 03:00 UTC
retry      12 mails asked to come back, 1 honest caller remembered
           of 100 callers asked 75 (75%) came back, 20 gave up; the longest wait was 1h02m
           came back by finding: rdns-missing 60 (75%) of 80, spf-fail 15 (50%) of 30
lists      1 of 2 up; not counted: psbl (silent)
limits     0 in force
hijack     report, 300 accounts remembered; nobody is suspected before 2026-11-25 03:00 UTC; 1 account seemed stolen: mailprofiled accounts suspects
state      321 accounts, 987 counters of limits; not kept in /var/lib/mailprofiled since 3m00s ago
records    4567 since the start, 2 lost; in memory only, the newest of them
log        1 line lost

local rules:
  m.toml:9  deny  -  0 hits  never used  does not expire  expired
  /etc/deny.txt: 1 entry, read 1h00m ago
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := good()
			tt.change(s)
			var out bytes.Buffer
			printStatus(s, nil, pictures{}, &out)
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestAgeAndSize(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "less than 1s", 0: "less than 1s", time.Second: "1s", 61 * time.Second: "1m01s",
		3661 * time.Second: "1h01m", 49 * time.Hour: "2d01h", 10000 * time.Hour: "416d16h",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 bytes", 1023: "1023 bytes", 1024: "1 KiB", 1536: "1.5 KiB", 256 << 20: "256 MiB", 3 << 30: "3 GiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
