package profile

// A Block says that an account may not send.
type Block struct {
	Reject bool   // 550 in place of 450
	Detail string // since when, by whom and why; for the operator
}

// judgeBlock makes the finding of a blocked account. It is about who has logged in, and
// so for everyone but strangers (law 4).
func (j *Judgement) judgeBlock(b *Block) {
	if b == nil {
		return
	}
	f, _, ok := j.weigh(accountBlocked, b.Detail, false)
	if !ok {
		return
	}
	f.Points, f.Tempfail = 0, false
	j.add(f, mark{kind: accountBlocked})
	if !f.Monitor {
		j.block = b
	}
}

// speakBlock gives a verdict the reply of a blocked account.
func (j *Judgement) speakBlock(v *Verdict) {
	v.Action = TempFail
	j.speakAs(v, accountBlocked, "")
	if j.block.Reject {
		v.Action, v.Code, v.Status = Reject, 550, "5.7.1"
	}
}
