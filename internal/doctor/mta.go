package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"os/user"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/attach"
)

// An mta is one of the MTAs of this machine, as far as both are alike.
type mta struct {
	kind   string // postfix, sendmail
	name   string // Postfix, Sendmail
	user   string // as whom it asks
	askers []attach.Asker
	// remedy gives the lines that attach one of its askers as it should be.
	remedy func(a *attach.Asker) []string
}

// mtas looks at what the MTAs of this machine are told.
func (e *exam) mtas(ctx context.Context) {
	ours := func(a *attach.Asker) attach.Ours {
		return attach.Ours{Config: e.ConfigPath, Budget: e.budget(), Enforce: e.enforce(), Sockets: e.placesFor(a.Submission)}
	}
	if e.PostfixErr != nil {
		e.unread("postfix", "Postfix", e.PostfixErr)
	}
	if p := e.Postfix; p != nil {
		e.mta(ctx, &mta{"postfix", "Postfix", p.Owner, p.Askers(), func(a *attach.Asker) []string { return postfixLines(p, a, ours(a)) }})
		e.postfixOnly(p)
	}
	if e.SendmailErr != nil {
		e.unread("sendmail", "Sendmail", e.SendmailErr)
	}
	if s := e.Sendmail; s != nil {
		who := s.RunAsUser
		if who == "" {
			who = "root"
		}
		e.mta(ctx, &mta{"sendmail", "Sendmail", who, s.Askers(), func(*attach.Asker) []string {
			return []string{"mailprofiled attach sendmail --config " + e.ConfigPath + "    # its line goes into sendmail.mc; make sendmail.cf of it, and restart Sendmail"}
		}})
	}
	if e.Postfix == nil && e.Sendmail == nil && e.PostfixErr == nil && e.SendmailErr == nil {
		e.say(Note, "mta", "", nil, "no Postfix and no Sendmail is set up on this machine: what they are told could not be looked at")
	}
	e.seen()
}

func (e *exam) unread(kind, name string, err error) {
	e.say(Note, kind+"-attached", "", []string{"sudo mailprofiled doctor"}, "what %s is told could not be seen: %v", name, err)
}

// placesFor are the places for a line of main.cf: those of submission are for
// submission, where there are any, and for nothing else.
func (e *exam) placesFor(submission bool) []string {
	var mx, sub []string
	add := func(place, role string) {
		if role == "submission" {
			sub = append(sub, place)
		} else {
			mx = append(mx, place)
		}
	}
	switch {
	case e.Status != nil:
		for _, d := range e.Status.Doors {
			add(d.Listen, d.Role)
		}
	case e.Config != nil:
		for _, d := range e.Config.Doors() {
			add(d.Listen, d.Role)
		}
	}
	if submission && len(sub) > 0 {
		return sub
	}
	return mx
}

// postfixLines attaches a service of Postfix.
func postfixLines(p *attach.Postfix, a *attach.Asker, ours attach.Ours) []string {
	line := p.LineFor(a.Name, ours)
	if line == "" {
		return []string{"mailprofiled attach postfix --config " + ours.Config + "    # it tells what to do first"}
	}
	if a.Own {
		return []string{"postconf -P " + quote(a.Name+"/"+a.Type+"/smtpd_milters="+attach.Unspaced(line)), "postfix reload"}
	}
	return []string{"postconf -e " + quote("smtpd_milters = "+line), "postfix reload"}
}

// mta looks at each door of one.
func (e *exam) mta(ctx context.Context, m *mta) {
	attached := false
	for i := range m.askers {
		a := &m.askers[i]
		filter, stray := e.oursOf(a)
		switch {
		case filter != nil:
			attached = true
			e.attached(ctx, m, a, filter)
		case stray != nil:
			attached = true
			e.stray(m, a, stray)
		case a.Submission:
			e.say(Note, m.kind+"-submission", a.Name, m.remedy(a), "%s at %s does not ask mailprofiled: limits of accounts do not hold there", m.name, a.Name)
		case a.Own && len(a.Filters) == 0 || reinjects(a):
			e.ok(m.kind+"-attached", a.Name, "asks no milter")
		default:
			e.say(Warning, m.kind+"-attached", a.Name, m.remedy(a), "%s at %s does not ask mailprofiled", m.name, a.Name)
		}
	}
	if !attached && !slices.ContainsFunc(e.all, func(f Finding) bool { return f.ID == m.kind+"-attached" && f.Severity == Warning }) {
		e.say(Warning, m.kind+"-attached", "", m.remedy(&attach.Asker{}), "%s does not ask mailprofiled", m.name)
	}
}

// reinjects reports whether a door takes back what a content filter has looked at.
func reinjects(a *attach.Asker) bool {
	return strings.HasPrefix(a.Name, "127.0.0.1:") || strings.HasPrefix(a.Name, "[::1]:") || strings.HasPrefix(a.Name, "localhost:")
}

// oursOf finds the filter that is ours, or one that was meant to be.
func (e *exam) oursOf(a *attach.Asker) (ours, stray *attach.Filter) {
	for i := range a.Filters {
		f := &a.Filters[i]
		if slices.ContainsFunc(e.places(), func(p string) bool { return attach.Same(p, f.Place) }) {
			return f, nil
		}
		if f.Meant() && stray == nil {
			stray = f
		}
	}
	return nil, stray
}

// stray tells of a filter that leads to where we do not listen.
func (e *exam) stray(m *mta, a *attach.Asker, f *attach.Filter) {
	why := ""
	if a.Chroot != "" && strings.HasPrefix(f.Place, "unix:"+a.Chroot) {
		why = ", since it runs in the chroot " + a.Chroot
	}
	e.say(Error, m.kind+"-socket", a.Name, m.remedy(a), "%s at %s looks for %s%s; mailprofiled listens at %s", m.name, a.Name, f.Place, why, strings.Join(e.places(), ", "))
}

// attached looks at one door that asks us.
func (e *exam) attached(ctx context.Context, m *mta, a *attach.Asker, f *attach.Filter) {
	e.asked = m.name
	e.ok(m.kind+"-attached", a.Name, "asks mailprofiled at %s", f.Place)
	e.reach(ctx, m, a, f)
	down := "while mailprofiled is down " + m.name + " at " + a.Name + " "
	switch {
	case f.Action == "reject":
		e.say(Error, m.kind+"-down", a.Name, m.remedy(a), "%srefuses all mail for good", down)
	case f.Action == "quarantine":
		e.say(Warning, m.kind+"-down", a.Name, m.remedy(a), "%sputs all mail on hold", down)
	case f.Action == "accept" && e.enforce():
		e.say(Warning, m.kind+"-down", a.Name, m.remedy(a), "%slets mail pass unjudged, and mode is \"enforce\"", down)
	case f.Action != "accept" && !e.enforce():
		e.say(Note, m.kind+"-down", a.Name, m.remedy(a), "%shas senders come back later, and mode is \"monitor\": nothing else holds up mail yet", down)
	default:
		e.ok(m.kind+"-down", a.Name, "%s%s", down, map[bool]string{true: "lets mail pass", false: "has senders come back later"}[f.Action == "accept"])
	}
	const margin = time.Second // for the way there and back
	budget := e.budget()
	switch {
	case f.Command > 0 && f.Command < budget+margin:
		e.say(Error, m.kind+"-waits", a.Name, m.remedy(a), "%s at %s waits %v for an answer, and one may take %v (dns.budget): it then does as if mailprofiled were down", m.name, a.Name, f.Command, budget)
	case f.Connect > 0 && f.Connect < margin:
		e.say(Warning, m.kind+"-waits", a.Name, m.remedy(a), "%s at %s waits %v for a connection", m.name, a.Name, f.Connect)
	default:
		e.ok(m.kind+"-waits", a.Name, "waits %v for an answer, and dns.budget is %v", f.Command, budget)
	}
}

// reach tries the way that the MTA goes.
func (e *exam) reach(ctx context.Context, m *mta, a *attach.Asker, f *attach.Filter) {
	id := m.kind + "-socket"
	who, err := LookupWho(m.user)
	if err != nil {
		e.say(Note, id, a.Name, nil, "as whom %s connects is not known: %v", m.name, err)
		return
	}
	path, isUnix := strings.CutPrefix(f.Place, "unix:")
	where := ""
	if a.Chroot != "" {
		where = " in the chroot " + a.Chroot
	}
	var barred *Barred
	if isUnix {
		barred = Look(a.Chroot, path, who)
	}
	if e.Reach != nil {
		inside := f.Place
		if isUnix && a.Chroot != "" {
			inside = "unix:" + strings.TrimPrefix(path, strings.TrimRight(a.Chroot, "/"))
		}
		err := e.Reach(ctx, who, a.Chroot, inside)
		switch {
		case err == nil:
			e.ok(id, a.Name, "user %s%s reaches %s, and it negotiates", who.Name, where, f.Place)
		case barred != nil:
			e.say(Error, id, a.Name, barred.remedy(e, who), "user %s%s does not reach %s: %s", who.Name, where, f.Place, barred.Why)
		case e.Status == nil:
			e.say(Error, id, a.Name, []string{e.service("start")}, "user %s%s does not reach %s: %v", who.Name, where, f.Place, err)
		default:
			e.say(Error, id, a.Name, []string{e.service("restart")}, "user %s%s does not reach %s, and files and directories are open to it: %v", who.Name, where, f.Place, err)
		}
		return
	}
	switch {
	case barred != nil && barred.Unseen:
		e.say(Note, id, a.Name, []string{"sudo mailprofiled doctor"}, "whether user %s reaches %s could not be seen: %s", who.Name, f.Place, barred.Why)
	case barred != nil:
		e.say(Error, id, a.Name, barred.remedy(e, who), "user %s%s does not reach %s: %s", who.Name, where, f.Place, barred.Why)
	case isUnix:
		e.say(Note, id, a.Name, []string{"sudo mailprofiled doctor"}, "by mode and owner of files and directories user %s may use %s; to try it takes root", who.Name, f.Place)
	default:
		e.say(Note, id, a.Name, []string{"sudo mailprofiled doctor"}, "whether user %s reaches %s: to try it takes root", who.Name, f.Place)
	}
}

// postfixOnly looks at what only Postfix has.
func (e *exam) postfixOnly(p *attach.Postfix) {
	if old := p.OldProtocol(); old != "" {
		e.say(Warning, "postfix-protocol", "", []string{"postconf -X milter_protocol", "postfix reload"}, "milter_protocol is %s: unknown users that Postfix refuses itself are not seen, nor are harvests and traps", old)
	} else {
		e.ok("postfix-protocol", "", "it speaks the milter protocol of now")
	}
	if p.Maps != "" {
		e.say(Note, "postfix-maps", "", nil, "smtpd_milter_maps = %s may keep clients away from mailprofiled", p.Maps)
	}
}

// A Who is a user of this machine.
type Who struct {
	Name   string
	UID    int
	GID    int
	Groups []int // all of them
}

// LookupWho finds a user.
func LookupWho(name string) (Who, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return Who{}, err
	}
	w := Who{Name: name}
	if _, err := fmt.Sscan(u.Uid, &w.UID); err != nil {
		return Who{}, err
	}
	if _, err := fmt.Sscan(u.Gid, &w.GID); err != nil {
		return Who{}, err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return Who{}, err
	}
	for _, g := range groups {
		var id int
		if _, err := fmt.Sscan(g, &id); err == nil {
			w.Groups = append(w.Groups, id)
		}
	}
	return w, nil
}

// may reports whether the bits let it, 4 read, 2 write, 1 search.
func (w *Who) may(bits fs.FileMode, mode fs.FileMode, uid, gid int) bool {
	switch {
	case w.UID == 0:
		return true
	case w.UID == uid:
		return mode>>6&bits == bits
	case gid == w.GID || slices.Contains(w.Groups, gid):
		return mode>>3&bits == bits
	}
	return mode&bits == bits
}
