package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"paravent/internal/investigate"
)

// IndexFile reads the index in a store's file for someone who audits it, beside
// the process that owns it or without one. It changes nothing. Each call reads
// for a moment only, so that it never keeps an erasure waiting.
type IndexFile struct {
	db *sql.DB
}

var _ investigate.StoredIndex = (*IndexFile)(nil)

// OpenIndex opens the file at path for reading only.
func OpenIndex(path string) (*IndexFile, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path, "query_only(1)")+"&mode=ro")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	db.SetMaxOpenConns(1)
	return &IndexFile{db: db}, nil
}

// Close closes the file.
func (f *IndexFile) Close() error { return f.db.Close() }

const selectFollowed = `SELECT number FROM follower WHERE id = 1`

// Followed returns the number of the follower's last checkpoint: of the first
// record whose row it may not have written. It is 0 where there is no checkpoint.
func (f *IndexFile) Followed(ctx context.Context) (int64, error) {
	var number int64
	err := f.db.QueryRowContext(ctx, selectFollowed).Scan(&number)
	if none(err) {
		return 0, nil
	}
	return number, refused("read the follower's checkpoint", err)
}

const selectStoredRows = `
SELECT ` + lookupColumns + ` FROM lookups WHERE number >= ? ORDER BY number LIMIT ?`

// Rows returns the rows from that number on, at most limit, in their order.
func (f *IndexFile) Rows(ctx context.Context, from int64, limit int) ([]investigate.StoredRow, error) {
	var all []investigate.StoredRow
	rows, err := f.db.QueryContext(ctx, selectStoredRows, from, limit)
	err = eachRow(rows, err, func(r scanner) error {
		number, indexed, err := indexedRow(r)
		var damaged errBody
		if err != nil && !errors.As(err, &damaged) {
			return err
		}
		row := investigate.StoredRow{Number: number, Row: indexed, Damaged: err != nil}
		all = append(all, row)
		return nil
	})
	if err != nil {
		return nil, refused("read the index", err)
	}
	return all, nil
}
