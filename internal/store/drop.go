package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

var _ investigate.LogHoldFacts = (*Store)(nil)

// dropRows is how many rows of the index go in one transaction: whoever writes
// beside it waits for no more than these.
const dropRows = 2000

// DropIndex forgets what the index holds of the records before that number, once
// the log that they were in is dropped: its rows, and the findings and samples of
// which no look-up is left. Of a finding of older and younger look-ups the older
// ones are gone from its list. On return nothing of it is left in any file of the
// store; rows is how many went. The follower's cursor stays where it is.
//
// It goes in steps, and what a crash leaves a second call takes away: whoever
// opens the ledger calls it with the number of the first record that there is,
// which costs little where nothing is left to do.
func (s *Store) DropIndex(ctx context.Context, before uint64) (rows int, err error) {
	var some bool
	if err := s.state.row(ctx, selectAnyBefore, int64(before)).Scan(&some); err != nil || !some {
		return 0, refused("look for rows of a dropped log", err)
	}
	// Findings first: which of them go is seen by the rows.
	err = s.state.change(ctx, synced, func(t *tx) error { return errors.Join(dropFindings(ctx, t, before), t.unclean(ctx)) })
	if err != nil {
		return 0, refused("drop findings", err)
	}
	for {
		var n int64
		err := s.state.change(ctx, synced, func(t *tx) (err error) {
			n, err = t.exec(ctx, deleteRowsBefore, int64(before), dropRows)
			return err
		})
		if err != nil {
			return rows, refused("drop rows of the index", err)
		}
		if rows += int(n); n < dropRows {
			break
		}
	}
	return rows, refused("drop rows of the index", s.state.wipe(ctx))
}

const selectAnyBefore = `SELECT EXISTS (SELECT 1 FROM lookups WHERE number < ?)`
const deleteRowsBefore = `
DELETE FROM lookups WHERE number IN (SELECT number FROM lookups WHERE number < ? ORDER BY number LIMIT ?)`

const selectFindingsWithID = `SELECT id, body FROM findings`
const deleteFinding = `DELETE FROM findings WHERE id = ?`

// selectSpan returns the first and the last record of a look-up.
const selectSpan = `SELECT COALESCE(MIN(number), -1), COALESCE(MAX(number), -1) FROM lookups WHERE id = ? AND id <> ''`

// dropFindings deletes the findings whose look-ups lie all before that record,
// and takes from the others those that do.
func dropFindings(ctx context.Context, t *tx, before uint64) error {
	bodies := map[string]string{}
	err := t.each(ctx, selectFindingsWithID, nil, func(r scanner) error {
		var id, body string
		err := r.Scan(&id, &body)
		bodies[id] = body
		return err
	})
	if err != nil {
		return err
	}
	for id, body := range bodies {
		f, err := findingOf(body)
		if err != nil {
			return err
		}
		kept, err := t.stillThere(ctx, f.Accesses, before)
		if err != nil {
			return err
		}
		switch {
		case len(kept) == len(f.Accesses):
			continue
		case len(kept) == 0:
			_, err = t.exec(ctx, deleteFinding, id)
		default:
			f.Accesses = kept
			if body, err = encode(f); err == nil {
				_, err = t.exec(ctx, updateFinding, body, id)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stillThere returns those of the look-ups that don't lie before that record; one
// that the index doesn't know is among them.
func (t *tx) stillThere(ctx context.Context, ids []access.LookupID, before uint64) ([]access.LookupID, error) {
	kept := make([]access.LookupID, 0, len(ids))
	for _, id := range ids {
		var first, last int64
		if err := t.row(ctx, selectSpan, string(id)).Scan(&first, &last); err != nil {
			return nil, err
		}
		if last < 0 || uint64(last) >= before {
			kept = append(kept, id)
		}
	}
	return kept, nil
}

const selectHeldAmong = `
SELECT opened_at FROM tasks
WHERE purpose = ? AND closed_at = 0 AND customer <> ''
	AND EXISTS (SELECT 1 FROM lookups WHERE lookups.customer = tasks.customer AND lookups.customer <> '' AND number >= ? AND number < ?)
ORDER BY opened_at LIMIT 1`

// HeldAmong returns since when a task of that purpose has been open about a
// customer of whom a record from the number from up to, not including, to speaks;
// the zero time where none is.
func (s *Store) HeldAmong(ctx context.Context, purpose access.Purpose, from, to uint64) (time.Time, error) {
	var at int64
	err := s.state.row(ctx, selectHeldAmong, string(purpose), int64(from), int64(to)).Scan(&at)
	if none(err) {
		return time.Time{}, nil
	}
	return access.FromMicros(at), refused("look for open tasks", err)
}

// LastFindingAmong returns when the last finding after since that speaks of a
// record from the number from up to, not including, to was raised; the zero time
// where there is none.
func (s *Store) LastFindingAmong(ctx context.Context, since time.Time, from, to uint64) (time.Time, error) {
	type raised struct {
		at  time.Time
		ids []access.LookupID
	}
	var young []raised
	err := s.state.each(ctx, selectFindingsSince, []any{access.Micros(since)}, func(r scanner) error {
		f, err := finding(r)
		young = append(young, raised{f.RaisedAt, f.Accesses})
		return err
	})
	if err != nil {
		return time.Time{}, refused("look for findings", err)
	}
	for _, f := range young { // newest first
		there, err := s.anyAmong(ctx, f.ids, from, to)
		if err != nil {
			return time.Time{}, refused("look for findings", err)
		}
		if there {
			return f.at, nil
		}
	}
	return time.Time{}, nil
}

// anyAmong reports whether one of the look-ups is in one of the records.
func (s *Store) anyAmong(ctx context.Context, ids []access.LookupID, from, to uint64) (bool, error) {
	var errs error
	there := slices.ContainsFunc(ids, func(id access.LookupID) bool {
		var first, last int64
		if err := s.state.row(ctx, selectSpan, string(id)).Scan(&first, &last); err != nil {
			errs = err
			return true
		}
		return last >= 0 && uint64(first) < to && uint64(last) >= from
	})
	return there && errs == nil, errs
}
