package store

import (
	"context"
	"strings"
)

// bulkRows is how many rows one statement of a bulk inserts; what is left over
// goes row by row. Times the columns of the widest table it stays far below
// the 32,766 placeholders that SQLite takes, and PostgreSQL's 65,535.
const bulkRows = 100

// bulk is an INSERT of many rows, prepared in two lengths.
type bulk struct {
	columns int
	one     string // for one row
	many    string // for bulkRows rows
}

// newBulk makes a bulk from the statement around its rows. Within one call no
// two rows may meet in tail's conflict.
func newBulk(head string, columns int, tail string) bulk {
	row := "(" + strings.Repeat("?, ", columns-1) + "?)"
	return bulk{
		columns: columns,
		one:     head + " VALUES " + row + " " + tail,
		many:    head + " VALUES " + strings.Repeat(row+", ", bulkRows-1) + row + " " + tail,
	}
}

// insert inserts rows whose values stand one after another in args.
func (t *tx) insert(ctx context.Context, b bulk, args []any) error {
	for len(args) > 0 {
		query, n := b.one, b.columns
		if len(args) >= bulkRows*b.columns {
			query, n = b.many, bulkRows*b.columns
		}
		if _, err := t.exec(ctx, query, args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}
