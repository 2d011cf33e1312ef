package store

import (
	"context"
	"fmt"
	"path/filepath"
)

// Setting returns a setting of SQLite on the connection that writes, inside a
// change of that durability.
func (s *Store) Setting(ctx context.Context, file, name string, durable bool) (value string, err error) {
	d, how := s.state, rebuildable
	if file == KeysFile {
		d = s.keys
	}
	if durable {
		how = synced
	}
	err = d.change(ctx, how, func(t *tx) error {
		return t.d.conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&value)
	})
	return value, err
}

// Panic panics in the middle of a change.
func (s *Store) Panic(ctx context.Context) error {
	return s.state.change(ctx, synced, func(t *tx) error {
		if _, err := t.exec(ctx, insertQualificationForPanic, "e", "guideline"); err != nil {
			return err
		}
		panic("in the middle of a change")
	})
}

const insertQualificationForPanic = `INSERT INTO qualifications (employee, kind, valid_until) VALUES (?, ?, 1)`

// LoseConnection takes the connection that writes away.
func (s *Store) LoseConnection() error {
	s.state.turn <- struct{}{}
	defer func() { <-s.state.turn }()
	return s.state.drop()
}

// Migrate runs further migrations on the store in dir, as a newer program would.
func Migrate(ctx context.Context, dir string, more ...string) error {
	d, err := openDatabase(ctx, filepath.Join(dir, StateFile), "foreign_keys(1)", append(stateMigrations[:len(stateMigrations):len(stateMigrations)], more...))
	if err != nil {
		return err
	}
	return d.close()
}

// Run runs any statement in a change.
func (s *Store) Run(ctx context.Context, query string) error {
	return s.state.change(ctx, synced, func(t *tx) error {
		_, err := t.d.conn.ExecContext(ctx, query)
		return err
	})
}

// Plan returns how SQLite would run a statement of the state.
func (s *Store) Plan(ctx context.Context, query string, args ...any) (plan string, err error) {
	err = s.state.each(ctx, "EXPLAIN QUERY PLAN "+query, args, func(r scanner) error {
		var id, parent, unused int
		var detail string
		err := r.Scan(&id, &parent, &unused, &detail)
		plan += fmt.Sprintln(detail)
		return err
	})
	return plan, err
}

// The statements whose plans are tested.
const (
	SelectTasksOf     = selectTasksOf
	SelectCall        = selectCall
	SelectLookupsAt   = selectLookupsAt
	SelectLookupsBy   = selectLookupsBy
	SelectLookupByID  = selectLookupByID
	CountLookups      = countLookups
	SelectFindings    = selectFindings
	CountMisses       = countMisses
	CountNearMisses   = countNearMisses
	SelectFacts       = selectFacts
	SelectAssignments = selectAssignments
)

// Read runs any statement on the connections that read.
func (s *Store) Read(ctx context.Context, query string) error {
	return s.state.each(ctx, query, nil, func(scanner) error { return nil })
}

// RunKeys runs any statement in a change of keys.db.
func (s *Store) RunKeys(ctx context.Context, query string) error {
	return s.keys.change(ctx, synced, func(t *tx) error {
		_, err := t.d.conn.ExecContext(ctx, query)
		return err
	})
}

// Synchronous returns how the last change of a file was synced: 2 with every
// commit, 1 later.
func (s *Store) Synchronous(ctx context.Context, file string) (how int, err error) {
	d := s.state
	if file == KeysFile {
		d = s.keys
	}
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	return how, d.conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&how)
}

// Relax makes a change of each file that isn't synced.
func (s *Store) Relax(ctx context.Context) error {
	for _, d := range []*database{s.state, s.keys} {
		if err := d.change(ctx, rebuildable, func(*tx) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// During runs a statement and then f in the middle of one change.
func (s *Store) During(ctx context.Context, query string, f func()) error {
	return s.state.change(ctx, synced, func(t *tx) error {
		_, err := t.d.conn.ExecContext(ctx, query)
		f()
		return err
	})
}

// Check has SQLite look whether the file's trees and indexes are as they must be.
func (s *Store) Check(ctx context.Context, found *string) error {
	return s.state.row(ctx, "PRAGMA integrity_check").Scan(found)
}

// Scrub cleans the pages of the state.
func (s *Store) Scrub(ctx context.Context) error { return s.state.scrub(ctx) }
