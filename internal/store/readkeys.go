package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"paravent/internal/ledger"
)

const selectAllKeys = `SELECT person, id, secret FROM keys ORDER BY rowid`

// ReadKeys yields the rows of a table of keys, oldest first, for someone who
// audits it: the file at path is only read, beside the process that owns it or
// without one. A row that isn't whole is an error, and the next follows; an
// error that ends the sequence is the last.
func ReadKeys(ctx context.Context, path string) iter.Seq2[ledger.Key, error] {
	return func(yield func(ledger.Key, error) bool) {
		if _, err := os.Stat(path); err != nil {
			yield(ledger.Key{}, fmt.Errorf("read keys: %w", err))
			return
		}
		db, err := sql.Open("sqlite", dsn(path, "query_only(1)")+"&mode=ro")
		if err != nil {
			yield(ledger.Key{}, fmt.Errorf("open %s: %w", filepath.Base(path), err))
			return
		}
		defer db.Close() // only read
		rows, err := db.QueryContext(ctx, selectAllKeys)
		if err != nil {
			yield(ledger.Key{}, fmt.Errorf("read %s: %w", filepath.Base(path), err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			if key, err := readKey(rows); !yield(key, err) {
				return
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			yield(ledger.Key{}, fmt.Errorf("read %s: %w", filepath.Base(path), err))
		}
	}
}
