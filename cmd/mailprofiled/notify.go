package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"mailprofiled/internal/admin"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/notify"
	"mailprofiled/internal/wiring"
)

// hostName names this machine to people.
func hostName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "mailprofiled"
	}
	return host
}

// tellStolen has somebody told of an account that seems stolen.
func (d *daemon) tellStolen(ev *engine.HijackEvent) {
	d.teller.Send(wiring.HijackBy, wiring.NoticeOf(ev, d.host))
}

// notifyStatus tells how somebody is told.
func (d *daemon) notifyStatus() admin.Notify {
	ways, failed, failure := d.teller.Stats()
	n := admin.Notify{Ways: []admin.NotifyWay{}, Error: failure, Since: failed}
	for _, w := range ways {
		if w.On {
			n.Ways = append(n.Ways, admin.NotifyWay{Way: w.Way, Waiting: w.Waiting})
		}
		n.Sent += w.Counts[notify.Sent]
		n.Failed += w.Counts[notify.Failed]
		n.Dropped += w.Counts[notify.Dropped]
	}
	return n
}

// notifyText says the same in words.
func notifyText(n *admin.Notify, now time.Time) string {
	names, waiting := make([]string, 0, len(n.Ways)), 0
	for _, w := range n.Ways {
		names = append(names, w.Way)
		waiting += w.Waiting
	}
	text := fmt.Sprintf("by %s: %d sent", strings.Join(names, " and "), n.Sent)
	if waiting > 0 {
		text += fmt.Sprintf(", %d waiting", waiting)
	}
	if n.Failed+n.Dropped > 0 {
		text += fmt.Sprintf(", %d failed, %d dropped", n.Failed, n.Dropped)
	}
	if n.Error != "" {
		text += fmt.Sprintf("; %s ago: %s", age(now.Sub(n.Since)), n.Error)
	}
	return text
}
