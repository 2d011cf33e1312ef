package investigate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
	"paravent/internal/lookup"
)

// How the Follower paces itself.
const (
	batch       = 2000             // records or facts that are read at once
	settle      = 2 * time.Second  // so long a moment stays open for what comes a little late
	outcomeWait = time.Minute      // an intent without an outcome by then counts as the whole grant
	saveEvery   = 10 * time.Second // the engine's state is saved at least so often while something happens
	idle        = time.Second      // without new records, time passes in such steps
	retryFirst  = time.Second
	retryMost   = 30 * time.Second
)

// FollowerConfig is what a Follower needs; every field but Log is required.
type FollowerConfig struct {
	Journal Journal
	Facts   Facts
	Index   Index
	Detect  detect.Options
	Needs   []access.PurposeNeeds // the policy's
	Clock   access.Clock
	Log     *slog.Logger
}

// Follower reads the journal and the facts, each at its own pace and each from
// where it stopped, keeps the index of look-ups, and feeds the engine with both
// in order of time. One goroutine (Run) does it all.
//
// The index is written first, with rows that may be written again; the engine's
// state, both cursors and what was found are saved together, so that a crash at
// any moment leads back to one consistent point and nothing is lost or doubled.
type Follower struct {
	c      FollowerConfig
	engine *detect.Engine
	next   uint64 // number of the next record
	seq    int64  // of the last fact
	open   map[uint64]*Indexed
	queue  queue
	raised []detect.Finding // not saved yet
	picked []detect.Finding
	saved  time.Time // when a checkpoint was last saved or loaded
	dirty  bool      // something was taken in since
	heard  time.Time // of the last look-up read; other records tell nothing of its time
	asks   chan asked

	mu       sync.Mutex
	number   uint64    // of next, for Lag
	lastRead time.Time // of the last record read
	tally    detect.Tally
}

// NewFollower returns a Follower that hasn't begun. It refuses a configuration in which
// something is missing.
func NewFollower(c FollowerConfig) (*Follower, error) {
	if c.Journal == nil || c.Facts == nil || c.Index == nil || c.Clock == nil {
		return nil, errors.New("open the follower: a field of the configuration is missing")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Follower{c: c, asks: make(chan asked, 1)}, nil
}

// Run follows until ctx ends, and returns nil then. What goes wrong meanwhile is
// logged and tried again from the last checkpoint.
func (f *Follower) Run(ctx context.Context) error {
	retry := retryFirst
	for ctx.Err() == nil {
		err := f.follow(ctx, func() { retry = retryFirst })
		switch {
		case ctx.Err() == nil:
		case err == nil || errors.Is(err, ctx.Err()):
			return nil
		default:
			f.c.Log.ErrorContext(ctx, "follower ended without saving where it is; it will begin at its last checkpoint", "error", err)
			return nil
		}
		f.c.Log.ErrorContext(ctx, "follower stopped; it begins again at its last checkpoint", "error", err, "in", retry)
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
		retry = min(2*retry, retryMost)
	}
	return nil
}

// follow works from the last checkpoint until something goes wrong, or ctx
// ends: then it saves where it is.
func (f *Follower) follow(ctx context.Context, well func()) error {
	if err := f.load(ctx); err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	for ctx.Err() == nil {
		more, err := f.step(ctx)
		if err != nil {
			return err // also when ctx ended in the midst of it: what was half done isn't saved
		}
		if err := f.answer(ctx); err != nil {
			return err
		}
		well()
		if more {
			continue
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveEvery)
	defer cancel()
	return f.save(last)
}

// wait returns when there are records, or time has passed.
func (f *Follower) wait(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	if err := f.c.Journal.Wait(wait, f.next); err != nil && wait.Err() == nil {
		return fmt.Errorf("wait for the journal: %w", err)
	}
	return nil
}

// step takes in what there is, up to a bound, and reports whether there may be
// more at once.
func (f *Follower) step(ctx context.Context) (more bool, err error) {
	rows, more, err := f.readRecords(ctx)
	if err != nil {
		return false, fmt.Errorf("read the journal: %w", err)
	}
	// Facts are read after the records: a fact that was there before a look-up is
	// never fed after it.
	if err := f.readFacts(ctx); err != nil {
		return false, fmt.Errorf("read facts: %w", err)
	}
	if len(rows) > 0 {
		if err := f.c.Index.SaveIndexed(ctx, rows); err != nil {
			return false, fmt.Errorf("save the index: %w", err)
		}
	}
	f.feed(ctx, f.mark(more))
	f.show()
	due := !f.c.Clock().Before(f.saved.Add(saveEvery))
	if f.dirty && (due || !more && len(f.raised)+len(f.picked) > 0) {
		return more, f.save(ctx)
	}
	return more, nil
}

// readRecords reads the next records, and returns the rows of the index that
// they make.
func (f *Follower) readRecords(ctx context.Context) (rows []Indexed, more bool, err error) {
	touched := map[uint64]int{} // number of a look-up → its place in rows
	put := func(row Indexed) {
		if i, ok := touched[row.Number]; ok {
			rows[i] = row
			return
		}
		touched[row.Number] = len(rows)
		rows = append(rows, row)
	}
	n := 0
	for r, err := range f.c.Journal.Records(ctx, f.next) {
		if err != nil {
			return nil, false, err
		}
		f.next, f.dirty = r.Number+1, true
		f.lastRecord(r.Time)
		d, ours, err := lookup.Decode(r)
		switch {
		case err != nil: // one record that can't be read must not hide all later ones
			f.c.Log.ErrorContext(ctx, "record can't be read", "number", r.Number, "error", err)
		case ours:
			if row, ok := f.take(d); ok {
				put(row)
			}
			if d.Act == "" {
				f.heard = d.Lookup.At
			}
		}
		if n++; n == batch {
			return rows, true, nil
		}
	}
	return rows, false, nil
}

// take puts one record where it belongs, and returns its row of the index.
func (f *Follower) take(d lookup.Decoded) (Indexed, bool) {
	row, ended, ok := rowOf(f.open, d)
	if ended {
		f.queue.addLookup(row)
	}
	return row, ok
}

// readFacts reads all facts that there are.
func (f *Follower) readFacts(ctx context.Context) error {
	for {
		facts, err := f.c.Facts.Facts(ctx, f.seq, batch)
		if err != nil {
			return err
		}
		for _, fact := range facts {
			f.queue.addFact(fact)
			f.seq, f.dirty = fact.Seq, true
		}
		if len(facts) < batch {
			return nil
		}
	}
}

// mark returns up to which moment everything is known: not beyond the last
// look-up while there are more records, nor beyond one whose outcome is awaited.
// A history that is taken in has times of its own; the records between (of keys,
// of acts) have the clock's.
func (f *Follower) mark(more bool) time.Time {
	now := f.c.Clock().UTC()
	at := now.Add(-settle)
	if more && f.heard.Before(at) {
		at = f.heard
	}
	for number, row := range f.open {
		switch {
		case row.Lookup.At.Before(at.Add(-outcomeWait)): // its row in the index says "unknown" already
			delete(f.open, number)
			f.queue.addLookup(*row)
		case row.Lookup.At.Before(at):
			at = row.Lookup.At
		}
	}
	return at
}

// feed gives the engine what is due at that moment, and takes what it raised.
func (f *Follower) feed(ctx context.Context, at time.Time) {
	for {
		i, ok := f.queue.next(at)
		if !ok {
			break
		}
		if err := f.engine.Feed(i.event); err != nil {
			f.c.Log.ErrorContext(ctx, "event can't be judged", "event", fmt.Sprintf("%T", i.event), "error", err)
		}
	}
	if err := f.engine.Advance(at); err != nil {
		f.c.Log.ErrorContext(ctx, "time can't pass", "error", err)
	}
	findings, samples := f.engine.Take()
	f.raised, f.picked = append(f.raised, findings...), append(f.picked, samples...)
	f.dirty = f.dirty || len(findings)+len(samples) > 0
}

// Lag returns how many records the Follower is behind the journal, and by how
// much time; both 0 when it isn't.
func (f *Follower) Lag() (records uint64, behind time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := f.c.Journal.Size()
	if size <= f.number {
		return 0, 0
	}
	if !f.lastRead.IsZero() {
		behind = max(f.c.Clock().Sub(f.lastRead), 0)
	}
	return size - f.number, behind
}

// Tally returns what went through the engine so far, as of the last step.
func (f *Follower) Tally() detect.Tally {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tally
}

// show makes the number and the tally visible to other goroutines.
func (f *Follower) show() {
	tally := f.engine.Tally()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.number, f.tally = f.next, tally
}

func (f *Follower) lastRecord(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lastRead = at
}
