package simulate_test

import (
	"testing"

	"paravent/internal/access"
	"paravent/internal/simulate"
)

// BenchmarkDemo makes all that the demo starts with: shop, history, database.
func BenchmarkDemo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := simulate.New(simulate.Options{Seed: 1})
		if len(s.History()) == 0 || len(s.Labels()) == 0 || len(s.Tables()) == 0 {
			b.Fatal("nothing was made")
		}
	}
}

// BenchmarkStream makes a larger history without keeping it.
func BenchmarkStream(b *testing.B) {
	s := simulate.New(simulate.Options{Seed: 1, Employees: 800, Customers: 50_000, Days: 10})
	n := 0
	for b.Loop() {
		for ev := range s.Stream() {
			if _, ok := ev.(*access.Lookup); ok {
				n++
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "look-ups/s")
}

// BenchmarkWriteFiles writes the same history as a bed.
func BenchmarkWriteFiles(b *testing.B) {
	s := simulate.New(simulate.Options{Seed: 1, Employees: 800, Customers: 50_000, Days: 10})
	lookups := 0
	for ev := range s.Stream() {
		if _, ok := ev.(*access.Lookup); ok {
			lookups++
		}
	}
	for b.Loop() {
		if _, err := simulate.WriteFiles(b.Context(), b.TempDir(), s, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(lookups*b.N)/b.Elapsed().Seconds(), "look-ups/s")
}

func BenchmarkLive(b *testing.B) {
	l := simulate.New(simulate.Options{Seed: 1}).Live(now, 1)
	for b.Loop() {
		if l.Next().At.IsZero() {
			b.Fatal("a step without a time")
		}
	}
}
