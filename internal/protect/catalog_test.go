package protect_test

import (
	"slices"
	"testing"

	"paravent/internal/testenv"
)

// everyRight lists every right in a database, with defaults written out, and
// every object that isn't PostgreSQL's own.
const everyRight = `SELECT x FROM (
	SELECT 'function ' || p.oid::regprocedure || ' ' || a.grantee::regrole || ' ' || a.privilege_type || a.is_grantable FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
	UNION ALL SELECT 'relation ' || c.oid::regclass || ' ' || a.grantee::regrole || ' ' || a.privilege_type || a.is_grantable FROM pg_class AS c, aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))) AS a WHERE c.relnamespace <> 'pg_toast'::regnamespace
	UNION ALL SELECT 'column ' || c.attrelid::regclass || '.' || c.attname || ' ' || a.grantee::regrole || ' ' || a.privilege_type FROM pg_attribute AS c, aclexplode(c.attacl) AS a
	UNION ALL SELECT 'schema ' || n.nspname || ' ' || a.grantee::regrole || ' ' || a.privilege_type FROM pg_namespace AS n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a WHERE n.nspname !~ '^pg_(toast_)?temp'
	UNION ALL SELECT 'database ' || d.datname || ' ' || a.grantee::regrole || ' ' || a.privilege_type FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
	UNION ALL SELECT 'language ' || l.lanname || ' ' || a.grantee::regrole || ' ' || a.privilege_type FROM pg_language AS l, aclexplode(coalesce(l.lanacl, acldefault('l', l.lanowner))) AS a
	UNION ALL SELECT 'role ' || rolname || rolsuper || rolcanlogin FROM pg_roles
	UNION ALL SELECT 'member ' || roleid::regrole || ' ' || member::regrole FROM pg_auth_members
	UNION ALL SELECT 'setting ' || setdatabase || ' ' || setrole || ' ' || setconfig::text FROM pg_db_role_setting
	UNION ALL SELECT 'trigger ' || tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal
	UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type AS t WHERE t.typnamespace <> 'pg_toast'::regnamespace
) AS every(x) ORDER BY x COLLATE "C"`

func catalog(t testing.TB, pg *testenv.PG) []string {
	t.Helper()
	return all(t, pg.Connect(t, testenv.Superuser), everyRight)
}

// differences returns what one list has and the other hasn't.
func differences(before, after []string) (out []string) {
	for _, x := range before {
		if !slices.Contains(after, x) {
			out = append(out, "- "+x)
		}
	}
	for _, x := range after {
		if !slices.Contains(before, x) {
			out = append(out, "+ "+x)
		}
	}
	return out
}
