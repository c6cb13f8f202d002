package maillog

import (
	"strconv"
	"strings"
	"time"
)

// date reads the date that a line begins with, and gives what follows its blank.
func (f *Framer) date(line string, t *time.Time) (rest string, ok bool) {
	if len(line) < 15 {
		return "", false
	}
	if c := line[0]; c >= '0' && c <= '9' {
		return f.digits(line, t)
	}
	if len(line) > 20 && line[3] == ' ' && line[4] >= '0' && line[4] <= '9' && line[8] == '-' {
		return f.fullDate(line, t)
	}
	return f.syslog(line, t)
}

// digits reads an ISO date, or seconds since 1970 (journalctl -o short-unix).
func (f *Framer) digits(line string, t *time.Time) (rest string, ok bool) {
	word, rest, ok := strings.Cut(line, " ")
	if !ok {
		return "", false
	}
	if *t, ok = isoTime(word, f.Zone); ok {
		return rest, true
	}
	if len(word) == len(time.DateOnly) { // the time of day is a word of its own
		clock, after, _ := strings.Cut(rest, " ")
		*t, ok = isoTime(word+"T"+clock, f.Zone)
		return after, ok
	}
	seconds, err := strconv.ParseFloat(word, 64)
	if err != nil || seconds < 1e8 || seconds > 1e11 {
		return "", false
	}
	*t = time.UnixMicro(int64(seconds * 1e6)).UTC()
	return rest, true
}

// isoForms are those of rsyslog, syslog-ng and journalctl.
var isoForms = []string{
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04:05,999999999Z07:00", "2006-01-02T15:04:05,999999999",
}

func isoTime(s string, zone *time.Location) (time.Time, bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' {
		return time.Time{}, false
	}
	if zone == nil {
		zone = time.UTC
	}
	for _, form := range isoForms {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// fullDate reads "Tue 2026-02-03 04:05:06 CET" (journalctl -o short-full). A zone
// by its abbreviation says nothing for sure: it is taken for that of the Framer.
func (f *Framer) fullDate(line string, t *time.Time) (rest string, ok bool) {
	parts := strings.SplitN(line, " ", 5)
	if len(parts) < 5 {
		return "", false
	}
	zone := f.Zone
	if parts[3] == "UTC" {
		zone = time.UTC
	}
	*t, ok = isoTime(parts[1]+"T"+parts[2], zone)
	return parts[4], ok
}

var months = map[string]time.Month{
	"Jan": time.January, "Feb": time.February, "Mar": time.March, "Apr": time.April, "May": time.May, "Jun": time.June,
	"Jul": time.July, "Aug": time.August, "Sep": time.September, "Oct": time.October, "Nov": time.November, "Dec": time.December,
}

// syslog reads "Feb  3 04:05:06" (RFC 3164 section 4.1.2), with a fraction or a year
// where one stands there.
func (f *Framer) syslog(line string, t *time.Time) (rest string, ok bool) {
	month, known := months[line[:3]]
	if !known || line[3] != ' ' {
		return "", false
	}
	day, rest, ok := strings.Cut(strings.TrimLeft(line[4:], " "), " ")
	if !ok {
		return "", false
	}
	d, err := strconv.Atoi(day)
	if err != nil || d < 1 || d > 31 {
		return "", false
	}
	year := 0
	word, after, ok := strings.Cut(rest, " ")
	if ok && len(word) == 4 && strings.Trim(word, "0123456789") == "" {
		year, _ = strconv.Atoi(word)
		word, after, ok = strings.Cut(after, " ")
	}
	clock, valid := timeOfDay(word)
	if !ok || !valid {
		return "", false
	}
	*t = f.dated(year, month, d, clock)
	return after, true
}

// timeOfDay reads 04:05:06, with or without a fraction.
func timeOfDay(s string) (time.Duration, bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return 0, false
	}
	h, err1 := strconv.Atoi(s[:2])
	m, err2 := strconv.Atoi(s[3:5])
	sec, err3 := strconv.ParseFloat(s[6:], 64)
	if err1 != nil || err2 != nil || err3 != nil || h < 0 || h > 23 || m < 0 || m > 59 || sec < 0 || sec >= 61 {
		return 0, false
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec*float64(time.Second)), true
}

// slack is how much later than Newest a line may be: clocks and zones differ.
const slack = 48 * time.Hour

// halfYear tells a new year from a line out of order.
const halfYear = 183 * 24 * time.Hour

// dated gives a date without a year that of the line before it, or of the next or
// last one where the new year lies between them. The first is of the newest year
// that it can be of.
func (f *Framer) dated(year int, month time.Month, day int, clock time.Duration) time.Time {
	zone := f.Zone
	if zone == nil {
		zone = time.UTC
	}
	in := func(year int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, zone).Add(clock) }
	late := func(t time.Time) bool { return !f.Newest.IsZero() && t.After(f.Newest.Add(slack)) }
	if year > 0 {
		f.last = in(year)
		return f.last.UTC()
	}
	year = f.last.Year()
	if f.last.IsZero() {
		year = f.Newest.In(zone).Year()
		if f.Newest.IsZero() {
			year = 1970
		}
		year++ // a line of January 1 may be a little newer than Newest
		for late(in(year)) {
			year--
		}
	} else {
		switch ahead := in(year).Sub(f.last); {
		case ahead < -halfYear && !late(in(year+1)):
			year++
		case ahead > halfYear, late(in(year)):
			year--
		}
	}
	t := in(year)
	if t.After(f.last) {
		f.last = t
	}
	return t.UTC()
}
