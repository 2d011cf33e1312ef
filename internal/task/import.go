package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"paravent/internal/access"
)

// The bounds of one import.
const (
	maxShown = 20        // bad rows that are named
	maxRows  = 2_000_000 // rows that one import takes in
)

// Count is what became of the rows of one import.
type Count struct {
	Rows   int        // rows read, without the header
	Events int        // facts saved; 0 where a row was bad
	Bad    int        // rows that can't be understood
	Errors []RowError // the first 20 of them
}

// Import reads one table (see Tables) and saves all of its rows, or none:
// where a row can't be understood, nothing is saved, and the error
// (access.Invalid) and Count name the first 20 such rows. A fact that is known
// already is no mistake and is kept once. Rows are added to what is there or
// replace what has the same id; none is taken away.
//
// G8: a row that gives by, who imports, another role, team or manager is a bad
// row: somebody else must bring it in.
func (s *Service) Import(ctx context.Context, by access.Employee, table string, r io.Reader) (Count, error) {
	var n Count
	var events []access.Event
	last := 0
	for ev, err := range readRows(table, r) {
		if err == nil && promotes(by, ev.event) {
			err = &RowError{Line: ev.line, Column: "id", Reason: "this is you, with another role, team or manager; somebody else must import it"}
		}
		var row *RowError
		switch {
		case errors.As(err, &row):
			n.Bad++
			if len(n.Errors) < maxShown {
				n.Errors = append(n.Errors, *row)
			}
			continue
		case err != nil:
			return n, err
		}
		if ev.line != last {
			n.Rows, last = n.Rows+1, ev.line
		}
		if n.Rows > maxRows {
			return n, access.Errorf(access.Invalid, "The table is too long: %d rows are the most.", maxRows)
		}
		if n.Bad == 0 {
			events = append(events, ev.event)
		}
	}
	n.Rows += n.Bad
	if n.Bad > 0 {
		return n, badRows(table, n)
	}
	if err := s.store.SaveFacts(ctx, events); err != nil {
		return n, fmt.Errorf("import %s: %w", table, err)
	}
	n.Events = len(events)
	return n, nil
}

// promotes reports whether the event changes what by may do.
func promotes(by access.Employee, ev access.Event) bool {
	e, ok := ev.(*access.EmployeeKnown)
	return ok && e.ID == by.ID && (e.Role != by.Role || e.Team != by.Team || e.Manager != by.Manager)
}

// badRows is the error of an import with bad rows: each is named by line and
// column, none by its value.
func badRows(table string, n Count) error {
	lines := make([]string, len(n.Errors))
	for i, e := range n.Errors {
		lines[i] = e.Error()
	}
	return access.Errorf(access.Invalid, "Nothing of %s was imported: %d of %d rows can't be understood.", table, n.Bad, n.Rows).
		WithHint(strings.Join(lines, "; "))
}
