package pggate_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"paravent/internal/access"
	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// codes returns the SQLSTATEs of all errors in an answer.
func codes(b []byte) (out []string) {
	for len(b) >= 5 {
		n := 1 + int(binary.BigEndian.Uint32(b[1:]))
		var e pgproto3.ErrorResponse
		if b[0] == 'E' && e.Decode(b[5:n]) == nil {
			out = append(out, e.Code)
		}
		b = b[n:]
	}
	return out
}

// What an employee may try at a prompt to get past the gate's own rules. Each
// is tried with a task and without, as a text and as a prepared statement; the
// session goes on afterwards, with the task that it had.
func TestAHostilePrompt(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			pg := shop(t, version)
			pg.Exec(t, "GRANT shop_app TO reader; GRANT pg_read_all_settings TO reader")
			d := open(t, pg, nil)
			for _, a := range []struct{ name, sql, want string }{
				{"LISTEN", "listen orders", "0A000"},
				{"NOTIFY", "notify orders, 'x'", "0A000"},
				{"NOTIFY behind a comment", "/* */ -- x\n /* /* nested */ */ NoTiFy orders", "0A000"},
				{"ALTER ROLE", "alter role reader set search_path = public", "0A000"},
				{"ALTER USER", "alter user current_user password 'x'", "0A000"},
				{"ALTER SYSTEM", "alter system set fsync = off", "0A000"},
				{"ALTER DATABASE", "alter database shop set search_path = x", "0A000"},
				{"CREATE ROLE", "create role x superuser", "0A000"},
				{"SET ROLE", "set role shop_app", "0A000"},
				{"SET LOCAL ROLE", "set local role shop_app", "0A000"},
				{"SET SESSION ROLE", "set session role shop_app", "0A000"},
				{"SET role by equals", "set role = shop_app", "0A000"},
				{"SET role in quotes", `set "role" to shop_app`, "0A000"},
				{"SET role behind comments", "set/**/role/**/shop_app", "0A000"},
				{"SET SESSION AUTHORIZATION", "set session authorization shop_app", "0A000"},
				{"SET SESSION SESSION AUTHORIZATION", "set session session authorization shop_app", "0A000"},
				{"SET LOCAL SESSION AUTHORIZATION", "set local session authorization shop_app", "0A000"},
				{"the token", "set paravent.token = 'x'", "42501"},
				{"the token in quotes", `set "paravent"."token" = 'x'`, "42501"},
				{"the grant", `set paravent."grant" = 'x'`, "42501"},
				{"the token by set_config", "select set_config('paravent.token', 'x', false)", "42501"},
				{"the task by set_config", "select set_config('paravent.task', 'T-2', false)", "42501"},
				{"the task for one transaction", "set local paravent.task = 'T-2'", "22023"},
				{"a colleague's task", "set paravent.task = 'T-9'", "42501"},
				{"a colleague's task behind a comment", "set /* 'T-1' */ paravent.task = /* T-1 */ 'T-9'", "42501"},
				{"a colleague's task in quotes", `set "paravent".task to 'T-9'`, "42501"},
				{"a colleague's task in capitals", "SET PARAVENT.TASK TO 'T-9'", "42501"},
				{"a task in dollar quotes", "set paravent.task = $$T-9$$", "22023"},
				{"a task in escapes", `set paravent.task = E'T-\x39'`, "22023"},
				{"a list of tasks", "set paravent.task = 'T-1', 'T-9'", "22023"},
				{"the token of a person, for nobody's tool", "set paravent.on_behalf_of = 'pvb_x'", "28000"},
				{"escapes in strings", "set standard_conforming_strings = off", "42501"},
				{"an encoding that hides backslashes", "set client_encoding = 'SJIS'", "0A000"},
				{"the same by SET NAMES", "set names 'GBK'", "0A000"},
				{"COPY FROM", "copy articles from stdin", "0A000"},
				{"COPY to a file", "copy articles to '/tmp/x'", "0A000"},
				{"COPY to a program", "copy articles to program 'id'", "0A000"},
				{"LOAD", "load 'auto_explain'", "0A000"},
				{"PREPARE TRANSACTION", "prepare transaction 'x'", "0A000"},
				{"SECURITY LABEL", "security label on role reader is 'x'", "0A000"},
			} {
				t.Run(a.name, func(t *testing.T) {
					for _, more := range []string{"", "&options=-cparavent.task%3DT-1"} {
						w := wired(t, d.dsn(more))
						if _, err := w.Write(encode(t, q(a.sql), prepared("h", a.sql), &pgproto3.Bind{PreparedStatement: "h"}, execAll, syncNow, q("select current_user, session_user; show paravent.task"))); err != nil {
							t.Fatal(err)
						}
						all := w.until(t, 3)
						if got := codes(all); len(got) != 2 || got[0] != a.want || got[1] != a.want {
							t.Errorf("%q: refused with %v, want %s twice", more, got, a.want)
						}
						if s := string(all); strings.Contains(s, "shop_app\x00") || strings.Contains(s, "T-9") || strings.Contains(s, "T-2") || strings.Count(s, "reader") < 2 || (more != "") != strings.Contains(s, "T-1") {
							t.Errorf("%q: afterwards: %q", more, s)
						}
					}
				})
			}
			t.Run("a SET behind other statements", func(t *testing.T) {
				c := d.onTask(t)
				for sql, want := range map[string]string{
					"select 1; set paravent.task = 'T-2'": "25001", "begin; set paravent.task = 'T-2'; commit": "25001", "select 1; set role shop_app": "0A000",
					"select ';'; listen x": "0A000", "select $a$;$a$; notify x": "0A000", "select 'it''s'; set session authorization shop_app": "0A000",
					`select E'\'; select 1; --'; set role shop_app`: "0A000", "/* ; */ select 1; /* x */ set /* y */ role /* z */ shop_app": "0A000",
					`select U&'\0027;' ; set role shop_app`: "0A000", `select "a;b" from (select 1 as "a;b") x; listen y`: "0A000",
				} {
					if _, err := c.PgConn().Exec(t.Context(), sql).ReadAll(); code(err) != want {
						t.Errorf("%s: %v", sql, err)
					}
					_, _ = c.PgConn().Exec(t.Context(), "rollback").ReadAll()
				}
				if got := show(t, c, "role") + show(t, c, "paravent.task"); got != "noneT-1" {
					t.Errorf("afterwards: %s", got)
				}
			})
			t.Run("what is prepared or open doesn't outlive its task", func(t *testing.T) {
				c := d.onTask(t)
				exec := func(sql string) error { _, err := c.PgConn().Exec(t.Context(), sql).ReadAll(); return err }
				for _, sql := range []string{"prepare keep as select name from customers", "declare open cursor with hold for select name from customers", "fetch 1 from open", "reset paravent.task"} {
					if err := exec(sql); err != nil {
						t.Fatal(err)
					}
				}
				if err := exec("fetch all from open"); code(err) != "34000" {
					t.Errorf("a cursor without its task: %v", err)
				}
				d.book.take()
				if err := exec("set paravent.task = 'T-2'"); err != nil {
					t.Fatal(err)
				}
				if err := exec("fetch all from open"); code(err) != "34000" {
					t.Errorf("a cursor under another task: %v", err)
				}
				d.book.take()
				if err := exec("execute keep"); err != nil {
					t.Error(err)
				}
				if intents, _, _ := d.book.take(); len(intents) != 1 || intents[0].Grant.Task != "T-2" {
					t.Errorf("a statement kept across tasks is recorded as %+v", intents)
				}
			})
			t.Run("start-up options", func(t *testing.T) {
				for name, p := range map[string]struct{ key, value, want string }{
					"replication":         {"replication", "database", "0A000"},
					"physical":            {"replication", "true", "0A000"},
					"a role":              {"role", "shop_app", "0A000"},
					"options":             {"options", "-c role=shop_app", "0A000"},
					"options, joined":     {"options", "-crole=shop_app", "0A000"},
					"options, long":       {"options", "--role=shop_app", "0A000"},
					"options, dashes":     {"options", "--session-authorization=shop_app", "0A000"},
					"options, escaped":    {"options", `-c ro\le=shop_app`, "0A000"},
					"options, another":    {"options", "-c work_mem=1MB -c session_authorization=shop_app", "0A000"},
					"options, a token":    {"options", "-c paravent.token=x", "42501"},
					"options, a grant":    {"options", "-cparavent.grant=x", "42501"},
					"options, capitals":   {"options", "-c PARAVENT.TOKEN=x", "42501"},
					"options, unknown":    {"options", "-W 10", "22023"},
					"options, a file":     {"options", "-D /tmp", "22023"},
					"a colleague's task":  {"options", "-c paravent.task=T-9", "42501"},
					"a token":             {"paravent.token", "x", "42501"},
					"a task":              {"paravent.task", "T-9", "42501"},
					"strings":             {"standard_conforming_strings", "off", "42501"},
					"encoding":            {"client_encoding", "SJIS", "0A000"},
					"authorization":       {"session_authorization", "shop_app", "0A000"},
					"a superuser's knob":  {"session_preload_libraries", "x", "42501"},
					"authorization, caps": {"SESSION_AUTHORIZATION", "shop_app", "0A000"},
				} {
					cfg, err := pgconn.ParseConfig(d.dsn(""))
					if err != nil {
						t.Fatal(err)
					}
					cfg.RuntimeParams[p.key] = p.value
					c, err := pgconn.ConnectConfig(t.Context(), cfg)
					if code(err) != p.want {
						t.Errorf("%s: %v", name, err)
					}
					if err == nil {
						_ = c.Close(context.Background())
					}
				}
			})
			t.Run("a fast-path call", func(t *testing.T) {
				w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
				for _, oid := range []uint32{1598, 2077, 89} { // random, current_setting, version
					if _, err := w.Write(encode(t, &pgproto3.FunctionCall{Function: oid, Arguments: [][]byte{[]byte("x")}}, q("begin"), &pgproto3.FunctionCall{Function: oid}, q("rollback"))); err != nil {
						t.Fatal(err)
					}
					if got := w.until(t, 4); strings.Contains(kinds(got), "V") || strings.Join(codes(got), " ") != "0A000 0A000" {
						t.Errorf("%d: %s %v", oid, kinds(got), codes(got))
					}
				}
			})
			t.Run("another's cancel key", func(t *testing.T) {
				c, other := d.onTask(t), d.onTask(t)
				done := make(chan error, 1)
				go func() { _, err := c.Exec(context.Background(), "select pg_sleep(1.5)"); done <- err }()
				within(t, 5*time.Second, "it runs", func() bool { return running(t, pg, "pg_sleep(1.5)") == 1 })
				for _, secret := range [][]byte{other.PgConn().SecretKey(), nil, {0, 0, 0, 0}, make([]byte, 32), make([]byte, 300)} {
					b := binary.BigEndian.AppendUint32(nil, uint32(12+len(secret)))
					b = binary.BigEndian.AppendUint32(b, 80877102)
					b = append(binary.BigEndian.AppendUint32(b, c.PgConn().PID()), secret...)
					n, err := net.Dial("tcp", d.addr)
					if err != nil {
						t.Fatal(err)
					}
					_, _ = n.Write(b)
					if out, _ := io.ReadAll(n); len(out) > 0 {
						t.Errorf("a wrong key is answered: %q", out)
					}
					_ = n.Close()
				}
				if err := <-done; err != nil {
					t.Errorf("it was cancelled: %v", err)
				}
			})
			t.Run("values in what isn't a row", func(t *testing.T) {
				w := wired(t, d.dsn("&options=-cparavent.task%3DT-1"))
				for name, sql := range map[string]string{
					"an error": "select name::int from customers where id = 42", "a notice": "do $$ declare n text; begin select name into n from customers where id = 42; raise notice '%', n; end $$",
					"a setting": "select set_config('application_name', name, false) from customers where id = 42", "a command tag": "create temp table x as select * from customers where id = 42",
				} {
					h := newHold("", nil)
					d.book.set(h.intent, nil)
					if _, err := w.Write(encode(t, q(sql))); err != nil {
						t.Fatal(err)
					}
					w.silent(t, name)
					close(h.open)
					d.book.set(nil, nil)
					w.until(t, 1)
				}
			})
		})
	}
}

// A tool's account tries to act for people in ways that it may not.
func TestAHostileTool(t *testing.T) {
	d := open(t, shop(t, "15"), nil)
	ctx := t.Context()
	login, token, _ := d.people.add(t, "bi", access.RoleProgram)
	d.people.tools["bi"] = true
	d.people.behalf["pvb_one"] = d.who
	_, _, e2 := d.people.add(t, "e2", access.RoleAgent)
	d.people.behalf["pvb_two"] = e2
	c, err := pgx.Connect(ctx, "postgres://"+login+":"+token+"@"+d.addr+"/shop?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	exec := func(sql string) error { _, err := c.PgConn().Exec(ctx, sql).ReadAll(); return err }
	for _, s := range []struct{ sql, want string }{
		{"set local paravent.on_behalf_of = 'pvb_one'", "22023"}, {"select set_config('paravent.on_behalf_of', 'pvb_one', false)", "42501"},
		{"select 1; set paravent.on_behalf_of = 'pvb_one'", "25001"}, {"begin", ""}, {"set paravent.on_behalf_of = 'pvb_one'", "25001"}, {"rollback", ""},
		{"set paravent.on_behalf_of = 'pvb_of_another_tool'", "28000"}, {"set paravent.task = 'T-1'", "42501"},
		{"set paravent.on_behalf_of = 'pvb_one'; set paravent.task = 'T-1'", ""}, {"select count(*) from customers", ""},
		{"set paravent.on_behalf_of = 'pvb_wrong'", "28000"}, {"select count(*) from customers", ""}, // nothing has changed
		{"set paravent.on_behalf_of = 'pvb_one'; set paravent.on_behalf_of = 'pvb_two'", ""}, {"select count(*) from customers", "42501"}, // the task was the other's
		{"set paravent.task = 'T-1'", "42501"}, {"reset paravent.on_behalf_of", ""}, {"select count(*) from customers", "42501"}, {"set paravent.task = 'T-9'", "42501"},
	} {
		if err := exec(s.sql); code(err) != s.want {
			t.Errorf("%s: %v", s.sql, err)
		}
	}
	own := d.dial(t, "") // an employee isn't a tool, also not with his own token
	if _, err := own.PgConn().Exec(ctx, "set paravent.on_behalf_of = 'pvb_two'").ReadAll(); code(err) != "28000" {
		t.Errorf("an employee acts for a colleague: %v", err)
	}
	intents, _, refusals := d.book.take()
	for _, s := range append(intents, statementsOf(refusals)...) {
		if strings.Contains(s.Text, "pvb_") {
			t.Errorf("a credential is recorded: %s", s.Text)
		}
	}
}

func statementsOf(all []pggate.Refusal) (out []pggate.Statement) {
	for _, r := range all {
		out = append(out, r.Statement)
	}
	return out
}
