package profile

import "strings"

// wordMarks are what the words left of the registered domain say. A word is a
// run of letters, so that dsl203 and dhcp-024 have one each.
type wordMarks struct {
	line       string // the first that names an access technique or a changing address
	lines      int
	user       string // the first that names a subscriber
	users      int
	userDigits int    // the most digits in the label of such a word
	hint       string // the first that means a line beside an address, and much else without
	fixed      bool   // static or business
	mail       bool
	host       bool   // names whatever stands on a line: host, ip, net
	stock      string // a rented server's word in a label with a number, or one of names never given
	unnamed    bool   // it is one of names never given, reverse zones among them
	digits     int    // in all labels
}

func readWords(left string) wordMarks {
	m := wordMarks{digits: countDigits(left)}
	host := -1
	for rest, more := left, true; more; {
		var label string
		label, rest, more = strings.Cut(rest, ".")
		digits := countDigits(label)
		if host < 0 {
			host = digits
		}
		m.readLabel(label, digits)
		if isUserWord(label) { // alone in its label it speaks of the host's number
			m.userDigits = max(m.userDigits, host)
		}
	}
	return m
}

func (m *wordMarks) readLabel(label string, digits int) {
	for at := 0; at < len(label); {
		end := at
		for end < len(label) && isLetter(label[end]) {
			end++
		}
		if end-at > 1 && !insideHex(label, at, end) {
			m.read(label[at:end], digits)
		}
		at = end + 1
	}
}

// insideHex reports whether a run of letters is more likely a part of a number
// in hex than a word: ded in c0ded33f.
func insideHex(label string, from, to int) bool {
	for i := from; i < to; i++ {
		if !isHex(label[i]) {
			return false
		}
	}
	if from > 0 && isDigit(label[from-1]) {
		return true
	}
	for to < len(label) && isHex(label[to]) {
		to++
	}
	return to-from >= 8
}

// read notes one word, of a label with so many digits.
func (m *wordMarks) read(word string, digits int) {
	switch {
	case isMailWord(word):
		m.mail = true
	case isFixedWord(word):
		m.fixed = true
		if isStockWord(word) && digits >= 3 {
			m.stock = word
		}
	case isLineWord(word):
		m.lines++
		first(&m.line, word)
	case isUserWord(word):
		m.users++
		m.userDigits = max(m.userDigits, digits)
		first(&m.user, word)
	case isHintWord(word):
		first(&m.hint, word)
	case isUnnamedWord(word):
		m.stock, m.unnamed = word, true
	case isStockWord(word) && digits >= 3:
		m.stock = word
	case isHostWord(word):
		m.host = true
	}
}

func first(to *string, word string) {
	if *to == "" {
		*to = word
	}
}

// accessWord returns the word that says that this is an access line; "" if
// none does. A technique says so beside any number, or twice; a subscriber's
// word beside the address, or a long number, or twice beside a number: plenty
// of firms have a host called customer or home.
func (m *wordMarks) accessWord(address bool) string {
	switch {
	case m.line != "" && (address || m.digits > 0 || m.lines > 1):
		return m.line
	case m.user != "" && (address || m.userDigits >= 3 || m.users > 1 && m.digits > 0):
		return m.user
	case address:
		return m.hint
	}
	return ""
}

// genericWord returns a word that makes a name a default one, though not one of
// a line.
func (m *wordMarks) genericWord() string {
	switch {
	case m.line != "":
		return m.line
	case m.userDigits > 0:
		return m.user
	}
	return m.stock
}

// ofLines reports whether any word fits the name of a line, so that two octets
// beside it are the address and not the numbering of somebody's servers.
func (m *wordMarks) ofLines() bool {
	return m.host || m.fixed || m.line != "" || m.user != "" || m.hint != "" || m.stock != ""
}

func isLineWord(w string) bool {
	switch w {
	case "ppp", "pppoe", "pppoa", "pptp", "slip", "dial", "dials", "dialin", "dialup", "dip",
		"dyn", "dynip", "dynpool", "dinamic", "dinamica", "dinamico", "dynamisch", "dynamique",
		"cpe", "docsis", "cmts", "cmodem", "modem", "modems", "cdma", "gprs", "umts", "hspa", "hsdpa", "evdo", "lte", "wimax",
		"isdn", "ftth", "fttb", "fttx", "fttp", "gpon", "epon", "bras", "bng", "hsd",
		"broadband", "bband", "bredband", "breitband", "breedband", "wireless", "wlan", "wifi", "kabel", "pooles":
		return true
	}
	return strings.HasSuffix(w, "dsl") || strings.HasPrefix(w, "dsl") || strings.HasPrefix(w, "adsl") || strings.HasPrefix(w, "vdsl") ||
		strings.Contains(w, "dhcp") || strings.HasPrefix(w, "dynamic") || strings.HasSuffix(w, "dynamic") ||
		strings.HasPrefix(w, "ppp") || strings.HasPrefix(w, "dialup") || strings.HasSuffix(w, "catv") || strings.HasPrefix(w, "catv") ||
		strings.HasPrefix(w, "cable") || strings.HasPrefix(w, "broadband")
}

func isUserWord(w string) bool {
	switch w {
	case "client", "clients", "cliente", "clientes", "customer", "customers", "cust", "user", "users", "usr",
		"subscriber", "subscribers", "subs", "abo", "abonne", "abonnes", "pool", "pools", "access", "mobile", "mobil":
		return true
	}
	return false
}

func isHintWord(w string) bool {
	switch w {
	case "home", "homes", "res", "resi", "resid", "residential", "residencial", "resnet",
		"range", "port", "flat", "doc", "cdm", "cm", "ras", "din", "surfer", "nat", "fiber", "fibre", "fibra", "pon", "tv", "bb":
		return true
	}
	return strings.HasSuffix(w, "bb")
}

func isHostWord(w string) bool {
	switch w {
	case "ip", "ips", "ipv", "host", "hosts", "hst", "net", "subnet", "line", "rev", "reverse", "unknown", "addr", "apn":
		return true
	}
	return false
}

func isFixedWord(w string) bool {
	switch w {
	case "stat", "sta", "statisch", "estatico", "estatica", "statique", "fix", "fixed", "fixe", "fixip",
		"ded", "dedi", "dedicated", "dedicado", "leased", "biz", "business", "corp", "corporate":
		return true
	}
	return strings.Contains(w, "static")
}

func isStockWord(w string) bool {
	switch w {
	case "vps", "vserver", "vmi", "ded", "dedi", "dedicated", "static", "cloudserver":
		return true
	}
	return false
}

// isUnnamedWord knows the words of reverse zones that were filled by machine
// and never again looked at.
func isUnnamedWord(w string) bool {
	switch w {
	case "arpa", "unassigned", "unallocated", "unused", "unlabelled", "noname", "nodns", "noptr", "nxdomain":
		return true
	}
	return false
}

func isMailWord(w string) bool {
	switch w {
	case "mx", "mxs", "mxout", "mta", "mtas", "mtaout", "mout", "outbound", "outgoing", "relay", "relays", "bounce", "bounces", "correo":
		return true
	}
	return strings.Contains(w, "mail") || strings.Contains(w, "smtp") || strings.HasSuffix(w, "mta")
}
