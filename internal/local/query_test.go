package local

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestLower8 holds words of eight against one letter at a time, for all bytes in
// all places.
func TestLower8(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	for i := range 256 * 8 {
		var text, want [8]byte
		binary.LittleEndian.PutUint64(text[:], r.Uint64())
		text[i%8] = byte(i / 8)
		for j, c := range text {
			want[j] = lower(c)
		}
		var got [8]byte
		binary.LittleEndian.PutUint64(got[:], lower8(binary.LittleEndian.Uint64(text[:])))
		if got != want {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestQueryNames asks for texts one after another: none may see what is left of
// the one before.
func TestQueryNames(t *testing.T) {
	q := query{seed: maphash.MakeSeed(), sift: new(sieve)}
	for i := range q.sift {
		q.sift[i] = ^uint64(0) // lets all through
	}
	long := strings.Repeat("A", 60)
	deep := strings.Repeat("a.", 40) + "example"
	for _, test := range []struct {
		name string
		ask  func() bool
		own  int
		want []string
	}{
		{"a long domain", func() bool { return q.domain(long + "." + long + ".Example.COM.") }, 1,
			[]string{strings.ToLower(long + "." + long + ".example.com"), strings.ToLower(long) + ".example.com", "example.com", "com"}},
		{"a short one behind it", func() bool { return q.domain("B.Net") }, 1, []string{"b.net", "net"}},
		{"the same again", func() bool { return q.domain("B.Net.") }, 1, []string{"b.net", "net"}},
		{"an address", func() bool { return q.address("Joe@", "Mx.B.Net") }, 2, []string{"joe@mx.b.net", "mx.b.net", "b.net", "net"}},
		{"the domain behind an address", func() bool { return q.domain("B.Net") }, 1, []string{"b.net", "net"}},
		{"an address too long counts by its domain", func() bool { return q.address(strings.Repeat("x", 250)+"@", "B.Net") }, 1, []string{"b.net", "net"}},
		{"a dot in the local part is none of the domain", func() bool { return q.address("a.b@", "c.d") }, 2, []string{"a.b@c.d", "c.d", "d"}},
		{"no domain", func() bool { return q.domain("") }, 0, nil},
		{"nothing is left by that", func() bool { return q.domain("") }, 0, nil},
		{"a login name", func() bool { return q.account("Joe@B.Net", 3) }, 2, []string{"joe@b.net", "@b.net"}},
		{"a bare login name", func() bool { return q.account("Joe", -1) }, 1, []string{"joe"}},
		{"a number", func() bool { return q.number(4294967295) }, 1, []string{"4294967295"}},
		{"empty labels", func() bool { return q.domain("a..b.") }, 1, []string{"a..b", ".b", "b"}},
		{"255 octets", func() bool { return q.domain(strings.Repeat("c", 255)) }, 1, []string{strings.Repeat("c", 255)}},
		{"256 octets", func() bool { return q.domain(strings.Repeat("c", 256)) }, 0, nil},
		{"more labels than an entry may have", func() bool { return q.domain(deep) }, 1,
			append([]string{deep}, deepest(deep, maxLabels)...)},
	} {
		t.Run(test.name, func(t *testing.T) {
			ok := test.ask()
			var got []string
			for i := range q.count {
				name, hash, want := q.at(i, From)
				if hash != maphash.Bytes(q.seed, name) || (want == self(From)) != (i < test.own) {
					t.Errorf("%q: kinds %b", name, want)
				}
				got = append(got, string(name))
			}
			if ok != (test.want != nil) || !slices.Equal(got, test.want) {
				t.Errorf("%v %q, want %q", ok, got, test.want)
			}
		})
	}
}

// deepest gives the ends of a name of at most so many labels, the longest first.
func deepest(name string, labels int) (all []string) {
	parts := strings.Split(name, ".")
	for n := labels; n > 0; n-- {
		all = append(all, strings.Join(parts[len(parts)-n:], "."))
	}
	return all
}

// TestTheSieveLosesNothing asks for whatever was put in; and most other names
// do not get through a small one.
func TestTheSieveLosesNothing(t *testing.T) {
	var small, other, both sieve
	through := 0
	name := func(i int) []byte { return fmt.Appendf(nil, "%.*s%d.example", i%9, "mailhost", i) }
	for i := range 1000 {
		small.add(name(i))
		other.add(name(i)[:1+i%7])
	}
	both.join(&small)
	both.join(nil)
	both.join(&other)
	for i := range 1000 {
		if !small.mayHold(name(i)) || !both.mayHold(name(i)) || !both.mayHold(name(i)[:1+i%7]) {
			t.Fatalf("%s is lost", name(i))
		}
		if small.mayHold(name(i + 5000)) {
			through++
		}
	}
	if through > 200 {
		t.Errorf("%d of 1000 got through", through)
	}
}
