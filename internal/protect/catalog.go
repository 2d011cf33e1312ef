package protect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A column is one column of a live table. Of a domain, the type is the one
// beneath it, as PostgreSQL itself tells clients.
type column struct {
	name          string
	typ           string // with its modifier: varchar(32)
	base          string // int8, text, timestamptz, ...
	category      string // pg_type.typcategory
	collation     string // quoted name where it isn't the type's own
	deterministic bool   // equal texts are equal bytes
	guarded       bool   // part of a key, a unique index or a reference
}

// A table is one live table.
type table struct {
	oid          uint32
	schema, name string
	columns      []column // in the table's order
	unique       []string // columns that the database itself keeps unique
	indexed      []string // columns that are the first of an index
	key          []string // of the primary key
	rls          bool
}

func (t *table) column(name string) (column, bool) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return t.columns[i], true
}

func (t *table) ident() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// ident quotes a name.
func ident(names ...string) string { return pgx.Identifier(names).Sanitize() }

// literal writes a text as SQL; the script sets standard_conforming_strings.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// array writes texts as an SQL array.
func array(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = literal(s)
	}
	return "ARRAY[" + strings.Join(quoted, ", ") + "]::text[]"
}

const findTable = `SELECT c.oid, n.nspname, c.relname, c.relrowsecurity FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition AND c.relname = $1 AND ($2 = '' OR n.nspname = $2)
	AND n.nspname !~ '^(pg_|paravent$|paravent_)' AND n.nspname <> 'information_schema' ORDER BY n.nspname <> 'public', n.nspname`

const findColumns = `WITH RECURSIVE base AS (
		SELECT a.attnum, t.oid, t.typtype, t.typbasetype, CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END AS mod
		FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT b.attnum, t.oid, t.typtype, t.typbasetype, CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE b.mod END FROM base AS b JOIN pg_type AS t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
	)
	SELECT a.attname, format_type(t.oid, b.mod), t.typname, t.typcategory::text,
		CASE WHEN a.attcollation <> t.typcollation AND k.oid IS NOT NULL THEN quote_ident(n.nspname) || '.' || quote_ident(k.collname) ELSE '' END,
		coalesce(k.collisdeterministic, true),
		EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion) AND (a.attnum = ANY (i.indkey) OR 0 = ANY (i.indkey)))
			OR EXISTS (SELECT FROM pg_constraint AS f WHERE f.contype IN ('f', 'x') AND (f.conrelid = $1 AND a.attnum = ANY (f.conkey) OR f.confrelid = $1 AND a.attnum = ANY (f.confkey)))
			OR a.attgenerated <> '' OR a.attidentity <> ''
	FROM pg_attribute AS a JOIN base AS b ON b.attnum = a.attnum AND b.typtype <> 'd' JOIN pg_type AS t ON t.oid = b.oid
	LEFT JOIN pg_collation AS k ON k.oid = a.attcollation LEFT JOIN pg_namespace AS n ON n.oid = k.collnamespace
	WHERE a.attrelid = $1 ORDER BY a.attnum`

const findKeys = `SELECT coalesce(array_agg(a.attname) FILTER (WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1), '{}')::text[],
		coalesce(array_agg(a.attname) FILTER (WHERE i.indisvalid AND i.indpred IS NULL), '{}')::text[],
		coalesce((SELECT array_agg(p.attname ORDER BY p.attnum) FROM pg_index AS x JOIN pg_attribute AS p ON p.attrelid = x.indrelid AND p.attnum = ANY (x.indkey)
			WHERE x.indrelid = $1 AND x.indisprimary), '{}')::text[]
	FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = $1`

// load reads one table by its name, "customers" or "sales.customers". A bare
// name that stands in several schemas is looked for in public; elsewhere it is
// two tables and an error.
func load(ctx context.Context, tx pgx.Tx, name string) (*table, error) {
	schema, bare := "", name
	if before, after, dotted := strings.Cut(name, "."); dotted {
		schema, bare = before, after
	}
	rows, err := tx.Query(ctx, findTable, bare, schema)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*table, error) {
		t := &table{}
		return t, row.Scan(&t.oid, &t.schema, &t.name, &t.rls)
	})
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, nil
	case len(found) > 1 && found[0].schema != "public":
		return nil, fmt.Errorf("table %s stands in the schemas %s and %s; write schema.table in the policy", name, found[0].schema, found[1].schema)
	}
	t := found[0]
	rows, err = tx.Query(ctx, findColumns, t.oid)
	if err != nil {
		return nil, err
	}
	t.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (column, error) {
		var c column
		return c, row.Scan(&c.name, &c.typ, &c.base, &c.category, &c.collation, &c.deterministic, &c.guarded)
	})
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow(ctx, findKeys, t.oid).Scan(&t.unique, &t.indexed, &t.key)
	return t, err
}
