package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"paravent/internal/access"
)

// readers is how many reads run at once.
const readers = 4

// database is one SQLite file: one connection that writes, and a few that
// read beside it (write-ahead log).
type database struct {
	write *sql.DB
	read  *sql.DB
	reads sync.Map // SQL -> *sql.Stmt

	turn chan struct{} // holds one element while somebody writes; who holds it owns the rest
	conn *sql.Conn     // the one connection that writes; nil: to be opened
	own  map[string]*sql.Stmt
}

// durability says what a change must survive.
type durability string

// The durabilities, as SQLite calls them. Both survive the end of the process;
// a synced change survives the loss of power too, with all that came before it.
const (
	synced      durability = "FULL"
	rebuildable durability = "NORMAL"
)

// walLeft is how much of the write-ahead log stays on disk once it is folded
// in, in bytes; a bulk makes it far longer.
const walLeft = "journal_size_limit(16777216)"

// openDatabase opens or makes the file and brings its tables up to date.
func openDatabase(ctx context.Context, path, pragma string, migrations []string) (*database, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	d := &database{turn: make(chan struct{}, 1), own: map[string]*sql.Stmt{}}
	var err error
	if d.write, err = sql.Open("sqlite", dsn(path, pragma, "journal_mode(WAL)", walLeft, "secure_delete(1)")); err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite", dsn(path, pragma, "query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", filepath.Base(path), err), d.write.Close())
	}
	d.read.SetMaxOpenConns(readers)
	d.read.SetMaxIdleConns(readers)
	if err := d.migrate(ctx, migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("bring %s up to date: %w", filepath.Base(path), err), d.close())
	}
	return d, nil
}

// dsn returns the driver's name of the file, with settings for each connection.
func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}
	return u.String()
}

// makeFile makes an empty file that its owner alone may read, if there is
// none, and makes its name durable; SQLite gives its side files the same rights.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return errors.Join(fmt.Errorf("open the store: %w", err), f.Close())
	}
	if err := errors.Join(f.Close(), dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	return nil
}

// close closes the file; SQLite then folds its write-ahead log into it.
func (d *database) close() error {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	return errors.Join(d.read.Close(), d.drop(), d.write.Close())
}

// row runs a statement that returns one row at most.
func (d *database) row(ctx context.Context, query string, args ...any) scanner {
	stmt, err := d.prepared(ctx, query)
	if err != nil {
		return failed{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// each runs a statement and calls scan for each row of its result.
func (d *database) each(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	stmt, err := d.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

// prepared returns the statement, prepared once. With tx.prepared it is the
// one place that a dialect with other placeholders has to change.
func (d *database) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := d.reads.Load(query); ok {
		return stmt.(*sql.Stmt), nil
	}
	stmt, err := d.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := d.reads.LoadOrStore(query, stmt); raced {
		return first.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// scanner is one row of a result.
type scanner interface {
	Scan(dest ...any) error
}

// failed is the row of a statement that couldn't be run.
type failed struct{ err error }

// Scan returns the error.
func (f failed) Scan(...any) error { return f.err }

// eachRow calls scan for each row and closes them.
func eachRow(rows *sql.Rows, err error, scan func(scanner) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// tx is a change in progress.
type tx struct {
	d *database
}

// takeTurn waits for the turn to write and makes sure of the connection. Whoever
// has the turn calls end.
func (d *database) takeTurn(ctx context.Context) (end func(), err error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to write: %w", ctx.Err())
	}
	end = func() { <-d.turn }
	if err := d.connect(ctx); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// change runs fn in one transaction, after those before it, and commits it
// with the durability that is asked for. Where fn fails or ctx ends before the
// commit nothing is changed. An error of the commit itself means that the
// change may or may not have happened.
func (d *database) change(ctx context.Context, how durability, fn func(*tx) error) (err error) {
	end, err := d.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer end()
	// From here on the connection must be left outside a transaction, whatever
	// becomes of ctx and even if fn panics.
	calm, open := context.WithoutCancel(ctx), true
	defer func() {
		if open {
			if _, undo := d.conn.ExecContext(calm, "ROLLBACK"); undo != nil {
				err = errors.Join(err, undo, d.drop())
			}
		}
	}()
	if _, err := d.conn.ExecContext(calm, "PRAGMA synchronous = "+string(how)); err != nil {
		open = false
		return errors.Join(fmt.Errorf("prepare to write: %w", err), d.drop())
	}
	if _, err := d.conn.ExecContext(calm, "BEGIN IMMEDIATE"); err != nil {
		open = false
		return errors.Join(fmt.Errorf("begin: %w", err), d.drop())
	}
	if err := fn(&tx{d: d}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := d.conn.ExecContext(calm, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	open = false
	return nil
}

// connect makes sure that there is a connection that writes. d.turn is held.
func (d *database) connect(ctx context.Context) (err error) {
	if d.conn == nil {
		if d.conn, err = d.write.Conn(ctx); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	return nil
}

// drop gives up the connection that writes; the next change opens another.
// SQLite rolls back what it had begun.
func (d *database) drop() error {
	if d.conn == nil {
		return nil
	}
	var errs []error
	for query, stmt := range d.own {
		errs = append(errs, stmt.Close())
		delete(d.own, query)
	}
	bad := d.conn.Raw(func(any) error { return driver.ErrBadConn })
	if bad != nil && !errors.Is(bad, driver.ErrBadConn) {
		errs = append(errs, bad)
	}
	if err := d.conn.Close(); err != nil && !errors.Is(err, sql.ErrConnDone) {
		errs = append(errs, err)
	}
	d.conn = nil
	return errors.Join(errs...)
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := checkText(args); err != nil {
		return 0, err
	}
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row runs a statement that returns one row at most.
func (t *tx) row(ctx context.Context, query string, args ...any) scanner {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return failed{err}
	}
	return stmt.QueryRowContext(ctx, args...)
}

// each runs a statement and calls scan for each row of its result.
func (t *tx) each(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

// prepared returns the statement on the connection that writes, prepared once.
func (t *tx) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt := t.d.own[query]; stmt != nil {
		return stmt, nil
	}
	stmt, err := t.d.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.d.own[query] = stmt
	return stmt, nil
}

// checkText refuses text that not every database keeps as it is.
func checkText(args []any) error {
	for _, arg := range args {
		if s, ok := arg.(string); ok && (!utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0) {
			return access.Errorf(access.Invalid, "A value holds characters that can't be stored.").
				WithHint("Use valid UTF-8 without NUL.")
		}
	}
	return nil
}

// none reports whether a statement found no row.
func none(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// flag is how a bool is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
