package miltertest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// A Visit is one SMTP session as the MTA shows it to a milter, over one
// connection. Its steps send what the MTA sends and return the milter's answer;
// steps that have none return a zero Answer with Action "continue".
type Visit struct {
	*Client
	MTA    MTA
	Agreed Offer             // what the milter asked for
	Lists  map[byte][]string // the macros it named, by stage

	listed []byte // the lists as received, to know them again

	peer     Peer
	greeted  bool // a HELO was sent
	tls      bool
	inMail   bool
	accepted int // recipients of the open message
	messages int // sent so far
	queueID  string

	from, account              string
	mailer, rcptHost, rcptAddr string // {rcpt_mailer} and so on
}

// NewVisit makes a visit of a connection; Negotiate is its first step.
func NewVisit(conn net.Conn, mta MTA) *Visit {
	return &Visit{Client: NewClient(conn), MTA: mta}
}

// Reuse begins another visit on a new connection, with the buffers of this one.
func (v *Visit) Reuse(conn net.Conn) {
	v.Client.Reset(conn)
	v.forget()
}

func (v *Visit) forget() {
	*v = Visit{Client: v.Client, MTA: v.MTA, Agreed: v.Agreed, Lists: v.Lists, listed: v.listed, messages: v.messages}
}

var goOn = Answer{Packet: 'c', Action: "continue"}

// Negotiate makes the MTA's offer. A milter that asks for what was not offered
// is refused, as Sendmail does.
func (v *Visit) Negotiate() error {
	o := v.MTA.Offer
	var b [12]byte
	binary.BigEndian.PutUint32(b[0:], o.Version)
	binary.BigEndian.PutUint32(b[4:], o.Actions)
	binary.BigEndian.PutUint32(b[8:], o.Protocol)
	v.AddRaw('O', b[:])
	if err := v.Flush(); err != nil {
		return err
	}
	code, p, err := v.Receive()
	switch {
	case err != nil:
		return fmt.Errorf("negotiate: %w", err)
	case code != 'O' || len(p) < 12:
		return fmt.Errorf("negotiate: answer %q of %d bytes", code, len(p))
	}
	v.Agreed = Offer{binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])}
	switch {
	case v.Agreed.Version > o.Version || v.Agreed.Version < 1:
		return fmt.Errorf("negotiate: version %d", v.Agreed.Version)
	case v.Agreed.Actions&^o.Actions != 0:
		return fmt.Errorf("negotiate: filter abilities %#x != MTA milter abilities %#x", v.Agreed.Actions, o.Actions)
	case v.Agreed.Protocol&^o.Protocol != 0:
		return fmt.Errorf("negotiate: protocol abilities %#x != MTA milter abilities %#x", v.Agreed.Protocol, o.Protocol)
	case len(p) > 12 && v.Agreed.Actions&setSymList == 0:
		return fmt.Errorf("negotiate: a list of macros without the right to one")
	}
	return v.readLists(p[12:])
}

// stages are the commands of the stage numbers in a list.
const stages = "CHMRTEN"

// readLists reads the lists of macros behind the flags.
func (v *Visit) readLists(p []byte) error {
	if v.Lists != nil && bytes.Equal(p, v.listed) {
		return nil
	}
	v.listed = append(v.listed[:0], p...)
	v.Lists = make(map[byte][]string)
	for len(p) > 0 {
		end := bytes.IndexByte(p, 0)
		if len(p) > 4 {
			end = bytes.IndexByte(p[4:], 0)
		}
		if len(p) < 5 || end < 0 {
			return fmt.Errorf("negotiate: broken list of macros")
		}
		stage := binary.BigEndian.Uint32(p)
		if stage >= uint32(len(stages)) {
			return fmt.Errorf("negotiate: macros of stage %d", stage)
		}
		v.Lists[stages[stage]] = strings.Fields(string(p[4 : 4+end]))
		p = p[4+end+1:]
	}
	return nil
}

// Connect shows the client.
func (v *Visit) Connect(p Peer) (Answer, error) {
	v.peer = p
	if v.MTA.sendmail {
		v.newQueueID()
	}
	v.addMacros('C')
	family := p.family()
	payload := append(append(make([]byte, 0, 80), v.MTA.host(p)...), 0, family)
	if family == '4' || family == '6' {
		payload = binary.BigEndian.AppendUint16(payload, p.Port)
	}
	switch family {
	case '4', '6':
		payload = append(append(payload, v.MTA.address(p)...), 0)
	case 'L':
		payload = append(binary.BigEndian.AppendUint16(payload, 0), "/run/client.sock\x00"...)
	}
	v.AddRaw('C', payload)
	return v.ask()
}

// ask sends what is in the buffer and waits for an answer.
func (v *Visit) ask() (Answer, error) {
	if err := v.Flush(); err != nil {
		return Answer{}, err
	}
	return v.Wait()
}

// Helo is HELO or EHLO. One after the first ends a message: Postfix says so after
// it, Sendmail before, and only where there is one.
func (v *Visit) Helo(name string) (Answer, error) {
	again, inMail := v.greeted, v.inMail
	if v.MTA.sendmail && inMail {
		v.addAbort()
	}
	v.greeted = true
	v.addMacros('H')
	v.Add('H', name)
	a, err := v.ask()
	if err == nil && again && !v.MTA.sendmail {
		v.addAbort()
		err = v.Flush()
	}
	return a, err
}

// StartTLS is STARTTLS and the EHLO after it.
func (v *Visit) StartTLS(name string) (Answer, error) {
	v.addAbort()
	v.tls, v.greeted = true, true
	v.addMacros('H')
	v.Add('H', name)
	return v.ask()
}

// Mail is MAIL FROM: the address with its brackets, and ESMTP arguments. account
// is who has logged in, "" for nobody.
func (v *Visit) Mail(from, account string, args ...string) (Answer, error) {
	v.from, v.account, v.accepted = from, account, 0
	if v.MTA.sendmail && v.messages > 0 {
		v.newQueueID()
	}
	v.addMacros('M')
	v.Add('M', append([]string{from}, args...)...)
	a, err := v.ask()
	v.inMail = err == nil && a.Continue()
	return a, err
}

// Rcpt is RCPT TO, of a recipient that the MTA itself takes.
func (v *Visit) Rcpt(to string, args ...string) (Answer, error) {
	v.mailer, v.rcptAddr = "local", strings.Trim(to, "<>")
	v.rcptHost = ""
	if !v.MTA.sendmail {
		v.rcptHost = v.rcptAddr[strings.LastIndexByte(v.rcptAddr, '@')+1:]
	}
	v.addMacros('R')
	if len(args) == 0 {
		v.Add('R', to)
	} else {
		v.Add('R', append([]string{to}, args...)...)
	}
	a, err := v.ask()
	if err == nil && a.Continue() {
		v.accepted++
		if v.queueID == "" {
			v.newQueueID()
		}
	}
	return a, err
}

// RcptRefused is RCPT TO, of a recipient that the MTA refuses itself. The milter
// sees it only if it asked to; Sendmail sends the macros all the same.
func (v *Visit) RcptRefused(to, status string) (Answer, error) {
	v.mailer, v.rcptHost = "error", status
	v.rcptAddr = "Recipient address rejected: User unknown in local recipient table"
	if v.MTA.sendmail {
		v.rcptAddr = "550 " + status + " User unknown"
	}
	shown := v.Agreed.Protocol&rcptRej != 0
	if shown || v.MTA.sendmail {
		v.addMacros('R')
	}
	if !shown {
		return goOn, v.Flush()
	}
	v.Add('R', to)
	return v.ask()
}

// EOM is DATA and all of the message. Without an accepted recipient the client
// gets the MTA's own 554, and the milter sees nothing.
func (v *Visit) EOM() (Answer, error) {
	if !v.inMail || v.accepted == 0 {
		return goOn, nil
	}
	if a, err := v.content(); err != nil || !a.Continue() {
		return a, err
	}
	v.addMacros('E')
	v.Add('E')
	a, err := v.ask()
	v.endMail()
	v.messages++
	if err == nil && !v.MTA.sendmail {
		v.addAbort()
		v.addAbort()
		v.Flush() // nobody waits for an answer: if the milter is gone, the next step tells
	}
	return a, err
}

// content sends what of the message the milter has not declined.
func (v *Visit) content() (Answer, error) {
	for _, part := range []struct {
		unless  uint32
		code    byte
		payload string
	}{
		{noData, 'T', ""},
		{noHeaders, 'L', "Subject\x00hello\x00"},
		{noHeaders, 'L', "X-Empty\x00\x00"},
		{noEOH, 'N', ""},
		{noBody, 'B', "hello\r\n"},
	} {
		if v.Agreed.Protocol&part.unless != 0 || part.code == 'T' && v.Agreed.Version < 4 {
			continue
		}
		v.AddRaw(part.code, []byte(part.payload))
		if a, err := v.ask(); err != nil || !a.Continue() {
			return a, err
		}
	}
	return goOn, nil
}

// Reset is RSET.
func (v *Visit) Reset() error {
	if v.MTA.sendmail && !v.inMail {
		return nil
	}
	v.addAbort()
	return v.Flush()
}

// Quit is QUIT, or the loss of the client. The milter closes the connection then.
func (v *Visit) Quit() error {
	if !v.MTA.sendmail || v.inMail {
		v.addAbort()
	}
	v.Add('Q')
	return v.Flush()
}

// Next keeps the connection for another client (QUIT_NC): Connect follows.
func (v *Visit) Next() error {
	v.Add('K')
	v.forget()
	return v.Flush()
}

func (v *Visit) addAbort() {
	v.Add('A')
	v.endMail()
}

func (v *Visit) endMail() {
	v.inMail, v.accepted, v.account = false, 0, ""
	if !v.MTA.sendmail {
		v.queueID = ""
	}
}

// newQueueID gives the message its id: Postfix has one from the first accepted
// recipient on, Sendmail from the connect or MAIL.
func (v *Visit) newQueueID() {
	v.queueID = "4Zq" + strconv.Itoa(1000+v.messages)
}
