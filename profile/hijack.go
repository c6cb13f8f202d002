package profile

// A Hijack says that somebody else seems to have got hold of the account.
type Hijack struct {
	Tempfail bool   // its mail is to wait; else it is only told of
	Detail   string // the signs; for the operator
}

// judgeHijack makes the finding of a stolen account. It is about who has logged in, and
// so for everyone but strangers (law 4).
func (j *Judgement) judgeHijack(h *Hijack) {
	if h == nil {
		return
	}
	f, _, ok := j.weigh(accountHijack, h.Detail, false)
	if !ok {
		return
	}
	f.Points, f.Tempfail, f.Monitor = 0, false, f.Monitor || !h.Tempfail
	j.add(f, mark{kind: accountHijack})
	j.hijacked = !f.Monitor
}
