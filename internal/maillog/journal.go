package maillog

import (
	"encoding/json"
	"strconv"
	"time"
)

// Fields of the journal (systemd.journal-fields(7)).
const (
	fieldTime    = "__REALTIME_TIMESTAMP" // microseconds since 1970
	fieldHost    = "_HOSTNAME"
	fieldProgram = "SYSLOG_IDENTIFIER"
	fieldPID     = "SYSLOG_PID"
	fieldOwnPID  = "_PID"
	fieldText    = "MESSAGE"
)

// json reads one object of journalctl -o json. A text that is not UTF-8 stands
// there as an array of numbers, one that is too long as null.
func (f *Framer) json(line string) (Entry, bool) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return Entry{}, false
	}
	get := func(name string) string {
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			return text
		}
		var octets []byte
		var numbers []int
		if json.Unmarshal(fields[name], &numbers) == nil {
			for _, n := range numbers {
				octets = append(octets, byte(n))
			}
		}
		return string(octets)
	}
	return Journal(get)
}

// Journal makes an Entry of the fields of a journal's entry. It reports false if
// there is neither program nor text.
func Journal(field func(name string) string) (Entry, bool) {
	e := Entry{Host: field(fieldHost), Program: field(fieldProgram), PID: field(fieldPID), Text: field(fieldText)}
	if e.PID == "" {
		e.PID = field(fieldOwnPID)
	}
	if n, err := strconv.ParseInt(field(fieldTime), 10, 64); err == nil {
		e.Time = time.UnixMicro(n).UTC()
	}
	return e, e.Program != "" && e.Text != ""
}
