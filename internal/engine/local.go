package engine

import (
	"math"
	"slices"
	"strings"
	"time"

	"mailprofiled/internal/geo"
	"mailprofiled/internal/local"
	"mailprofiled/profile"
)

// A match asks the operator's own rules: counting (local.Set.Match) or not (Peek).
type match func(*local.Subject, time.Time, []local.Hit) []local.Hit

// counted is how this visit asks: what was explained or replayed is no use of a rule.
func (v *Visit) counted() match {
	if v.quiet {
		return v.e.o.Local.Peek
	}
	return v.e.o.Local.Match
}

// denyAtMail answers a visit that a rule of the operator's own refuses by what
// is known at MAIL; it does not wait for more.
func (v *Visit) denyAtMail() (Answer, bool) {
	if v.e.o.Local == nil || !deniesAtMail(v.e.o.Local) {
		return Answer{}, false
	}
	session := v.facts()
	session.Local = v.localHits(&session, v.e.o.Local.Peek)
	if len(session.Local) == 0 || !profile.Judge(&session, v.e.o.Policy).Denied() {
		return Answer{}, false
	}
	session.Local = v.localHits(&session, v.counted())
	v.tx.session = session
	v.reckon()
	return v.answer(nil, StageMail), true
}

// deniesAtMail reports whether any rule can refuse by what is known at MAIL.
func deniesAtMail(set *local.Set) bool {
	for f := local.Client; f <= local.ASN; f++ {
		if f != local.Rcpt && set.Asks(local.Deny, f) {
			return true
		}
	}
	return false
}

// localHits asks the rules about all but the recipient. Where the client's names
// could not be looked up, or only of old, a rule about them might speak for it; and
// so where its country or network could not.
func (v *Visit) localHits(s *profile.Session, ask match) []profile.LocalHit {
	set := v.e.o.Local
	if set == nil {
		return nil
	}
	sub := local.Subject{
		Client: v.client.Addr, Account: v.tx.mail.Account,
		From: senderText(&s.Sender, v.tx.mail.From), FromDomain: s.Sender.Domain,
	}
	if set.Wants(local.PTR) {
		sub.PTR = confirmed(&s.RDNS)
	}
	if s.Helo.Given == profile.Shown {
		sub.Helo = s.Helo.Name
	}
	var room [4]local.Hit
	unknown := v.belongs(&sub)
	hits := factsOf(ask(&sub, v.e.o.Now(), room[:0]), s.RDNS.Stale)
	if s.RDNS.Outcome == profile.Failed || forwardFailed(s.RDNS) || s.RDNS.Stale {
		unknown = append(unknown, local.PTR)
	}
	asks := func(a local.Action) bool {
		return slices.ContainsFunc(unknown, func(f local.Field) bool { return set.Asks(a, f) })
	}
	if asks(local.Allow) {
		hits = append(hits, profile.LocalHit{Action: profile.LocalAllow, Possible: true})
	}
	if asks(local.Points) {
		hits = append(hits, profile.LocalHit{Action: profile.LocalPoints, Points: -math.MaxFloat32, Possible: true})
	}
	return hits
}

// A belonging is where a client belongs, as far as it was asked for: once in a
// visit, so that a database that is replaced meanwhile does not have one recipient
// judged otherwise than the one before.
type belonging struct {
	askedCountry, askedNetwork bool
	country                    string
	network                    geo.Network
	unknown                    []local.Field // where the look-up failed
}

// belongs fills in where the client belongs, if a rule asks for it, and gives what
// is not known of that.
func (v *Visit) belongs(sub *local.Subject) (unknown []local.Field) {
	b, set := &v.belonging, v.e.o.Local
	if !sub.Client.IsValid() {
		return nil
	}
	if !b.askedCountry && set.Wants(local.Country) {
		var err error
		b.askedCountry = true
		if b.country, err = v.e.o.Places.Country(sub.Client); err != nil {
			b.unknown = append(b.unknown, local.Country)
		}
	}
	if !b.askedNetwork && set.Wants(local.ASN) {
		var err error
		b.askedNetwork = true
		if b.network, err = v.e.o.Places.Network(sub.Client); err != nil {
			b.unknown = append(b.unknown, local.ASN)
		}
	}
	sub.Country, sub.ASN, sub.Network = b.country, b.network.Number, b.network.Name
	return slices.Clip(b.unknown)
}

// localRcpt asks the rules about one recipient.
func (v *Visit) localRcpt(raw string) []profile.LocalHit {
	if v.e.o.Local == nil || raw == "" {
		return nil
	}
	var room [4]local.Hit
	return factsOf(v.counted()(&local.Subject{Rcpt: unbracketed(raw)}, v.e.o.Now(), room[:0]), false)
}

func confirmed(r *profile.RDNS) []string {
	var names []string
	for _, name := range r.Names {
		if name.Forward == profile.Confirmed {
			names = append(names, name.Name)
		}
	}
	return names
}

// senderText is the sender as rules see it: "<>" for the null sender, "" while
// none is known.
func senderText(s *profile.Sender, raw string) string {
	switch {
	case s.Given != profile.Shown:
		return ""
	case s.Null:
		return "<>"
	}
	return unbracketed(raw)
}

func unbracketed(raw string) string {
	return strings.TrimSuffix(strings.TrimPrefix(raw, "<"), ">")
}

var localActions = map[local.Action]profile.LocalAction{
	local.Deny: profile.LocalDeny, local.Allow: profile.LocalAllow, local.Points: profile.LocalPoints,
}

// factsOf are the hits as profile judges them; oldNames says that the client's
// names are past their expiry.
func factsOf(hits []local.Hit, oldNames bool) []profile.LocalHit {
	if len(hits) == 0 {
		return nil
	}
	out := make([]profile.LocalHit, len(hits))
	for i, h := range hits {
		out[i] = profile.LocalHit{Action: localActions[h.Action], Points: h.Points, Detail: h.Detail(), Stale: oldNames && h.Field == local.PTR}
	}
	return out
}
