package protect

import (
	"context"
	_ "embed" // the rights that come through PUBLIC
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed rights.sql
var publicRights string

// A right is what PUBLIC may do with one object.
type right struct {
	kind, object   string
	owner, grantor string
	privileges     []string
}

// rights are what has to be taken from PUBLIC, and who gets it by name.
type rights struct {
	public []right
	roles  []string // every role there is, but PostgreSQL's own and ours
}

const everyRole = `SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('paravent_owner', 'paravent_gate', 'paravent_reader') ORDER BY rolname COLLATE "C"`

func (r *rights) read(ctx context.Context, tx pgx.Tx, plan *Plan) error {
	open := []uint32{}
	for _, t := range plan.open {
		open = append(open, t.oid)
	}
	rows, err := tx.Query(ctx, publicRights, open)
	if err != nil {
		return err
	}
	r.public, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (right, error) {
		var one right
		return one, row.Scan(&one.kind, &one.object, &one.owner, &one.grantor, &one.privileges)
	})
	if err != nil {
		return err
	}
	if rows, err = tx.Query(ctx, everyRole); err != nil {
		return err
	}
	r.roles, err = pgx.CollectRows(rows, pgx.RowTo[string])
	return err
}

// atOnce is how many objects one GRANT names.
const atOnce = 40

// write writes what is saved, granted by name, and taken from PUBLIC, in this
// order.
func (r *rights) write(b *strings.Builder) {
	if len(r.public) == 0 {
		b.WriteString("\n-- PUBLIC has nothing that an employee must not have.\n")
		return
	}
	b.WriteString("\n-- What PUBLIC may do and an employee must not. What stood before is saved; every\n-- role that there is keeps it by name; then it is taken from PUBLIC.\n")
	fmt.Fprintf(b, "INSERT INTO paravent.kept SELECT unnest(%s) ON CONFLICT DO NOTHING;\n", array(r.roles))
	for _, kind := range []string{"DATABASE", "LANGUAGE", "SCHEMA", "TABLE", "SEQUENCE", "COLUMN", "ROUTINE"} {
		var names []string
		for _, one := range r.public {
			if one.kind == kind && !slices.Contains(names, one.object) {
				names = append(names, one.object)
			}
		}
		for chunk := range slices.Chunk(names, atOnce) {
			fmt.Fprintf(b, saveACL[kind], literal(kind), array(chunk))
		}
	}
	to := make([]string, len(r.roles))
	for i, role := range r.roles {
		to[i] = ident(role)
	}
	for _, g := range grouped(r.public) {
		if len(to) > 0 {
			fmt.Fprintf(b, "GRANT %s TO %s;\n", g.what, strings.Join(to, ", "))
		}
		g.write(b, "REVOKE", "FROM PUBLIC")
	}
}

// saveACL are the statements that save what stood before.
var saveACL = map[string]string{
	"DATABASE": "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(d.datdba), d.datacl::text[] FROM unnest(%s) AS o JOIN pg_database AS d ON quote_ident(d.datname) = o ON CONFLICT DO NOTHING;\n",
	"LANGUAGE": "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(l.lanowner), l.lanacl::text[] FROM unnest(%s) AS o JOIN pg_language AS l ON quote_ident(l.lanname) = o ON CONFLICT DO NOTHING;\n",
	"SCHEMA":   "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(n.nspowner), n.nspacl::text[] FROM unnest(%s) AS o JOIN pg_namespace AS n ON n.oid = o::regnamespace ON CONFLICT DO NOTHING;\n",
	"TABLE":    "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(c.relowner), c.relacl::text[] FROM unnest(%s) AS o JOIN pg_class AS c ON c.oid = o::regclass ON CONFLICT DO NOTHING;\n",
	"SEQUENCE": "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(c.relowner), c.relacl::text[] FROM unnest(%s) AS o JOIN pg_class AS c ON c.oid = o::regclass ON CONFLICT DO NOTHING;\n",
	"COLUMN":   "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(c.relowner), a.attacl::text[] FROM unnest(%s) AS o JOIN pg_class AS c ON starts_with(o, c.oid::regclass::text || '.') JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND c.oid::regclass::text || '.' || quote_ident(a.attname) = o ON CONFLICT DO NOTHING;\n",
	"ROUTINE":  "INSERT INTO paravent.saved_acl SELECT %s, o, pg_get_userbyid(p.proowner), p.proacl::text[] FROM unnest(%s) AS o JOIN pg_proc AS p ON p.oid = o::regprocedure ON CONFLICT DO NOTHING;\n",
}

// A group is a GRANT's privileges and objects, by one grantor ("": the owner).
type group struct{ what, grantor string }

// write writes the statement, as its grantor where that isn't the owner: what he
// granted only he can take.
func (g group) write(b *strings.Builder, verb, whom string) {
	if g.grantor != "" {
		fmt.Fprintf(b, "SET LOCAL ROLE %s;\n", ident(g.grantor))
	}
	fmt.Fprintf(b, "%s %s %s;\n", verb, g.what, whom)
	if g.grantor != "" {
		b.WriteString("RESET ROLE;\n")
	}
}

// grouped joins objects of one kind, privileges and grantor.
func grouped(all []right) (out []group) {
	type key struct{ kind, privileges, grantor string }
	var order []key
	objects := map[key][]string{}
	for _, r := range all {
		k := key{r.kind, strings.Join(r.privileges, ", "), r.grantor}
		if r.grantor == r.owner {
			k.grantor = ""
		}
		if objects[k] == nil {
			order = append(order, k)
		}
		objects[k] = append(objects[k], r.object)
	}
	for _, k := range order {
		for chunk := range slices.Chunk(objects[k], atOnce) {
			if k.kind == "COLUMN" {
				for _, o := range chunk {
					out = append(out, group{columnGrant(k.privileges, o), k.grantor})
				}
				continue
			}
			out = append(out, group{k.privileges + " ON " + k.kind + " " + strings.Join(chunk, ", "), k.grantor})
		}
	}
	return out
}

// columnGrant writes privileges on one column: "SELECT (c), UPDATE (c) ON TABLE t".
func columnGrant(privileges, object string) string {
	table, name := splitColumn(object)
	var each []string
	for _, p := range strings.Split(privileges, ", ") {
		each = append(each, p+" ("+name+")")
	}
	return strings.Join(each, ", ") + " ON TABLE " + table
}

// splitColumn splits `schema.table.column`, of which each may be quoted, before
// the last name.
func splitColumn(object string) (table, name string) {
	quoted := false
	at := 0
	for i, r := range object {
		switch {
		case r == '"':
			quoted = !quoted
		case r == '.' && !quoted:
			at = i
		}
	}
	return object[:at], object[at+1:]
}

// Summary tells a DBA, one line each, who keeps and who loses what.
func (plan *Plan) Summary() []string {
	var out []string
	for _, t := range plan.tables {
		out = append(out, fmt.Sprintf("%s.%s: employees see it only as %s.%s, the rows of their task's customer, masked.", t.live.schema, t.live.name, ViewSchema(plan.source.Name), t.view))
	}
	for _, t := range plan.open {
		out = append(out, fmt.Sprintf("%s.%s: open to every employee, as the policy says.", t.schema, t.name))
	}
	counts := map[string]int{}
	for _, r := range plan.rights.public {
		counts[r.kind]++
	}
	if len(plan.rights.public) == 0 {
		return append(out, "Nobody loses anything: PUBLIC has nothing that an employee must not have.")
	}
	out = append(out, "PUBLIC loses, and with it only "+Employees+", "+Gate+" and roles made later:")
	for _, r := range plan.rights.public {
		if r.kind != "ROUTINE" {
			out = append(out, fmt.Sprintf("  %s on %s %s", strings.Join(r.privileges, ", "), strings.ToLower(r.kind), r.object))
		}
	}
	if counts["ROUTINE"] > 0 {
		out = append(out, fmt.Sprintf("  EXECUTE on %d functions, all named below: the shop's own, and those that run SQL, keep something for later, speak to others or count", counts["ROUTINE"]))
	}
	if len(plan.rights.roles) > 0 {
		out = append(out, "Keep all of it, by name: "+strings.Join(plan.rights.roles, ", ")+".")
	}
	return append(out, "What was granted by name stays as it is.")
}
