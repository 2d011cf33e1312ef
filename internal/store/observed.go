package store

import (
	"context"
	"encoding/hex"

	"paravent/internal/lookup"
)

var _ lookup.Sightings = (*Store)(nil)

// observedMigration makes the tables of what came past Paravent. They name
// nobody: the records themselves are the ledger's.
const observedMigration = `
CREATE TABLE sightings (
	id BLOB PRIMARY KEY -- SHA-256 of the line of the log
) STRICT, WITHOUT ROWID;
CREATE TABLE sighting (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	from_number INTEGER NOT NULL -- records from this one on may be of sightings that aren't in the table
) STRICT;
`

const hasSighting = `SELECT EXISTS (SELECT 1 FROM sightings WHERE id = ?)`

// Sighted returns those of the ids that are recorded.
func (s *Store) Sighted(ctx context.Context, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	for _, id := range ids {
		b, err := hex.DecodeString(id)
		var has bool
		if err == nil {
			err = s.state.row(ctx, hasSighting, b).Scan(&has)
		}
		if err != nil {
			return nil, refused("look for a sighting", err)
		}
		if has {
			known[id] = true
		}
	}
	return known, nil
}

const beginSightings = `INSERT INTO sighting (id, from_number) VALUES (1, ?) ON CONFLICT DO NOTHING`

// BeginSightings notes from which record on sightings may be recorded that
// EndSightings hasn't heard of; an older note stays.
func (s *Store) BeginSightings(ctx context.Context, from uint64) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		_, err := t.exec(ctx, beginSightings, int64(from))
		return err
	})
	return refused("begin sightings", err)
}

const selectSighting = `SELECT from_number FROM sighting`

// Unsettled returns the note of BeginSightings; false where there is none.
func (s *Store) Unsettled(ctx context.Context) (uint64, bool, error) {
	var from int64
	err := s.state.row(ctx, selectSighting).Scan(&from)
	if none(err) {
		return 0, false, nil
	}
	return uint64(from), err == nil, refused("look for unsettled sightings", err)
}

const insertSighting = `INSERT INTO sightings (id) VALUES (?) ON CONFLICT DO NOTHING`
const endSightings = `DELETE FROM sighting`

// EndSightings notes that these are recorded, and that there are no others.
func (s *Store) EndSightings(ctx context.Context, ids []string) error {
	err := s.state.change(ctx, synced, func(t *tx) error {
		for _, id := range ids {
			b, err := hex.DecodeString(id)
			if err == nil {
				_, err = t.exec(ctx, insertSighting, b)
			}
			if err != nil {
				return err
			}
		}
		_, err := t.exec(ctx, endSightings)
		return err
	})
	return refused("end sightings", err)
}
