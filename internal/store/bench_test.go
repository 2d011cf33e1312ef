package store_test

import (
	"fmt"
	"testing"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
	"paravent/internal/ledger"
	"paravent/internal/simulate"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// openBench opens a new store.
func openBench(b *testing.B) *store.Store {
	b.Helper()
	return testenv.Store(b, testenv.NewClock(testenv.Start).Now)
}

// shop returns the demo's facts and look-ups apart.
func shop() (facts []access.Event, rows []investigate.Indexed) {
	s := simulate.New(simulate.Options{Seed: 1})
	facts = s.Standing()
	for _, ev := range s.History() {
		l, ok := ev.(*access.Lookup)
		if !ok {
			facts = append(facts, ev)
			continue
		}
		rows = append(rows, investigate.Indexed{
			Number: uint64(len(rows)), Kind: ledger.KindIntent, Lookup: *l, Purpose: "refund", Role: "agent",
			Pseudonym: "k7h2mq4z", Door: "console", Reasons: []string{"task-is-open-and-assigned"}, Rows: 12,
		})
	}
	return facts, rows
}

// Saving thirty days of the demo's facts in one go.
func BenchmarkSaveFacts(b *testing.B) {
	facts, _ := shop()
	for b.Loop() {
		b.StopTimer()
		s := openBench(b)
		b.StartTimer()
		if err := s.SaveFacts(b.Context(), facts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(facts)), "facts/op")
}

// Indexing thirty days of the demo's look-ups, a thousand at a time.
func BenchmarkSaveIndexed(b *testing.B) {
	_, rows := shop()
	for b.Loop() {
		b.StopTimer()
		s := openBench(b)
		b.StartTimer()
		for from := 0; from < len(rows); from += 1000 {
			if err := s.SaveIndexed(b.Context(), rows[from:min(from+1000, len(rows))]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(rows)), "rows/op")
}

// Making five thousand keys in one go.
func BenchmarkCreateKeys(b *testing.B) {
	keys := make([]ledger.Key, 5000)
	for i := range keys {
		keys[i] = ledger.Key{Person: fmt.Sprint("customer:c", i), Secret: make([]byte, 32)}
		keys[i].ID = ledger.KeyID{byte(i), byte(i >> 8), byte(i * 7)}
	}
	for b.Loop() {
		b.StopTimer()
		s := openBench(b)
		b.StartTimer()
		if err := s.Keys().Create(b.Context(), keys); err != nil {
			b.Fatal(err)
		}
	}
}

// What one look-up asks of the store, in the demo's shop.
func BenchmarkReads(b *testing.B) {
	facts, rows := shop()
	s := openBench(b)
	if err := s.SaveFacts(b.Context(), facts); err != nil {
		b.Fatal(err)
	}
	if err := s.SaveIndexed(b.Context(), rows); err != nil {
		b.Fatal(err)
	}
	var id access.TaskID
	for _, ev := range facts {
		if k, ok := ev.(*access.TaskOpened); ok {
			id = k.ID
		}
	}
	all, err := s.Employees(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	e, l, now := all[len(all)/2], rows[len(rows)/2].Lookup, rows[len(rows)-1].Lookup.At
	for name, read := range map[string]func() error{
		"Task":         func() error { _, err := s.Task(b.Context(), id); return err },
		"Assignments":  func() error { _, err := s.Assignments(b.Context(), id); return err },
		"Employee":     func() error { _, err := s.Employee(b.Context(), e.ID); return err },
		"Relations":    func() error { _, err := s.Relations(b.Context(), e.ID, l.Customer); return err },
		"TasksOf":      func() error { _, err := s.TasksOf(b.Context(), e.ID, e.Team, now); return err },
		"LookupsAt":    func() error { _, err := s.LookupsAt(b.Context(), l.Customer, 50); return err },
		"LookupsBy":    func() error { _, err := s.LookupsBy(b.Context(), l.Employee, 50); return err },
		"CountLookups": func() error { _, err := s.CountLookups(b.Context(), now.Add(-time.Hour), time.Minute, 60); return err },
		"CountToday": func() error {
			_, err := s.CountLookups(b.Context(), now.Add(-24*time.Hour), 24*time.Hour, 1)
			return err
		},
		"KeyLookup": func() error { _, err := s.Keys().Lookup(b.Context(), []string{"customer:c1"}); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
