package pggate_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/testenv"
)

// code returns the SQLSTATE of an error.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	if err != nil {
		return "?" + err.Error()
	}
	return ""
}

func show(t *testing.T, c *pgx.Conn, name string) string {
	t.Helper()
	var v string
	if err := c.QueryRow(t.Context(), "SHOW "+name, pgx.QueryExecModeSimpleProtocol).Scan(&v); err != nil {
		t.Fatalf("show %s: %v", name, err)
	}
	return v
}

func TestTheTask(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	ctx := t.Context()
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheStatement} {
		t.Run(mode.String(), func(t *testing.T) {
			c := d.dial(t, "")
			exec := func(sql string) error {
				rows, err := c.Query(ctx, sql, mode)
				if err != nil {
					return err
				}
				rows.Close()
				return rows.Err()
			}
			if err := exec("select * from articles"); err != nil {
				t.Errorf("an unprotected table without a task: %v", err)
			}
			err := exec("select * from customers")
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "42501" || !strings.Contains(pg.Hint, "SET paravent.task") {
				t.Errorf("a protected one: %v", err)
			}
			if err := exec("set paravent.task = 'T-9'"); code(err) != "42501" {
				t.Errorf("a colleague's task: %v", err)
			}
			if err := exec("set paravent.task = 'T-1'"); err != nil {
				t.Fatalf("his own task: %v", err)
			}
			if got := show(t, c, "paravent.task"); got != "T-1" {
				t.Errorf("shown as %q", got)
			}
			if got := show(t, c, "paravent.grant"); !strings.HasPrefix(got, "g-T-1") {
				t.Errorf("the grant is shown as %q", got)
			}
			d.book.take()
			if err := exec("select * from customers where id = 42"); err != nil {
				t.Errorf("with a task: %v", err)
			}
			intents, outcomes, _ := d.book.take()
			if len(intents) != 1 || len(outcomes) != 1 || intents[0].Text != "select * from customers where id = ?" || outcomes[0].Rows != 1 ||
				intents[0].Grant.Task != "T-1" || !slices.Equal(intents[0].Relations, []string{"public.customers"}) {
				t.Errorf("recorded: %+v %+v", intents, outcomes)
			}
			if err := exec("begin"); err != nil {
				t.Fatal(err)
			}
			if err := exec("set paravent.task = 'T-2'"); code(err) != "25001" {
				t.Errorf("inside a transaction: %v", err)
			}
			if err := exec("select 1"); code(err) != "25P02" {
				t.Errorf("the transaction hasn't failed: %v", err)
			}
			if err := exec("rollback"); err != nil {
				t.Fatal(err)
			}
			if err := exec("set paravent.task = 'T-2'"); err != nil {
				t.Error(err)
			}
			if got := show(t, c, "paravent.task"); got != "T-2" {
				t.Errorf("shown as %q", got)
			}
			if err := exec("reset paravent.task"); err != nil {
				t.Error(err)
			}
			if got := show(t, c, "paravent.task"); got != "" {
				t.Errorf("shown as %q", got)
			}
			if err := exec("select * from orders"); code(err) != "42501" {
				t.Errorf("after the reset: %v", err)
			}
			for _, sql := range []string{"listen x", "notify x", "alter role reader set work_mem = '1GB'", "set role reader", "copy articles from stdin", "set paravent.token = 'x'"} {
				if err := exec(sql); code(err) != "0A000" && code(err) != "42501" {
					t.Errorf("%s: %v", sql, err)
				}
			}
			if err := exec("select 1"); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestStatePreparedAndSetGoesAlongToAnotherTask(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	ctx := t.Context()
	c := d.onTask(t)
	if _, err := c.Prepare(ctx, "mine", "select $1::int + 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "set datestyle = 'German'; set work_mem = '7MB'; prepare own as select 'it''s'"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "set paravent.task = 'T-2'"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := c.QueryRow(ctx, "mine", 41).Scan(&n); err != nil || n != 42 {
		t.Errorf("prepared: %d, %v", n, err)
	}
	if got := show(t, c, "work_mem"); got != "7MB" {
		t.Errorf("work_mem %s", got)
	}
	if got := show(t, c, "datestyle"); !strings.HasPrefix(got, "German") {
		t.Errorf("datestyle %s", got)
	}
	var s string
	if err := c.QueryRow(ctx, "execute own", pgx.QueryExecModeSimpleProtocol).Scan(&s); err != nil || s != "it's" {
		t.Errorf("PREPARE: %q, %v", s, err)
	}
}

func TestPsql(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	psql := func(sql string) string {
		cmd := exec.Command(filepath.Join(testenv.Tools(t), "psql"), "-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-d", d.dsn(""), "-c", sql)
		out, err := cmd.CombinedOutput()
		if err != nil && !strings.Contains(string(out), "ERROR") {
			t.Fatalf("%s: %v\n%s", sql, err, out)
		}
		return string(out)
	}
	if got := psql("set paravent.task = 'T-1'; select name from customers where id = 42; select 1"); !strings.Contains(got, "Customer 42") {
		t.Errorf("a task and a statement in one text: %s", got)
	}
	if got := psql("select 1; set paravent.task = 'T-1'"); !strings.Contains(got, "25001") {
		t.Errorf("a task behind a statement: %s", got)
	}
	if got := psql("set paravent.task = 'T-1'; set paravent.task = 'T-9'; select 1"); !strings.Contains(got, "42501") {
		t.Errorf("a colleague's: %s", got)
	}
	if got := psql("\\d customers"); !strings.Contains(got, "date_of_birth") {
		t.Errorf("\\d: %s", got)
	}
	if got := psql("copy articles to stdout"); strings.Count(got, "\n") != 50 {
		t.Errorf("copy: %s", got)
	}
}
