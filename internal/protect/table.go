package protect

import (
	"fmt"
	"slices"
	"strings"

	"paravent/internal/access"
	"paravent/internal/policy"
)

// A guardedTable is one mapped table and what stands in its place.
type guardedTable struct {
	mapped policy.Table
	live   *table
	path   []*table // the tables on the way to the customer; path[0] holds the customer's id; empty: live does
	source string
	view   string // the view's name
	// Columns that some purpose may change.
	changes []string
}

// routine is the name under which the table's function, row type and trigger
// function stand in the schema paravent. No source's name has a dot.
func (t guardedTable) routine() string { return t.source + "." + t.view }

// shown are the mapped columns in the live table's order.
func (t guardedTable) shown() (out []column) {
	for _, c := range t.live.columns {
		if _, ok := t.mapped.Column(c.name); ok {
			out = append(out, c)
		}
	}
	return out
}

// history reports whether a reach narrows the rows, rather than their being the
// customer's own card.
func (t guardedTable) history(m policy.Source) bool { return t.mapped.Order != "" || t.timeOf(m) != "" }

// timeOf returns "table.column" of the row's time, its own or the path's.
func (t guardedTable) timeOf(m policy.Source) string {
	for at := t.mapped; ; {
		if at.Time != "" {
			return at.Time
		}
		next, ok := m.Table(at.Customer.Table)
		if !ok {
			return ""
		}
		at = next
	}
}

// rowType writes the type of the view's rows; unlike a list of parameters it
// keeps the columns' modifiers and collations.
func (t guardedTable) rowType() string {
	var columns []string
	for _, c := range t.shown() {
		one := ident(c.name) + " " + c.typ
		if c.collation != "" {
			one += " COLLATE " + c.collation
		}
		columns = append(columns, one)
	}
	return fmt.Sprintf("CREATE TYPE %s AS (%s);", ident("paravent", t.routine()+"_row"), strings.Join(columns, ", "))
}

// body writes the function that reads the table under the session's grant.
func (t guardedTable) body(m policy.Source) (string, policy.Problems) {
	var problems policy.Problems
	from, moment := t.from(m, false, &problems)
	declare := []string{"customer text", "customer_int bigint", "customer_uuid uuid"}
	found := []string{"b.customer", "b.customer_int", "b.customer_uuid"}
	add := func(variable, typ, expression string) {
		declare, found = append(declare, variable+" "+typ), append(found, expression)
	}
	cells, categories := t.cells()
	for i, c := range categories {
		add(fmt.Sprintf("sees_%d", i+1), "boolean", literal(string(c))+" = ANY (b.categories)")
	}
	guard, where := t.reach(m, moment, add, &problems)
	if s := t.mapped.Sensitive; s.Column != "" {
		add("sensitive", "text[]", "b.sensitive")
		where = append(where, t.fit())
	}
	pseudonyms := ""
	if strings.Contains(cells, "g.pseudonym_inner") {
		declare = append(declare, "pseudonym_inner bytea", "pseudonym_outer bytea")
		pseudonyms = "  SELECT s.pseudonym_inner, s.pseudonym_outer INTO g.pseudonym_inner, g.pseudonym_outer FROM paravent.secret AS s;\n"
	}
	declare = append(declare, "session bigint")
	var into []string
	for _, d := range declare[:len(found)] {
		name, _, _ := strings.Cut(d, " ")
		into = append(into, "g."+name)
	}
	list := "SELECT " + strings.Join(found, ", ") + "\n      INTO " + strings.Join(into, ", ")
	filter := ""
	if len(where) > 0 {
		filter = "\n    WHERE " + strings.Join(where, "\n      AND ")
	}
	return fmt.Sprintf(`<<g>>
DECLARE
  %s;
BEGIN
  IF pg_is_in_recovery() THEN
    %s
      FROM paravent.from_token() AS b;
  ELSE
    g.session := currval('paravent.sessions');
%s    %s
      FROM paravent.bound AS b WHERE b.session = g.session AND b.expires > clock_timestamp();
  END IF;
  IF g.customer IS NULL%s THEN RETURN; END IF;
%s  RETURN QUERY SELECT %s
    FROM %s%s;
END `, strings.Join(declare, "; "), list, t.plain(m), list, guard, pseudonyms, cells, from, filter), problems
}

// plain writes the read of the plain case, in which nothing is masked or
// narrowed: the grant is found inside the one statement, which is a good part
// faster. Where it returns nothing, whatever the reason, the function goes on as
// if it weren't there.
func (t guardedTable) plain(m policy.Source) string {
	var ignored policy.Problems // told by body
	from, _ := t.from(m, true, &ignored)
	root := t.live
	if len(t.path) > 0 {
		root = t.path[0]
	}
	if owner, _ := root.column(t.rootOf(m).Customer.Column); owner.keyKind() > keyText {
		return ""
	}
	var cells []string
	for _, c := range t.shown() {
		cells = append(cells, t.seen(c))
	}
	where := ""
	if s := t.mapped.Sensitive; s.Column != "" {
		fold, hidden := t.fold()
		where = fmt.Sprintf("\n      WHERE %s <> ALL (%s)", fold, hidden)
	}
	return fmt.Sprintf("    -- The plain case: every category of the table, all of the customer's rows.\n    RETURN QUERY SELECT %s\n      FROM %s%s;\n    IF FOUND THEN RETURN; END IF;\n", strings.Join(cells, ", "), from, where)
}

// rootOf returns the mapped table that holds the customer's id.
func (t guardedTable) rootOf(m policy.Source) policy.Table {
	at := t.mapped
	for at.Customer.Table != "" {
		at, _ = m.Table(at.Customer.Table)
	}
	return at
}

// plainGrant writes the customer of the session's grant where it is plain for
// this table. column is customer, customer_int or customer_uuid.
func (t guardedTable) plainGrant(m policy.Source, column string) string {
	_, categories := t.cells()
	var also string
	for _, c := range categories {
		also += " AND " + literal(string(c)) + " = ANY (b.categories)"
	}
	if t.history(m) || t.mapped.Sensitive.Column != "" {
		also += " AND b.plain"
	}
	return fmt.Sprintf("(SELECT b.%s FROM paravent.bound AS b WHERE b.session = g.session AND b.expires > clock_timestamp()%s)", column, also)
}

// from writes the way from the customer's id to the table's rows. Each step is
// an equality with what the step before found, and OFFSET 0 keeps the planner
// from turning the way round, whatever the session's plan settings are: other
// customers' rows are never read, so that neither counters nor time tell of
// them.
func (t guardedTable) from(m policy.Source, plain bool, problems *policy.Problems) (from, moment string) {
	tables := append(slices.Clone(t.path), t.live)
	maps := make([]policy.Table, len(tables))
	at := t.mapped
	for i := len(tables) - 1; i >= 0; i-- {
		maps[i] = at
		at, _ = m.Table(at.Customer.Table)
	}
	timed := -1
	for i := len(maps) - 1; i >= 0 && timed < 0; i-- {
		if maps[i].Time != "" {
			timed = i
		}
	}
	for i, live := range tables {
		alias := fmt.Sprintf("j%d", i+1)
		if i == len(tables)-1 {
			alias = "t"
		}
		owner, ok := live.column(maps[i].Customer.Column)
		if !ok {
			continue // told already
		}
		var where string
		if i == 0 {
			if owner.keyKind() == keyNone {
				problem(problems, maps[0].Customer.Pos, "use a column of whole numbers, texts or uuids", "table %s, column %s: the type %s can't be held against a customer's id", live.name, owner.name, owner.typ)
			}
			where = owner.is("x."+ident(owner.name), "customer")
			for _, column := range []string{"customer_int", "customer_uuid", "customer"} {
				if plain && strings.HasSuffix(where, " = g."+column) {
					where = strings.TrimSuffix(where, "g."+column) + t.plainGrant(m, column)
				}
			}
		} else {
			before := fmt.Sprintf("j%d.", i)
			key, _ := tables[i-1].column(maps[i].Customer.Key)
			where, ok = joins(owner, "x."+ident(owner.name), key, before+ident(key.name))
			if !ok {
				problem(problems, maps[i].Customer.Pos, "the two columns need one type", "table %s: %s (%s) can't be joined with %s (%s)", live.name, owner.name, owner.typ, key.name, key.typ)
			}
		}
		columns := "x.*"
		if alias != "t" {
			names := []string{maps[i+1].Customer.Key}
			if timed == i && maps[i].Time != names[0] {
				names = append(names, maps[i].Time)
			}
			for k, name := range names {
				names[k] = "x." + ident(name)
			}
			columns = strings.Join(names, ", ")
		} else {
			columns = t.read()
		}
		if i > 0 {
			from += "\n      CROSS JOIN LATERAL "
		}
		from += fmt.Sprintf("(SELECT %s FROM %s AS x WHERE %s OFFSET 0) AS %s", columns, live.ident(), where, alias)
		if timed == i {
			c, ok := live.column(maps[i].Time)
			if !ok {
				continue
			}
			if moment, ok = c.moment(alias + "." + ident(c.name)); !ok {
				problem(problems, maps[i].Pos, "use a column with a time", "table %s, column %s: the type %s isn't a time", live.name, c.name, c.typ)
			}
		}
	}
	return from, moment
}

// read lists the columns of the table itself that the function reads, which
// are also those that its owner may read.
func (t guardedTable) read() string {
	var names []string
	for _, name := range t.needs() {
		names = append(names, "x."+ident(name))
	}
	return strings.Join(names, ", ")
}

// needs are the columns of the live table that the function can't do without.
func (t guardedTable) needs() []string {
	var out []string
	for _, c := range t.live.columns {
		_, mapped := t.mapped.Column(c.name)
		if mapped || slices.Contains([]string{t.mapped.Customer.Column, t.mapped.Order, t.mapped.Time, t.mapped.Sensitive.Column}, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// cells writes the shown columns, each behind its category's variable.
func (t guardedTable) cells() (string, []access.Category) {
	var categories []access.Category
	var out []string
	for _, c := range t.shown() {
		m, _ := t.mapped.Column(c.name)
		i := slices.Index(categories, m.Category)
		if i < 0 {
			i = len(categories)
			categories = append(categories, m.Category)
		}
		value := "t." + ident(c.name)
		out = append(out, fmt.Sprintf("CASE WHEN g.sees_%d THEN %s ELSE %s END", i+1, t.seen(c), c.masked(m.Mask, value)))
	}
	return strings.Join(out, ",\n      "), categories
}

// seen writes a column where its category is granted.
func (t guardedTable) seen(c column) string {
	value := "t." + ident(c.name)
	if m, _ := t.mapped.Column(c.name); m.Always != "" {
		return c.masked(m.Always, value)
	}
	return value + "::" + c.typ // of a domain, the type beneath
}

// reach writes what the grant's reach and order let through, as package source
// does for SQLite: a condition under which there are no rows at all, and
// conditions on rows.
func (t guardedTable) reach(m policy.Source, moment string, add func(variable, typ, expression string), problems *policy.Problems) (guard string, where []string) {
	if !t.history(m) {
		return "", nil
	}
	add("reach", "text", "b.reach")
	add("order_id", "text", `b."order"`)
	if t.mapped.Order == "" {
		guard += " OR g.reach = 'record' OR g.order_id IS NOT NULL"
	} else {
		c, ok := t.live.column(t.mapped.Order)
		if ok && c.keyKind() == keyNone {
			problem(problems, t.mapped.Pos, "use a column of whole numbers, texts or uuids", "table %s, column %s: the type %s can't be held against an order's id", t.live.name, c.name, c.typ)
		}
		guard += " OR g.reach = 'record' AND g.order_id IS NULL"
		add("order_id_int", "bigint", "b.order_int")
		add("order_id_uuid", "uuid", "b.order_uuid")
		where = append(where, "(g.order_id IS NULL OR "+c.is("t."+ident(c.name), "order_id")+")")
	}
	if moment == "" {
		guard += " OR g.reach = 'recent'"
	} else {
		add("recent_from", "timestamptz", "CASE WHEN b.reach <> 'recent' THEN NULL ELSE b.recent_from END")
		where = append(where, "(g.recent_from IS NULL OR "+moment+" >= g.recent_from)")
	}
	return guard, where
}

// fit writes which rows aren't sensitive goods: those whose column says what
// they are, and says nothing that the map names and the purpose doesn't.
func (t guardedTable) fit() string {
	fold, hidden := t.fold()
	return fmt.Sprintf("CASE WHEN g.sensitive = '{}' THEN %[1]s <> ALL (%[2]s)\n        ELSE %[1]s <> '' AND (%[1]s <> ALL (%[2]s) OR %[1]s = ANY (g.sensitive)) END", fold, hidden)
}

// fold writes the column that says what a row is, made comparable, and what it
// must not be: one of the goods, or empty.
func (t guardedTable) fold() (fold, hidden string) {
	s := t.mapped.Sensitive
	collation, plain := "", true
	goods := make([]string, len(s.Goods))
	for i, g := range s.Goods {
		goods[i] = strings.ToLower(strings.TrimSpace(g))
		plain = plain && strings.IndexFunc(goods[i], func(r rune) bool { return r > 126 }) < 0
	}
	if plain { // much the fastest where all the names are ASCII
		collation = ` COLLATE "C"`
	}
	return fmt.Sprintf(`lower(btrim(t.%s::text, E' \t\n\v\f\r')%s)`, ident(s.Column), collation), array(padded(append(goods, "")))
}

// padded repeats the last text until there are nine, from which on PostgreSQL
// looks a constant list up by hash.
func padded(texts []string) []string {
	for len(texts) < 9 {
		texts = append(texts, texts[len(texts)-1])
	}
	return texts
}
