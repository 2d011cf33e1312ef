package protect

import (
	"fmt"
	"slices"
	"strings"

	"paravent/internal/policy"
)

// changesOf returns the columns of a table that some purpose may change. A
// column under a key, a unique index or a reference can't be: whether the change
// succeeds would tell what other rows hold.
func changesOf(p *policy.Policy, source string, t policy.Table, live *table, problems *policy.Problems) (out []string) {
	for _, u := range p.Purposes() {
		for _, ref := range u.Changes {
			if ref.Source != source || ref.Table != t.Name || slices.Contains(out, ref.Column) {
				continue
			}
			c, _ := live.column(ref.Column)
			if c.guarded {
				problem(problems, u.Pos, "take it away", "purpose %s, changes: %s is generated or part of a key, a unique index or a reference, so that a change would tell what other rows hold", u.Name, ref.Column)
				continue
			}
			out = append(out, ref.Column)
		}
	}
	if len(out) > 0 {
		for _, name := range live.key {
			if _, ok := t.Column(name); !ok || len(live.key) == 0 {
				problem(problems, t.Pos, "map it", "table %s: its rows can be changed only where its key %q is in the data map", t.Name, name)
			}
		}
		if len(live.key) == 0 {
			problem(problems, t.Pos, "give it one", "table %s: its rows can be changed only where it has a primary key", t.Name)
		}
	}
	slices.Sort(out)
	return out
}

// writeChanges writes the trigger through which an employee changes columns that
// the purpose of his grant names. It changes the row of the table that the
// session's function shows at this moment, and nothing else (G2); whatever the
// database says against it is told in one sentence, without a value.
func (plan *Plan) writeChanges(b *strings.Builder, t guardedTable, view string) {
	if len(t.changes) == 0 {
		return
	}
	var columns, sets, checks, same []string
	for _, name := range t.changes {
		columns = append(columns, ident(name))
		sets = append(sets, fmt.Sprintf("%[1]s = CASE WHEN new.%[1]s IS DISTINCT FROM old.%[1]s THEN new.%[1]s ELSE x.%[1]s END", ident(name)))
	}
	for _, c := range t.shown() {
		m, _ := t.mapped.Column(c.name)
		refused := "true"
		if slices.Contains(t.changes, c.name) {
			refused = fmt.Sprintf("NOT (%s = ANY (changes) AND %s = ANY (categories))", literal(t.mapped.Name+"."+c.name), literal(string(m.Category)))
		}
		checks = append(checks, fmt.Sprintf("new.%[1]s::text IS DISTINCT FROM old.%[1]s::text AND %[2]s", ident(c.name), refused))
	}
	for _, name := range t.live.key {
		same = append(same, fmt.Sprintf("x.%[1]s = old.%[1]s AND s.%[1]s = old.%[1]s", ident(name)))
	}
	function := ident("paravent", t.routine()+"_change")
	fmt.Fprintf(b, `-- Changed here: %s.
RESET ROLE;
GRANT UPDATE (%s) ON %s TO %s;
SET LOCAL ROLE %s;
CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $paravent$
#variable_conflict use_variable
DECLARE
  changes text[]; categories text[]; done bigint;
BEGIN
  IF pg_is_in_recovery() THEN RETURN NULL; END IF;
  SELECT b.changes, b.categories INTO changes, categories
    FROM paravent.bound AS b WHERE b.session = (SELECT currval('paravent.sessions')) AND b.expires > clock_timestamp();
  IF changes IS NULL OR %s THEN
    RAISE EXCEPTION 'this can''t be changed under the task' USING ERRCODE = '42501', HINT = 'Change only the columns that the purpose of the task names.';
  END IF;
  BEGIN
    UPDATE %s AS x SET %s
      WHERE EXISTS (SELECT FROM %s() AS s WHERE %s);
    GET DIAGNOSTICS done = ROW_COUNT;
  EXCEPTION WHEN integrity_constraint_violation OR data_exception OR plpgsql_error OR raise_exception OR insufficient_privilege THEN
    RAISE EXCEPTION 'the database refuses this change' USING ERRCODE = '23000';
  END;
  IF done <> 1 THEN RETURN NULL; END IF;
  RETURN new;
END $paravent$;
REVOKE ALL ON FUNCTION %s() FROM PUBLIC;
CREATE TRIGGER paravent_change INSTEAD OF UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s();
GRANT UPDATE (%s) ON %s TO %s;
`, strings.Join(t.changes, ", "), strings.Join(columns, ", "), t.live.ident(), Owner, Owner, function, strings.Join(checks, " OR "),
		t.live.ident(), strings.Join(sets, ", "), ident("paravent", t.routine()), strings.Join(same, " AND "),
		function, view, function, strings.Join(columns, ", "), view, Employees)
}
