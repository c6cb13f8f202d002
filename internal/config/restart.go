package config

// NeedRestart tells what next sets otherwise than c, in force since the start,
// and cannot be taken over by a running daemon: warnings by the line that sets it.
func (c *Config) NeedRestart(next *Config) []Problem {
	var problems []Problem
	for _, k := range keysNow() {
		if doorKeys[k.Name] && len(c.Listeners)+len(next.Listeners) > 0 {
			continue // see doorsNeedRestart
		}
		if k.Hot || k.field == nil || k.Kind.canonical(k.get(c)) == k.Kind.canonical(k.get(next)) {
			continue
		}
		at, set := next.origins[k.Name]
		if !set {
			at = Origin{File: next.Path, Line: 1}
		}
		problems = append(problems, Problem{
			File: at.File, Line: at.Line, Key: k.Name, Warning: true,
			What: k.Name + " is another than at the start, and stays as it was", Remedy: "restart to take it over",
		})
	}
	return append(problems, c.doorsNeedRestart(next)...)
}
