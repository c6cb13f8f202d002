package milter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/emersion/go-milter"
)

// ErrTurnedAway says that a connection was taken and closed at once: somebody is
// there, and has no room.
var ErrTurnedAway = errors.New("connection closed without an answer")

// probeOffer is what Postfix and Sendmail offer.
var probeOffer = Offer{Version: 6, Actions: 0x1ff, Protocol: 0x1fffff}

// Probe connects to a milter, negotiates as an MTA does, and says goodbye before
// it has shown a client. It takes as long as ctx lets it.
func Probe(ctx context.Context, addr net.Addr) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return err // names the address
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	err = negotiate(c)
	if err == nil {
		err = quit(c)
	}
	return probed(ctx, addr, err)
}

// A ProbedClient is how an MTA would show a client.
type ProbedClient struct {
	Family byte   // '4' or '6'
	Host   string // its name, or its address in brackets
	Addr   string // as that MTA writes it: Sendmail puts "IPv6:" before those
}

// ProbeClient is Probe, and shows a client whose {daemon_name} is SelfTestName:
// what came in of it is in Stats.Seen.SelfTest then.
func ProbeClient(ctx context.Context, addr net.Addr, client ProbedClient) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, addr.Network(), addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err = negotiate(c); err == nil {
		err = show(c, client)
	}
	if err == nil {
		err = quit(c)
	}
	return probed(ctx, addr, err)
}

// show sends a client and its macros, and reads the answer.
func show(c net.Conn, client ProbedClient) error {
	macros := "C" + strings.Join([]string{"j", SelfTestName, "{daemon_name}", SelfTestName, "{client_addr}", client.Addr, ""}, "\x00")
	connect := client.Host + "\x00" + string(client.Family) + "\x00\x00" + client.Addr + "\x00" // port 0
	var packets []byte
	for _, p := range []struct {
		code    milter.Code
		payload string
	}{{milter.CodeMacro, macros}, {milter.CodeConn, connect}} {
		packets = binary.BigEndian.AppendUint32(packets, uint32(1+len(p.payload)))
		packets = append(append(packets, byte(p.code)), p.payload...)
	}
	if _, err := c.Write(packets); err != nil {
		return err
	}
	head := make([]byte, offerHead)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	if n := binary.BigEndian.Uint32(head); n != 1 || head[lengthSize] != byte(milter.ActContinue) {
		return fmt.Errorf("answer %q of %d bytes to a client", head[lengthSize], n)
	}
	return nil
}

// probed says what a probe has found.
func probed(ctx context.Context, addr net.Addr, err error) error {
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		err = ErrTurnedAway
	}
	if err != nil {
		return fmt.Errorf("probe %s: %w", addr, err)
	}
	return nil
}

// negotiate makes the offer and reads the answer.
func negotiate(c net.Conn) error {
	packet := binary.BigEndian.AppendUint32(nil, 1+offerSize)
	packet = append(packet, byte(milter.CodeOptNeg))
	for _, v := range []uint32{probeOffer.Version, probeOffer.Actions, probeOffer.Protocol} {
		packet = binary.BigEndian.AppendUint32(packet, v)
	}
	if _, err := c.Write(packet); err != nil {
		return err
	}
	head := make([]byte, offerHead)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head)
	if head[lengthSize] != byte(milter.CodeOptNeg) || n < 1+offerSize || n > maxPacket {
		return fmt.Errorf("answer %q of %d bytes to a negotiation", head[lengthSize], n)
	}
	_, err := io.CopyN(io.Discard, c, int64(n-1))
	return err
}

func quit(c net.Conn) error {
	_, err := c.Write([]byte{0, 0, 0, 1, byte(milter.CodeQuit)})
	return err
}
