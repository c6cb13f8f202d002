package maillog

import "strings"

// postfixParts are the programs of Postfix, as they stand behind the last slash of
// a tag: the name before it is the operator's choice.
var postfixParts = map[string]bool{
	"smtpd": true, "postscreen": true, "cleanup": true, "qmgr": true, "oqmgr": true, "nqmgr": true, "smtp": true, "lmtp": true,
	"local": true, "virtual": true, "pipe": true, "error": true, "retry": true, "discard": true, "bounce": true, "defer": true, "trace": true,
	"verify": true, "anvil": true, "tlsproxy": true, "tlsmgr": true, "dnsblog": true, "pickup": true, "master": true,
	"postfix-script": true, "scache": true, "proxymap": true, "trivial-rewrite": true, "flush": true, "showq": true,
	"sendmail": true, "postdrop": true, "postsuper": true, "postqueue": true, "postalias": true, "postmap": true, "postlog": true, "qmqpd": true,
}

func (a *Assembler) postfix(e *Entry, part string) Use {
	switch part {
	case "smtpd":
		return a.smtpd(e)
	case "postscreen":
		return a.postscreen(e)
	case "pickup":
		return Passed // local submission
	}
	id, text, ok := queueID(e.Text)
	if !ok {
		return Passed
	}
	v, known := a.queues.get(e.Host + id)
	if known {
		return a.queued(v, e, part, id, text)
	}
	if action, rest, ok := cutAction(text); ok && part == "cleanup" {
		return a.decided(e, a.conn(e, false), id, action, rest)
	}
	return Passed
}

// queued reads a line about a message of which the beginning was seen.
func (a *Assembler) queued(v *Visit, e *Entry, part, id, text string) Use {
	switch {
	case text == "removed":
		v.done = true
		a.queues.remove(e.Host + id)
		return Used
	case strings.HasPrefix(text, "from=<"):
		v.from(field(text, "from=<"))
		v.better(Accepted)
		v.rejoin()
		return Used
	case strings.HasPrefix(text, "to=<"):
		to := field(text, "orig_to=<")
		if to == "" {
			to = field(text, "to=<")
		}
		v.addRcpt(to)
		return Used
	}
	action, rest, ok := cutAction(text)
	if !ok {
		return Passed
	}
	v.facts(rest)
	switch {
	case !strings.HasSuffix(action, "reject"):
	case strings.HasPrefix(rest, "RCPT "):
		v.refused(replyCode(rest))
	default: // of the whole message
		v.Outcome, v.done = class(replyCode(rest)), true
	}
	return Used
}

// smtpd reads a line of a server process. What it says of one connection is told
// apart by host, service and process.
func (a *Assembler) smtpd(e *Entry) Use {
	text := e.Text
	switch {
	case strings.HasPrefix(text, "connect from "):
		c := a.conn(e, true)
		p, ok := postfixPeer(text[len("connect from "):])
		if !ok {
			return Passed
		}
		c.start(p)
		return Used
	case strings.HasPrefix(text, "disconnect from "):
		a.disconnect(e)
		return Used
	case strings.HasPrefix(text, "warning: hostname "), strings.HasPrefix(text, "warning: ") && strings.Contains(text, ": address not listed for hostname "):
		return a.badName(e)
	}
	if id, rest, ok := queueID(text); ok {
		return a.smtpdQueued(e, id, rest)
	}
	if strings.Contains(text, "Received-SPF: ") || strings.Contains(text, "; identity=") {
		if a.spf(e) {
			return Used
		}
	}
	return Passed
}

// start begins a connection anew. A name that was found not to lead back stands for
// the "unknown" of the same client.
func (c *conn) start(p peer) {
	if c.attempt != nil {
		c.attempt.done = true
	}
	ptr, addr, state := c.ptr, c.ptrIP, c.state
	p.ptr = keep(p.ptr)
	*c = conn{peer: p}
	if p.name == Indeterminate && ptr != "" && addr == p.addr {
		c.peer.ptr, c.peer.name = ptr, state
	}
}

// conn is the connection of a process; with it made where there is none.
func (a *Assembler) conn(e *Entry, make bool) *conn {
	key := e.Host + " " + e.Program + " " + e.PID
	c, ok := a.conns.get(key)
	if !ok && make {
		c = new(conn)
		a.conns.put(strings.Clone(key), c)
	}
	return c
}

func (a *Assembler) disconnect(e *Entry) {
	key := e.Host + " " + e.Program + " " + e.PID
	if c, ok := a.conns.get(key); ok {
		if c.attempt != nil {
			c.attempt.done = true
		}
		a.conns.remove(key)
	}
}

// badName notes "hostname X does not resolve to address IP[: reason]", and the older
// "IP: address not listed for hostname X", which are said before the connection.
func (a *Assembler) badName(e *Entry) Use {
	text := strings.TrimPrefix(e.Text, "warning: ")
	var name, ip, reason string
	var ok bool
	if name, ip, ok = strings.Cut(strings.TrimPrefix(text, "hostname "), " does not resolve to address "); ok {
		ip, reason, _ = cutIP(ip)
	} else if ip, name, ok = strings.Cut(text, ": address not listed for hostname "); !ok {
		return Passed
	}
	addr, valid := parseIP(ip)
	if !valid || name == "" || strings.ContainsAny(name, " \t") {
		return Passed
	}
	c := a.conn(e, true)
	c.ptr, c.ptrIP, c.state = keep(strings.ToLower(name)), addr, Unconfirmed
	if strings.Contains(strings.ToLower(reason), "temporary") || strings.Contains(strings.ToLower(reason), "try again") {
		c.state = Unproven
	}
	return Used
}

// cutIP takes the address off "192.0.2.7: reason", which may be of IPv6.
func cutIP(s string) (ip, reason string, ok bool) {
	ip, reason, ok = strings.Cut(s, ": ")
	return strings.TrimSuffix(ip, ":"), reason, ok
}

// smtpdQueued reads a line that begins with a queue id, or NOQUEUE.
func (a *Assembler) smtpdQueued(e *Entry, id, text string) Use {
	c := a.conn(e, true)
	if client, ok := strings.CutPrefix(text, "client="); ok {
		return a.client(e, c, id, client)
	}
	if action, rest, ok := cutAction(text); ok {
		return a.decided(e, c, id, action, rest)
	}
	if v, known := a.queues.get(e.Host + id); known {
		return a.queued(v, e, "smtpd", id, text)
	}
	return Passed
}

// client begins the transaction that a queue id is given to.
func (a *Assembler) client(e *Entry, c *conn, id, client string) Use {
	p, ok := postfixPeer(client)
	if !ok {
		return Passed
	}
	c.known(p)
	v := a.begin(e, "postfix")
	v.take(c.peer)
	v.Helo = c.helo
	v.Submission = submission(e.Program)
	v.Account = keep(word(client, "sasl_username="))
	if id == noQueue { // a proxy before the queue: the message is accepted there
		v.better(Accepted)
		c.attempt = v
		return Used
	}
	v.Queue = keep(id)
	v.before, c.attempt = c.attempt, nil
	a.queues.put(strings.Clone(e.Host+id), v)
	return Used
}

// notMail are commands that are refused of those who do not come to deliver.
var notMail = map[string]bool{"VRFY": true, "EXPN": true, "ETRN": true, "AUTH": true, "STARTTLS": true, "HELP": true, "NOOP": true}

// known fills in the client of a connection whose beginning was not seen.
func (c *conn) known(p peer) {
	if c.peer.addr != p.addr {
		c.start(p)
	}
}

// decided reads a decision about a client: reject, milter-reject and their like.
func (a *Assembler) decided(e *Entry, c *conn, id, action, rest string) Use {
	if c == nil {
		c = new(conn)
	}
	if verb := upTo(rest, " "); id == noQueue && notMail[verb] {
		return Passed
	}
	p, ok := postfixPeer(afterFrom(rest))
	if !ok {
		p = c.peer // "proxy-reject: END-OF-MESSAGE: ..." names none
	}
	if !p.addr.IsValid() {
		return Passed
	}
	c.known(p)
	if v, known := a.queues.get(e.Host + id); known {
		return a.queued(v, e, "smtpd", id, action+": "+rest)
	}
	from, helo := field(rest, " from=<"), keep(field(rest, " helo=<"))
	if from == "" && strings.Contains(rest, " from=<>") {
		from = "<>"
	}
	v := c.attempt
	if v == nil || v.out || v.From != "" && v.From != from || id != noQueue {
		if v != nil {
			v.done = true
		}
		v = a.begin(e, "postfix")
		v.take(c.peer)
		v.Submission = submission(e.Program)
		if id != noQueue {
			v.Queue = keep(id)
			a.queues.put(strings.Clone(e.Host+id), v)
		} else {
			c.attempt = v
		}
	}
	if helo != "" {
		c.helo = helo
	}
	v.facts(rest)
	if strings.HasSuffix(action, "reject") {
		code := replyCode(rest)
		if strings.HasPrefix(code, "all ") || strings.HasPrefix(code, "too many ") { // of postscreen, without a code
			code = "421"
		}
		v.refused(code)
		if strings.Contains(rest, "cannot find your reverse hostname") && v.Outcome == Refused {
			v.Name = Missing
		}
	} else if action == "proxy-accept" {
		v.better(Accepted)
	}
	return Used
}

// facts takes what stands at the end of a decision.
func (v *Visit) facts(rest string) {
	if helo := field(rest, " helo=<"); helo != "" {
		v.Helo = keep(helo)
	}
	if strings.Contains(rest, " from=<>") {
		v.from("")
	} else if from := field(rest, " from=<"); from != "" {
		v.from(from)
	}
	v.addRcpt(field(rest, " to=<"))
	if v.Account == "" {
		v.Account = keep(mailboxOrEmpty(word(rest, " sasl_username=")))
	}
}

func mailboxOrEmpty(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">") }

// from notes the sender; "" is the null sender.
func (v *Visit) from(addr string) {
	if v.From == "" {
		v.From = keep(mailbox(addr))
	}
}

// rejoin has the recipients of one transaction that were turned away before it got
// its queue id stand with the others.
func (v *Visit) rejoin() {
	b := v.before
	v.before = nil
	if b == nil || b.out {
		return
	}
	b.done = true
	if b.From != v.From {
		return
	}
	v.Time = b.Time
	v.Unknown += b.Unknown
	for _, rcpt := range b.Rcpts {
		v.addRcpt(rcpt)
	}
	b.drop()
}

// postscreen reads a line of postscreen, which asks for no names.
func (a *Assembler) postscreen(e *Entry) Use {
	text := e.Text
	switch {
	case strings.HasPrefix(text, "PREGREET "):
		_, said, _ := strings.Cut(text, ": ")
		p, ok := postfixPeer(afterFrom(text))
		if !ok {
			return Passed
		}
		verb, name, _ := strings.Cut(strings.TrimSuffix(said, `\r\n`), " ")
		if name != "" && (strings.EqualFold(verb, "EHLO") || strings.EqualFold(verb, "HELO")) {
			name, _, _ = strings.Cut(name, `\r\n`)
			a.notes.put(p.addr, &note{when: e.Time, helo: keep(name)})
		}
		return Used
	case strings.HasPrefix(text, noQueue+": "):
		action, rest, ok := cutAction(text[len(noQueue)+2:])
		if !ok {
			return Passed
		}
		key := e.Host + " " + upTo(afterFrom(rest), ": ")
		c, known := a.conns.get(key)
		if !known {
			c = new(conn)
			a.conns.put(key, c)
		}
		return a.decided(e, c, noQueue, action, rest)
	}
	return Passed
}

// submission reports whether a service by its name is one where users log in.
func submission(program string) bool {
	for _, word := range [...]string{"submission", "smtps", "465", "587", "msa"} {
		if strings.Contains(program, word) {
			return true
		}
	}
	return false
}

// spf notes what a policy server says of a client: "Received-SPF: Pass (...)
// identity=mailfrom; client-ip=192.0.2.7; helo=...; envelope-from=...". A result by
// HELO is one of the null sender alone (RFC 7208 section 2.4).
func (a *Assembler) spf(e *Entry) bool {
	text := e.Text
	if _, after, ok := strings.Cut(text, "Received-SPF: "); ok {
		text = after
	}
	addr, ok := parseIP(item(text, "client-ip="))
	if !ok {
		return false
	}
	end := strings.IndexAny(text, " ;(")
	if end < 0 {
		return false
	}
	n := &note{when: e.Time, helo: keep(item(text, "helo="))}
	from := item(text, "envelope-from=")
	if from == "" { // some write the address alone
		for part := range strings.SplitSeq(text, "; ") {
			if strings.Contains(part, "@") && !strings.Contains(part, "=") {
				from = part
			}
		}
	}
	if from != "" {
		n.from = keep(mailbox(strings.Trim(from, `"`)))
	}
	if byHelo := item(text, "identity=") == "helo"; from != "" && byHelo == (n.from == "<>") {
		n.spf = strings.ToLower(text[:end])
	}
	if old, known := a.notes.get(addr); known && n.spf == "" && strings.EqualFold(old.from, n.from) && e.Time.Sub(old.when) < noteAge {
		n.spf = old.spf // HELO is looked at beside the sender
	}
	a.notes.put(addr, n)
	return true
}

// item is the value of key=value; up to the next "; ".
func item(s, key string) string {
	i := strings.Index(s, key)
	if i < 0 {
		return ""
	}
	value, _, _ := strings.Cut(s[i+len(key):], ";")
	return strings.TrimSpace(value)
}
