package protect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"paravent/internal/policy"
	"paravent/internal/source"
)

// findRoutine and orderRoutine name the functions through which the server finds
// a caller, and whose an order is, before there is a grant.
func findRoutine(source string) string  { return ident("paravent", source+"_find") }
func orderRoutine(source string) string { return ident("paravent", source+"_order_of") }

// writeReader writes the functions that the server itself calls, before there is
// a grant. Only paravent_gate may: neither tells anything of a customer but her
// id, and that only to who names what the policy's combinations ask for.
func (plan *Plan) writeReader(b *strings.Builder) {
	fmt.Fprintf(b, "\n-- For the server alone: whose an order is, and who the caller is. Nothing can be browsed.\n")
	for _, column := range plan.callerColumns() {
		fmt.Fprintf(b, "GRANT SELECT (%s) ON %s TO %s;\n", ident(column[1]), column[0], Owner)
	}
	fmt.Fprintf(b, "SET LOCAL ROLE %s;\n", Owner)
	fmt.Fprintf(b, "CREATE OR REPLACE FUNCTION %s(order_said text, customer_said text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $paravent$%s$paravent$;\n",
		orderRoutine(plan.source.Name), plan.orderBody())
	fmt.Fprintf(b, "CREATE OR REPLACE FUNCTION %s(names text[], said text[]) RETURNS TABLE (fits_all boolean, who text) LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $paravent$%s$paravent$;\n",
		findRoutine(plan.source.Name), plan.findBody())
	for _, f := range []string{orderRoutine(plan.source.Name) + "(text, text)", findRoutine(plan.source.Name) + "(text[], text[])"} {
		fmt.Fprintf(b, "REVOKE ALL ON FUNCTION %[1]s FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION %[1]s TO %[2]s;\n", f, Gate)
	}
	b.WriteString("RESET ROLE;\n")
}

// SearchPath returns the search_path of employees' sessions.
func (plan *Plan) SearchPath() string { return plan.path() }

// callerColumns are the columns by which callers are found, with their tables.
func (plan *Plan) callerColumns() (out [][2]string) {
	for _, id := range plan.identifiers() {
		if t, ok := plan.tableOf(id.Table); ok {
			out = append(out, [2]string{t.live.ident(), id.Column})
		}
	}
	return out
}

// identifiers are those of this source, sorted by name.
func (plan *Plan) identifiers() (out []policy.Identifier) {
	for _, name := range slices.Sorted(maps.Keys(plan.callers.Identifiers)) {
		if id := plan.callers.Identifiers[name]; id.Source == plan.source.Name {
			out = append(out, id)
		}
	}
	return out
}

func (plan *Plan) tableOf(name string) (guardedTable, bool) {
	i := slices.IndexFunc(plan.tables, func(t guardedTable) bool { return t.mapped.Name == name })
	if i < 0 {
		return guardedTable{}, false
	}
	return plan.tables[i], true
}

// owners writes the table as t with the joins along its path, and the customer's
// id as a text.
func (plan *Plan) owners(t guardedTable) (from, customer string) {
	from = t.live.ident() + " AS t"
	at, live, alias := t.mapped, t.live, "t"
	for step := 1; at.Customer.Table != ""; step++ {
		next, ok := plan.tableOf(at.Customer.Table)
		if !ok {
			return from, "NULL::text" // impossible after planIn; find nothing rather than everything
		}
		joined := fmt.Sprintf("j%d", step)
		there, _ := live.column(at.Customer.Column)
		key, _ := next.live.column(at.Customer.Key)
		on, _ := joins(there, alias+"."+ident(there.name), key, joined+"."+ident(key.name))
		from += fmt.Sprintf(" JOIN %s AS %s ON %s", next.live.ident(), joined, on)
		at, live, alias = next.mapped, next.live, joined
	}
	return from, fmt.Sprintf(`%s.%s::text COLLATE "C"`, alias, ident(at.Customer.Column))
}

// orderTables are the tables that say whose an order is: those with an order and
// the customer's own column, or, where there is none, all with an order.
func (plan *Plan) orderTables() []guardedTable {
	var own, all []guardedTable
	for _, t := range plan.tables {
		if t.mapped.Order == "" {
			continue
		}
		all = append(all, t)
		if t.mapped.Customer.Table == "" {
			own = append(own, t)
		}
	}
	if len(own) > 0 {
		return own
	}
	return all
}

// orderBody reports whether an order is this customer's, and nobody else's. An
// unknown order is nobody's.
func (plan *Plan) orderBody() string {
	var b strings.Builder
	b.WriteString(`<<g>>
DECLARE
  order_id text := $1; order_id_int bigint := paravent.whole($1); order_id_uuid uuid := paravent.uuid($1);
  hers boolean := false; mine boolean; other boolean;
BEGIN
`)
	for _, t := range plan.orderTables() {
		from, customer := plan.owners(t)
		c, ok := t.live.column(t.mapped.Order)
		if !ok || c.keyKind() == keyNone {
			continue // told by reach
		}
		fmt.Fprintf(&b, `  SELECT coalesce(bool_or(%[1]s = $2), false), coalesce(bool_or(%[1]s IS DISTINCT FROM $2), false) INTO g.mine, g.other
    FROM %[2]s WHERE %[3]s;
  IF g.other THEN RETURN false; END IF;
  g.hers := g.hers OR g.mine;
`, customer, from, c.is("t."+ident(c.name), "order_id"))
	}
	b.WriteString("  RETURN g.hers;\nEND ")
	return b.String()
}

// findBody finds the customer whom all that was said fits, and those to whom a
// part of it points. What isn't enough finds nobody, whoever asks.
func (plan *Plan) findBody() string {
	ids := plan.identifiers()
	var enough, declare, parts []string
	for _, combination := range plan.callers.Combinations {
		if !slices.ContainsFunc(combination, func(name string) bool {
			return !slices.ContainsFunc(ids, func(id policy.Identifier) bool { return id.Name == name })
		}) {
			enough = append(enough, array(combination)+" <@ $1")
		}
	}
	if len(enough) == 0 {
		return "BEGIN RETURN; END "
	}
	known := make([]string, len(ids))
	for i, id := range ids {
		known[i] = id.Name
		v := fmt.Sprintf("v%d", i+1)
		value := fmt.Sprintf("$2[array_position($1, %s)]", literal(id.Name))
		declare = append(declare, fmt.Sprintf("%[1]s text := %[2]s; %[1]s_int bigint := paravent.whole(%[2]s); %[1]s_uuid uuid := paravent.uuid(%[2]s);", v, value))
		t, _ := plan.tableOf(id.Table)
		c, _ := t.live.column(id.Column)
		from, customer := plan.owners(t)
		parts = append(parts, fmt.Sprintf("SELECT %d AS n, %s AS c FROM %s WHERE %s AND %s IS NOT NULL", i+1, customer, from, c.fits(id.Kind, "t."+ident(c.name), v), customer))
	}
	return fmt.Sprintf(`<<g>>
DECLARE
  %s
BEGIN
  IF cardinality($1) <> cardinality($2) OR cardinality($1) <> (SELECT count(DISTINCT n) FROM unnest($1) AS n) OR NOT $1 <@ %s
    OR '' = ANY ($2) OR array_position($2, NULL) IS NOT NULL OR NOT (%s) THEN
    RAISE EXCEPTION 'that isn''t enough to find a caller' USING ERRCODE = '22023';
  END IF;
  RETURN QUERY WITH f AS MATERIALIZED (
    %s
  ), w AS (SELECT f.c FROM f GROUP BY f.c HAVING count(*) = cardinality($1) LIMIT 2)
  , near AS (SELECT f.n FROM f GROUP BY f.n HAVING count(*) <= %d)
  SELECT true, min(w.c)::text FROM w HAVING count(*) = 1
  UNION ALL SELECT DISTINCT false, f.c::text FROM f JOIN near ON near.n = f.n;
END `, strings.Join(declare, "\n  "), array(known), strings.Join(enough, " OR "), strings.Join(parts, "\n    UNION "), source.MaxPartial)
}

// fits writes the comparison of a column with what a caller said, which stands
// in the variables g.<v>, g.<v>_int and g.<v>_uuid: as source.Said brings it into
// its form, letter by letter.
func (c column) fits(kind policy.IdentifierKind, expression, v string) string {
	text := expression + `::text COLLATE "C"`
	switch kind {
	case policy.KindPostcode:
		return fmt.Sprintf("upper(%s) = g.%s", stripped(text, " ", "-"), v)
	case policy.KindEmail:
		return fmt.Sprintf("lower(btrim(%s)) = g.%s", text, v)
	case policy.KindPhone:
		return fmt.Sprintf("right(%s, %d) = g.%s", stripped(text, " ", "-", "/", "(", ")", ".", "+"), source.PhoneDigits, v)
	case policy.KindDate:
		return fmt.Sprintf("left(%s, 10) = g.%s", text, v)
	}
	if c.keyKind() == keyNone {
		return fmt.Sprintf("%s = g.%s", text, v)
	}
	return c.is(expression, v)
}

// stripped writes an expression that takes signs away.
func stripped(expression string, signs ...string) string {
	for _, sign := range signs {
		expression = "replace(" + expression + ", '" + sign + "', '')"
	}
	return expression
}
