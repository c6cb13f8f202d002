package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/milter"
)

// status puts together what the daemon tells of itself.
func (d *daemon) status() *admin.Status {
	g := d.enter()
	defer g.leave()
	st := d.server.Stats()
	s := &admin.Status{
		Version: version, Commit: revision(), PID: os.Getpid(), Started: d.started, Now: time.Now(),
		State: admin.Serving, Mode: mode(g.cfg), Policy: g.cfg.PolicyID(),
		Config: admin.Config{Path: absolute(g.cfg.Path), Files: files(g.cfg), Loaded: g.loaded, Settings: g.cfg.SettingsID()},
		Listen: d.doors.listen(), Doors: d.doorStatus(g), Web: d.doors.webAddr(),
		Sessions: admin.Sessions{
			Open: st.Open, Limit: g.cfg.Milter.MaxSessions, Total: st.Clients, Limited: st.Limited, TurnedAway: st.TurnedAway,
			Shed: st.Shed, ProtocolErrors: st.ProtocolErrors, Panics: st.Panics,
			Sent: sentOf(&st.Seen), Recent: recentOf(&st.Seen.Recent), Test: selfTestOf(st.Seen.SelfTest),
		},
		MTA:      mtaOf(st),
		Cache:    admin.Cache{Limit: g.cfg.DNS.CacheBytes},
		Verdicts: d.metrics.Verdicts(), Findings: d.metrics.Findings(),
		Candidate: d.candidateStatus(g),
		Limits:    d.limitStatus(g.cfg), Blocked: d.blockedStatus(time.Now()), Hijack: d.hijackStatus(g), Notify: d.notifyStatus(), Store: d.stateStatus(), Shared: d.shareStatus(),
		Directory: directoryStatus(g, d.counted.Harvest, time.Now()),
		Lists:     dnsListStatus(d.health),
		Outage:    (*admin.Outage)(d.health.Outage()),
		Records:   d.recordsStatus(g),
		Local:     localStatus(g.local, time.Now()), Geo: geoStatus(g.geo),
	}
	if d.stopping.Load() {
		s.State = admin.Stopping
	}
	s.Resolver(g.resolver.Stats())
	s.Retry, s.Memory = retryStatus(d.counted.Retries), memoryStatus(d.counted.Servers, g.cfg.Memory.Learn)
	if d.lost != nil {
		s.Log.LostLines = d.lost()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Config.Refused, s.Config.RefusedAt = append([]string{}, d.refused...), d.refusedAt
	return s
}

// doorStatus tells what holds at each door that is open for MTAs.
func (d *daemon) doorStatus(g *generation) []admin.Door {
	doors := []admin.Door{}
	for _, l := range d.doors.mta {
		door := admin.Door{Listen: placeOf(l), Role: config.RoleMX, AnswerAt: answerAt(g.cfg.Milter.AnswerAtMail)}
		if own := g.doors[l.place]; own != nil {
			door.Role, door.AnswerAt, door.Exempt, door.Own = own.Role, answerAt(own.AnswerAtMail), len(own.Networks), true
		}
		doors = append(doors, door)
	}
	return doors
}

func answerAt(mail bool) string {
	if mail {
		return engine.StageMail
	}
	return engine.StageRcpt
}

// files names all files of a configuration, for whoever stands in another folder.
func files(cfg *config.Config) []string {
	names := make([]string, len(cfg.Files))
	for i, name := range cfg.Files {
		names[i] = absolute(name)
	}
	return names
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func mtaOf(st milter.Stats) *admin.MTA {
	n := st.LastMTA
	if n == nil {
		return nil
	}
	return &admin.MTA{
		LastCommand: st.LastCommand, Negotiated: n.When, Name: n.MTA.Name, Daemon: n.MTA.DaemonName,
		Offered: admin.Offer(n.Offered), Agreed: admin.Offer(n.Agreed), MacroLists: n.MacroLists,
	}
}

func sentOf(s *milter.Seen) admin.Sent {
	return admin.Sent{Unnamed: s.Unnamed, Mails: s.Mails, LoggedIn: s.LoggedIn, Rcpts: s.Rcpts, Unmarked: s.Unmarked}
}

func recentOf(r *milter.Recent) admin.Recent {
	return admin.Recent{Clients: r.Clients, Distinct: r.Distinct, Private: r.Private, Loopback: r.Loopback, Most: addrText(r.Most), MostSeen: r.MostSeen}
}

func selfTestOf(t milter.SelfTest) *admin.ShownClient {
	if t.When.IsZero() {
		return nil
	}
	return &admin.ShownClient{When: t.When, Client: addrText(t.Client)}
}

// addrText is "" for no address.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
