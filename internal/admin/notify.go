package admin

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Notify is how somebody is told of what cannot wait.
type Notify struct {
	Ways    []NotifyWay `json:"ways"` // those that are set
	Sent    uint64      `json:"sent"`
	Failed  uint64      `json:"failed"`
	Dropped uint64      `json:"dropped"`        // too many waited, or the daemon ended
	Error   string      `json:"error"`          // the last
	Since   time.Time   `json:"since,omitzero"` // of that
}

// A NotifyWay is one by which messages go.
type NotifyWay struct {
	Way     string `json:"way"` // command, webhook
	Waiting int    `json:"waiting"`
}

var notifications = desc("notifications_total", "Notifications, by what became of them.", "result")

func (n *Notify) collect(to chan<- prometheus.Metric) {
	to <- counter(notifications, n.Sent, "sent")
	to <- counter(notifications, n.Failed, "failed")
	to <- counter(notifications, n.Dropped, "dropped")
}
