package local

import "bytes"

// parseDNSet takes an entry of a dnset: example.com is this name alone,
// *.example.com all below it, .example.com both. The name itself decides, then
// the longest domain that it is below of.
func parseDNSet(b *builder, text []byte, exclude bool) *mistake {
	word, rest := cutWord(text)
	kind, name := self(From)|self(PTR), word
	switch {
	case bytes.HasPrefix(name, []byte(".")):
		kind, name = tree(From)|tree(PTR), name[1:]
	case bytes.HasPrefix(name, []byte("*.")):
		kind, name = below(From)|below(PTR), name[2:]
	}
	key := b.keyOf(word)
	name, ok := domain(squeeze(name))
	if !ok {
		return &mistake{quote(word) + " is not a domain", "write example.com for one name, .example.com for it and all below"}
	}
	if bad := b.entry(key, rest, exclude); bad != nil {
		return bad
	}
	b.names.add(name, kind, b.mark(exclude))
	return nil
}

// squeeze takes empty labels out, in place, as rbldnsd does.
func squeeze(name []byte) []byte {
	out := name[:0]
	for _, c := range name {
		if c != '.' || len(out) > 0 && out[len(out)-1] != '.' {
			out = append(out, c)
		}
	}
	return out
}
