package investigate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"paravent/internal/detect"
)

// state is a Checkpoint's State, as JSON. Facts that wait are kept by number:
// they can be read again.
type state struct {
	Engine  []byte    `json:"engine"`
	Open    []Indexed `json:"open,omitempty"`    // intents whose outcome is awaited
	Lookups []Indexed `json:"lookups,omitempty"` // look-ups that wait for their turn
	Facts   []int64   `json:"facts,omitempty"`   // facts that wait for their turn
}

// load begins at the last checkpoint, or from the start where there is none.
func (f *Follower) load(ctx context.Context) error {
	c, err := f.c.Index.Checkpoint(ctx)
	if err != nil {
		return err
	}
	f.next, f.seq = c.Number, c.Seq
	f.open, f.queue, f.raised, f.picked, f.dirty = map[uint64]*Indexed{}, nil, nil, nil, false
	f.saved = f.c.Clock()
	if len(c.State) == 0 {
		f.engine, err = detect.New(f.c.Detect)
	} else {
		err = f.restore(ctx, c.State)
	}
	if err != nil {
		return err
	}
	for _, n := range f.c.Needs { // the policy may have changed since
		if err := f.engine.Feed(&n); err != nil {
			return fmt.Errorf("tell the engine what purposes need: %w", err)
		}
	}
	f.show()
	return nil
}

// restore takes up a saved state.
func (f *Follower) restore(ctx context.Context, saved []byte) error {
	var s state
	if err := json.Unmarshal(saved, &s); err != nil {
		return fmt.Errorf("read the saved state: %w", err)
	}
	var err error
	if f.engine, err = detect.Restore(f.c.Detect, s.Engine); err != nil {
		return fmt.Errorf("restore the engine: %w", err)
	}
	for _, row := range s.Open {
		f.open[row.Number] = &row
	}
	for _, row := range s.Lookups {
		f.queue.addLookup(row)
	}
	for _, seq := range s.Facts {
		facts, err := f.c.Facts.Facts(ctx, seq-1, 1)
		if err != nil {
			return fmt.Errorf("read a fact again: %w", err)
		}
		if len(facts) != 1 || facts[0].Seq != seq {
			return fmt.Errorf("fact %d is gone from the change log", seq)
		}
		f.queue.addFact(facts[0])
	}
	return nil
}

// save saves the engine, the cursors and what was raised, in one transaction.
func (f *Follower) save(ctx context.Context) error {
	c, err := f.checkpoint()
	if err != nil {
		return err
	}
	if err := f.c.Index.SaveCheckpoint(ctx, c, f.raised, f.picked); err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	f.kept()
	return nil
}

// kept notes that what was raised, and where the Follower is, is saved.
func (f *Follower) kept() {
	f.raised, f.picked, f.dirty, f.saved = nil, nil, false, f.c.Clock()
}

// checkpoint takes the state as it is now.
func (f *Follower) checkpoint() (Checkpoint, error) {
	engine, err := f.engine.Snapshot()
	if err != nil {
		return Checkpoint{}, fmt.Errorf("take the engine's state: %w", err)
	}
	s := state{Engine: engine}
	for _, number := range slices.Sorted(maps.Keys(f.open)) {
		s.Open = append(s.Open, *f.open[number])
	}
	for _, i := range f.queue {
		if i.row != nil {
			s.Lookups = append(s.Lookups, *i.row)
		} else {
			s.Facts = append(s.Facts, i.fact)
		}
	}
	slices.Sort(s.Facts)
	blob, err := json.Marshal(s)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("encode the state: %w", err)
	}
	return Checkpoint{Number: f.next, Seq: f.seq, State: blob}, nil
}
