//go:build e2e

package shared

import (
	"context"
	"testing"
)

// joined gives a machine that has joined a server, without a goroutine of its own.
func joined(t testing.TB, r *redisServer, name string) *Store {
	t.Helper()
	s := New(r.options(name))
	s.join1(t)
	return s
}

func (s *Store) join1(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	l, err := connect(ctx, &s.o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	if err := s.join(ctx, l); err != nil {
		t.Fatal(err)
	}
	if err := s.beat(ctx, l, "0", new(string)); err != nil {
		t.Fatal(err)
	}
	s.link.Store(l)
}

// beat1 has it learn who else is there.
func (s *Store) beat1(t testing.TB) {
	t.Helper()
	if err := s.beat(context.Background(), s.link.Load(), "0", new(string)); err != nil {
		t.Fatal(err)
	}
}
