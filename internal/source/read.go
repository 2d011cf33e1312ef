package source

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paravent/internal/access"
)

// A Column is one shown column of a result.
type Column struct {
	Name     string
	Category access.Category
	Masked   bool // a mask stands in place of the value
}

// A Table is what was read of one table. Rows are as long as Columns; a value is
// nil, int64, float64, string or []byte.
type Table struct {
	Name    string
	Columns []Column
	Rows    [][]any
}

// A Result is what one read shows.
type Result struct {
	Tables []Table // in the order of the data map; those without a granted column are left out
	Rows   int
	Bytes  int64 // of values
	Cut    bool  // a limit was reached: there is more
}

// Read reads what the grant allows and nothing else (G2). All tables are read at
// the same moment of the database. It returns an access.Invalid error for a
// grant without a customer, and the context's error when it ends; nothing of
// what was read is returned with an error.
func (s *SQLite) Read(ctx context.Context, g access.Grant) (*Result, error) {
	if g.Customer == "" {
		return nil, access.Errorf(access.Invalid, "The grant names no customer.")
	}
	// Prepared before the transaction begins: one that holds a connection must
	// never wait for another.
	parts, err := s.parts(ctx, g)
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w", s.name, err)
	}
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w", s.name, err)
	}
	result := &Result{}
	for _, p := range parts {
		if err := s.readTable(ctx, tx, p, g, result); err != nil {
			return nil, errors.Join(fmt.Errorf("read source %s, table %s: %w", s.name, p.table.Name, err), rollback(tx))
		}
	}
	if err := rollback(tx); err != nil {
		return nil, fmt.Errorf("read source %s: %w", s.name, err)
	}
	return result, nil
}

// A part is what one read does with one table.
type part struct {
	plan
	cells []cell
	stmt  *sql.Stmt // nil: no row is within reach
	args  []any
}

// parts returns the tables of which the grant shows something.
func (s *SQLite) parts(ctx context.Context, g access.Grant) ([]part, error) {
	var all []part
	for _, p := range s.plans {
		cells, granted := p.cells(g)
		if !granted {
			continue
		}
		one := part{plan: p, cells: cells}
		if query, args, ok := p.query(g, cells); ok {
			stmt, err := s.prepared(ctx, query)
			if err != nil {
				return nil, fmt.Errorf("table %s: %w", p.table.Name, err)
			}
			one.stmt, one.args = stmt, args
		}
		all = append(all, one)
	}
	return all, nil
}

// rollback ends a transaction that wrote nothing. One that its context has ended
// already is fine.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

// readTable appends one table to the result.
func (s *SQLite) readTable(ctx context.Context, tx *sql.Tx, p part, g access.Grant, result *Result) (err error) {
	table := Table{Name: p.table.Name, Rows: [][]any{}}
	read := 0
	for _, c := range p.cells {
		table.Columns = append(table.Columns, Column{Name: c.column.Name, Category: c.column.Category, Masked: c.mask != ""})
		if c.read {
			read++
		}
	}
	defer func() { result.Tables = append(result.Tables, table) }()
	if p.stmt == nil {
		return nil
	}
	rows, err := tx.StmtContext(ctx, p.stmt).QueryContext(ctx, p.args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values := make([]any, 2+read)
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if !p.within(g, values[0]) || !p.fit(g, values[1]) {
			continue
		}
		if result.Cut = result.Cut || result.Rows >= s.maxRows; result.Cut {
			return nil
		}
		row, size := s.row(p.cells, values[2:])
		if result.Cut = result.Bytes+size > s.maxBytes; result.Cut {
			return nil
		}
		table.Rows = append(table.Rows, row)
		result.Rows++
		result.Bytes += size
	}
	return rows.Err()
}

// prepared returns the statement, prepared once. There are as many as tables,
// sets of categories and reaches in use; ids and values are never part of one.
func (s *SQLite) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := s.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	kept, loaded := s.stmts.LoadOrStore(query, stmt)
	if loaded {
		return kept.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// within reports whether a row's time is within the grant's reach. A time that
// can't be read is not.
func (p plan) within(g access.Grant, value any) bool {
	if !p.history() || g.Reach != access.ReachRecent {
		return true
	}
	at, ok := moment(value)
	return ok && !at.Before(g.Since.Add(-g.Recent))
}

// fit reports whether a row may be shown for its goods: not sensitive, or named
// by the purpose. Where the column is empty nobody can tell, so it may not.
func (p plan) fit(g access.Grant, value any) bool {
	if p.table.Sensitive.Column == "" {
		return true
	}
	text, ok := plain(value)
	good := fold(text)
	if !ok || good == "" {
		return false
	}
	same := func(other string) bool { return fold(other) == good }
	return !slices.ContainsFunc(p.table.Sensitive.Goods, same) || slices.ContainsFunc(g.Sensitive, same)
}

// fold makes names of goods comparable.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// row masks the values of one row. It returns its size in bytes, too.
func (s *SQLite) row(cells []cell, values []any) (row []any, size int64) {
	row = make([]any, len(cells))
	for i, c := range cells {
		var value any
		if c.read {
			value, values = values[0], values[1:]
		}
		row[i] = s.mask(c.mask, value)
		size += Width(row[i])
	}
	return row, size
}

// Width returns about how many bytes a value takes.
func Width(value any) int64 {
	switch v := value.(type) {
	case string:
		return int64(len(v))
	case []byte:
		return int64(len(v))
	}
	return 8
}

// moments are the forms in which a time may be stored as text.
var moments = []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.DateTime, time.DateOnly}

// moment reads a stored time: text in one of the usual forms (UTC where it says
// nothing else), or whole seconds since 1970.
func moment(value any) (time.Time, bool) {
	switch v := value.(type) {
	case int64:
		return time.Unix(v, 0).UTC(), true
	case time.Time:
		return v.UTC(), true
	case string:
		for _, form := range moments {
			if t, err := time.Parse(form, v); err == nil {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// OrderOf reports whether the order is this customer's, and nobody else's, by
// the tables that hold orders. An unknown order is nobody's.
func (s *SQLite) OrderOf(ctx context.Context, order access.OrderID, customer access.CustomerID) (bool, error) {
	if order == "" || customer == "" {
		return false, nil
	}
	var hers bool
	for _, p := range s.orderTables() {
		var mine, other bool
		query := fmt.Sprintf(`SELECT EXISTS (SELECT 1 FROM %s WHERE %s AND %s),
			EXISTS (SELECT 1 FROM %s WHERE %s AND CAST(%s AS TEXT) IS NOT ? COLLATE BINARY)`,
			p.from, exact(p.order), exact(p.customer), p.from, exact(p.order), p.customer)
		o, c := string(order), string(customer)
		if err := s.db.QueryRowContext(ctx, query, o, o, c, c, o, o, c).Scan(&mine, &other); err != nil {
			return false, fmt.Errorf("look up order in source %s: %w", s.name, err)
		}
		if other {
			return false, nil
		}
		hers = hers || mine
	}
	return hers, nil
}

// orderTables returns the tables that say whose an order is: those with an order
// and the customer's own column, or, where there is none, all with an order.
func (s *SQLite) orderTables() []plan {
	var own, all []plan
	for _, p := range s.plans {
		if p.order == "" {
			continue
		}
		all = append(all, p)
		if p.table.Customer.Table == "" {
			own = append(own, p)
		}
	}
	if len(own) > 0 {
		return own
	}
	return all
}

// plain returns a stored value as text.
func plain(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64, float64, bool:
		return fmt.Sprint(v), true
	case time.Time:
		return v.UTC().Format(time.RFC3339), true
	}
	return "", false
}

// A Found is who was found by what a caller said.
type Found struct {
	Customer access.CustomerID // "": nobody, or more than one
	// Partial are customers whom some of what was said fits, but not all: they
	// may be tried on. At most a few, and none that only something as common as
	// a postcode points to. Sorted.
	Partial []access.CustomerID
}
