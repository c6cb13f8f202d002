package dnsbl

// Question is the name that the list is asked about a subject, for people: where a
// key belongs it says {key}. It is "" for a subject that no list is asked about.
func (s *Set) Question(sub Subject, l *List) string {
	t, ok := s.target(sub)
	if !ok {
		return ""
	}
	zone := l.Zone
	if l.key != nil && l.KeyForm != "" {
		zone = l.KeyForm
	}
	if t.kind == Domain {
		return t.name(l.Form) + "." + zone
	}
	return string(append(append(appendReversed(nil, t.addr), '.'), zone...))
}
