package store

import (
	"context"

	"paravent/internal/access"
	"paravent/internal/qualify"
)

var _ qualify.Store = (*Store)(nil)

const selectQualifications = `SELECT employee, kind, valid_until FROM qualifications WHERE employee = ? ORDER BY kind`

// Qualifications returns the rows of one employee; none is no error.
func (s *Store) Qualifications(ctx context.Context, e access.EmployeeID) ([]qualify.Row, error) {
	var all []qualify.Row
	err := s.state.each(ctx, selectQualifications, []any{string(e)}, func(r scanner) error {
		var row qualify.Row
		var until int64
		err := r.Scan(&row.Employee, &row.Kind, &until)
		row.ValidUntil = access.FromMicros(until)
		all = append(all, row)
		return err
	})
	return all, refused("read qualifications", err)
}

const upsertQualification = `
INSERT INTO qualifications (employee, kind, valid_until) VALUES (?, ?, ?)
ON CONFLICT (employee, kind) DO UPDATE SET valid_until = excluded.valid_until`

// SaveQualifications saves rows, all or none. A row replaces the one of the
// same employee and kind; of two in rows the later one stands.
func (s *Store) SaveQualifications(ctx context.Context, rows []qualify.Row) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		for _, r := range rows {
			if _, err := t.exec(ctx, upsertQualification, string(r.Employee), string(r.Kind), access.Micros(r.ValidUntil)); err != nil {
				return err
			}
		}
		return nil
	})
	return refused("save qualifications", err)
}
