package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Apply runs the plan in one transaction: all of it or nothing. The connection
// is a superuser's. A lock that can't be had within three seconds ends it; it may
// be run again.
func Apply(ctx context.Context, conn *pgx.Conn, plan *Plan) error {
	if err := script(ctx, conn, plan.SQL()); err != nil {
		return fmt.Errorf("apply the protection of %s: %w", plan.source.Name, err)
	}
	return nil
}

// script runs statements that begin and commit for themselves, and leaves no
// transaction open.
func script(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err == nil {
		return nil
	}
	if _, ending := conn.PgConn().Exec(ctx, "ROLLBACK; RESET ROLE").ReadAll(); ending != nil {
		err = errors.Join(err, ending)
	}
	return err
}

// Remove takes away all that Apply made in this database, of every source, and
// gives PUBLIC and the roles what they had before. What the shop's own people
// granted in the meantime stays. A database that isn't protected stays as it is.
func Remove(ctx context.Context, conn *pgx.Conn) error {
	sql, err := RemoveSQL(ctx, conn)
	if err == nil && sql != "" {
		err = script(ctx, conn, sql)
	}
	if err != nil {
		return fmt.Errorf("remove the protection: %w", err)
	}
	return nil
}

// RemoveSQL returns the script that Remove runs, or "" where there is nothing to
// take away.
func RemoveSQL(ctx context.Context, conn *pgx.Conn) (string, error) {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('paravent.saved_acl') IS NOT NULL").Scan(&there); err != nil || !there {
		return "", err
	}
	all, err := savedRights(ctx, conn)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("-- Paravent: takes its protection of this database away.\nBEGIN;\nSET LOCAL lock_timeout = '3s';\nSET LOCAL standard_conforming_strings = on;\nSET LOCAL search_path = pg_catalog;\nSET LOCAL client_min_messages = warning;\n")
	b.WriteString("-- What PUBLIC had.\n")
	for _, g := range grouped(all.returned()) {
		g.write(&b, "GRANT", "TO PUBLIC")
	}
	b.WriteString("-- What roles got by name instead.\n")
	for role, rights := range all.extra() {
		all.takeBack(&b, role, rights)
	}
	fmt.Fprintf(&b, `-- All that Paravent owns here, and its rights.
DROP OWNED BY %[1]s, %[2]s, %[3]s;
DO $paravent$ BEGIN
  EXECUTE format('ALTER ROLE %[2]s IN DATABASE %%I RESET ALL', current_database());
  DROP ROLE %[1]s, %[2]s, %[3]s;
EXCEPTION WHEN dependent_objects_still_exist THEN NULL; -- another database needs them
END $paravent$;
COMMIT;
`, Owner, Employees, Gate)
	return b.String(), nil
}

// takeBack writes what takes rights from a role. REVOKE on a table takes those on
// its columns, too, so that they are given again; those on columns that were got
// through PUBLIC are taken last.
func (set savedSet) takeBack(b *strings.Builder, role string, rights []right) {
	var columns []right
	var tables []string
	for _, r := range rights {
		if r.kind == "COLUMN" {
			columns = append(columns, r)
			continue
		}
		if r.kind == "TABLE" {
			tables = append(tables, r.object)
		}
		for _, g := range grouped([]right{r}) {
			g.write(b, "REVOKE", "FROM "+ident(role))
		}
	}
	for _, c := range set.columns {
		if c.role != role || !slices.Contains(tables, c.table) {
			continue
		}
		option := ""
		if c.option {
			option = " WITH GRANT OPTION"
		}
		fmt.Fprintf(b, "GRANT %s TO %s%s;\n", columnGrant(c.privilege, c.object), ident(role), option)
	}
	for _, g := range grouped(columns) {
		g.write(b, "REVOKE", "FROM "+ident(role))
	}
}
