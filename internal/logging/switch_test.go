package logging

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestSwitch(t *testing.T) {
	var before, after bytes.Buffer
	s := NewSwitch(New(&before, Options{NoStamp: true, Level: slog.LevelWarn}))
	l := slog.New(s)
	l.Info("one")
	l.Warn("two")
	s.Set(New(&after, Options{JSON: true, NoStamp: true}))
	l.Info("three")
	l.With("k", "v").WithGroup("g").Info("four", "x", 1)
	if got := before.String(); got != "msg=two\n" {
		t.Errorf("before the switch: %q", got)
	}
	if got := after.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, `{"msg":"three"}`) || !strings.Contains(got, `"k":"v","g":{"x":1}`) {
		t.Errorf("after the switch: %q", got)
	}
}
