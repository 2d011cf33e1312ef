package protect

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A saved is one object as it stood before, and as it stands now.
type saved struct {
	kind, object  string
	owner         string
	before        []string // aclitem texts; nil: PostgreSQL's default
	defaulted     bool
	grantees      []string // now: "" is PUBLIC
	privileges    []string // now, one for each grantee
	gone          bool
	beforeRights  map[string][]string // grantee -> privileges
	presentRights map[string][]string
	publicBy      map[string]string // privilege of PUBLIC before -> who had granted it
}

// A savedSet is every saved object, with the roles that were to keep all.
type savedSet struct {
	objects []saved
	roles   []string
	columns []columnRight
}

// A columnRight is what a role may do by name with one column.
type columnRight struct {
	role, table, object, privilege string
	option                         bool
}

// readColumns reads what roles may do by name with columns of saved tables, for
// REVOKE on a table takes that, too.
const readColumns = `SELECT r.rolname::text, c.oid::regclass::text, c.oid::regclass::text || '.' || quote_ident(t.attname), a.privilege_type, a.is_grantable
	FROM paravent.saved_acl AS s JOIN pg_class AS c ON c.oid = to_regclass(s.object) JOIN pg_attribute AS t ON t.attrelid = c.oid, aclexplode(t.attacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
	WHERE s.kind = 'TABLE' ORDER BY 1, 3, 4`

const readSaved = `SELECT s.kind, s.object, s.owner, coalesce(s.acl, '{}'), s.acl IS NULL,
	coalesce((SELECT array_agg(coalesce(r.rolname, '')::text ORDER BY a.grantee, a.privilege_type) FROM aclexplode(n.acl) AS a LEFT JOIN pg_roles AS r ON r.oid = a.grantee), '{}'),
	coalesce((SELECT array_agg(a.privilege_type ORDER BY a.grantee, a.privilege_type) FROM aclexplode(n.acl) AS a), '{}')::text[], n.there IS NULL
	FROM paravent.saved_acl AS s LEFT JOIN LATERAL (
		SELECT true, coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE s.kind = 'DATABASE' AND quote_ident(datname) = s.object
		UNION ALL SELECT true, coalesce(lanacl, acldefault('l', lanowner)) FROM pg_language WHERE s.kind = 'LANGUAGE' AND quote_ident(lanname) = s.object
		UNION ALL SELECT true, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE s.kind = 'SCHEMA' AND quote_ident(nspname) = s.object
		UNION ALL SELECT true, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner)) FROM pg_class WHERE s.kind IN ('TABLE', 'SEQUENCE') AND oid = to_regclass(s.object)
		UNION ALL SELECT true, a.attacl FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
			WHERE s.kind = 'COLUMN' AND starts_with(s.object, c.oid::regclass::text || '.') AND c.oid::regclass::text || '.' || quote_ident(a.attname) = s.object
		UNION ALL SELECT true, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE s.kind = 'ROUTINE' AND oid = to_regprocedure(s.object)
	) AS n(there, acl) ON true ORDER BY s.kind COLLATE "C", s.object COLLATE "C"`

// savedRights reads what stood before and what stands now.
func savedRights(ctx context.Context, conn *pgx.Conn) (set savedSet, err error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return set, err
	}
	defer func() {
		if ending := tx.Rollback(ctx); err == nil {
			err = ending
		}
	}()
	if _, err := tx.Exec(ctx, "SET LOCAL search_path = pg_catalog"); err != nil {
		return set, err
	}
	rows, err := tx.Query(ctx, readSaved)
	if err != nil {
		return set, err
	}
	set.objects, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (saved, error) {
		var s saved
		err := row.Scan(&s.kind, &s.object, &s.owner, &s.before, &s.defaulted, &s.grantees, &s.privileges, &s.gone)
		return s, err
	})
	if err != nil {
		return set, err
	}
	for i := range set.objects {
		set.objects[i].parse()
	}
	rows, err = tx.Query(ctx, `SELECT k.role FROM paravent.kept AS k JOIN pg_roles AS r ON r.rolname = k.role ORDER BY 1`)
	if err != nil {
		return set, err
	}
	if set.roles, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return set, err
	}
	if rows, err = tx.Query(ctx, readColumns); err != nil {
		return set, err
	}
	set.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (columnRight, error) {
		var c columnRight
		return c, row.Scan(&c.role, &c.table, &c.object, &c.privilege, &c.option)
	})
	return set, err
}

// letters are the privileges as an aclitem writes them.
var letters = map[rune]string{
	'r': "SELECT", 'w': "UPDATE", 'a': "INSERT", 'd': "DELETE", 'D': "TRUNCATE", 'x': "REFERENCES", 't': "TRIGGER", 'm': "MAINTAIN",
	'X': "EXECUTE", 'U': "USAGE", 'C': "CREATE", 'c': "CONNECT", 'T': "TEMPORARY",
}

// defaults are what PUBLIC has where nothing was ever granted.
var defaults = map[string][]string{"DATABASE": {"CONNECT", "TEMPORARY"}, "LANGUAGE": {"USAGE"}, "ROUTINE": {"EXECUTE"}}

func (s *saved) parse() {
	s.beforeRights, s.presentRights, s.publicBy = map[string][]string{}, map[string][]string{}, map[string]string{}
	if s.defaulted {
		s.beforeRights[""] = defaults[s.kind]
	}
	for _, item := range s.before {
		grantee, rest := roleName(item)
		privileges, by, _ := strings.Cut(strings.TrimPrefix(rest, "="), "/")
		by, _ = roleName(by)
		for _, r := range privileges {
			if p, ok := letters[r]; ok {
				s.beforeRights[grantee] = append(s.beforeRights[grantee], p)
				if grantee == "" {
					s.publicBy[p] = by
				}
			}
		}
	}
	for i, g := range s.grantees {
		s.presentRights[g] = append(s.presentRights[g], s.privileges[i])
	}
}

// roleName reads the role at the start of an aclitem, which may be quoted, and
// returns what follows it.
func roleName(item string) (name, rest string) {
	if !strings.HasPrefix(item, `"`) {
		end := strings.IndexAny(item, "=/")
		if end < 0 {
			end = len(item)
		}
		return item[:end], item[end:]
	}
	for i := 1; i < len(item); i++ {
		if item[i] != '"' {
			continue
		}
		if i+1 == len(item) || item[i+1] != '"' {
			return strings.ReplaceAll(item[1:i], `""`, `"`), item[i+1:]
		}
		i++
	}
	return item, ""
}

// minus returns the privileges of a that b lacks, sorted.
func minus(a, b []string) []string {
	var out []string
	for _, p := range a {
		if !slices.Contains(b, p) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func (s saved) right(privileges []string) right {
	return right{kind: s.kind, object: s.object, privileges: privileges}
}

// returned is what PUBLIC has to get back, from whom it had it.
func (set savedSet) returned() (out []right) {
	for _, s := range set.objects {
		if s.gone {
			continue
		}
		for _, p := range minus(s.beforeRights[""], s.presentRights[""]) {
			one := s.right([]string{p})
			one.owner, one.grantor = s.owner, s.owner
			if by := s.publicBy[p]; by != "" {
				one.grantor = by
			}
			out = append(out, one)
		}
	}
	return out
}

// extra yields for each role what it has by name and had through PUBLIC alone.
func (set savedSet) extra() iter.Seq2[string, []right] {
	return func(yield func(string, []right) bool) {
		for _, role := range set.roles {
			var out []right
			for _, s := range set.objects {
				got := slices.DeleteFunc(slices.Clone(s.presentRights[role]), func(p string) bool { return !slices.Contains(s.beforeRights[""], p) })
				if more := minus(got, s.beforeRights[role]); len(more) > 0 && !s.gone && !(s.defaulted && role == s.owner) {
					out = append(out, s.right(more))
				}
			}
			if len(out) > 0 && !yield(role, out) {
				return
			}
		}
	}
}

// lost yields for each role what it had, by name or through PUBLIC, and hasn't.
func (set savedSet) lost() iter.Seq2[string, right] {
	return func(yield func(string, right) bool) {
		for _, role := range set.roles {
			for _, s := range set.objects {
				had := append(slices.Clone(s.beforeRights[""]), s.beforeRights[role]...)
				has := append(slices.Clone(s.presentRights[""]), s.presentRights[role]...)
				if less := minus(had, has); len(less) > 0 && !s.gone && !yield(role, s.right(less)) {
					return
				}
			}
		}
	}
}
