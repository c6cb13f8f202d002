package profile

// judgeMailbox appends what the directory says of a recipient, and what the client is
// up to with it. answer is the kind that the reply is to be of, kinds for none.
//
// Unknown users are for everyone (law 4), a harvest is a stranger's. Postmaster and
// abuse always exist (law 3), and so does whoever is named in exempt.recipients.
func (j *Judgement) judgeMailbox(r *Recipient, findings []weighed) (_ []weighed, answer kind) {
	answer = kinds
	if r.Mailbox <= MailboxThere && r.Harvest == "" || r.Exempt || AlwaysOpen(r.Raw, j.us) {
		return findings, answer
	}
	say := func(k kind, detail string, acts bool) {
		f, m, ok := j.weigh(k, detail, false)
		if !ok {
			return
		}
		f.Points, m.points, m.firm = 0, 0, 0
		findings = append(findings, weighed{f, m})
		if !f.Monitor && (acts || f.Tempfail) && answer == kinds {
			answer = k
		}
	}
	if r.Harvest != "" && j.trust == Stranger && j.word != allowed && !j.spokenFor() {
		say(rcptHarvest, r.Harvest, true)
	}
	switch r.Mailbox {
	case MailboxNone:
		say(rcptUnknown, r.By, true)
	case MailboxError, MailboxDown:
		say(rcptError, r.By, r.Mailbox == MailboxDown)
	}
	return findings, answer
}

// spokenFor reports whether an allow list that counts has the client, or its own good
// history: a provider's servers write to dead addresses of a small site too, and to
// many more that are alive, again and again; and who shares a network with somebody who
// harvests is not to be held up for it.
func (j *Judgement) spokenFor() bool {
	for i, k := range j.said {
		if (k == dnswl || k == historyGood) && !j.Findings[i].Monitor {
			return true
		}
	}
	return false
}

// Spared reports whether what the client asks for is not to be held against it as a
// harvest: it is no stranger, or somebody speaks for it.
func (j *Judgement) Spared() bool { return j.trust != Stranger || j.word == allowed || j.spokenFor() }

// judgeTrap makes the finding of a client that wrote to an address that never was.
func (j *Judgement) judgeTrap(detail string) {
	if detail != "" {
		j.say(rcptTrap, detail, false)
	}
}
