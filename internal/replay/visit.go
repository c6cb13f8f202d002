package replay

import (
	"net/netip"
	"strings"
	"time"

	"mailprofiled/internal/engine"
	"mailprofiled/profile"
)

// A PTRState says what was recorded of a client's reverse DNS.
type PTRState uint8

// The states. Only PTRNone is a missing name.
const (
	PTRUnrecorded        PTRState = iota // nothing can be concluded
	PTRNamed                             // there is a name
	PTRNone                              // looked up, and there was none
	PTRNoneOrUnconfirmed                 // none, one that does not lead back, or DNS failed ("unknown" of Postfix)
)

// ptrStates are the words of the column ptr_state.
var ptrStates = map[string]PTRState{
	"named": PTRNamed, "none": PTRNone, "none_or_unconfirmed": PTRNoneOrUnconfirmed, "unrecorded": PTRUnrecorded,
}

// A Tri is yes, no, or not known, which is the zero Tri.
type Tri uint8

// The answers.
const (
	Unknown Tri = iota
	Yes
	No
)

// A Precision says how much of a time was recorded.
type Precision uint8

// The precisions: none at all, the day, or the time of day.
const (
	NoTime Precision = iota
	Day
	Moment
)

// A Visit is one transaction as the input tells of it. What is zero is not known.
type Visit struct {
	Time      time.Time
	Precision Precision
	Client    netip.Addr
	PTR       string // lower case, no last dot
	PTRState  PTRState
	Confirmed Tri    // whether PTR leads back to the client
	Helo      string // "" is not known, never missing
	HeloFwd   Tri    // whether the HELO name leads to the client
	From      string // whole address, or its domain, or "<>"
	SPF       profile.SPFOutcome
	Account   string
	Rcpts     []string // without brackets
	NotTaken  bool     // the message is known not to have come to its end
	Unknown   int      // recipients that were refused, since they do not exist
	Door      string   // role of the door: submission, or ""
	Label     string   // ham, spam, ...
	Row       []byte   // the input's own columns, as CSV, for Rows
}

// somebodyAt stands before a sender's domain where no more is known: an address by
// RFC 5321, and nobody's.
const somebodyAt = "<?@"

// given are the facts for the engine. assume holds a client without a confirmed
// name for one that is missing or unconfirmed.
func (v *Visit) given(assume bool) engine.Given {
	g := engine.Given{
		Client: engine.Client{Addr: v.Client}, RDNS: v.rdns(assume), Helo: v.helo(),
		SPF: profile.SPF{Outcome: v.SPF}, Account: v.Account, Anew: !v.whole(), NotTaken: v.NotTaken, Unknown: v.Unknown,
	}
	switch {
	case v.From == "":
	case v.From == "<>" || strings.Contains(v.From, "@"):
		g.From = bracketed(v.From)
	default:
		g.From, g.DomainOnly = somebodyAt+v.From+">", true
	}
	if g.DomainOnly {
		g.SPF.Domain = strings.ToLower(v.From)
	} else if _, domain, ok := strings.Cut(v.From, "@"); ok {
		g.SPF.Domain = strings.ToLower(domain)
	}
	for _, rcpt := range v.Rcpts {
		g.Rcpts = append(g.Rcpts, bracketed(rcpt))
	}
	return g
}

func bracketed(addr string) string {
	if strings.HasPrefix(addr, "<") {
		return addr
	}
	return "<" + addr + ">"
}

// rdns is the client's reverse DNS as far as it is known.
func (v *Visit) rdns(assume bool) profile.RDNS {
	switch v.PTRState {
	case PTRNamed:
		if v.PTR == "" {
			break
		}
		forward := profile.ForwardNotAsked
		switch v.Confirmed {
		case Yes:
			forward = profile.Confirmed
		case No:
			forward = profile.Mismatch
		}
		return profile.RDNS{Outcome: profile.Found, Names: []profile.PTR{{Name: v.PTR, Forward: forward}}}
	case PTRNone:
		return profile.RDNS{Outcome: profile.NoName}
	case PTRNoneOrUnconfirmed:
		return profile.RDNS{Nameless: assume}
	}
	return profile.RDNS{}
}

// helo is what the client called itself, and whether that leads to it.
func (v *Visit) helo() profile.Helo {
	if v.Helo == "" {
		return profile.Helo{}
	}
	h := profile.Helo{Given: profile.Shown, Name: v.Helo}
	if v.HeloFwd == Unknown {
		return h
	}
	if v.Client.Is4() {
		h.Host.A = profile.Found
	} else {
		h.Host.AAAA = profile.Found
	}
	if v.HeloFwd == Yes {
		h.Host.Addrs = []netip.Addr{v.Client}
	}
	return h
}

// whole reports whether sender and recipients are known, so that one who comes back
// can be told from one who writes anew.
func (v *Visit) whole() bool {
	return len(v.Rcpts) > 0 && (v.From == "<>" || strings.Contains(v.From, "@"))
}
