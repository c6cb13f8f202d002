package milter

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"github.com/emersion/go-milter"

	"mailprofiled/internal/engine"
)

// What the library has no names for.
const (
	codeUnknown = 'U' // SMFIC_UNKNOWN: a command the MTA does not know
)

// ours are the commands answered here, since the library would end the session
// over them or nobody is interested: they come only where the MTA did not offer
// to keep them to itself.
const ours = string(rune(codeUnknown)) + string(rune(milter.CodeData)) + string(rune(milter.CodeHeader)) +
	string(rune(milter.CodeEOH)) + string(rune(milter.CodeBody))

// ignoresPayload tells the commands whose payload is skipped unread.
func ignoresPayload(code byte) bool { return strings.IndexByte(ours, code) >= 0 }

// goOn is the packet that says continue.
var goOn = []byte{0, 0, 0, 1, byte(milter.ActContinue)}

// take looks at a packet before the library does, keeps what the library would
// lose, and reports whether it is to be handed on.
func (c *conn) take(code byte, payload []byte) (handOn bool, err error) {
	if !c.negotiated && code != byte(milter.CodeOptNeg) && code != byte(milter.CodeQuit) {
		return false, refusal(fmt.Sprintf("first packet is %q, no negotiation", code))
	}
	switch milter.Code(code) {
	case milter.CodeOptNeg:
		c.offer, err = parseOffer(payload)
		c.negotiated = err == nil
	case milter.CodeConn:
		client, err := parseConnect(payload)
		if err != nil {
			return false, err
		}
		c.client = client
	case milter.CodeHelo, milter.CodeMail, milter.CodeRcpt:
		if len(payload) == 0 {
			return false, refusal(fmt.Sprintf("packet %q without argument", code))
		}
		c.arg = cString(payload) // ESMTP arguments follow the first NUL
		if milter.Code(code) == milter.CodeMail {
			err = c.openMail()
		}
	case milter.CodeEOB, milter.CodeAbort, milter.CodeQuit:
	case milter.CodeMacro:
		c.pending = nil
		if len(payload) == 0 {
			return false, refusal("macros of no stage")
		}
		c.macros.define(payload)
		return false, nil
	case milter.CodeQuitNewConn: // the next connection is another client's; no answer
		c.pending = nil
		c.sess.leave()
		return false, nil
	case codeUnknown, milter.CodeData, milter.CodeHeader, milter.CodeEOH, milter.CodeBody:
		c.write(goOn)
		return false, nil
	default:
		return false, refusal(fmt.Sprintf("unknown command code %q", code))
	}
	return err == nil, err
}

// parseConnect reads the payload of a C packet: host NUL family [port address NUL].
func parseConnect(b []byte) (engine.Client, error) {
	host := cString(b)
	if len(b) < len(host)+2 {
		return engine.Client{}, refusal("connect packet is too short")
	}
	family, rest := b[len(host)+1], b[len(host)+2:]
	switch milter.ProtoFamily(family) {
	case milter.FamilyInet, milter.FamilyInet6:
		if len(rest) < 2 {
			return engine.Client{}, refusal("connect packet is too short")
		}
		return engine.Client{Addr: parseAddr(string(cString(rest[2:])))}, nil
	case milter.FamilyUnix, milter.FamilyUnknown:
		return engine.Client{Local: true}, nil
	}
	return engine.Client{}, nil // a family of the future: the MTA could not tell us
}

// logEnd says why a connection has ended, where somebody may want to know.
func (c *conn) logEnd(err error) {
	level, msg := slog.LevelWarn, "milter connection lost"
	var why refusal
	switch {
	case err == errBroken: // said when it broke
		return
	case errors.Is(err, io.EOF), errors.Is(err, errEnded), errors.Is(err, net.ErrClosed):
		level, msg = slog.LevelDebug, "milter connection closed"
	case errors.Is(err, errIdle):
		level, msg = slog.LevelInfo, "milter connection closed"
	case errors.As(err, &why):
		c.srv.refused.Add(1)
		msg = "milter protocol error, connection closed"
	}
	c.srv.log(level, msg, c, slog.Any("error", err))
}

// where names the connection in the log.
func (c *conn) where() []slog.Attr {
	attrs := []slog.Attr{slog.String("peer", c.Conn.RemoteAddr().String())}
	if c.client.Addr.IsValid() {
		attrs = append(attrs, slog.String("client", c.client.Addr.String()))
	}
	return attrs
}
