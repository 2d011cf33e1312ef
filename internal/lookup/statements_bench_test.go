package lookup_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"paravent/internal/ledger"
	"paravent/internal/lookup"
)

// pool is another way to record: so many goroutines, each with one Append at a
// time.
type pool struct {
	*ledger.Ledger
	n int
}

func (p pool) AppendAll(ctx context.Context, entries []ledger.Entry) ([]ledger.Receipt, error) {
	out, errs := make([]ledger.Receipt, len(entries)), make([]error, len(entries))
	next := make(chan int, len(entries))
	for i := range entries {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(p.n, len(entries)) {
		wg.Go(func() {
			for i := range next {
				out[i], errs[i] = p.Append(ctx, entries[i])
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return out[:i], err
		}
	}
	return out, nil
}

// BenchmarkStatements runs statements of so many sessions, each one after the
// other with intent and outcome, on a real ledger in $BENCH_DIR or a temporary
// folder. One goroutine takes the answers, as a gateway's loop does.
//
//	go test -run '^$' -bench Statements -benchtime 2s ./internal/lookup
func BenchmarkStatements(b *testing.B) {
	for _, sessions := range []int{1, 8, 32, 256} {
		for name, journal := range map[string]func(*ledger.Ledger) lookup.Recorder{
			"batch":   func(l *ledger.Ledger) lookup.Recorder { return l },
			"pool-16": func(l *ledger.Ledger) lookup.Recorder { return pool{l, 16} },
		} {
			b.Run(fmt.Sprintf("%d/%s", sessions, name), func(b *testing.B) { benchStatements(b, sessions, journal) })
		}
	}
}

func benchStatements(b *testing.B, sessions int, journal func(*ledger.Ledger) lookup.Recorder) {
	s := newStage(b)
	dir := os.Getenv("BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	dir, err := os.MkdirTemp(dir, "ledger")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	o := ledger.Options{Node: "n1", Keys: s.Store.Keys(), Clock: time.Now}
	if err := ledger.Create(dir+"/l", o); err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(dir+"/l", o)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	d := s.door(b, journal(l))
	g, err := d.Open(b.Context(), s.agent, "mine")
	if err != nil {
		b.Fatal(err)
	}
	st := &lookup.Statement{Grant: g, Who: s.agent, Text: "SELECT id, name, email FROM customers WHERE id = ?", Relations: []string{"public.customers"}}
	type answer struct {
		session int
		err     error
		ended   bool
	}
	answers := make(chan answer, 2*sessions)
	handles := make([]*lookup.Handle, sessions)
	begin := func(i int) { handles[i] = d.Statement(st, func(err error) { answers <- answer{i, err, false} }) }
	var before, after syscall.Rusage
	if err := syscall.Getrusage(0, &before); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	started, left := 0, b.N
	for ; started < min(sessions, b.N); started++ {
		begin(started)
	}
	for left > 0 {
		a := <-answers
		switch {
		case a.err != nil:
			b.Fatal(a.err)
		case !a.ended:
			d.Ended(handles[a.session], lookup.Ended{Rows: 1, Bytes: 90, How: "whole"}, func(err error) { answers <- answer{a.session, err, true} })
		default:
			left--
			if started < b.N {
				started++
				begin(a.session)
			}
		}
	}
	b.StopTimer()
	if err := syscall.Getrusage(0, &after); err != nil {
		b.Fatal(err)
	}
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "statements/s")
	b.ReportMetric(float64(cpu)/float64(b.N)/1000, "cpu-us/statement")
}

// BenchmarkHoldingAGrantAgainstTheFacts is what one grant in force costs about
// twice a second.
func BenchmarkHoldingAGrantAgainstTheFacts(b *testing.B) {
	s := newStage(b)
	d, err := lookup.NewStatements(lookup.StatementsConfig{Lookups: s.service, Journal: s.journal, Proofs: s.Identity})
	if err != nil {
		b.Fatal(err)
	}
	g, err := d.Open(b.Context(), s.agent, "mine")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := d.Live(b.Context(), g); err != nil {
			b.Fatal(err)
		}
	}
}
