package profile

import (
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// What is outside declared codes can raise no score, in whatever order it comes:
// hits without a say, those that are only possible, and answers for the client.
func TestOnlyListedCodesRaise(t *testing.T) { laws(t, onlyListedCodesRaise) }

func onlyListedCodesRaise(t *testing.T, rng *rand.Rand, w *world, s Session, p *Policy) {
	before := Judge(&s, p)
	more := s
	more.Lists = slices.Clone(s.Lists)
	for range 1 + rng.Intn(4) {
		list, group := randomLists[rng.Intn(len(randomLists))], ""
		if list != "alone" {
			group = list[:1]
		}
		h := pick(rng, []ListHit{
			{ID: "dnsbl:" + list}, {ID: "rhsbl:" + list, Points: -float64(rng.Intn(20))},
			{ID: "dnsbl:" + list, Points: pick(rng, []float64{math.NaN(), math.Inf(1), math.Inf(-1)})},
			{ID: "dnsbl:" + list, Points: 12, Possible: true}, {ID: "dnswl:" + list, Points: float64(rng.Intn(20))},
			{ID: "dnswl:" + list, Points: -float64(rng.Intn(20)), Possible: rng.Intn(2) == 0},
			{ID: "dnsbl:", Points: 12}, {ID: list, Points: 12}, {ID: "", Points: 12}, {ID: "rdns-missing", Points: 12},
		})
		h.Stale, h.Group = rng.Intn(2) == 0, group
		more.Lists = slices.Insert(more.Lists, rng.Intn(len(more.Lists)+1), h)
	}
	after := Judge(&more, p)
	if after.Score > before.Score+1e-6 {
		t.Fatalf("score %v, after %v: %+v\n%+v\n%+v\n%+v", before.Score, after.Score, more.Lists, before.Findings, after.Findings, p)
	}
	for _, r := range lawRecipients {
		if had, got := before.Decide(r, false), after.Decide(r, false); got.Action > had.Action {
			t.Fatalf("%v, after %v: %+v\n%+v\n%+v", had.Action, got.Action, more.Lists, before.Findings, after.Findings)
		}
	}
}

// Lists of one source count once, however many they are, and each makes one finding.
func TestSourcesCountOnce(t *testing.T) { laws(t, sourcesCountOnce) }

func sourcesCountOnce(t *testing.T, _ *rand.Rand, _ *world, s Session, p *Policy) {
	type side struct {
		group string
		lifts bool
	}
	heaviest, shown := map[side]float64{}, map[side]float64{}
	said := map[string]bool{}
	groups := map[string]string{}
	for _, h := range s.Lists {
		group := h.Group
		if group == "" {
			group = h.ID
		}
		groups[h.ID] = group
		points, set := p.Points[h.ID]
		switch weight := p.weight(h.kind(), h.Points); {
		case h.Possible || points.Rule != Counted:
		case set:
			heaviest[side{group, weight < 0}] = max(heaviest[side{group, weight < 0}], math.Abs(p.weight(h.kind(), points.Value)))
		default:
			heaviest[side{group, weight < 0}] = max(heaviest[side{group, weight < 0}], math.Abs(weight))
		}
	}
	for _, f := range Judge(&s, p).Findings {
		k := kindOf(f.ID)
		if !k.ofList() && k != dnswl {
			continue
		}
		if said[f.ID] {
			t.Fatalf("%s is said twice", f.ID)
		}
		said[f.ID] = true
		at := side{groups[f.ID], k == dnswl}
		if shown[at] != 0 && f.Points != 0 {
			t.Fatalf("%v counts twice of %+v", at, s.Lists)
		}
		shown[at] += f.Points
		if math.Abs(f.Points) > heaviest[at]+1e-6 || k.ofList() && f.Points != 0 && math.Abs(f.Points-heaviest[at]) > 1e-6 {
			t.Fatalf("%s counts %v of %v: %+v", f.ID, f.Points, heaviest[at], s.Lists)
		}
	}
}

// An allow list weighs against what its row names, and nothing else.
func TestAllowListsKeepToTheirRow(t *testing.T) { laws(t, allowListsKeepToTheirRow) }

func allowListsKeepToTheirRow(t *testing.T, _ *rand.Rand, _ *world, s Session, p *Policy) {
	for _, id := range []string{"local-allow", "local-points"} { // they reach everything
		p.Points[id] = Points{Rule: Off}
	}
	j := Judge(&s, p)
	kept := 0.0
	for _, f := range j.Findings {
		switch f.ID {
		case "helo-is-us", "helo-localhost", "helo-bot", "helo-syntax", "from-no-domain", "from-unresolvable", "from-null-mx":
			kept += f.Points
		}
	}
	if kept > 0 && j.Score < kept-1e-6 {
		t.Fatalf("score %v is below the %v that no list lifts: %+v", j.Score, kept, j.Findings)
	}
}

func block(id string, points float64, group ...string) ListHit {
	return ListHit{ID: "dnsbl:" + id, Points: points, Group: strings.Join(group, ""), Detail: id + " says so", Text: "spam source", URL: "https://" + id + ".example/"}
}

func welcome(id string, points float64, group ...string) ListHit {
	return ListHit{ID: "dnswl:" + id, Points: points, Group: strings.Join(group, "")}
}

func ofName(h ListHit) ListHit { h.ID = "rhsbl:" + h.list(); return h }

func stale(h ListHit) ListHit { h.Stale = true; return h }

func open(h ListHit) ListHit { h.Possible = true; return h }

func withLists(hits ...ListHit) func(*Session) { return func(s *Session) { s.Lists = hits } }

func TestDecideLists(t *testing.T) {
	type points = map[string]Points
	related := func(s *Session) { s.SPF.Outcome = SPFPass }
	localhost := withHelo("localhost", Host{}, NotAsked)
	for _, tc := range []struct {
		name   string
		s      Session
		points points
		action Action
		score  float64
		log    string
		said   string // how the sentence ends
	}{
		{"a list refuses by its points", visitWith(withLists(block("zen", 10))), nil, Reject, 10, "dnsbl:zen:10",
			"The address 192.0.2.7 is listed by zen (spam source); see https://zen.example/"},
		{"a list of names speaks of the name", visitWith(withLists(ofName(block("dbl", 10)))), nil, Reject, 10, "rhsbl:dbl:10",
			"The name that your server at 192.0.2.7 uses is listed by dbl (spam source); see https://dbl.example/"},
		{"a list defers", visitWith(withLists(block("zen", 6))), nil, TempFail, 6, "dnsbl:zen:6", "is listed by zen (spam source); see https://zen.example/"},
		{"lists of two sources add up", visitWith(withLists(block("a", 6), block("b", 4))), nil, Reject, 10, "dnsbl:a:6,dnsbl:b:4", "https://a.example/"},
		{"the first of two speaks, though the other is of names", visitWith(withLists(ofName(block("b", 5)), block("a", 5))), nil, Reject, 10, "rhsbl:b:5,dnsbl:a:5", "https://b.example/"},
		{"the heavier speaks", visitWith(withLists(block("a", 4), block("b", 6))), nil, Reject, 10, "dnsbl:b:6,dnsbl:a:4", "https://b.example/"},
		{"mirrors of a source count once", visitWith(withLists(block("a", 6, "x"), block("b", 7, "x"), block("c", 2, "y"))), nil, TempFail, 9, "dnsbl:b:7,dnsbl:c:2,dnsbl:a:0", "https://b.example/"},
		{"and so do names and addresses of one source", visitWith(withLists(block("a", 6, "x"), ofName(block("b", 6, "x")))), nil, TempFail, 6, "dnsbl:a:6,rhsbl:b:0", "https://a.example/"},
		{"a list of several names speaks once", visitWith(withLists(ofName(block("a", 4)), ofName(block("a", 6)))), nil, TempFail, 6, "rhsbl:a:6", "https://a.example/"},

		{"the operator's points for a list", visitWith(withLists(block("a", 10))), points{"dnsbl:a": {Value: 3}}, Continue, 3, "dnsbl:a:3", ""},
		{"are for that kind of hit alone", visitWith(withLists(block("a", 10), ofName(block("a", 2)))), points{"rhsbl:a": {Value: 3}}, Reject, 13, "dnsbl:a:10,rhsbl:a:3", "https://a.example/"},
		{"a list that is off: the next of its group counts", visitWith(withLists(block("a", 10, "x"), block("b", 4, "x"))), points{"dnsbl:a": {Rule: Off}}, Continue, 4, "dnsbl:b:4", ""},
		{"a list that is monitored: likewise", visitWith(withLists(block("a", 10, "x"), block("b", 4, "x"))), points{"dnsbl:a": {Rule: Monitor}}, Continue, 4, "dnsbl:b:4,dnsbl:a:monitor", ""},
		{"the operator's points make another the heaviest", visitWith(withLists(block("a", 10, "x"), block("b", 4, "x"))), points{"dnsbl:b": {Value: 11}}, Reject, 11, "dnsbl:b:11,dnsbl:a:0", "https://b.example/"},
		{"an answer without points gets none by its list", visitWith(withLists(block("a", 0))), points{"dnsbl:a": {Value: 11}}, Continue, 0, "dnsbl:a:0", ""},
		{"a block list cannot speak for the client", visitWith(noPTR, withLists(block("a", -10))), nil, TempFail, 6, "rdns-missing:6,dnsbl:a:0", "ask your network provider to set one"},
		{"an allow list cannot speak against it", visitWith(withLists(welcome("a", 10))), nil, Continue, 0, "dnswl:a:0", ""},

		{"an allow list lifts server checks and lists", visitWith(noPTR, withLists(block("a", 6), welcome("w", -10))), nil, Continue, 2, "rdns-missing:6,dnsbl:a:6,dnswl:w:-10", ""},
		{"not a lie in HELO", visitWith(localhost, withLists(welcome("w", -10))), nil, Reject, 10, "helo-localhost:10,dnswl:w:0", "set your server's full host name"},
		{"nor a sender who cannot be written to", visitWith(badDomain, noPTR, withLists(welcome("w", -10))), nil, Reject, 10, "from-no-domain:10,rdns-missing:6,dnswl:w:-6", "can be answered"},
		{"with nothing to lift its points count in full", visitWith(withLists(welcome("w", -3))), nil, Continue, -3, "dnswl:w:-3", ""},
		{"allow lists of two sources add up", visitWith(withLists(welcome("w", -3), welcome("v", -2))), nil, Continue, -5, "dnswl:v:-2,dnswl:w:-3", ""},
		{"and share what there is to lift, in their order", visitWith(localhost, noPTR, withLists(welcome("w", -4), welcome("v", -4))), nil, Reject, 10, "helo-localhost:10,rdns-missing:6,dnswl:v:-2,dnswl:w:-4", "full host name"},
		{"those of one source count once", visitWith(withLists(welcome("w", -3, "x"), welcome("v", -5, "x"))), nil, Continue, -5, "dnswl:w:0,dnswl:v:-5", ""},
		{"and do not cover a block list of it", visitWith(withLists(block("a", 6, "x"), welcome("v", -5, "x"))), nil, Continue, 1, "dnsbl:a:6,dnswl:v:-5", ""},
		{"a relation goes first, and does not lift a list", visitWith(noPTR, goodSender, related, withLists(block("a", 6), welcome("w", -4))), nil, Continue, 2, "rdns-missing:6,dnsbl:a:6,spf-pass:0,dnswl:w:-4,relation:-6", ""},
		{"an allow list that is monitored lifts nothing", visitWith(withLists(block("a", 6), welcome("w", -4))), points{"dnswl:w": {Rule: Monitor}}, TempFail, 6, "dnsbl:a:6,dnswl:w:monitor", "https://a.example/"},
		{"local-allow lifts lists", visitWith(withLists(block("a", 12)), withLocal(allow(""))), nil, Continue, 0, "dnsbl:a:12,local-allow:-12", ""},

		{"an old hit supports no reject", visitWith(withLists(stale(block("a", 12)))), nil, TempFail, 12, "dnsbl:a:12", "https://a.example/"},
		{"nor together with a firm one", visitWith(withLists(stale(block("a", 6)), block("b", 6))), nil, TempFail, 12, "dnsbl:a:6,dnsbl:b:6", "https://a.example/"},
		{"a firm one of the same source does, and speaks", visitWith(withLists(stale(block("a", 12, "x")), block("b", 10, "x"))), nil, Reject, 12, "dnsbl:a:12,dnsbl:b:0", "https://b.example/"},
		{"of equal ones that on a fresh answer counts", visitWith(withLists(stale(block("a", 10, "x")), block("b", 10, "x"))), nil, Reject, 10, "dnsbl:b:10,dnsbl:a:0", "https://b.example/"},
		{"an old allow answer lifts", visitWith(withLists(block("a", 10), stale(welcome("w", -8)))), nil, Continue, 2, "dnsbl:a:10,dnswl:w:-8", ""},

		{"an allow list that failed holds a reject back", visitWith(withLists(block("a", 10), open(welcome("w", -1)))), nil, TempFail, 10, "dnsbl:a:10", "https://a.example/"},
		{"not one that could not save", visitWith(withLists(block("a", 10), block("b", 4), open(welcome("w", -4)))), nil, Reject, 14, "dnsbl:a:10,dnsbl:b:4", "https://a.example/"},
		{"two that together could", visitWith(withLists(block("a", 10), block("b", 4), open(welcome("w", -3)), open(welcome("v", -2)))), nil, TempFail, 14, "dnsbl:a:10,dnsbl:b:4", "https://a.example/"},
		{"not two of one source", visitWith(withLists(block("a", 10), block("b", 4), open(welcome("w", -3, "x")), open(welcome("v", -2, "x")))), nil, Reject, 14, "dnsbl:a:10,dnsbl:b:4", "https://a.example/"},
		{"one of a source of which a lesser answer is known counts by the rest", visitWith(withLists(block("a", 17), open(welcome("w", -5, "x")), welcome("v", -4, "x"))), nil, Reject, 13, "dnsbl:a:17,dnswl:v:-4", "https://a.example/"},
		{"one of what no list lifts holds nothing back", visitWith(localhost, withLists(open(welcome("w", -10)))), nil, Reject, 10, "helo-localhost:10", "full host name"},
		{"one that is off holds nothing back", visitWith(withLists(block("a", 10), open(welcome("w", -4)))), points{"dnswl:w": {Rule: Off}}, Reject, 10, "dnsbl:a:10", "https://a.example/"},
		{"one that weighs nothing here neither", visitWith(withLists(block("a", 10), open(welcome("w", -4)))), points{"dnswl:w": {}}, Reject, 10, "dnsbl:a:10", "https://a.example/"},
		{"a block list that failed is no evidence", visitWith(withLists(open(block("a", 10)))), nil, Continue, 0, "", ""},

		{"lists do not judge exempt clients", visitWith(trusted(Exempt), withLists(block("a", 10))), nil, Continue, 0, "", ""},
		{"nor who is logged in", visitWith(trusted(Authenticated), withLists(block("a", 10))), nil, Continue, 0, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := standard(t)
			for id, points := range tc.points {
				p.Points[id] = points
			}
			j := Judge(&tc.s, p)
			v := j.Decide(&Recipient{Raw: "<ann@us.example>", Number: 1}, false)
			if v.Action != tc.action || v.Score != tc.score {
				t.Errorf("got %v with %v, want %v with %v", v.Action, v.Score, tc.action, tc.score)
			}
			if got := logOf(HeaviestFirst(j.Findings, v.Findings)); got != tc.log {
				t.Errorf("findings %s, want %s", got, tc.log)
			}
			if v.Action == Reject && kindOf(j.Findings[0].ID).ofList() && v.Code != 554 {
				t.Errorf("code %d", v.Code)
			}
			if v.Action != Continue {
				checkReply(t, v)
			}
			if !strings.HasSuffix(v.Text, tc.said) || tc.said == "" && v.Text != "" {
				t.Errorf("text %q, want it to end %q", v.Text, tc.said)
			}
		})
	}
}

func TestListsOfARecipientsOwnPoints(t *testing.T) {
	s := visitWith(withSender("<>", NotAsked, Host{}), withLists(welcome("w", -3), welcome("v", -3)))
	p := standard(t)
	p.Points["bounce-many-rcpts"] = Points{Value: 5}
	j := Judge(&s, p)
	v := j.Decide(&Recipient{Raw: "<a@us.example>", Number: 2}, false)
	if got := logOf(HeaviestFirst(j.Findings, v.Findings)); got != "bounce-many-rcpts:5,dnswl:w:-3,dnswl:v:-3" || v.Score != -1 {
		t.Errorf("%s, score %v", got, v.Score)
	}
	s = visitWith(withHelo("localhost", Host{}, NotAsked), withSender("<>", NotAsked, Host{}), withLists(welcome("w", -3), welcome("v", -3)))
	j = Judge(&s, p)
	v = j.Decide(&Recipient{Raw: "<a@us.example>", Number: 2}, false)
	if got := logOf(HeaviestFirst(j.Findings, v.Findings)); got != "helo-localhost:10,bounce-many-rcpts:5,dnswl:v:-2,dnswl:w:-3" || v.Score != 10 {
		t.Errorf("%s, score %v", got, v.Score)
	}
}

func TestListDetails(t *testing.T) {
	s := visitWith(withLists(block("a", 5, "x"), block("b", 6, "x"), ofName(block("c", 1)), ofName(block("c", 1))))
	got := map[string]string{}
	for _, f := range Judge(&s, standard(t)).Findings {
		got[f.ID] = f.Detail
	}
	for id, want := range map[string]string{
		"dnsbl:a": "a says so; counts in dnsbl:b, of the same source", "dnsbl:b": "b says so", "rhsbl:c": "c says so (and 1 more)",
	} {
		if got[id] != want {
			t.Errorf("%s: %q, want %q", id, got[id], want)
		}
	}
}

// What lists say never breaks a reply: it is one clean line, and the way out stays whole.
func TestListTexts(t *testing.T) {
	long, url := strings.Repeat("word ", 80), "https://list.example/"
	const sentence = "The address 192.0.2.7 is listed by l"
	for _, tc := range []struct{ name, text, url, want string }{
		{"both", "spam", url, sentence + " (spam); see " + url},
		{"no meaning", "", url, sentence + "; see " + url},
		{"no way out", "spam", "", sentence + " (spam)"},
		{"neither", "", "", sentence},
		{"a long meaning makes room for the way out", long, url, sentence + " (" + strings.TrimSpace(long[:maxText-len(sentence+" ()...; see "+url)]) + "...); see " + url},
		{"a way out that fits alone", "spam", "https://" + strings.Repeat("x", 163), sentence + "; see https://" + strings.Repeat("x", 163)},
		{"a way out that does not fit", "spam", "https://" + strings.Repeat("x", 200), sentence + " (spam)"},
		{"hostile text", "a\r\n550 {client}\x00\xff", "https://x\r\ny/", sentence + " (a  550 {client}?)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := visitWith(withLists(ListHit{ID: "dnsbl:l", Points: 10, Text: tc.text, URL: tc.url}))
			v := Judge(&s, standard(t)).Decide(nil, false)
			checkReply(t, v)
			if v.Text != tc.want {
				t.Errorf("got  %q\nwant %q", v.Text, tc.want)
			}
		})
	}
}

func TestManyLists(t *testing.T) {
	var hits []ListHit
	for range 200 {
		hits = append(hits, block(strings.Repeat("x", len(hits)+1), 1))
	}
	s := visitWith(withLists(hits...))
	j := Judge(&s, standard(t))
	if v := j.Decide(nil, false); len(j.Findings) != maxLists || v.Score != maxLists || v.Action != Reject {
		t.Errorf("%d findings, %+v", len(j.Findings), v)
	}
}

func BenchmarkListed(b *testing.B) {
	s := badVisit()
	s.Lists = []ListHit{block("zen", 10, "x"), block("pbl", 7, "x"), block("spam", 4), ofName(block("dbl", 8, "x")), welcome("w", -1)}
	benchmarkVisit(b, s)
}
