package chain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"

	"paravent/internal/ledger"
)

// ErrBroken says that the logs of a chain don't belong together: one is missing,
// exchanged, or isn't what the one before it names. It is fatal, never put right
// in silence.
var ErrBroken = errors.New("ledger: the chain of logs is broken")

// Options are the settings of a chain.
type Options struct {
	// Ledger holds the settings of each of its logs.
	Ledger ledger.Options
	// Checkpoint returns the last checkpoint of the frozen log in that folder as
	// it was published, with its cosignatures; it goes into the first record of
	// the log that follows. Where it's nil, fails, or returns another one than the
	// last, the log's own head is taken, which nobody cosigned; the operator's log
	// says so.
	Checkpoint func(logDir string) ([]byte, error)

	step func(step string) // tests look here at what a crash would leave
}

// A Chain is an open ledger of one or more logs. Its methods may be called by
// many goroutines.
type Chain struct {
	o    Options
	dir  string
	lock *os.File
	logs []*ledger.Ledger // oldest first; all but the last are frozen
	from int              // number of the first

	closed atomic.Bool
}

// Create makes a new chain of one log with a new signing key in dir, which may
// not exist yet or must be empty; else the error is ledger.ErrExists. The parent
// of dir must be there. It appears whole or not at all.
func Create(dir string, o Options) (err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%w: %s", ledger.ErrExists, dir)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	made, err := os.MkdirTemp(parent, ".new-ledger-")
	if err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	if err := ledger.Create(filepath.Join(made, logName(1)), o.Ledger); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ledger.ErrExists, err)
	}
	if err := errors.Join(os.Rename(made, dir), syncFolder(parent)); err != nil {
		return fmt.Errorf("ledger: create: %w", err)
	}
	return nil
}

// Open opens the chain in dir and becomes its only owner. It verifies that each
// log is the one that the log before it names, and follows it: else the error is
// ErrBroken, before anything is written. It finishes what a crash left of a
// rotation or a drop. All errors of ledger.Open may come too, with the log's name.
// It never makes a ledger where there is none.
func Open(dir string, o Options) (*Chain, error) {
	if _, err := list(dir); err != nil {
		return nil, err
	}
	locked, err := ledger.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return nil, fmt.Errorf("ledger: open %s: %w", dir, err)
	}
	c := &Chain{o: o, dir: dir, lock: locked}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close closes all logs. Every Append that starts later fails with
// ledger.ErrClosed. Closing again does nothing.
func (c *Chain) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	var err error
	for _, l := range slices.Backward(c.logs) {
		err = errors.Join(err, l.Close())
	}
	return errors.Join(err, c.lock.Close())
}

// Last returns the log that is written to.
func (c *Chain) Last() *ledger.Ledger { return c.logs[len(c.logs)-1] }

// Logs returns all logs, oldest first.
func (c *Chain) Logs() []*ledger.Ledger { return slices.Clone(c.logs) }

// LogInfo describes one log of a chain.
type LogInfo struct {
	Name   string // "0001"
	Dir    string
	Key    string // verifier key
	Origin string
	Base   uint64 // Number of its first record
	Size   uint64 // durable records
	Frozen bool
}

// Names describes all logs, oldest first.
func (c *Chain) Names() []LogInfo {
	infos := make([]LogInfo, len(c.logs))
	for i, l := range c.logs {
		_, frozen := l.Frozen()
		name := logName(c.from + i)
		infos[i] = LogInfo{Name: name, Dir: filepath.Join(c.dir, name), Key: l.Key(), Origin: l.Origin(),
			Base: l.Base(), Size: l.Size(), Frozen: frozen}
	}
	return infos
}

// Append is ledger.Ledger.Append of the last log.
func (c *Chain) Append(ctx context.Context, e ledger.Entry) (ledger.Receipt, error) {
	return c.Last().Append(ctx, e)
}

// AppendAll is ledger.Ledger.AppendAll of the last log.
func (c *Chain) AppendAll(ctx context.Context, entries []ledger.Entry) ([]ledger.Receipt, error) {
	return c.Last().AppendAll(ctx, entries)
}

// Destroy is ledger.Ledger.Destroy: it makes all parts about the person
// unreadable, in all logs (G5). The leaf that says so is in the last one.
func (c *Chain) Destroy(ctx context.Context, person string) (ledger.Receipt, error) {
	return c.Last().Destroy(ctx, person)
}

// Records returns the records from that Number up to the end that was durable when
// it was called, through all logs; those of dropped logs are left out. The rest is
// as with ledger.Ledger.Records.
func (c *Chain) Records(ctx context.Context, from uint64) iter.Seq2[ledger.Record, error] {
	var parts []iter.Seq2[ledger.Record, error]
	for _, l := range c.logs {
		if l.Base()+l.Size() > from {
			parts = append(parts, l.Records(ctx, max(from, l.Base())-l.Base()))
		}
	}
	return func(yield func(ledger.Record, error) bool) {
		for _, part := range parts {
			for r, err := range part {
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// Size returns the Number of the next record: how many there are, those of dropped
// logs too.
func (c *Chain) Size() uint64 { return c.Last().Base() + c.Last().Size() }

// Wait returns nil as soon as Size is above size, or ctx's error, or ledger.ErrClosed.
func (c *Chain) Wait(ctx context.Context, size uint64) error {
	if base := c.Last().Base(); size >= base {
		return c.Last().Wait(ctx, size-base)
	}
	return nil
}

// State says whether the ledger records now; damage in any log says that it doesn't.
func (c *Chain) State() ledger.State { return c.Last().State() }

// Head returns the signed head of the last log.
func (c *Chain) Head() ledger.SignedHead { return c.Last().Head() }

// Public returns the key that verifies receipts of the last log.
func (c *Chain) Public() ed25519.PublicKey { return c.Last().Public() }

// Key returns the verifier key of the last log.
func (c *Chain) Key() string { return c.Last().Key() }

// Origin returns the last log's name.
func (c *Chain) Origin() string { return c.Last().Origin() }

// Returned names the persons whose destroyed keys had come back when the chain
// was opened, whichever log says that they're destroyed; see ledger.Ledger.Returned.
func (c *Chain) Returned() []string {
	var persons []string
	for _, l := range c.logs {
		persons = append(persons, l.Returned()...)
	}
	slices.Sort(persons)
	return slices.Compact(persons)
}

// at says that a step is done.
func (o Options) at(step string) {
	if o.step != nil {
		o.step(step)
	}
}

// log returns the operator's log.
func (o Options) log() *slog.Logger {
	if o.Ledger.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Ledger.Log
}
