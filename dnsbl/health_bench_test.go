package dnsbl

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// benchHealth is a Health of 20 lists, all up.
func benchHealth(b *testing.B) (*Health, []List) {
	b.Helper()
	lists := make([]List, 20)
	for i := range lists {
		lists[i] = healthLists(b)[i%3]
		lists[i].ID = fmt.Sprintf("list-%d", i)
	}
	h := NewHealth(HealthOptions{})
	h.Use(lists, &fakeAsker{answer: sound}, testEvery)
	h.Test(context.Background())
	if !h.Counts("list-19") {
		b.Fatal("not up")
	}
	b.ReportAllocs()
	b.ResetTimer()
	return h, lists
}

func BenchmarkCounts(b *testing.B) {
	h, _ := benchHealth(b)
	for b.Loop() {
		if !h.Counts("list-11") {
			b.Fatal("does not count")
		}
	}
}

func BenchmarkSaw(b *testing.B) {
	h, lists := benchHealth(b)
	a := Answer{List: &lists[7], State: Clear, Took: 3 * time.Millisecond}
	for b.Loop() {
		h.Saw(&a)
	}
}

func BenchmarkJudged(b *testing.B) {
	for _, hits := range [][]string{nil, {"list-3"}, {"list-3", "list-8", "list-15"}} {
		b.Run(fmt.Sprint(len(hits), " hits"), func(b *testing.B) {
			h, _ := benchHealth(b)
			n := 0
			for b.Loop() {
				n++
				h.Judged(VisitSeen{Client: client(n & 0xffff), Hit: hits, Clean: n&1 == 0})
			}
		})
	}
}

func BenchmarkSawTogether(b *testing.B) {
	h, lists := benchHealth(b)
	b.RunParallel(func(pb *testing.PB) {
		a := Answer{List: &lists[7], State: Hit, Took: 3 * time.Millisecond}
		for pb.Next() {
			h.Saw(&a)
		}
	})
}
