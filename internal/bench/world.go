package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// A sender is one simulated mail server; they are told apart by number alone.
// Each is well kept: one PTR name that leads back to it, a HELO name of its own
// that does too, and a sender domain whose MX it is. All three differ, so that
// nothing which is kept by name is shared.
type sender int

// tail ends the names of all senders.
const tail = ".test"

// The nets the senders live in, one behind the other: that for benchmarks
// (RFC 2544) holds 131,072, so one like any other comes after it. Lists are not
// asked about those that nobody on the Internet has.
var (
	firstNet = [4]byte{198, 18, 0, 0}
	nextNet  = [4]byte{11, 64, 0, 0}
)

const firstNetSize = 1 << 17

func (s sender) addr() netip.Addr {
	base, n := firstNet, int(s)
	if n >= firstNetSize {
		base, n = nextNet, n-firstNetSize
	}
	return netip.AddrFrom4([4]byte{base[0], base[1] + byte(n>>16), byte(n >> 8), byte(n)})
}

func (s sender) domain() string { return "c" + strconv.Itoa(int(s)) + tail }
func (s sender) ptr() string    { return "mail." + s.domain() }
func (s sender) helo() string   { return "smtp." + s.domain() }

// senderAt is the sender of an address.
func senderAt(a netip.Addr) (sender, bool) {
	b := a.As4()
	n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	if b[0] == firstNet[0] {
		s := sender(n - int(firstNet[1])<<16)
		return s, s >= 0 && s < firstNetSize
	}
	s := sender(n - int(nextNet[1])<<16 + firstNetSize)
	return s, b[0] == nextNet[0] && s >= firstNetSize
}

// senderNamed finds the sender a name belongs to, and what stands left of its domain.
func senderNamed(name string) (s sender, host string, ok bool) {
	rest, ok := strings.CutSuffix(name, tail)
	if !ok {
		return 0, "", false
	}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 {
		host, rest = rest[:i], rest[i+1:]
	}
	number, ok := strings.CutPrefix(rest, "c")
	n, err := strconv.Atoi(number)
	return sender(n), host, ok && err == nil
}

// A world is the DNS of all senders. Its answers are worked out from the
// question: 200,000 senders as records of internal/dnstest would take a gigabyte
// and more time than what is measured.
type world struct {
	conn   *net.UDPConn
	served sync.WaitGroup
	asked  atomic.Int64
	listed atomic.Int64 // of those, to DNS lists
	delay  atomic.Int64 // nanoseconds
	dead   atomic.Bool
}

// listZone is how a question to one of our DNS lists ends.
var listZone = []byte("\x05lists\x07example\x00")

// newWorld answers on a free UDP port of loopback.
func newWorld() (*world, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20) // best effort: a question lost is asked again, and seen in the count
	w := &world{conn: conn}
	for range 2 {
		w.served.Go(w.serve)
	}
	return w, nil
}

func (w *world) port() int { return w.conn.LocalAddr().(*net.UDPAddr).Port }

// close ends the world and waits for its goroutines.
func (w *world) close() {
	w.conn.Close()
	w.served.Wait()
}

// behave sets how late every answer is, and whether there is none at all.
func (w *world) behave(delay time.Duration, dead bool) {
	w.delay.Store(int64(delay))
	w.dead.Store(dead)
}

func (w *world) serve() {
	buf := make([]byte, 4096)
	for {
		n, from, err := w.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // ICMP of an asker that has gone
		}
		w.asked.Add(1)
		if bytes.Contains(bytes.ToLower(buf[:n]), listZone) {
			w.listed.Add(1)
		}
		if w.dead.Load() {
			continue
		}
		answer := reply(buf[:n])
		if answer == nil {
			continue
		}
		send := func() { _, _ = w.conn.WriteToUDPAddrPort(answer, from) } // an asker that has gone is no trouble
		if d := time.Duration(w.delay.Load()); d > 0 {
			time.AfterFunc(d, send)
		} else {
			send()
		}
	}
}

// reply answers one packet; nil for what is no question.
func reply(packet []byte) []byte {
	var q dns.Msg
	if q.Unpack(packet) != nil || len(q.Question) != 1 || q.Response {
		return nil
	}
	m := new(dns.Msg).SetReply(&q)
	m.RecursionAvailable = true
	rr, exists := record(q.Question[0])
	switch {
	case rr != nil:
		m.Answer = []dns.RR{rr}
	case !exists:
		m.Rcode = dns.RcodeNameError
	}
	if rr == nil {
		m.Ns = []dns.RR{soa} // RFC 2308: how long the absence may be kept
	}
	if q.IsEdns0() != nil {
		m.SetEdns0(1232, false)
	}
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}

// ttl outlasts any run: what was cached once stays cached.
const ttl = 86400

var soa = &dns.SOA{
	Hdr: dns.RR_Header{Name: "test.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl},
	Ns:  "ns.test.", Mbox: "hostmaster.test.", Serial: 1, Refresh: 3600, Retry: 600, Expire: ttl, Minttl: ttl,
}

// elsewhere is where the web sites of all sender domains are.
var elsewhere = netip.MustParseAddr("203.0.113.80")

// record gives the one record that answers a question, and whether the name exists.
func record(q dns.Question) (rr dns.RR, exists bool) {
	hdr := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: ttl}
	name := strings.ToLower(strings.TrimSuffix(q.Name, "."))
	if labels, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		s, ok := senderAt(forwards(labels))
		if !ok || q.Qtype != dns.TypePTR {
			return nil, ok
		}
		return &dns.PTR{Hdr: hdr, Ptr: s.ptr() + "."}, true
	}
	s, host, ok := senderNamed(name)
	switch {
	case !ok:
		return nil, false
	case q.Qtype == dns.TypeA && host == "":
		return &dns.A{Hdr: hdr, A: elsewhere.AsSlice()}, true
	case q.Qtype == dns.TypeA:
		return &dns.A{Hdr: hdr, A: s.addr().AsSlice()}, true
	case q.Qtype == dns.TypeMX && host == "":
		return &dns.MX{Hdr: hdr, Preference: 10, Mx: s.ptr() + "."}, true
	case q.Qtype == dns.TypeTXT && host == "":
		return &dns.TXT{Hdr: hdr, Txt: []string{"v=spf1 mx -all"}}, true
	}
	return nil, true
}

// forwards reads the labels of a reverse name; the unspecified address when they are none.
func forwards(labels string) netip.Addr {
	d, c, b, a := "", "", "", ""
	if parts := strings.Split(labels, "."); len(parts) == 4 {
		d, c, b, a = parts[0], parts[1], parts[2], parts[3]
	}
	addr, err := netip.ParseAddr(fmt.Sprintf("%s.%s.%s.%s", a, b, c, d))
	if err != nil || !addr.Is4() {
		return netip.IPv4Unspecified()
	}
	return addr
}
