package accounts

import (
	"slices"
	"strings"
)

// Rules say how a login is written as the name of an account: Sendmail's login joe may be
// Postfix's joe@mx.test. The zero Rules write it in lower case.
type Rules struct {
	Strip  []string // domains that are taken off, in lower case
	Domain string   // of what has none then, in lower case; "" for none
}

// Name gives the name of a login by these rules.
func (r Rules) Name(login string) string {
	name := strings.ToLower(login)
	if at := strings.LastIndexByte(name, '@'); at > 0 && slices.Contains(r.Strip, name[at+1:]) {
		name = name[:at]
	}
	if r.Domain != "" && name != "" && !strings.Contains(name, "@") {
		name += "@" + r.Domain
	}
	return name
}

// Equal reports whether two rules are the same.
func (r Rules) Equal(o Rules) bool { return r.Domain == o.Domain && slices.Equal(r.Strip, o.Strip) }

// mostHops is how many names may stand for each other, one after the other.
const mostHops = 8

// An other is a login that is another name of an account.
type other struct {
	login uint32 // index in the list
	of    string
}

// join has each other name lead to its account. Of those that lead in a circle, or by
// too many others, it gives one; they stay accounts of their own.
func (l *List) join(others []other) (astray string) {
	if len(others) == 0 {
		return ""
	}
	to := make(map[uint32]uint32, len(others))
	for _, o := range others {
		at := place(l, o.of)
		if l.table[at] == 0 {
			l.add(o.of, 0, 0)
			at = place(l, o.of)
		}
		to[o.login] = l.table[at] - 1
	}
	l.of = make([]uint32, len(l.ends))
	for _, o := range others {
		end, hops := o.login, 0
		for ; hops <= mostHops; hops++ {
			next, more := to[end]
			if !more {
				break
			}
			end = next
		}
		if hops > mostHops {
			astray = string(l.name(o.login))
			continue
		}
		l.of[o.login] = end + 1
	}
	return astray
}

// Account gives the name of the account that a name is of: itself, unless the list says
// that it is another's. A nil List says nothing.
func (l *List) Account(name string) string {
	if l == nil || len(l.of) == 0 {
		return name
	}
	if i := l.table[place(l, name)]; i != 0 {
		if of := l.of[i-1]; of != 0 {
			return string(l.name(of - 1))
		}
	}
	return name
}

// Others gives the other names of an account, at most so many.
func (l *List) Others(account string, most int) []string {
	if l == nil || len(l.of) == 0 {
		return nil
	}
	is := l.table[place(l, account)]
	if is == 0 {
		return nil
	}
	var names []string
	for i, of := range l.of {
		if of == is && len(names) < most {
			names = append(names, string(l.name(uint32(i))))
		}
	}
	return names
}

// Key gives the account of a login, as it is counted by: by the rules that the file was
// opened with, and by what is in it.
func (f *File) Key(login string) string { return f.List().Account(f.rules.Name(login)) }
