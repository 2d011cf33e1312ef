package investigate

import (
	"container/heap"
	"context"
	"fmt"
	"slices"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// An asked is an erasure that waits for the Follower.
type asked struct {
	Erasure
	done chan error
}

// Erase takes a person out of everything that the Follower keeps: the engine,
// what waits for its turn, and, in one transaction with its checkpoint, the
// store (G5). The person's key is destroyed before: what is read of the journal
// from then on names her no more. It returns when that is done, or ctx ends;
// then it may still be done.
func (f *Follower) Erase(ctx context.Context, e Erasure) error {
	a := asked{Erasure: e, done: make(chan error, 1)}
	select {
	case f.asks <- a:
	case <-ctx.Done():
		return fmt.Errorf("wait for the follower: %w", ctx.Err())
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for the follower: %w", ctx.Err())
	}
}

// answer carries out the erasures that wait, between two steps.
func (f *Follower) answer(ctx context.Context) error {
	for {
		select {
		case a := <-f.asks:
			err := f.erase(ctx, a.Erasure)
			a.done <- err
			if err != nil {
				return fmt.Errorf("erase a person: %w", err) // back to the last checkpoint
			}
		default:
			return nil
		}
	}
}

// erase is Erase in the Follower's own goroutine.
func (f *Follower) erase(ctx context.Context, who Erasure) error {
	p := who.Person
	e, err := f.c.Index.Erasing(ctx, who)
	if err != nil {
		return err
	}
	f.engine.Erase(p)
	for _, row := range f.open {
		if row.Number < who.Before {
			row.Erase(p, who.At, e.Words)
		}
	}
	f.queue.erase(e)
	for _, list := range [...][]detect.Finding{f.raised, f.picked} {
		for i := range list {
			list[i].Erase(p)
		}
	}
	c, err := f.checkpoint()
	if err != nil {
		return err
	}
	if err := f.c.Index.Erase(ctx, e, c, f.raised, f.picked); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	f.kept()
	return nil
}

// erase drops what waits about the person: what is erased can't be judged.
func (q *queue) erase(e Erasing) {
	changed := map[int64]access.Event{}
	for _, f := range e.Changed {
		changed[f.Seq] = f.Event
	}
	p := e.Person
	*q = slices.DeleteFunc(*q, func(i item) bool {
		if i.row == nil {
			return slices.Contains(e.Gone, i.fact)
		}
		return i.row.Number < e.Before && (p.Customer != "" && i.row.Lookup.Customer == p.Customer || p.Employee != "" && i.row.Lookup.Employee == p.Employee)
	})
	for i := range *q {
		if ev, ok := changed[(*q)[i].fact]; ok && (*q)[i].row == nil {
			(*q)[i].event = ev
		}
	}
	heap.Init(q)
}
