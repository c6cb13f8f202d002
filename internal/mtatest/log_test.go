package mtatest

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestLogCutsLinesHoweverTheyCome(t *testing.T) {
	var l Log
	for _, part := range []string{"on", "e\ntwo\r\nth", "", "ree\n\n", "unfinished"} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if got, want := l.String(), "one\ntwo\nthree\n"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	if got := l.Since(2); len(got) != 2 || got[0] != "three" {
		t.Errorf("since 2: %q", got)
	}
	if got := l.Since(99); len(got) != 0 {
		t.Errorf("since the future: %q", got)
	}
}

func TestLogWaitsForWhatIsToCome(t *testing.T) {
	var l Log
	_, _ = l.Write([]byte("msg=old a=1\n"))
	mark := l.Len()
	got := make(chan []string)
	go func() {
		lines, err := l.WaitN(t.Context(), mark, 2, Containing("msg=new", "a="))
		if err != nil {
			t.Error(err)
		}
		got <- lines
	}()
	_, _ = l.Write([]byte("msg=new a=2\nmsg=new b=3\n"))
	_, _ = l.Write([]byte("msg=new a=4\n"))
	if lines := strings.Join(<-got, "|"); lines != "msg=new a=2|msg=new a=4" {
		t.Errorf("got %q", lines)
	}
}

func TestLogWaitEndsWithItsContext(t *testing.T) {
	var l Log
	_, _ = l.Write([]byte("the last words\n"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := l.Wait(ctx, 0, Containing("never said"))
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the last words") {
		t.Errorf("got %v", err)
	}
}
