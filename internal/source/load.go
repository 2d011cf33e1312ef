package source

import (
	"context"
	"database/sql"
	_ "embed" // the sample shop's schema
	"errors"
	"fmt"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the embedded database
)

//go:embed shop.sql
var shopSchema string

//go:embed shopindex.sql
var shopIndexes string

// Content is what one table is filled with.
type Content struct {
	Name    string
	Columns []string
	Rows    [][]any // each as long as Columns; values that database/sql takes
}

// maxParameters bounds the values of one insert. SQLite takes 32,766.
const maxParameters = 4096

// Load writes the sample shop (five tables: customers, orders, order_items,
// payments, deliveries) into a new file and fills it. It fails where the file
// exists, and leaves none behind when it fails later.
func Load(ctx context.Context, path string, contents []Content) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("create shop database: the file exists or can't be seen: %w", errors.Join(os.ErrExist, err))
	}
	dsn, err := fileURI(path, "mode=rwc", "_pragma=journal_mode(OFF)", "_pragma=synchronous(OFF)", "_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return fmt.Errorf("create shop database: %w", err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return fmt.Errorf("create shop database: %w", err)
	}
	db.SetMaxOpenConns(1)
	defer func() {
		err = errors.Join(err, db.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if _, err := db.ExecContext(ctx, shopSchema); err != nil {
		return fmt.Errorf("create shop database: %w", err)
	}
	for _, c := range contents {
		if err := fillTable(ctx, db, c); err != nil {
			return fmt.Errorf("fill table %s: %w", c.Name, err)
		}
	}
	if _, err := db.ExecContext(ctx, shopIndexes); err != nil {
		return fmt.Errorf("index shop database: %w", err)
	}
	return nil
}

// fillTable inserts many rows with each statement, all in one transaction.
func fillTable(ctx context.Context, db *sql.DB, c Content) (err error) {
	if len(c.Columns) == 0 || len(c.Rows) == 0 {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	names := make([]string, len(c.Columns))
	for i, name := range c.Columns {
		names[i] = quote(name)
	}
	head := "INSERT INTO " + quote(c.Name) + " (" + strings.Join(names, ", ") + ") VALUES "
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	per := max(1, maxParameters/len(names))
	full, err := tx.PrepareContext(ctx, head+row+strings.Repeat(", "+row, per-1))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, full.Close()) }()
	args := make([]any, 0, per*len(names))
	for at := 0; at < len(c.Rows); at += per {
		batch := c.Rows[at:min(at+per, len(c.Rows))]
		args = args[:0]
		for i, values := range batch {
			if len(values) != len(names) {
				return fmt.Errorf("row %d has %d values for %d columns", at+i, len(values), len(names))
			}
			args = append(args, values...)
		}
		if len(batch) == per {
			_, err = full.ExecContext(ctx, args...)
		} else {
			_, err = tx.ExecContext(ctx, head+row+strings.Repeat(", "+row, len(batch)-1), args...)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}
