package milter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
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

// negotiate makes the offer, reads the answer, and quits.
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
	if _, err := io.CopyN(io.Discard, c, int64(n-1)); err != nil {
		return err
	}
	_, err := c.Write([]byte{0, 0, 0, 1, byte(milter.CodeQuit)})
	return err
}
