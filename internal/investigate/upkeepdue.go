package investigate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"paravent/internal/access"
)

// upkeepAgain is so long Wait waits at most before it looks again.
const upkeepAgain = time.Minute

// Wait returns the first request that was agreed to and is not carried out, as
// soon as there is one, or the error of ctx when that ends. Whoever carries it
// out calls Done or Failed; until then it is returned again.
func (x *Upkeep) Wait(ctx context.Context) (Request, error) {
	for {
		r, due, err := x.Due(ctx)
		switch {
		case ctx.Err() != nil:
			return Request{}, ctx.Err()
		case err != nil:
			x.c.Log.ErrorContext(ctx, "it isn't known whether the ledger is to be changed; it is looked up again", "error", err, "in", upkeepAgain)
		case due:
			return r, nil
		}
		select {
		case <-x.agreed:
		case <-time.After(upkeepAgain):
		case <-ctx.Done():
			return Request{}, ctx.Err()
		}
	}
}

// tell wakes Wait.
func (x *Upkeep) tell() {
	select {
	case x.agreed <- struct{}{}:
	default: // it was told, and hasn't looked yet
	}
}

// Due returns the first request that was agreed to and is not carried out; false
// where there is none. What was carried out before a crash is marked as done, and
// what has become impossible since it was agreed to as failed, with the reason.
func (x *Upkeep) Due(ctx context.Context) (Request, bool, error) {
	var agreed []Request
	for _, kind := range []string{KindRotation, KindDrop} {
		some, err := x.c.Requests.Requests(ctx, Filter{Kind: kind, State: Confirmed, Limit: mostAgreed})
		if err != nil {
			return Request{}, false, fmt.Errorf("list what was agreed to: %w", err)
		}
		agreed = append(agreed, some...)
	}
	agreed = slices.DeleteFunc(agreed, func(r Request) bool { return !r.DoneAt.IsZero() })
	slices.SortFunc(agreed, func(a, b Request) int { return cmp.Or(a.DecidedAt.Compare(b.DecidedAt), cmp.Compare(a.ID, b.ID)) })
	for _, r := range agreed {
		why, err := x.impossible(ctx, r)
		if err != nil {
			return Request{}, false, err
		}
		switch {
		case x.happened(r):
			err = x.Done(ctx, r.ID)
		case why != "":
			err = x.Failed(ctx, r.ID, why)
		default:
			return r, true, nil
		}
		if err != nil {
			return Request{}, false, err
		}
	}
	return Request{}, false, nil
}

// impossible returns why what was agreed to can't be done any more, "" where it
// can. While the ledger isn't open that isn't known, which is an error.
func (x *Upkeep) impossible(ctx context.Context, r Request) (string, error) {
	if r.By == "" || r.By == r.Asker { // G8
		return "Nobody but its asker agreed to it.", nil
	}
	refused, err := x.stands(ctx, r)
	switch {
	case err != nil:
		return "", err
	case refused == nil:
		return "", nil
	case access.CodeOf(refused) == access.Unavailable:
		return "", fmt.Errorf("carry out a change of the ledger: %w", refused)
	}
	message, hint := access.Public(refused)
	return message + " " + hint, nil
}

// happened reports whether a request was carried out, which is seen by the logs
// alone: the one that was to be frozen is, the one to be dropped is gone.
func (x *Upkeep) happened(r Request) bool {
	logs := x.c.Logs()
	i := slices.IndexFunc(logs, func(l LogFacts) bool { return l.Name == r.About })
	if r.By == "" || r.By == r.Asker || len(logs) == 0 {
		return false
	}
	return i < 0 || r.Kind == KindRotation && logs[i].Frozen && i < len(logs)-1
}

// Done notes that a request was carried out. To do so twice is no error.
func (x *Upkeep) Done(ctx context.Context, id access.RequestID) error {
	if err := x.c.Requests.FinishRequest(ctx, id, x.c.Clock().UTC(), ""); err != nil {
		return fmt.Errorf("note a change of the ledger: %w", err)
	}
	x.c.Log.InfoContext(ctx, "the ledger was changed as two people wanted it", "request", string(id))
	return nil
}

// Failed notes that a request couldn't be carried out, and why: a text for the
// administrator. It isn't tried again: whoever wants it still asks anew.
func (x *Upkeep) Failed(ctx context.Context, id access.RequestID, why string) error {
	why = short(why)
	x.c.Log.ErrorContext(ctx, "the ledger was not changed, though two people wanted it", "request", string(id), "why", why)
	if err := x.c.Requests.FinishRequest(ctx, id, x.c.Clock().UTC(), why); err != nil {
		return fmt.Errorf("note why the ledger wasn't changed: %w", err)
	}
	return nil
}

// short cuts a reason to what is stored; an empty one is none, and would read as
// done.
func short(why string) string {
	text := []rune(cmp.Or(why, "it isn't known why"))
	for i, r := range text {
		if containsControl(string(r)) {
			text[i] = ' '
		}
	}
	return string(text[:min(len(text), maxNote)])
}
