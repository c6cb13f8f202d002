package wiring

import (
	"fmt"
	"strings"
	"time"

	"mailprofiled/internal/config"
	"mailprofiled/internal/engine"
	"mailprofiled/internal/notify"
)

// NotifySettings are those of the configuration.
func NotifySettings(cfg *config.Config) notify.Settings {
	n := &cfg.Notify
	return notify.Settings{Command: n.Command, Webhook: n.Webhook.Reveal(), Token: n.Token.Reveal(), Timeout: n.Timeout}
}

// A HijackNotice is what is told of an account that seems stolen. It is a promise to
// whoever reads it: fields may come, and none goes.
type HijackNotice struct {
	Event   string    `json:"event"` // "account-hijack"
	Text    string    `json:"text"`  // one sentence; chats show it
	Host    string    `json:"host"`
	At      time.Time `json:"at"`
	ID      string    `json:"id"` // of the transaction, as in the log
	Account string    `json:"account"`
	Client  string    `json:"client"` // "" where it has no address
	Action  string    `json:"action"` // report, tempfail, block
	Mode    string    `json:"mode"`   // monitor: nothing was done, whatever the action is
	Score   float64   `json:"score"`
	Signs   []string  `json:"signs"` // "networks:5"
	Detail  string    `json:"detail"`
}

// NoticeOf words an event.
func NoticeOf(ev *engine.HijackEvent, host string) *HijackNotice {
	n := &HijackNotice{
		Event: HijackBy, Host: host, At: ev.At.UTC().Truncate(time.Second), ID: ev.ID, Account: ev.Shown,
		Action: ev.Action.String(), Mode: "enforce", Score: ev.Score, Signs: strings.Split(ev.Signs, ","), Detail: ev.Detail,
	}
	if ev.Client.IsValid() {
		n.Client = ev.Client.String()
	}
	done := map[engine.HijackAction]string{
		engine.HijackReport: "nothing was done", engine.HijackTempfail: "its mail is deferred", engine.HijackBlock: "it is blocked",
	}[ev.Action]
	if ev.Monitor {
		n.Mode, done = "monitor", "nothing was done (monitor)"
	}
	n.Text = fmt.Sprintf("%s: the account %s seems stolen, and %s: %s", host, ev.Shown, done, ev.Detail)
	return n
}
