package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"paravent/internal/ledger"
)

// newBenchCommand returns `paravent bench`: what this machine can do.
func newBenchCommand(s streams) *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure what this machine can do",
		Args:  knownSubcommand,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newBenchLedgerCommand(s))
	return c
}

// newBenchLedgerCommand measures the ledger on the user's own disk.
func newBenchLedgerCommand(s streams) *cobra.Command {
	var dir string
	var seconds float64
	c := &cobra.Command{
		Use:   "ledger",
		Short: "Measure how fast this disk records look-ups",
		Long: `Measures how many look-ups a second the ledger records durably on this disk, with
sealing, commitments, tree and signature, for 1, 64 and 1024 who look at once.
Beside it, in turns, a plain file with group commit and fdatasync, nothing sealed
or signed: the ratio says what the ledger costs, whatever else the machine does.

It works in a folder of its own inside --dir and removes it. Keys are in memory.`,
		Example: `  paravent bench ledger --dir /var/lib/paravent --seconds 5`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !(seconds > 0 && seconds <= 3600) {
				return usageError{fmt.Errorf("--seconds %g: give more than 0 and at most 3600", seconds)}
			}
			return benchLedger(c.Context(), s, dir, time.Duration(seconds*float64(time.Second)))
		},
	}
	c.Flags().StringVar(&dir, "dir", ".", "`folder` on the disk to be measured")
	c.Flags().Float64Var(&seconds, "seconds", 3, "how long each line is measured, in `seconds`, each of the two")
	return c
}

// benchLedger measures, and leaves nothing behind.
func benchLedger(ctx context.Context, s streams, dir string, each time.Duration) (err error) {
	work, err := os.MkdirTemp(dir, ".paravent-bench-")
	if err != nil {
		return usageError{fmt.Errorf("make a folder to measure in: %w", err)}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "appenders\tledger/s\tplain file/s\tratio\trecords/sync\tp50\tp99\t")
	for i, appenders := range []int{1, 64, 1024} {
		line, err := benchAt(ctx, filepath.Join(work, fmt.Sprint(i)), appenders, each)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(table, line)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "\nA record is durable when it counts; p50 and p99 are the ledger's, from call to receipt.")
	return nil
}

// benchRounds is how often ledger and plain file take turns.
const benchRounds = 6

// benchAt measures with that many appenders and returns the table's line.
func benchAt(ctx context.Context, dir string, appenders int, each time.Duration) (line string, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	options := ledger.Options{Node: "bench", Clock: realClock, Keys: &memoryKeys{rows: map[string]ledger.Key{}}}
	path := filepath.Join(dir, ledgerFolder)
	if err := ledger.Create(path, options); err != nil {
		return "", fmt.Errorf("make a ledger to measure: %w", err)
	}
	l, err := ledger.Open(path, options)
	if err != nil {
		return "", fmt.Errorf("open the ledger to measure: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	f, err := os.OpenFile(filepath.Join(dir, "plain"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	plain := &plainFile{f: f}
	record := func(n int) error {
		_, err := l.Append(ctx, benchEntry(n))
		return err
	}
	both := bytes.Repeat([]byte("x"), len(benchCustomer)+len(benchEmployee))
	if err := benchMeet(ctx, l); err != nil {
		return "", err
	}
	before, err := countBatches(path)
	if err != nil {
		return "", err
	}
	var ours, theirs []float64
	var took []time.Duration
	for range benchRounds {
		rate, _, err := benchRound(ctx, appenders, each/benchRounds, func(int) error { return plain.append(both) })
		if err != nil {
			return "", err
		}
		theirs = append(theirs, rate)
		rate, some, err := benchRound(ctx, appenders, each/benchRounds, record)
		if err != nil {
			return "", err
		}
		ours, took = append(ours, rate), append(took, some...)
	}
	after, err := countBatches(path)
	if err != nil {
		return "", err
	}
	slices.Sort(took)
	ms := func(share int) float64 { return float64(took[(len(took)-1)*share/100].Microseconds()) / 1000 }
	a, b := middle(ours), middle(theirs)
	return fmt.Sprintf("%d\t%.0f\t%.0f\t%.2f\t%.1f\t%.2f ms\t%.2f ms\t", appenders, a, b, a/b, float64(len(took))/float64(after-before), ms(50), ms(99)), nil
}

// middle returns the median.
func middle(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// People of the measured look-ups, and what is sealed of them.
const benchPeople = 1000

var (
	benchCustomer = bytes.Repeat([]byte("c"), 220)
	benchEmployee = bytes.Repeat([]byte("e"), 180)
)

func benchEntry(n int) ledger.Entry {
	return ledger.Entry{Kind: ledger.KindIntent, Outcome: "allowed",
		Customer: ledger.Part{Person: fmt.Sprint("customer:c", n%benchPeople), Plain: benchCustomer},
		Employee: ledger.Part{Person: fmt.Sprint("employee:e", n%100), Plain: benchEmployee}}
}

// benchMeet has all keys made before: that happens once in a person's life.
func benchMeet(ctx context.Context, l *ledger.Ledger) error {
	entries := make([]ledger.Entry, benchPeople)
	for i := range entries {
		entries[i] = benchEntry(i)
	}
	_, err := l.AppendAll(ctx, entries)
	return err
}

// benchRound runs append from that many goroutines for d, once each at least.
// It returns how many came a second, and how long each took.
func benchRound(ctx context.Context, appenders int, d time.Duration, appendOne func(n int) error) (rate float64, took []time.Duration, err error) {
	var stop atomic.Bool
	lists, failed := make([][]time.Duration, appenders), make([]error, appenders)
	begun := time.Now()
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	var wg sync.WaitGroup
	for a := range appenders {
		wg.Go(func() {
			for i := 0; i == 0 || !stop.Load() && ctx.Err() == nil; i++ {
				at := time.Now()
				if failed[a] = appendOne(a*1009 + i); failed[a] != nil {
					return
				}
				lists[a] = append(lists[a], time.Since(at))
			}
		})
	}
	wg.Wait()
	took = slices.Concat(lists...)
	rate = float64(len(took)) / time.Since(begun).Seconds()
	for _, err := range failed {
		if err != nil {
			return 0, nil, err // one is enough: they tell the same
		}
	}
	return rate, took, ctx.Err()
}
