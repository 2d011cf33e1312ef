package protect

import (
	"context"
	_ "embed" // what is asked of a live database
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"paravent/internal/policy"
)

//go:embed check.sql
var checkSQL string

//go:embed state.sql
var stateSQL string

// A GapKind says what kind of gap it is.
type GapKind string

// The kinds of gaps.
const (
	GapMissing GapKind = "missing" // protect wasn't applied, or the policy has changed since
	GapMap     GapKind = "map"     // the data map doesn't fit the database
	GapHidden  GapKind = "hidden"  // a new column that the data map doesn't name; nobody sees it
	GapPublic  GapKind = "public"  // PUBLIC may do what an employee must not
	GapOpen    GapKind = "open"    // something stands open, or isn't as it was made
	GapLost    GapKind = "lost"    // one of the shop's own roles lost a right
)

// A Gap is one difference between a live database and the policy.
type Gap struct {
	Kind   GapKind
	Object string
	Text   string // what is wrong
	Hint   string // what to do about it
}

// Check compares a live database with the policy and returns every gap, in
// order of kind. It changes nothing. No gap also means that each role that was
// there when protect was applied still has what it had.
func Check(ctx context.Context, conn *pgx.Conn, p *policy.Policy, source string) ([]Gap, error) {
	gaps, err := check(ctx, conn, p, source)
	if err != nil {
		return nil, fmt.Errorf("check the protection of %s: %w", source, err)
	}
	slices.SortStableFunc(gaps, func(a, b Gap) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	return gaps, nil
}

func check(ctx context.Context, conn *pgx.Conn, p *policy.Policy, source string) ([]Gap, error) {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('paravent.applied') IS NOT NULL AND to_regnamespace($1) IS NOT NULL", ident(ViewSchema(source))).Scan(&there); err != nil {
		return nil, err
	}
	plan, err := New(ctx, conn, p, source)
	var problems policy.Problems
	if errors.As(err, &problems) {
		var gaps []Gap
		for _, one := range problems {
			gaps = append(gaps, Gap{GapMap, source, one.Message, one.Hint})
		}
		return gaps, nil
	}
	if err != nil {
		return nil, err
	}
	if !there {
		return []Gap{{GapMissing, source, "protect wasn't applied to this database", "Run paravent protect --source " + source + " --apply."}}, nil
	}
	gaps := plan.publicGaps()
	for _, find := range []func(context.Context, *pgx.Conn) ([]Gap, error){plan.hiddenGaps, plan.bodyGaps, plan.openGaps, lostGaps} {
		more, err := find(ctx, conn)
		if err != nil {
			return nil, err
		}
		for _, g := range more {
			// What PUBLIC may do, the employees' roles may do through it: said once.
			if !slices.ContainsFunc(gaps, func(other Gap) bool { return other.Kind == GapPublic && g.Kind == GapOpen && other.Object == g.Object }) {
				gaps = append(gaps, g)
			}
		}
	}
	return gaps, nil
}

const applyAgain = "Look at what paravent protect prints, then run it with --apply."

func (plan *Plan) publicGaps() (gaps []Gap) {
	for _, r := range plan.rights.public {
		gaps = append(gaps, Gap{GapPublic, r.object, "PUBLIC has " + strings.Join(r.privileges, ", ") + " on this " + strings.ToLower(r.kind), applyAgain})
	}
	return gaps
}

// hidden lists the columns of a table that the data map doesn't name.
func (t guardedTable) hidden() string {
	var out []string
	for _, c := range t.live.columns {
		if _, ok := t.mapped.Column(c.name); !ok {
			out = append(out, c.name)
		}
	}
	return strings.Join(out, ",")
}

// hiddenGaps finds columns that came after protect was applied.
func (plan *Plan) hiddenGaps(ctx context.Context, conn *pgx.Conn) (gaps []Gap, err error) {
	for _, t := range plan.tables {
		var known string
		err := conn.QueryRow(ctx, "SELECT coalesce((SELECT state FROM paravent.applied WHERE source = $1 AND object = 'hidden ' || $2), '')", plan.source.Name, t.view).Scan(&known)
		if err != nil {
			return nil, err
		}
		for name := range strings.SplitSeq(t.hidden(), ",") {
			if name != "" && !slices.Contains(strings.Split(known, ","), name) {
				gaps = append(gaps, Gap{GapHidden, t.live.schema + "." + t.live.name + "." + name, "the data map doesn't name this column, so it is hidden", "Name its category in policy.yaml, or apply again to leave it hidden."})
			}
		}
	}
	return gaps, nil
}

// bodyGaps finds views that don't say what the policy says now.
func (plan *Plan) bodyGaps(ctx context.Context, conn *pgx.Conn) (gaps []Gap, err error) {
	for _, t := range plan.tables {
		body, _ := t.body(plan.source)
		var same, view bool
		err := conn.QueryRow(ctx, "SELECT coalesce((SELECT prosrc = $1 FROM pg_proc WHERE oid = to_regprocedure($2)), false), to_regclass($3) IS NOT NULL",
			body, ident("paravent", t.routine())+"()", ident(ViewSchema(plan.source.Name), t.view)).Scan(&same, &view)
		if err != nil {
			return nil, err
		}
		if !same || !view {
			gaps = append(gaps, Gap{GapMissing, ViewSchema(plan.source.Name) + "." + t.view, "the view isn't what the policy says now", applyAgain})
		}
	}
	return gaps, nil
}

func (plan *Plan) openGaps(ctx context.Context, conn *pgx.Conn) ([]Gap, error) {
	open, base := []uint32{}, []uint32{}
	for _, t := range plan.open {
		open = append(open, t.oid)
	}
	for _, t := range plan.tables {
		base = append(base, t.live.oid)
	}
	sql := strings.Replace(checkSQL, "STATE", strings.ReplaceAll(stateSQL, "'SCHEMA'", literal(ViewSchema(plan.source.Name))), 1)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	gaps, err := queryGaps(ctx, tx, sql, plan.source.Name, open, base)
	if ending := tx.Rollback(ctx); err == nil {
		err = ending
	}
	return gaps, err
}

func queryGaps(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]Gap, error) {
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = pg_catalog"); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Gap, error) {
		g := Gap{Kind: GapOpen, Hint: applyAgain}
		return g, row.Scan(&g.Object, &g.Text)
	})
}

// lostGaps finds rights that a role of the shop's had before and hasn't now.
func lostGaps(ctx context.Context, conn *pgx.Conn) (gaps []Gap, err error) {
	set, err := savedRights(ctx, conn)
	if err != nil {
		return nil, err
	}
	for role, r := range set.lost() {
		what := strings.Join(r.privileges, ", ") + " on " + strings.ToLower(r.kind) + " " + r.object
		gaps = append(gaps, Gap{GapLost, role, "no longer has " + what, "Give it back: GRANT " + grouped([]right{r})[0].what + " TO " + ident(role) + ";"})
	}
	return gaps, nil
}
