package page

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"mailprofiled/internal/admin"
)

// A tile tells how one part of the daemon is.
type tile struct {
	Name  string
	State string // good, poor, bad, idle
	Text  string
	More  string // a second line, "" for none
}

// Word says a state in words: colours are not seen by all.
func (t tile) Word() string {
	return map[string]string{"good": "well", "poor": "look", "bad": "trouble", "idle": "off"}[t.State]
}

// quiet is after how long the silence of an MTA is odd.
const quiet = time.Hour

// tiles are the health strip.
func tiles(s *admin.Status) []tile {
	all := []tile{mtaTile(s), dnsTile(s), listsTile(s), stateTile(s), configTile(s), sessionsTile(s), logTile(s)}
	if len(s.Directory.Sources) > 0 {
		all = append(all, directoryTile(s))
	}
	if s.Shared != nil {
		all = append(all, sharedTile(s))
	}
	if len(s.Geo) > 0 {
		all = append(all, geoTile(s))
	}
	return all
}

func mtaTile(s *admin.Status) tile {
	if s.MTA == nil {
		return tile{"MTA", "poor", "none has connected yet", "run: mailprofiled attach postfix (or sendmail)"}
	}
	t := tile{"MTA", "good", "heard of " + ago(s.Now, s.MTA.LastCommand), cmp.Or(s.MTA.Name, "without a name")}
	if s.MTA.Daemon != "" && s.MTA.Daemon != s.MTA.Name {
		t.More += " (" + s.MTA.Daemon + ")"
	}
	if s.Now.Sub(s.MTA.LastCommand) > quiet {
		t.State = "poor"
	}
	return t
}

func dnsTile(s *admin.Status) tile {
	up, names := 0, []string{}
	for _, d := range s.DNS.Servers {
		name := d.Address
		if d.Up {
			up++
			if d.RTTMS > 0 {
				name += fmt.Sprintf(" %.1f ms", d.RTTMS)
			}
		} else {
			name += " silent"
		}
		names = append(names, name)
	}
	t := tile{"DNS", "good", fmt.Sprintf("%d of %s up", up, count(len(s.DNS.Servers), "server")), strings.Join(names, ", ")}
	switch {
	case up == 0:
		t.State = "bad"
	case up < len(s.DNS.Servers):
		t.State = "poor"
	}
	return t
}

func listsTile(s *admin.Status) tile {
	if len(s.Lists) == 0 {
		return tile{"DNS lists", "idle", "none in use", "name some in lists.use"}
	}
	var away []string
	for _, l := range s.Lists {
		if l.State != "up" {
			away = append(away, l.List+" "+l.State)
		}
	}
	t := tile{"DNS lists", "good", fmt.Sprintf("%d of %d up", len(s.Lists)-len(away), len(s.Lists)), strings.Join(away, ", ")}
	switch {
	case s.Outage != nil:
		t.State, t.Text = "bad", s.Outage.Reason
	case len(away) > 0:
		t.State = "poor"
	}
	return t
}

func stateTile(s *admin.Status) tile {
	k := &s.Store
	held := count(k.Accounts, "account") + ", " + count(k.Counters, "counter")
	switch {
	case k.Path == "":
		return tile{"State", "idle", "nothing is kept", held}
	case !k.Kept:
		return tile{"State", "bad", "not kept since " + age(s.Now.Sub(k.Since)), cmp.Or(k.Error, held)}
	case k.SetAside > 0:
		return tile{"State", "poor", "kept, " + size(k.Bytes), count(k.SetAside, "file") + " had damage: " + k.Path + "/state.*.corrupt-*"}
	}
	return tile{"State", "good", "kept, " + size(k.Bytes), held}
}

func configTile(s *admin.Status) tile {
	t := tile{"Configuration", "good", "loaded " + ago(s.Now, s.Config.Loaded), s.Config.Path}
	if n := len(s.Config.Refused); n > 0 {
		t.State, t.Text = "bad", "the last reload was refused: "+count(n, "mistake")
	}
	return t
}

func sessionsTile(s *admin.Status) tile {
	t := tile{"Sessions", "good", fmt.Sprintf("%s open of %s", num(s.Sessions.Open), num(s.Sessions.Limit)), num(s.Sessions.Total) + " since the start"}
	if n := s.Sessions.Limited + s.Sessions.TurnedAway; n > 0 {
		t.State, t.More = "poor", num(n)+" found no place"
	}
	if n := s.Sessions.Panics; n > 0 {
		t.State, t.More = "bad", count(int(n), "panic")+" of ours"
	}
	return t
}

func logTile(s *admin.Status) tile {
	if n := s.Log.LostLines; n > 0 {
		return tile{"Log", "poor", count(int(n), "line") + " lost", "is the disk full?"}
	}
	return tile{"Log", "good", "no line lost", ""}
}

func directoryTile(s *admin.Status) tile {
	up, names := 0, []string{}
	for _, d := range s.Directory.Sources {
		name := d.Source
		if d.Up {
			up++
		} else {
			name += " is left alone: " + d.Trouble
		}
		names = append(names, name)
	}
	t := tile{"Directory", "good", fmt.Sprintf("%d of %s up", up, count(len(names), "source")), strings.Join(names, ", ")}
	if up < len(names) {
		t.State = "bad"
	}
	return t
}

func sharedTile(s *admin.Status) tile {
	sh := s.Shared
	away := 0
	for _, m := range sh.Machines {
		if m.Away {
			away++
		}
	}
	t := tile{"Shared limits", "good", "together with " + count(max(0, len(sh.Machines)-1), "other machine"), sh.At}
	switch {
	case !sh.Up:
		t.State, t.Text, t.More = "bad", "alone since "+age(s.Now.Sub(sh.Since)), sh.Error
	case away > 0:
		t.State, t.More = "poor", count(away, "machine")+" not heard of"
	case sh.Warning != "":
		t.State, t.More = "poor", sh.Warning
	}
	return t
}

func geoTile(s *admin.Status) tile {
	t := tile{Name: "Databases", State: "good", Text: count(len(s.Geo), "database") + " in use"}
	var names []string
	for _, d := range s.Geo {
		name := d.Kind + " of " + d.Built.UTC().Format(time.DateOnly)
		if d.Trouble != "" {
			t.State, name = "poor", d.Trouble
		}
		names = append(names, name)
	}
	t.More = strings.Join(names, ", ")
	return t
}
