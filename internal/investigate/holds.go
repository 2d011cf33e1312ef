package investigate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/detect"
)

// A Hold is one thing that needs a person's data for now.
type Hold struct {
	What  string    // such as "a finding of 3 May 2026 speaks of her", as the privacy officer may read it
	Until time.Time // zero: until something happens
	Ends  string    // what, where Until is zero: "the legal hold is closed"
}

// Holds says what needs a person's data. Each follow-up that can (a complaint,
// an investigation) is one more.
type Holds interface {
	// Holding returns what holds the person's data at that moment.
	Holding(ctx context.Context, p detect.Person, at time.Time) ([]Hold, error)
}

// HoldFacts is what OpenCases ask. *store.Store is one.
type HoldFacts interface {
	// HeldBy returns since when a task of that purpose has been open about the
	// customer; the zero time where there is none.
	HeldBy(ctx context.Context, c access.CustomerID, purpose access.Purpose) (time.Time, error)
	// LastFindingAbout returns when the last finding after since that speaks of the
	// person was raised; the zero time where there is none.
	LastFindingAbout(ctx context.Context, p detect.Person, since time.Time) (time.Time, error)
}

// PurposeLegalHold is the purpose of a task that keeps a customer's data.
const PurposeLegalHold access.Purpose = "legal_hold"

// FindingsHold is how long a finding holds the data of those it speaks of.
const FindingsHold = 30 * 24 * time.Hour

// OpenCases holds what an open legal hold, a request that waits, or a young
// finding needs.
type OpenCases struct {
	Facts    HoldFacts
	Requests Requests
}

// Holding implements Holds.
func (o OpenCases) Holding(ctx context.Context, p detect.Person, at time.Time) ([]Hold, error) {
	if o.Facts == nil || o.Requests == nil {
		return nil, errors.New("look for open cases: the configuration is missing")
	}
	var all []Hold
	if p.Customer != "" {
		since, err := o.Facts.HeldBy(ctx, p.Customer, PurposeLegalHold)
		if err != nil {
			return nil, fmt.Errorf("look for a legal hold: %w", err)
		}
		if !since.IsZero() {
			all = append(all, Hold{What: "a legal hold of " + dayOf(since) + " is open", Ends: "the legal hold is closed"})
		}
	}
	waiting, err := o.Requests.Requests(ctx, Filter{State: Waiting, Alive: at, Customer: p.Customer, Asker: p.Employee})
	if err != nil {
		return nil, fmt.Errorf("look for requests: %w", err)
	}
	for _, r := range waiting {
		if r.Kind != KindErasure {
			all = append(all, Hold{What: "a request for a second person waits", Ends: "the request is decided or has lapsed"})
			break
		}
	}
	raised, err := o.Facts.LastFindingAbout(ctx, p, at.Add(-FindingsHold))
	if err != nil {
		return nil, fmt.Errorf("look for findings: %w", err)
	}
	if !raised.IsZero() {
		all = append(all, Hold{What: "a finding of " + dayOf(raised) + " speaks of this person", Until: raised.Add(FindingsHold).Add(24 * time.Hour).Truncate(24 * time.Hour)})
	}
	return all, nil
}

func dayOf(at time.Time) string { return at.UTC().Format("2 January 2006") }
