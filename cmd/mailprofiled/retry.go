package main

import (
	"fmt"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/memory"
)

// retryStatus tells who was asked to come back, and who did.
func retryStatus(r *memory.Retries) admin.Retry {
	st := r.Stats()
	s := admin.Retry{
		Deferred: st.Waiting, Callers: st.Callers, Passed: st.Passed,
		Asked: st.Deferred, Returned: st.Returned, GaveUp: st.GaveUp, Forgotten: st.Forgotten,
		LongestS: st.Longest.Seconds(), Reasons: []admin.RetryReason{},
	}
	for _, reason := range st.Reasons {
		s.Reasons = append(s.Reasons, admin.RetryReason(reason))
	}
	return s
}

// retryRows say what became of those who were asked, and what each finding's tempfail
// is worth by that.
func retryRows(r *admin.Retry) []string {
	rows := []string{fmt.Sprintf("%s asked to come back, %s remembered", count(r.Deferred, "mail"), count(r.Passed, "honest caller"))}
	if r.Asked == 0 {
		return rows
	}
	text := fmt.Sprintf("of %s asked %s came back, %d gave up", count(int(r.Asked), "caller"), share(r.Returned, r.Asked), r.GaveUp)
	if r.Returned > 0 {
		text += "; the longest wait was " + age(time.Duration(r.LongestS*float64(time.Second)))
	}
	if r.Forgotten > 0 {
		text += fmt.Sprintf("; %d were forgotten for want of room", r.Forgotten)
	}
	rows = append(rows, text)
	var parts []string
	for _, reason := range r.Reasons[:min(len(r.Reasons), mostShown)] {
		parts = append(parts, fmt.Sprintf("%s %s of %d", reason.Finding, share(reason.Returned, reason.Deferred), reason.Deferred))
	}
	if len(parts) > 0 {
		rows = append(rows, "came back by finding: "+strings.Join(parts, ", "))
	}
	return rows
}

// share writes a part of a whole: "12 (34%)".
func share(part, whole uint64) string {
	if whole == 0 {
		return fmt.Sprint(part)
	}
	return fmt.Sprintf("%d (%.0f%%)", part, 100*float64(part)/float64(whole))
}

// memoryStatus tells how much is remembered of servers.
func memoryStatus(servers *memory.Servers, learn time.Duration) admin.Memory {
	st := servers.Stats(time.Now())
	m := admin.Memory{Keys: st.Keys, Room: st.Room, Evicted: st.Evicted, Began: st.Began}
	if st.Learning {
		m.Learnt = st.Began.Add(learn)
	}
	return m
}

// memoryText says how much is remembered.
func memoryText(m *admin.Memory, now time.Time) string {
	text := fmt.Sprintf("%d remembered, room for %d", m.Keys, m.Room)
	if m.Evicted > 0 {
		text += fmt.Sprintf(", %d forgotten for want of it", m.Evicted)
	}
	if m.Learnt.After(now) {
		text += "; none is said to be new before " + m.Learnt.UTC().Format("2006-01-02 15:04 UTC")
	}
	return text
}
