//go:build linux

package ledger_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"paravent/internal/ledger"
)

// plainFile is the reference: a file with group commit and fdatasync, nothing
// sealed, hashed, signed or checked. The first of a group writes for all who
// came while the sync before was under way.
type plainFile struct {
	turn  sync.Mutex
	f     *os.File
	syncs int

	mu   sync.Mutex
	open *plainGroup
}

type plainGroup struct {
	b    bytes.Buffer
	done chan struct{}
	err  error
}

func (p *plainFile) append(record []byte) error {
	p.mu.Lock()
	g := p.open
	leads := g == nil
	if leads {
		g = &plainGroup{done: make(chan struct{})}
		p.open = g
	}
	g.b.Write(record)
	p.mu.Unlock()
	if !leads {
		<-g.done
		return g.err
	}
	p.turn.Lock()
	p.mu.Lock()
	p.open = nil
	p.mu.Unlock()
	if _, g.err = p.f.Write(g.b.Bytes()); g.err == nil {
		g.err = unix.Fdatasync(int(p.f.Fd()))
	}
	p.syncs++
	p.turn.Unlock()
	close(g.done)
	return g.err
}

// round runs append from that many goroutines for d; it returns records a
// second and every tenth call's duration.
func round(b *testing.B, appenders int, d time.Duration, append_ func(n int) error) (rate float64, took []time.Duration) {
	var count, stop atomic.Int64
	lists := make([][]time.Duration, appenders)
	begun := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(1) })
	defer timer.Stop()
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := 0; stop.Load() == 0; i++ {
				at := time.Now()
				if err := append_(a*1000 + i); err != nil {
					b.Error(err)
					return
				}
				lists[a] = append(lists[a], time.Since(at))
			}
			count.Add(int64(len(lists[a])))
		})
	}
	wg.Wait()
	return float64(count.Load()) / time.Since(begun).Seconds(), slices.Concat(lists...)
}

// BenchmarkAppendBesideAPlainFile measures the ledger (sealing, commitments,
// tree and signature included) and the reference in turns, in one run, so that
// other work on the machine weighs on both.
//
//	go test -run '^$' -bench BesideAPlainFile -benchtime 1x ./internal/ledger
func BenchmarkAppendBesideAPlainFile(b *testing.B) {
	const rounds, length = 7, 400 * time.Millisecond
	customer, employee := bytes.Repeat([]byte("c"), 220), bytes.Repeat([]byte("e"), 180)
	for _, appenders := range []int{1, 64, 1024} {
		b.Run(fmt.Sprint(appenders), func(b *testing.B) {
			k := newTable()
			var syncs atomic.Int64
			dir := create(b, options(k))
			l := open(b, dir, options(k).CountSyncs(&syncs))
			meet(b, l)
			f, err := os.Create(filepath.Join(dir, "plain"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			p := &plainFile{f: f}
			syncs.Store(0)
			record := slices.Concat(customer, employee)
			var ratios, plain, ours []float64
			var took []time.Duration
			for b.Loop() {
				for range rounds {
					rate, _ := round(b, appenders, length, func(int) error { return p.append(record) })
					plain = append(plain, rate)
					rate, t := round(b, appenders, length, func(n int) error {
						_, err := l.Append(b.Context(), ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
							Customer: ledger.Part{Person: customers[n%len(customers)], Plain: customer},
							Employee: ledger.Part{Person: employees[n%len(employees)], Plain: employee}})
						return err
					})
					ours, took = append(ours, rate), append(took, t...)
					ratios = append(ratios, ours[len(ours)-1]/plain[len(plain)-1])
				}
			}
			slices.Sort(took)
			info, err := f.Stat()
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range [][]float64{ratios, plain, ours} {
				slices.Sort(s)
			}
			b.ReportMetric(ratios[len(ratios)/2], "ratio")
			b.ReportMetric(ours[len(ours)/2], "records/s")
			b.ReportMetric(plain[len(plain)/2], "plain-records/s")
			b.ReportMetric(float64(len(took))/float64(syncs.Load()), "records/sync")
			b.ReportMetric(float64(info.Size())/float64(len(record))/float64(p.syncs), "plain-records/sync")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// meet has all people's keys made, which happens once in a person's life.
func meet(b *testing.B, l *ledger.Ledger) {
	b.Helper()
	entries := make([]ledger.Entry, len(customers))
	for i := range entries {
		entries[i] = ledger.Entry{Kind: ledger.KindObserved, Customer: ledger.Part{Person: customers[i]},
			Employee: ledger.Part{Person: employees[i%len(employees)]}}
	}
	if _, err := l.AppendAll(b.Context(), entries); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkOpen measures a restart with a million records.
//
//	go test -run '^$' -bench Open -benchtime 1x ./internal/ledger
func BenchmarkOpen(b *testing.B) {
	const records = 1_000_000
	k := newTable()
	dir := create(b, options(k))
	l, err := ledger.Open(dir, options(k))
	if err != nil {
		b.Fatal(err)
	}
	meet(b, l)
	entries := make([]ledger.Entry, 10_000)
	plain := bytes.Repeat([]byte("x"), 200)
	for l.Size() < records {
		for i := range entries {
			entries[i] = ledger.Entry{Kind: ledger.KindObserved, Outcome: "shown",
				Customer: ledger.Part{Person: customers[i%len(customers)], Plain: plain},
				Employee: ledger.Part{Person: employees[i%len(employees)], Plain: plain}}
		}
		if _, err := l.AppendAll(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if l, err = ledger.Open(dir, options(k)); err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(records/b.Elapsed().Seconds()*float64(b.N), "records/s")
}
