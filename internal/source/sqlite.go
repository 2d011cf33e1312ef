package source

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"paravent/internal/policy"
)

// The limits of one read where none are given.
const (
	DefaultRows  = 2000
	DefaultBytes = 1 << 20 // of values

	connections = 8
)

// SQLite is an embedded database, opened for reading.
type SQLite struct {
	name     string
	db       *sql.DB
	plans    []plan // in the order of the data map
	callers  policy.Callers
	key      []byte
	maxRows  int
	maxBytes int64
	stmts    sync.Map // SQL -> *sql.Stmt
}

// An Option changes how a source reads.
type Option func(*SQLite)

// WithLimits bounds one read to so many rows and bytes of values. What goes
// beyond is cut.
func WithLimits(rows int, bytes int64) Option {
	return func(s *SQLite) { s.maxRows, s.maxBytes = rows, bytes }
}

// WithPseudonymKey sets the key of the pseudonym mask, so that pseudonyms stay
// the same over restarts. Without it each opening makes its own.
func WithPseudonymKey(key []byte) Option {
	return func(s *SQLite) { s.key = slices.Clone(key) }
}

// Open opens the SQLite file at path as the source of this name, read-only. It
// returns policy.Problems where the data map doesn't fit the database: a table
// or column that doesn't exist, or a path over a column that isn't unique.
func Open(ctx context.Context, name, path string, p *policy.Policy, options ...Option) (*SQLite, error) {
	mapped, ok := p.Source(name)
	if !ok {
		return nil, fmt.Errorf("open source %s: the policy has no such source (%s)", name, policy.DidYouMean(name, sourceNames(p)))
	}
	dsn, err := fileURI(path, "mode=ro", "_pragma=query_only(1)", "_pragma=busy_timeout(2000)", "_pragma=trusted_schema(0)", "_pragma=cell_size_check(1)")
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", name, err)
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", name, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	s := &SQLite{name: name, db: db, callers: p.Callers(), maxRows: DefaultRows, maxBytes: DefaultBytes, key: make([]byte, 32)}
	if _, err := rand.Read(s.key); err != nil {
		return nil, errors.Join(fmt.Errorf("open source %s: %w", name, err), db.Close())
	}
	for _, o := range options {
		o(s)
	}
	problems, err := s.check(ctx, mapped)
	if err == nil && len(problems) > 0 {
		err = problems
	}
	if err != nil {
		if closing := db.Close(); closing != nil {
			err = errors.Join(err, closing)
		}
		return nil, err
	}
	for _, t := range mapped.Tables {
		s.plans = append(s.plans, planFor(mapped, t))
	}
	return s, nil
}

// Close closes the database.
func (s *SQLite) Close() error { return s.db.Close() }

// check compares the data map with the database.
func (s *SQLite) check(ctx context.Context, mapped policy.Source) (policy.Problems, error) {
	var problems policy.Problems
	add := func(at policy.Pos, hint, format string, args ...any) {
		problems = append(problems, policy.Problem{Pos: at, Hint: hint, Message: fmt.Sprintf(format, args...)})
	}
	tables, err := s.strings(ctx, `SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view') ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", s.name, err)
	}
	for _, t := range mapped.Tables {
		if !slices.Contains(tables, t.Name) {
			add(t.Pos, policy.DidYouMean(t.Name, tables), "source %s: the database has no table %q", s.name, t.Name)
			continue
		}
		columns, err := s.strings(ctx, `SELECT name FROM pragma_table_xinfo(?) ORDER BY cid`, t.Name)
		if err != nil {
			return nil, fmt.Errorf("open source %s: table %s: %w", s.name, t.Name, err)
		}
		need := func(at policy.Pos, column string) {
			if column != "" && !slices.Contains(columns, column) {
				add(at, policy.DidYouMean(column, columns), "source %s: table %s has no column %q", s.name, t.Name, column)
			}
		}
		need(t.Customer.Pos, t.Customer.Column)
		need(t.Pos, t.Order)
		need(t.Pos, t.Time)
		need(t.Sensitive.Pos, t.Sensitive.Column)
		for _, c := range t.Columns {
			need(c.Pos, c.Name)
		}
		if t.Customer.Table == "" || !slices.Contains(tables, t.Customer.Table) {
			continue
		}
		// G2: over a key that two rows share, a path would lead to two customers.
		unique, err := s.unique(ctx, t.Customer.Table, t.Customer.Key)
		if err != nil {
			return nil, fmt.Errorf("open source %s: table %s: %w", s.name, t.Customer.Table, err)
		}
		if !unique {
			add(t.Customer.Pos, "give it a primary key or a unique index, or name another column",
				"source %s: table %s is reached over %s.%s, which the database doesn't keep unique", s.name, t.Name, t.Customer.Table, t.Customer.Key)
		}
	}
	return problems, nil
}

// unique reports whether the database itself keeps a column unique: as its
// table's whole primary key, or by a unique index over it alone.
func (s *SQLite) unique(ctx context.Context, table, column string) (bool, error) {
	keys, err := s.strings(ctx, `SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0`, table)
	if err != nil {
		return false, err
	}
	if len(keys) == 1 && keys[0] == column {
		return true, nil
	}
	found, err := s.strings(ctx, `SELECT l.name FROM pragma_index_list(?1) AS l
		WHERE l."unique" = 1 AND l.partial = 0
		AND (SELECT count(*) FROM pragma_index_info(l.name)) = 1
		AND (SELECT name FROM pragma_index_info(l.name)) = ?2`, table, column)
	return len(found) > 0, err
}

// strings returns the first column of every row.
func (s *SQLite) strings(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// fileURI returns SQLite's URI of a file, whatever signs its path has.
func fileURI(path string, parameters ...string) (string, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	u := url.URL{Path: filepath.ToSlash(whole)}
	return "file:" + u.EscapedPath() + "?" + strings.Join(parameters, "&"), nil
}

// quote writes a name as an SQL identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func sourceNames(p *policy.Policy) []string {
	var out []string
	for name := range p.Sources() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
