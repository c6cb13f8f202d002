package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailprofiled/internal/mtatest"
)

const (
	logWait   = 10 * time.Second // for a log line that must come
	retrySlop = 100 * time.Millisecond
)

// A visit is what came of one sender.
type visit struct {
	sender  sender
	reply   mtatest.Reply // to RCPT
	wait    time.Duration // for it
	taken   bool          // the message was accepted at its end
	verdict fields        // of the daemon's log line
	lines   []string      // the daemon's own, of this transaction
	postfix []string      // the MTA's
}

// play lets one sender deliver through real SMTP and reads what the logs say of it.
func (s *stage) play(ctx context.Context, from sender) (visit, error) {
	if from.again {
		if err := pause(ctx, retryAfter+retrySlop); err != nil {
			return visit{}, err
		}
	}
	v := visit{sender: from}
	mine, theirs := s.daemon.log.Len(), s.postfix.Log().Len()
	if err := s.deliver(ctx, &v); err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	return v, s.readLogs(ctx, &v, mine, theirs)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deliver speaks SMTP. To Postfix it is the sender itself: XCLIENT says so, and
// opens a new milter connection for the address it gives.
func (s *stage) deliver(ctx context.Context, v *visit) error {
	from := v.sender
	c, err := mtatest.Dial("", s.postfix.Addr())
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer c.Close()
	steps := []func() (mtatest.Reply, error){
		func() (mtatest.Reply, error) { return c.Do("EHLO localhost") },
		func() (mtatest.Reply, error) {
			return c.XClient(mtatest.XClient{Addr: from.client(), Name: from.ptr, ReverseName: from.ptr, Login: from.login})
		},
		func() (mtatest.Reply, error) { return c.Do("EHLO " + from.helo) },
	}
	for _, step := range steps {
		r, err := step()
		if err != nil {
			return err
		}
		if r.Code/100 != 2 {
			return fmt.Errorf("EHLO or XCLIENT was refused; the dialogue:\n%s", c.Transcript())
		}
	}
	d, err := c.SendMail(from.from, from.to)
	if err != nil {
		return err
	}
	if len(d.Rcpts) != 1 {
		return fmt.Errorf("MAIL was refused; the dialogue:\n%s", c.Transcript())
	}
	v.reply, v.wait, v.taken = d.Rcpts[0], d.Waits[0], d.Accepted()
	return c.Quit()
}

// readLogs waits for the lines that must be there: the verdict, and for a message
// that was taken its end; of Postfix, its refusal or its queue id.
func (s *stage) readLogs(ctx context.Context, v *visit, mine, theirs int) (err error) {
	addr := v.sender.client().String()
	line, err := s.daemon.log.Wait(ctx, mine, mtatest.Containing("msg=verdict", "client="+addr))
	if err != nil {
		return err
	}
	v.lines, v.verdict = []string{line}, parseFields(line)
	sign := "milter-reject: RCPT"
	if v.taken {
		sign = "client="
		if line, err = s.daemon.log.Wait(ctx, mine, mtatest.Containing("msg=message", "id="+v.verdict["id"])); err != nil {
			return err
		}
		v.lines = append(v.lines, line)
	}
	if v.reply.Code >= 400 || v.taken {
		v.postfix, err = s.postfix.Log().WaitN(ctx, theirs, 1, mtatest.Containing(sign, "["+addr+"]"))
	}
	return err
}

// mistakes says what is not as expected, if anything.
func (v *visit) mistakes() []string {
	var wrong []string
	expect := func(what, got, want string) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("expected %s %s, got %s", what, orNone(want), orNone(got)))
		}
	}
	w := v.sender.want
	expect("reply", strconv.Itoa(v.reply.Code)+" "+v.status(), strconv.Itoa(w.code)+" "+w.status)
	expect("findings", sortedIDs(findingIDs(v.verdict["findings"])), sortedIDs(strings.Fields(w.findings)))
	expect("action in the log", v.verdict["action"], w.action())
	if w.code >= 400 {
		expect("code in the log", v.verdict["code"]+" "+v.verdict["status"], strconv.Itoa(w.code)+" "+w.status)
		expect("id in the reply", v.id(), v.verdict["id"])
	} else if !v.taken {
		wrong = append(wrong, "expected the message to be taken")
	}
	return wrong
}

// status is the enhanced status code of the reply (RFC 3463).
func (v *visit) status() string {
	status, _, _ := strings.Cut(v.reply.Text, " ")
	return status
}

// sentence is the text of the reply behind the codes.
func (v *visit) sentence() string {
	_, text, _ := strings.Cut(v.reply.Text, " ")
	return text
}

// id is what stands in brackets at the end of a refusal.
func (v *visit) id() string {
	text := v.reply.Text
	i := strings.LastIndexByte(text, '[')
	if i < 0 || !strings.HasSuffix(text, "]") {
		return ""
	}
	return text[i+1 : len(text)-1]
}

// action is the word of the log for the wanted reply.
func (w want) action() string {
	switch w.code / 100 {
	case 4:
		return "tempfail"
	case 5:
		return "reject"
	}
	return "continue"
}

// findingIDs are the ids of "id:points,id:points".
func findingIDs(findings string) []string {
	var ids []string
	for f := range strings.SplitSeq(findings, ",") {
		if i := strings.LastIndexByte(f, ':'); i > 0 {
			ids = append(ids, f[:i])
		}
	}
	return ids
}

func sortedIDs(ids []string) string {
	return strings.Join(slices.Sorted(slices.Values(ids)), " ")
}

func orNone(s string) string {
	if strings.TrimSpace(s) == "" {
		return "none"
	}
	return s
}
