package protect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/source"
)

// SourceConfig says how a Source reaches a protected database.
type SourceConfig struct {
	Gate, Reader *pgxpool.Config // as paravent_gate and as paravent_reader
	Standby      bool            // nothing can be written there
	Rows         int             // of one read; 0: source.DefaultRows
	Bytes        int64           // of values of one read; 0: source.DefaultBytes
	Clock        access.Clock
}

// A Source reads a protected PostgreSQL for the console and the API, through the
// same views and binds as an employee's own session (G1, G2): what PostgreSQL
// doesn't show to him, it doesn't show to the server either. It is safe for
// concurrent use.
type Source struct {
	c       SourceConfig
	name    string
	mapped  policy.Source
	callers policy.Callers
	gate    *pgxpool.Pool
	reader  *pgxpool.Pool
	binder  *Binder
	plan    *Plan
	types   map[string]uint32 // of the views' columns, by "view.column"
}

// readerTimeout is how long one statement may take, in ms.
const readerTimeout = "30000"

// OpenSource opens the source of this name. It returns policy.Problems where the
// data map doesn't fit the database, or where the views aren't there.
func OpenSource(ctx context.Context, name string, p *policy.Policy, c SourceConfig) (_ *Source, err error) {
	r := &Source{c: c, name: name, callers: p.Callers(), types: map[string]uint32{}}
	if c.Rows <= 0 {
		r.c.Rows = source.DefaultRows
	}
	if c.Bytes <= 0 {
		r.c.Bytes = source.DefaultBytes
	}
	if c.Gate == nil || c.Reader == nil || c.Clock == nil {
		return nil, fmt.Errorf("open source %s: a field of the configuration is missing", name)
	}
	var ok bool
	if r.mapped, ok = p.Source(name); !ok {
		return nil, fmt.Errorf("open source %s: the policy has no such source", name)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.connect(ctx); err != nil {
		return nil, fmt.Errorf("open source %s: %w", name, err)
	}
	if r.binder, err = NewBinder(ctx, steady{r.gate}, p, name); err != nil {
		return nil, r.notApplied(err)
	}
	conn, err := r.gate.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("open source %s: %w", name, err)
	}
	defer conn.Release()
	if r.plan, err = New(ctx, conn.Conn(), p, name); err != nil {
		return nil, err
	}
	return r, r.check(ctx)
}

// connect makes the two pools.
func (r *Source) connect(ctx context.Context) (err error) {
	if r.gate, err = pgxpool.NewWithConfig(ctx, r.c.Gate); err != nil {
		return err
	}
	config := r.c.Reader.Copy()
	settings := config.ConnConfig.RuntimeParams
	for name, value := range map[string]string{
		"search_path": "pg_catalog", "timezone": "UTC", "datestyle": "ISO, YMD", "intervalstyle": "iso_8601", "bytea_output": "hex",
		"extra_float_digits": "1", "statement_timeout": readerTimeout, "client_encoding": "UTF8", "application_name": "paravent",
	} {
		settings[name] = value
	}
	r.reader, err = pgxpool.NewWithConfig(ctx, config)
	return err
}

// Hello is what a session of paravent_reader says before a grant is bound to it,
// and again after DISCARD ALL.
const Hello = "SELECT paravent.hello()"

// notApplied tells apart a database without protection from one that can't be
// reached.
func (r *Source) notApplied(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "42") || strings.HasPrefix(pg.Code, "3F") || pg.Code == "28000") {
		return policy.Problems{{Pos: r.mapped.Pos, Message: fmt.Sprintf("source %s: the database isn't protected", r.name),
			Hint: "run paravent protect --source " + r.name}}
	}
	return fmt.Errorf("open source %s: %w", r.name, err)
}

// check makes sure that every view is there with its columns.
func (r *Source) check(ctx context.Context) error {
	rows, err := r.reader.Query(ctx, `SELECT c.relname::text || '.' || a.attname, a.atttypid FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
		JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'v' AND a.attnum > 0`, ViewSchema(r.name))
	if err != nil {
		return r.notApplied(err)
	}
	var column string
	var typ uint32
	if _, err := pgx.ForEachRow(rows, []any{&column, &typ}, func() error { r.types[column] = typ; return nil }); err != nil {
		return r.notApplied(err)
	}
	var problems policy.Problems
	for _, t := range r.plan.tables {
		for _, c := range t.mapped.Columns {
			if _, ok := r.types[t.view+"."+c.Name]; !ok {
				problem(&problems, t.mapped.Pos, "run paravent protect --source "+r.name, "source %s: the view of table %s lacks column %q", r.name, t.mapped.Name, c.Name)
			}
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Close ends all connections.
func (r *Source) Close() error {
	for _, pool := range []*pgxpool.Pool{r.reader, r.gate} {
		if pool != nil {
			pool.Close()
		}
	}
	return nil
}

// Binder returns what binds employees' own sessions at this database.
func (r *Source) Binder() *Binder { return r.binder }

// Plan returns the plan of this database as it was when the Source was opened.
func (r *Source) Plan() *Plan { return r.plan }

// OrderOf reports whether the order is this customer's, and nobody else's. An
// unknown order is nobody's.
func (r *Source) OrderOf(ctx context.Context, order access.OrderID, customer access.CustomerID) (hers bool, err error) {
	if order == "" || customer == "" {
		return false, nil
	}
	err = again(ctx, func() error {
		return r.gate.QueryRow(ctx, "SELECT "+orderRoutine(r.name)+"($1, $2)", string(order), string(customer)).Scan(&hers)
	}, r.gate)
	if err != nil {
		return false, fmt.Errorf("look up order in source %s: %w", r.name, safe(err))
	}
	return hers, nil
}

// Find finds the one customer whom everything said fits; see source.SQLite.
func (r *Source) Find(ctx context.Context, fields map[string]string) (source.Found, error) {
	all, err := source.Said(r.callers, r.name, fields)
	if err != nil {
		return source.Found{}, err
	}
	var names, said []string
	for _, one := range all {
		names, said = append(names, one.Name), append(said, one.Value)
	}
	var found source.Found
	var near map[access.CustomerID]bool
	err = again(ctx, func() (err error) {
		found.Customer, near, err = r.find(ctx, names, said)
		return err
	}, r.gate)
	if err != nil {
		return source.Found{}, fmt.Errorf("find caller in source %s: %w", r.name, safe(err))
	}
	delete(near, found.Customer)
	found.Partial = slices.Sorted(maps.Keys(near))
	return found, nil
}

func (r *Source) find(ctx context.Context, names, said []string) (who access.CustomerID, near map[access.CustomerID]bool, err error) {
	rows, err := r.gate.Query(ctx, "SELECT fits_all, who FROM "+findRoutine(r.name)+"($1, $2)", names, said)
	if err != nil {
		return "", nil, err
	}
	near = map[access.CustomerID]bool{}
	var fits bool
	var one string
	_, err = pgx.ForEachRow(rows, []any{&fits, &one}, func() error {
		if fits {
			who = access.CustomerID(one)
		} else {
			near[access.CustomerID(one)] = true
		}
		return nil
	})
	return who, near, err
}

// steady is the gateway's pool, for which a restart of PostgreSQL isn't the end:
// what a Binder does can be done twice.
type steady struct{ *pgxpool.Pool }

// Exec runs a statement, again where its connection was dead.
func (s steady) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	err = again(ctx, func() error {
		tag, err = s.Pool.Exec(ctx, sql, args...)
		return err
	}, s.Pool)
	return tag, err
}

// again does something that only reads, or may be done twice, once more with new
// connections where the kept ones turn out to be dead.
func again(ctx context.Context, do func() error, pools ...*pgxpool.Pool) error {
	err := do()
	var pg *pgconn.PgError
	var told *access.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &told) {
		return err
	}
	if errors.As(err, &pg) && !slices.Contains([]string{"08", "57", "0A"}, pg.Code[:2]) { // 0A: protect was applied anew
		return err
	}
	for _, pool := range pools {
		pool.Reset()
	}
	return do()
}
