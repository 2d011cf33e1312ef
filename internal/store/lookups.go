package store

import (
	"context"
	"fmt"
	"time"

	"paravent/internal/access"
	"paravent/internal/investigate"
)

var _ investigate.Index = (*Store)(nil)

var upsertLookups = newBulk(
	`INSERT INTO lookups (`+lookupColumns+`)`, 8,
	`ON CONFLICT (number) DO UPDATE SET id = excluded.id, at = excluded.at, employee = excluded.employee,
		customer = excluded.customer, outcome = excluded.outcome, act = excluded.act, body = excluded.body`)

// SaveIndexed saves rows of the index in one transaction; a row of the same
// number is replaced, and of two such in rows the later one stands.
func (s *Store) SaveIndexed(ctx context.Context, rows []investigate.Indexed) error {
	if len(rows) == 0 {
		return nil
	}
	last := make(map[uint64]int, len(rows))
	for i, r := range rows {
		last[r.Number] = i
	}
	args := make([]any, 0, 8*len(rows))
	for i, r := range rows {
		if last[r.Number] != i {
			continue
		}
		values, err := rowOf(r)
		if err != nil {
			return err
		}
		args = append(args, values...)
	}
	err := s.state.change(ctx, rebuildable, func(t *tx) error { return t.insert(ctx, upsertLookups, args) })
	return refused("save the index", err)
}

const selectLookupsAt = `SELECT ` + lookupColumns + ` FROM lookups WHERE customer = ? AND customer <> '' ORDER BY at DESC, number DESC LIMIT ?`

// LookupsAt returns the look-ups and acts about a customer, newest first, at
// most limit; none for one at whom nobody looked.
func (s *Store) LookupsAt(ctx context.Context, customer access.CustomerID, limit int) ([]investigate.Indexed, error) {
	return s.indexed(ctx, selectLookupsAt, string(customer), limit)
}

const selectLookupsBy = `SELECT ` + lookupColumns + ` FROM lookups WHERE employee = ? ORDER BY at DESC, number DESC LIMIT ?`

// LookupsBy returns an employee's look-ups and acts, newest first, at most
// limit, as he himself may read them.
func (s *Store) LookupsBy(ctx context.Context, employee access.EmployeeID, limit int) ([]investigate.Indexed, error) {
	all, err := s.indexed(ctx, selectLookupsBy, string(employee), limit)
	for i := range all {
		all[i] = all[i].ForHim() // G9
	}
	return all, err
}

const selectLookupByID = `SELECT ` + lookupColumns + ` FROM lookups WHERE id = ? AND id <> '' ORDER BY at, number`

// LookupsByID returns the look-ups of these ids that the index knows, in order
// of time.
func (s *Store) LookupsByID(ctx context.Context, ids []access.LookupID) ([]investigate.Indexed, error) {
	var all []investigate.Indexed
	for _, id := range ids {
		some, err := s.indexed(ctx, selectLookupByID, string(id))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	sortIndexed(all)
	return all, nil
}

// indexed runs one of the statements above.
func (s *Store) indexed(ctx context.Context, query string, args ...any) ([]investigate.Indexed, error) {
	var all []investigate.Indexed
	err := s.state.each(ctx, query, args, func(r scanner) error {
		_, row, err := indexedRow(r)
		all = append(all, row)
		return err
	})
	return all, refused("read the index", err)
}

const countLookups = `
SELECT (at - ?) / ?, outcome, COUNT(*) FROM lookups
WHERE act = '' AND at >= ? AND at < ? GROUP BY 1, 2`

// CountLookups counts look-ups, acts apart, by outcome: for each outcome that
// occurs one number per step, the first step beginning at since (inclusive),
// each lasting step, steps of them.
func (s *Store) CountLookups(ctx context.Context, since time.Time, step time.Duration, steps int) (map[access.Outcome][]int, error) {
	width := step.Microseconds()
	if width <= 0 || steps <= 0 {
		return nil, fmt.Errorf("count look-ups: %d steps of %s", steps, step)
	}
	from := since.UnixMicro()
	counts := map[access.Outcome][]int{}
	err := s.state.each(ctx, countLookups, []any{from, width, from, from + width*int64(steps)}, func(r scanner) error {
		var i, n int
		var outcome access.Outcome
		if err := r.Scan(&i, &outcome, &n); err != nil {
			return err
		}
		if counts[outcome] == nil {
			counts[outcome] = make([]int, steps)
		}
		counts[outcome][i] = n
		return nil
	})
	return counts, refused("count look-ups", err)
}
