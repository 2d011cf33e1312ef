package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// Read reads what the grant allows and nothing else (G2); see source.SQLite.
func (r *Source) Read(ctx context.Context, g access.Grant) (*source.Result, error) {
	if err := whole(g); err != nil {
		return nil, err
	}
	var result *source.Result
	err := again(ctx, func() (err error) {
		result, err = r.read(ctx, g)
		return err
	}, r.reader)
	if err != nil {
		return nil, fmt.Errorf("read source %s: %w", r.name, safe(err))
	}
	return result, nil
}

func (r *Source) read(ctx context.Context, g access.Grant) (_ *source.Result, err error) {
	conn, err := r.reader.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if ending := r.unbind(conn); err == nil {
			err = ending
		}
	}()
	if err := r.bind(ctx, conn.Conn(), g); err != nil {
		return nil, err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	result := &source.Result{}
	for _, t := range r.plan.tables {
		if err := r.readTable(ctx, tx, t, g, result); err != nil {
			return nil, fmt.Errorf("table %s: %w", t.mapped.Name, err)
		}
	}
	// Views show nothing once the grant has ended, which isn't the same as nothing there.
	var holds bool
	if err := tx.QueryRow(ctx, "SELECT clock_timestamp() < $1", g.Until).Scan(&holds); err != nil {
		return nil, err
	}
	if !holds {
		return nil, access.Errorf(access.Denied, "The grant has ended.").WithHint("Ask again.")
	}
	return result, tx.Commit(ctx)
}

// bind lets a session of the reader see what the grant shows.
func (r *Source) bind(ctx context.Context, conn *pgx.Conn, g access.Grant) error {
	var session string
	if err := conn.QueryRow(ctx, Hello).Scan(&session); err != nil { // a release forgets the session, too
		return err
	}
	if !r.c.Standby {
		return r.binder.Bind(ctx, conn.PgConn().PID(), g)
	}
	token, err := r.binder.Token(session, g, r.c.Clock())
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT set_config('paravent.token', $1, false)", token)
	}
	return err
}

// unbind takes the grant away again; a session of which that isn't known is
// dropped.
func (r *Source) unbind(conn *pgxpool.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	defer conn.Release()
	if conn.Conn().IsClosed() {
		return nil
	}
	var err error
	if conn.Conn().PgConn().TxStatus() != 'I' {
		_, err = conn.Exec(ctx, "ROLLBACK")
	}
	if r.c.Standby {
		_, unset := conn.Exec(ctx, "SELECT set_config('paravent.token', '', false)")
		err = errors.Join(err, unset)
	} else {
		err = errors.Join(err, r.binder.Release(ctx, conn.Conn().PgConn().PID()))
	}
	if err != nil {
		_ = conn.Conn().Close(ctx) // it ends with the grant; the pool makes another
		return fmt.Errorf("give a session back: %w", err)
	}
	return nil
}

// safe leaves out of an error of PostgreSQL's what may quote a value.
func safe(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Errorf("the database answers SQLSTATE %s", pg.Code)
	}
	return err
}

// shownTable returns the columns of a table as the grant shows them, and whether
// any of them is granted.
func shownTable(t policy.Table, g access.Grant) (columns []source.Column, masks []policy.Mask, granted bool) {
	for _, c := range t.Columns {
		mask := c.Mask
		if slices.Contains(g.Categories, c.Category) {
			mask, granted = c.Always, true
		}
		columns = append(columns, source.Column{Name: c.Name, Category: c.Category, Masked: mask != ""})
		masks = append(masks, mask)
	}
	return columns, masks, granted
}

// readTable appends one table to the result.
func (r *Source) readTable(ctx context.Context, tx pgx.Tx, t guardedTable, g access.Grant, result *source.Result) error {
	columns, masks, granted := shownTable(t.mapped, g)
	if !granted {
		return nil
	}
	table := source.Table{Name: t.mapped.Name, Columns: columns, Rows: [][]any{}}
	if !result.Cut {
		rows, err := tx.Query(ctx, r.query(t, g)+" LIMIT $1", pgx.QueryResultFormats{pgx.TextFormatCode}, r.c.Rows-result.Rows+1)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row, size, err := r.row(rows.FieldDescriptions(), rows.RawValues(), masks)
			if err != nil {
				return err
			}
			if result.Cut = result.Rows >= r.c.Rows || result.Bytes+size > r.c.Bytes; result.Cut {
				break
			}
			table.Rows = append(table.Rows, row)
			result.Rows++
			result.Bytes += size
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	result.Tables = append(result.Tables, table)
	return nil
}

// query reads a table's view, the newest rows first, so that a cut loses the
// oldest. Where the time stands along the path, it is taken from that table's
// view, as far as the grant shows it.
func (r *Source) query(t guardedTable, g access.Grant) string {
	view := func(t guardedTable) string { return ident(ViewSchema(r.name), t.view) }
	var names []string
	for _, c := range t.mapped.Columns {
		names = append(names, "t."+ident(c.Name))
	}
	from, at, alias := view(t)+" AS t", t, "t"
	for step := 1; at.mapped.Time == "" && at.mapped.Customer.Table != ""; step++ {
		next, ok := r.plan.tableOf(at.mapped.Customer.Table)
		if !ok || !r.seen(at, at.mapped.Customer.Column, g) || !r.seen(next, at.mapped.Customer.Key, g) {
			break
		}
		joined := fmt.Sprintf("j%d", step)
		from += fmt.Sprintf(" LEFT JOIN %s AS %s ON %s.%s = %s.%s", view(next), joined, joined, ident(at.mapped.Customer.Key), alias, ident(at.mapped.Customer.Column))
		at, alias = next, joined
	}
	var order []string
	if at.mapped.Time != "" && r.seen(at, at.mapped.Time, g) {
		order = append(order, r.sorted(at, alias, at.mapped.Time)+" DESC NULLS LAST")
	}
	if t.mapped.Order != "" && r.seen(t, t.mapped.Order, g) {
		order = append(order, r.sorted(t, "t", t.mapped.Order)+" NULLS FIRST")
	}
	text := "SELECT " + strings.Join(names, ", ") + " FROM " + from
	if len(order) > 0 {
		text += " ORDER BY " + strings.Join(order, ", ")
	}
	return text
}

// seen reports whether the grant shows a column as it is.
func (r *Source) seen(t guardedTable, name string, g access.Grant) bool {
	c, ok := t.mapped.Column(name)
	return ok && c.Always == "" && slices.Contains(g.Categories, c.Category)
}

// sorted writes a column as it is sorted by: texts byte by byte.
func (r *Source) sorted(t guardedTable, alias, name string) string {
	text := alias + "." + ident(name)
	switch r.types[t.view+"."+name] {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
		text += ` COLLATE "C"`
	}
	return text
}
