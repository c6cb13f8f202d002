package config

import (
	"net/netip"
	"slices"
	"strings"
)

// listKind takes a list of one kind of element; the order of a set means
// nothing. An element given twice is refused or warned of.
func listKind[T any](plural string, set, doubleIsError bool, element Kind) Kind {
	return Kind{
		Name: "list of " + plural, Range: element.Range,
		parse: func(raw any, s spot) (any, bool) {
			items, ok := raw.([]any)
			if !ok {
				remedy := "a list of " + plural + ": [...]"
				if text, isText := raw.(string); isText && len(text) < 60 {
					remedy = "a list, in brackets: [" + tomlString(text) + "]"
				}
				return s.wrongType(raw, remedy)
			}
			values, seen := make([]T, 0, len(items)), map[string]int{}
			for i, item := range items {
				at := s.element(i)
				v, good := element.parse(item, at)
				if !good {
					ok = false
					continue
				}
				shown := element.format(v)
				if _, double := seen[shown]; double && doubleIsError {
					_, ok = at.bad(shown, "named twice", "keep one of the two")
					continue
				} else if double {
					at.odd(shown, "named twice", "keep one of the two")
					continue
				}
				seen[shown] = i
				values = append(values, v.(T))
			}
			return values, ok
		},
		format: func(v any) string { return "[" + strings.Join(formatList(v.([]T), element), ", ") + "]" },
		canon: func(v any) string {
			texts := formatList(v.([]T), element)
			if set {
				slices.Sort(texts)
			}
			return "[" + strings.Join(texts, ", ") + "]"
		},
	}
}

func formatList[T any](values []T, element Kind) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = element.format(v)
	}
	return texts
}

// canonical writes a value so that two ways to say the same are one.
func (k Kind) canonical(v any) string {
	if k.canon != nil {
		return k.canon(v)
	}
	return k.format(v)
}

func hostsKind(dots bool, plural string) Kind {
	return listKind[string](plural, true, false, textKind("name", "mx1.example.net", func(text string, s spot) (any, bool) {
		return host(text, dots, s)
	}, formatText))
}

func addressesKind() Kind {
	return listKind[netip.Addr]("addresses", true, false, textKind("address", "192.0.2.1", address, func(v any) string {
		return tomlString(v.(netip.Addr).String())
	}))
}

func networksKind() Kind {
	return listKind[netip.Prefix]("networks", true, false, textKind("network", "192.0.2.0/24", network, func(v any) string {
		return tomlString(v.(netip.Prefix).String())
	}))
}

func serversKind() Kind {
	return listKind[netip.AddrPort]("DNS servers", false, false, textKind("server", "192.0.2.53", server, func(v any) string {
		return tomlString(v.(netip.AddrPort).String())
	}))
}

func doorsKind() Kind {
	inner := listKind[string]("sockets", false, true, textKind("socket", "unix:/run/mailprofiled/milter.sock", door, formatText))
	parse := inner.parse
	inner.parse = func(raw any, s spot) (any, bool) {
		if items, ok := raw.([]any); ok && len(items) == 0 {
			return s.bad("[]", "no MTA could connect", `name a socket: ["unix:/run/mailprofiled/milter.sock"]`)
		}
		return parse(raw, s)
	}
	return inner
}

func recipientsKind() Kind {
	return listKind[string]("mail addresses", true, false, textKind("mail address", "help@example.net", recipient, formatText))
}

func textsKind() Kind { return listKind[string]("texts", false, false, anyText()) }
