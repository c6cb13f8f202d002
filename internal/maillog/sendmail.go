package maillog

import "strings"

// isSendmail reports whether an entry is of Sendmail. Its name is the operator's
// choice (option -L): sendmail, sm-mta, sm-acceptingconnections.
func isSendmail(e *Entry) bool {
	return strings.HasPrefix(e.Program, "sendmail") || strings.HasPrefix(e.Program, "sm-")
}

// sendmail reads a line of Sendmail.
func (a *Assembler) sendmail(e *Entry) Use {
	id, text, hasID := sendmailID(e.Text)
	if !hasID {
		text = e.Text
	}
	switch {
	case strings.HasPrefix(text, "ruleset="):
		return a.ruleset(e, id, text)
	case strings.HasPrefix(text, "from=") && hasID:
		return a.sendmailFrom(e, id, text)
	case strings.HasPrefix(text, "to=") && hasID:
		v, ok := a.queues.get(e.Host + id)
		if !ok {
			return Passed
		}
		for rcpt := range strings.SplitSeq(upTo(text[len("to="):], ", "), ",") {
			v.addRcpt(address(rcpt))
		}
		return Used
	case strings.HasPrefix(text, "AUTH=server, "):
		return a.authenticated(e, text)
	case strings.HasPrefix(text, "Milter: ") && hasID:
		return a.milter(e, id, text[len("Milter: "):])
	case strings.HasPrefix(text, "<-- ") && hasID:
		return a.dialogue(e, id, text[len("<-- "):])
	case hasID && strings.HasPrefix(text, "<") && strings.Contains(text, ">... "):
		v := a.message(e, id)
		v.addRcpt(field(upTo(text, "... ")+" ", "<"))
		v.better(Refused)
		if strings.HasSuffix(text, "User unknown") {
			v.Unknown++
		}
		return Used
	}
	return Passed
}

// message is the visit of a queue id, begun where it is not known yet.
func (a *Assembler) message(e *Entry, id string) *Visit {
	if v, ok := a.queues.get(e.Host + id); ok {
		return v
	}
	v := a.begin(e, "sendmail")
	v.Queue = keep(id)
	a.queues.put(strings.Clone(e.Host+id), v)
	return v
}

// sendmailFrom reads the line at the end of a message: from=, nrcpts=, relay=.
func (a *Assembler) sendmailFrom(e *Entry, id, text string) Use {
	p, ok := sendmailPeer(relay(text))
	if !ok {
		return Passed // submitted on the machine
	}
	v := a.message(e, id)
	v.meet(p)
	if v.From == "" {
		v.From = keep(mailbox(address(upTo(text[len("from="):], ", "))))
	}
	if daemon := strings.ToLower(word(text, "daemon=")); strings.HasPrefix(daemon, "msa") || strings.Contains(daemon, "submission") {
		v.Submission = true
	}
	if c, ok := a.conns.get(e.Host + " " + e.PID); ok && c.peer.addr == p.addr {
		v.Account = c.account
	}
	if word(text, "nrcpts=") != "0" {
		v.better(Accepted)
	} else {
		v.done = true
	}
	return Used
}

// ruleset reads a decision: ruleset=check_rcpt, arg1=..., relay=..., reject=...
func (a *Assembler) ruleset(e *Entry, id, text string) Use {
	_, reject, ok := strings.Cut(text, ", reject=")
	p, valid := sendmailPeer(relay(text))
	if !ok || !valid {
		return Passed
	}
	var v *Visit
	if id != "" {
		v = a.message(e, id)
	} else {
		v = a.begin(e, "sendmail")
		v.done = true
	}
	v.meet(p)
	switch rule := word(text, "ruleset="); rule {
	case "check_rcpt":
		v.addRcpt(address(value(text, "arg1=")))
	case "check_mail":
		v.From = keep(mailbox(address(value(text, "arg1="))))
	}
	if strings.Contains(text, "ruleset=check_rcpt,") {
		v.refused(reject)
	} else {
		v.better(class(reject))
	}
	v.reason(reject)
	return Used
}

// reason takes what Sendmail's own sentences tell besides.
func (v *Visit) reason(reject string) {
	switch {
	case strings.Contains(reject, "IP name possibly forged"):
		if v.PTR != "" {
			v.Name = Unconfirmed
		}
	case strings.Contains(reject, "Cannot resolve PTR record"):
		v.Name = Indeterminate
	}
	if _, after, ok := strings.Cut(reject, "Domain of sender address "); ok && v.From == "" {
		if from := upTo(after, " "); from != "" {
			v.From = keep(from)
		}
	}
}

// milter reads the answer of a milter: "Milter: to=<a@b>, reject=550 ...".
func (a *Assembler) milter(e *Entry, id, text string) Use {
	what, reject, ok := strings.Cut(text, ", reject=")
	if !ok {
		return Passed
	}
	v := a.message(e, id)
	if rcpt, ok := strings.CutPrefix(what, "to="); ok {
		v.addRcpt(address(rcpt))
	}
	if from, ok := strings.CutPrefix(what, "from="); ok {
		v.From = keep(mailbox(address(from)))
	}
	if strings.HasPrefix(what, "data") || v.Outcome == NoAnswer {
		v.Outcome = class(reject)
	}
	return Used
}

// dialogue reads what the client said, where LogLevel is high enough.
func (a *Assembler) dialogue(e *Entry, id, said string) Use {
	verb, arg, _ := strings.Cut(said, " ")
	if !strings.EqualFold(verb, "EHLO") && !strings.EqualFold(verb, "HELO") || arg == "" {
		return Passed
	}
	a.message(e, id).Helo = keep(arg)
	return Used
}

// authenticated notes the login of a connection: AUTH=server, relay=..., authid=...
func (a *Assembler) authenticated(e *Entry, text string) Use {
	p, ok := sendmailPeer(relay(text))
	if !ok {
		return Passed
	}
	a.conns.put(e.Host+" "+e.PID, &conn{peer: p, account: keep(word(text, "authid="))})
	return Used
}

// meet fills in the client. What is known of its name is kept.
func (v *Visit) meet(p peer) {
	if v.Client != p.addr || v.Name == NotLookedUp {
		v.take(p)
	}
}

// relay is the value of relay=, which holds blanks and stands before a reject.
func relay(text string) string {
	text, _, _ = strings.Cut(text, ", reject=")
	i := strings.LastIndex(text, "relay=")
	if i < 0 {
		return ""
	}
	return upTo(text[i+len("relay="):], ", ")
}

// value is that of key=value, up to a comma and blank.
func value(text, key string) string {
	_, after, _ := strings.Cut(text, key)
	return upTo(after, ", ")
}

func upTo(s, end string) string {
	before, _, _ := strings.Cut(s, end)
	return before
}

// address is an address with or without brackets; "" for the null sender.
func address(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '<'); i >= 0 {
		s = s[i+1:]
	}
	return strings.TrimSuffix(upTo(s, ">"), ">")
}

// sendmailPeer reads "name [address] (may be forged)". An address alone has no name:
// Sendmail says otherwise where DNS failed. A login before it, user@, is cut.
func sendmailPeer(s string) (peer, bool) {
	open := strings.IndexByte(s, '[')
	if open < 0 {
		return peer{}, false
	}
	end := strings.IndexByte(s[open:], ']')
	if end < 0 {
		return peer{}, false
	}
	addr, ok := parseIP(s[open+1 : open+end])
	if !ok {
		return peer{}, false
	}
	name := strings.TrimSpace(s[:open])
	if _, after, ok := cutLast(name, '@'); ok {
		name = after
	}
	forged := strings.Contains(s[open+end:], "(may be forged)")
	p := peer{addr: addr, ptr: strings.ToLower(name)}
	switch {
	case strings.ContainsAny(name, " \t"):
		return peer{}, false
	case name == "" && forged:
		p.name = Indeterminate
	case name == "":
		p.name = Missing
	case forged:
		p.name = Unconfirmed
	default:
		p.name = Confirmed
	}
	return p, true
}

// sendmailID takes a queue id off: 14 of letters and digits, the last a process id;
// 12 or 13 of older versions.
func sendmailID(text string) (id, rest string, ok bool) {
	id, rest, ok = strings.Cut(text, ": ")
	if !ok || len(id) < 12 || len(id) > 16 {
		return "", text, ok && id == noQueue
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", text, false
		}
	}
	return id, rest, true
}
