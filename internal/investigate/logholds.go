package investigate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
)

// LogHolds says what needs records that are to go with a log. Each follow-up that
// can (a complaint, an investigation) is one more.
type LogHolds interface {
	// HoldingRecords returns what holds one of the records from the number from up
	// to, not including, the number to, at that moment.
	HoldingRecords(ctx context.Context, from, to uint64, at time.Time) ([]Hold, error)
}

// LogHoldFacts is what OpenRecords asks. *store.Store is one.
type LogHoldFacts interface {
	// Checkpoint returns how far the follower has come.
	Checkpoint(ctx context.Context) (Checkpoint, error)
	// HeldAmong returns since when a task of that purpose has been open about a
	// customer of whom one of the records speaks; the zero time where none is.
	HeldAmong(ctx context.Context, purpose access.Purpose, from, to uint64) (time.Time, error)
	// LastFindingAmong returns when the last finding after since that speaks of one
	// of the records was raised; the zero time where there is none.
	LastFindingAmong(ctx context.Context, since time.Time, from, to uint64) (time.Time, error)
}

// OpenRecords holds the records that an open legal hold or a young finding needs,
// and those that the follower hasn't read: of them it isn't known.
type OpenRecords struct {
	Facts LogHoldFacts
}

// HoldingRecords implements LogHolds.
func (o OpenRecords) HoldingRecords(ctx context.Context, from, to uint64, at time.Time) ([]Hold, error) {
	if o.Facts == nil {
		return nil, errors.New("look for what holds records: the configuration is missing")
	}
	read, err := o.Facts.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("look how far the index is: %w", err)
	}
	if read.Number < to {
		return []Hold{{What: "the index hasn't read all of it", Ends: "the follower has caught up"}}, nil
	}
	var all []Hold
	since, err := o.Facts.HeldAmong(ctx, PurposeLegalHold, from, to)
	if err != nil {
		return nil, fmt.Errorf("look for a legal hold: %w", err)
	}
	if !since.IsZero() {
		all = append(all, Hold{What: "a legal hold of " + dayOf(since) + " is about a customer whom its records name", Ends: "the legal hold is closed"})
	}
	raised, err := o.Facts.LastFindingAmong(ctx, at.Add(-FindingsHold), from, to)
	if err != nil {
		return nil, fmt.Errorf("look for findings: %w", err)
	}
	if !raised.IsZero() {
		all = append(all, Hold{What: "a finding of " + dayOf(raised) + " speaks of its records", Until: raised.Add(FindingsHold).Add(24 * time.Hour).Truncate(24 * time.Hour)})
	}
	return all, nil
}

// told puts holds into words: what holds, and when that ends.
func told(all []Hold) (why, when string) {
	var whys, whens []string
	for _, h := range all {
		whys = append(whys, h.What)
		if h.Until.IsZero() {
			whens = append(whens, h.Ends)
		} else {
			whens = append(whens, "it is "+dayOf(h.Until))
		}
	}
	return strings.Join(whys, "; "), strings.Join(slices.Compact(whens), " and ")
}
