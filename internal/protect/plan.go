package protect

import (
	"context"
	_ "embed" // what stands in every protected database
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"paravent/internal/policy"
)

//go:embed base.sql
var baseSQL string

// The roles that protect makes.
const (
	Owner     = "paravent_owner"  // owns what protect makes; can't log in
	Gate      = "paravent_gate"   // the gateway's own connection: binds and releases
	Employees = "paravent_reader" // the employees' sessions
)

// A Relation is one view or table by its schema and name.
type Relation struct{ Schema, Name string }

// A Plan is what makes one source's policy true in one database, as the database
// was when the plan was made.
type Plan struct {
	source  policy.Source
	callers policy.Callers
	tables  []guardedTable
	open    []*table
	rights  rights
	old     []string // what an earlier plan made, which has to go
}

// ViewSchema returns the schema in which a source's views stand. Sessions of
// employees have it first in their search_path.
func ViewSchema(source string) string { return "paravent_" + source }

// New reads the database through conn and plans what makes the policy true in
// it. It changes nothing. It returns policy.Problems where the data map doesn't
// fit the database: a table or column that doesn't exist, a path over a column
// that isn't unique, a type that can't hold an id.
func New(ctx context.Context, conn *pgx.Conn, p *policy.Policy, source string) (*Plan, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("plan the protection of %s: %w", source, err)
	}
	plan, err := planIn(ctx, tx, p, source)
	if ending := tx.Rollback(ctx); err == nil && ending != nil {
		err = ending
	}
	if err != nil {
		var problems policy.Problems
		if errors.As(err, &problems) {
			return nil, problems
		}
		return nil, fmt.Errorf("plan the protection of %s: %w", source, err)
	}
	return plan, nil
}

func planIn(ctx context.Context, tx pgx.Tx, p *policy.Policy, source string) (*Plan, error) {
	mapped, ok := p.Source(source)
	if !ok {
		return nil, fmt.Errorf("the policy has no such source")
	}
	// Names of types are written out, whatever this connection's path is.
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = pg_catalog"); err != nil {
		return nil, err
	}
	plan := &Plan{source: mapped, callers: p.Callers()}
	var problems policy.Problems
	live := map[string]*table{}
	for _, t := range mapped.Tables {
		one, err := load(ctx, tx, t.Name)
		if err != nil {
			return nil, err
		}
		if one == nil {
			problem(&problems, t.Pos, "", "source %s: the database has no table %q", source, t.Name)
			continue
		}
		live[t.Name] = one
		checkColumns(&problems, source, t, one)
	}
	for _, name := range mapped.Open {
		one, err := load(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		if one == nil {
			problem(&problems, mapped.Pos, "", "source %s, open: the database has no table %q", source, name)
			continue
		}
		plan.open = append(plan.open, one)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	plan.guard(p, live, &problems)
	if len(problems) > 0 {
		return nil, problems
	}
	if err := plan.leftovers(ctx, tx); err != nil {
		return nil, err
	}
	return plan, plan.rights.read(ctx, tx, plan)
}

// guard pairs every mapped table with its live one.
func (plan *Plan) guard(p *policy.Policy, live map[string]*table, problems *policy.Problems) {
	for _, t := range plan.source.Tables {
		one := guardedTable{mapped: t, live: live[t.Name], source: plan.source.Name, view: live[t.Name].name}
		for at := t; at.Customer.Table != ""; {
			next, _ := plan.source.Table(at.Customer.Table)
			step := live[next.Name]
			// G2: over a key that two rows share, a path would lead to two customers.
			if !slices.Contains(step.unique, at.Customer.Key) {
				problem(problems, at.Customer.Pos, "give it a primary key or a unique index, or name another column",
					"source %s: table %s is reached over %s.%s, which the database doesn't keep unique", plan.source.Name, t.Name, next.Name, at.Customer.Key)
			}
			one.path = append([]*table{step}, one.path...)
			at = next
		}
		for _, other := range plan.tables {
			if other.view == one.view {
				one.view = one.live.schema + "_" + one.live.name
			}
		}
		one.changes = changesOf(p, plan.source.Name, t, one.live, problems)
		_, more := one.body(plan.source)
		*problems = append(*problems, more...)
		plan.tables = append(plan.tables, one)
	}
}

func checkColumns(problems *policy.Problems, source string, t policy.Table, live *table) {
	var names []string
	for _, c := range live.columns {
		names = append(names, c.name)
	}
	need := func(at policy.Pos, name string) {
		if name != "" && !slices.Contains(names, name) {
			problem(problems, at, policy.DidYouMean(name, names), "source %s: table %s has no column %q", source, t.Name, name)
		}
	}
	need(t.Customer.Pos, t.Customer.Column)
	need(t.Pos, t.Order)
	need(t.Pos, t.Time)
	need(t.Sensitive.Pos, t.Sensitive.Column)
	for _, c := range t.Columns {
		need(c.Pos, c.Name)
	}
}

// leftovers finds what an earlier plan made, in the order in which it has to go.
func (plan *Plan) leftovers(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT x FROM (
		SELECT 1, format('VIEW %I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname = $1 AND c.relkind = 'v' AND pg_get_userbyid(c.relowner) = $3
		UNION ALL SELECT 2, format('FUNCTION %I.%I()', n.nspname, p.proname) FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
			WHERE n.nspname = 'paravent' AND starts_with(p.proname, $2) AND p.pronargs = 0 AND pg_get_userbyid(p.proowner) = $3
		UNION ALL SELECT 3, format('TYPE %I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname = 'paravent' AND c.relkind = 'c' AND starts_with(c.relname, $2) AND c.relname ~ '_row$' AND pg_get_userbyid(c.relowner) = $3
		) AS old(step, x) ORDER BY step, x COLLATE "C"`, ViewSchema(plan.source.Name), plan.source.Name+".", Owner)
	if err != nil {
		return err
	}
	plan.old, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// Protected returns the views that stand in the place of protected tables: the
// names by which a statement reaches them.
func (plan *Plan) Protected() []Relation {
	var out []Relation
	for _, t := range plan.tables {
		out = append(out, Relation{ViewSchema(plan.source.Name), t.view})
	}
	return out
}

// Base returns the protected tables themselves, which no employee may read.
func (plan *Plan) Base() []Relation {
	var out []Relation
	for _, t := range plan.tables {
		out = append(out, Relation{t.live.schema, t.live.name})
	}
	return out
}

// SQL returns the whole script: one transaction that may be run again, and that
// gives up rather than make the shop wait.
func (plan *Plan) SQL() string {
	var b strings.Builder
	b.WriteString(plan.preface())
	b.WriteString(baseSQL)
	b.WriteString("\n-- The old views go and the new ones come; who reads meanwhile waits for the commit.\n")
	for _, old := range plan.old {
		fmt.Fprintf(&b, "DROP %s;\n", old)
	}
	schema := ViewSchema(plan.source.Name)
	fmt.Fprintf(&b, "CREATE SCHEMA IF NOT EXISTS %s AUTHORIZATION %s;\nGRANT USAGE ON SCHEMA %s TO %s;\n", ident(schema), Owner, ident(schema), Employees)
	for _, t := range plan.tables {
		plan.writeTable(&b, t)
	}
	plan.writeOpen(&b)
	plan.writeReader(&b)
	plan.rights.write(&b)
	plan.writeEnd(&b)
	return b.String()
}

func (plan *Plan) preface() string {
	var b strings.Builder
	fmt.Fprintf(&b, `-- Paravent: makes the policy of source %s true inside this database.
--
-- Run it as a superuser. It is one transaction and may be run again. It takes no
-- lock that the shop waits for longer than lock_timeout: no table is rewritten or
-- locked against reading or writing. "paravent protect --remove" takes it away.
--
`, plan.source.Name)
	for _, line := range plan.Summary() {
		fmt.Fprintf(&b, "--   %s\n", line)
	}
	b.WriteString("BEGIN;\nSET LOCAL lock_timeout = '3s';\nSET LOCAL standard_conforming_strings = on;\nSET LOCAL search_path = pg_catalog;\nSET LOCAL client_min_messages = warning;\n\n")
	return b.String()
}

// writeTable writes one table's view and what it stands on.
func (plan *Plan) writeTable(b *strings.Builder, t guardedTable) {
	schema := ViewSchema(plan.source.Name)
	var hidden, names []string
	for _, c := range t.live.columns {
		if _, ok := t.mapped.Column(c.name); !ok {
			hidden = append(hidden, c.name)
		}
	}
	for _, name := range t.needs() {
		names = append(names, ident(name))
	}
	fmt.Fprintf(b, "\n-- %s.%s\n", t.live.schema, t.live.name)
	if len(hidden) > 0 {
		fmt.Fprintf(b, "-- Not in the data map, so hidden: %s.\n", strings.Join(hidden, ", "))
	}
	fmt.Fprintf(b, "GRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT (%s) ON %s TO %s;\n", ident(t.live.schema), Owner, strings.Join(names, ", "), t.live.ident(), Owner)
	for _, step := range t.path {
		fmt.Fprintf(b, "GRANT USAGE ON SCHEMA %s TO %s;\n", ident(step.schema), Owner)
	}
	function, rows := ident("paravent", t.routine()), ident("paravent", t.routine()+"_row")
	body, _ := t.body(plan.source)
	fmt.Fprintf(b, "SET LOCAL ROLE %s;\n%s\n", Owner, t.rowType())
	fmt.Fprintf(b, "CREATE FUNCTION %s() RETURNS SETOF %s LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE ROWS 10 SET search_path = pg_catalog, pg_temp AS $paravent$%s$paravent$;\n", function, rows, body)
	fmt.Fprintf(b, "REVOKE ALL ON FUNCTION %[1]s() FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION %[1]s() TO %[2]s;\n", function, Employees)
	view := ident(schema, t.view)
	fmt.Fprintf(b, "CREATE VIEW %s WITH (security_barrier) AS SELECT * FROM %s();\nGRANT SELECT ON %s TO %s;\n", view, function, view, Employees)
	plan.writeChanges(b, t, view)
	b.WriteString("RESET ROLE;\n")
}

func (plan *Plan) writeOpen(b *strings.Builder) {
	for _, t := range plan.open {
		fmt.Fprintf(b, "\n-- Open to every employee: %s.%s\nGRANT USAGE ON SCHEMA %s TO %s;\nGRANT SELECT ON %s TO %s;\n", t.schema, t.name, ident(t.schema), Employees, t.ident(), Employees)
	}
}

// path returns the search_path of employees' sessions.
func (plan *Plan) path() string {
	schemas := []string{ident(ViewSchema(plan.source.Name))}
	for _, t := range plan.open {
		if s := ident(t.schema); !slices.Contains(schemas, s) {
			schemas = append(schemas, s)
		}
	}
	return strings.Join(schemas, ", ")
}

func (plan *Plan) writeEnd(b *strings.Builder) {
	fmt.Fprintf(b, `
-- What stands in the schema paravent is for nobody but whom it names.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA paravent FROM PUBLIC;
GRANT EXECUTE ON FUNCTION paravent.hello() TO %[1]s;
GRANT EXECUTE ON FUNCTION paravent.bind(integer, text, text, text, text[], text, text, timestamptz, text[], text[], timestamptz), paravent.release(integer), paravent.token_key() TO %[2]s;
DO $paravent$ BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %%I TO %[1]s, %[2]s', current_database());
  EXECUTE format('ALTER ROLE %[1]s IN DATABASE %%I SET search_path = %[3]s', current_database());
END $paravent$;

-- What was made, for --check.
DELETE FROM paravent.applied WHERE source = %[4]s;
INSERT INTO paravent.applied SELECT %[4]s, object, state FROM (
%[5]s) AS state;
`, Employees, Gate, strings.ReplaceAll(plan.path(), "'", "''"), literal(plan.source.Name), strings.ReplaceAll(stateSQL, "'SCHEMA'", literal(ViewSchema(plan.source.Name))))
	for _, t := range plan.tables {
		fmt.Fprintf(b, "INSERT INTO paravent.applied VALUES (%s, %s, %s);\n", literal(plan.source.Name), literal("hidden "+t.view), literal(t.hidden()))
	}
	b.WriteString("COMMIT;\n")
}

// problem notes a mistake.
func problem(problems *policy.Problems, at policy.Pos, hint, format string, args ...any) {
	*problems = append(*problems, policy.Problem{Pos: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}
