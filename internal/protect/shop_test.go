package protect_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// repertoire is what the shop's own application does all day; every line's
// answer has to be the same before, after, and after removing.
var repertoire = []string{
	"SELECT count(*), sum(balance), max(name) FROM customers", "SELECT * FROM orders WHERE customer_id = 43 ORDER BY id", "SELECT order_total(4301), customer_name(43)",
	"CREATE TEMP TABLE basket (article text); INSERT INTO basket VALUES ('a'); SELECT count(*) FROM basket; DROP TABLE basket",
	"SELECT pg_advisory_lock(42); SELECT pg_try_advisory_lock(42); SELECT pg_advisory_unlock_all()", "LISTEN orders; NOTIFY orders; SELECT pg_notify('orders', 'x'); UNLISTEN *",
	"DO $$ BEGIN PERFORM count(*) FROM orders; END $$", "SELECT nextval('order_numbers') > 0", "SELECT lo_unlink(lo_from_bytea(0, 'x'))", "SELECT count(*) > 0 FROM pg_stat_activity",
	"SELECT pg_relation_size('orders') > 0", "SELECT query_to_xml('SELECT 1 AS x', true, true, '') IS NOT NULL", "SELECT count(*) FROM visits", "SELECT count(*) FROM articles",
	"BEGIN; UPDATE orders SET status = status WHERE id = 4301 RETURNING status; ROLLBACK", "BEGIN; INSERT INTO customers (id, name) VALUES (43, 'x'); ROLLBACK",
	"SELECT count(*) FROM pg_locks WHERE pid = 0", "SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', name) FROM customers WHERE id = 1') ORDER BY 1", "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'orders'",
	"COPY (SELECT id, name FROM customers WHERE id < 3 ORDER BY id) TO STDOUT",
}

func answers(t *testing.T, pg *testenv.PG, role string) []string {
	t.Helper()
	s := &session{Conn: pg.Connect(t, role)}
	var out []string
	for _, sql := range repertoire {
		h := s.try(t, sql)
		line := sql + " => " + strings.Join(h.rows, "\n")
		if h.err != nil {
			line += h.err.Code + h.err.Message + h.err.Detail
		}
		out = append(out, line)
	}
	return out
}

// The shop's own programs answer the same before protect, after it, and after it
// is removed; pgbench with a role of its own runs through while it is applied,
// applied again and removed, without one failed transaction.
func TestTheShopRunsTheSameBeforeWhileAndAfter(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := &world{pg: testenv.Postgres(t, version), policy: shopPolicy(t)}
			w.pg.Shop(t)
			roles := []string{testenv.ShopApp, testenv.ShopBI, testenv.ShopClerk, testenv.ShopDBA}
			before := map[string][]string{}
			for _, role := range roles {
				before[role] = answers(t, w.pg, role)
			}
			same := func(when string) {
				t.Helper()
				for _, role := range roles {
					for i, line := range answers(t, w.pg, role) {
						if line != before[role][i] {
							t.Errorf("%s, %s: %.400s\nbefore: %.400s", when, role, line, before[role][i])
						}
					}
				}
			}
			traffic := startPgbench(t, w.pg)
			time.Sleep(300 * time.Millisecond)
			w.apply(t)
			same("after applying")
			w.apply(t)
			same("after applying again")
			if err := protect.Remove(t.Context(), w.pg.Connect(t, testenv.ShopDBA)); err != nil {
				t.Fatal(err)
			}
			same("after removing")
			traffic()
		})
	}
}

// startPgbench lets the shop's role work on its tables until the returned
// function is called, which checks that nothing failed.
func startPgbench(t *testing.T, pg *testenv.PG) (stop func()) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "shop.sql")
	text := `\set o random(1, 60) * 100 + random(1, 5)
BEGIN;
SELECT pg_advisory_xact_lock(:o);
UPDATE orders SET total_cents = total_cents WHERE id = :o;
SELECT order_total(:o), customer_name(:o / 100);
CREATE TEMP TABLE IF NOT EXISTS seen (o bigint);
INSERT INTO seen VALUES (:o);
SELECT next_order();
SELECT count(*) FROM visits;
COMMIT;
`
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(testenv.Tools(t), "pgbench"), "-n", "-c", "3", "-T", "6", "-f", script, pg.DSN(testenv.ShopApp))
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := c.Wait(); err != nil {
			t.Errorf("pgbench: %v\n%.1500s", err, out.String())
		}
		if text := out.String(); !strings.Contains(text, "number of failed transactions: 0 ") || regexp.MustCompile(`actually processed: 0\b`).MatchString(text) {
			t.Errorf("pgbench: %.1500s", text)
		}
	}
}

// Somebody who holds a lock for long makes protect give up, not the shop wait;
// nothing is half done then.
func TestApplyGivesUpRatherThanMakeTheShopWait(t *testing.T) {
	pg := testenv.Postgres(t, "15")
	pg.Shop(t)
	before := catalog(t, pg)
	holder := pg.Connect(t, testenv.ShopDBA)
	for _, sql := range []string{"BEGIN", "LOCK TABLE customers IN ACCESS EXCLUSIVE MODE", "GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO shop_bi"} {
		if _, err := holder.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	conn := pg.Connect(t, testenv.ShopDBA)
	plan, err := protect.New(t.Context(), conn, shopPolicy(t), "shop")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	err = protect.Apply(t.Context(), conn, plan)
	if err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("applied beside a lock in %v: %v", time.Since(begun), err)
	}
	if _, err := holder.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if after := catalog(t, pg); len(differences(before, after)) > 0 {
		t.Errorf("half applied: %v", differences(before, after))
	}
	if err := protect.Apply(t.Context(), conn, plan); err != nil {
		t.Errorf("a moment later: %v", err)
	}
}

// A role with full rights sees the same, byte for byte and type for type,
// through a view that shows everything.
func TestAViewAnswersAsItsTableDoes(t *testing.T) {
	versions(t, false, func(t *testing.T, w *world) {
		w.pg.Exec(t, `CREATE DOMAIN euros AS numeric(8,2) CHECK (value >= 0); CREATE TYPE mood AS ENUM ('calm', 'angry'); CREATE TYPE place AS (x integer, y text);
			CREATE TABLE kinds (id bigint PRIMARY KEY, who bigint REFERENCES customers, c char(7), v varchar(9), n numeric(10,3), d euros, m mood, p place, i interval(3), t time(2), z timestamptz(1), b bit(5),
				a integer[], r int4range, j json, x xml, u uuid, f real, by bytea, l text COLLATE "C", mac macaddr, tsv tsvector, pt point, nothing text);
			INSERT INTO kinds VALUES (1, 42, 'ab', 'cd', 1.5, 2.25, 'angry', (1, 'y'), '1 day 2.3456 s', '12:00:01.234', '2026-01-01 10:00:00.55+02', '10101', '{1,NULL,3}', '[1,5)', '{"a": 1}', '<a/>', md5('x')::uuid, 1.1, '\x00ff', 'l', '08:00:2b:01:02:03', 'a:1 b:2', '(1,2)', NULL);
			INSERT INTO kinds (id, who) VALUES (2, 42), (3, 43)`)
		var columns strings.Builder
		for _, name := range all(t, w.pg.Connect(t, testenv.ShopDBA), "SELECT attname FROM pg_attribute WHERE attrelid = 'kinds'::regclass AND attnum > 0") {
			fmt.Fprintf(&columns, "          %q: {category: orders, mask: last4}\n", name)
		}
		text := strings.Replace(string(policy.DefaultYAML()), "      payments:\n", "      kinds:\n        customer: who\n        columns:\n"+columns.String()+"      payments:\n", 1)
		var err error
		if w.policy, err = policy.Load("policy.yaml", []byte(text), "default.cedar", policy.DefaultCedar()); err != nil {
			t.Fatal(err)
		}
		w.apply(t)
		s := w.open(t, false).hold(t, everything())
		app := w.pg.Connect(t, testenv.ShopDBA)
		for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
			direct, through := wire(t, app, format, "SELECT * FROM public.kinds WHERE who = 42 ORDER BY id"), wire(t, s.Conn, format, "SELECT * FROM kinds ORDER BY id")
			if direct != through {
				t.Errorf("format %d: through the view\n%s\ndirectly\n%s", format, through, direct)
			}
		}
		g := everything()
		g.Categories = []access.Category{"identity"}
		s.hold(t, g)
		if h := s.try(t, "SELECT * FROM kinds"); h.err != nil || strings.Trim(strings.Join(h.rows, ""), "|• ") != "" {
			t.Errorf("masked: %q %v", h.rows, h.err)
		}
	})
}

// wire writes a result as it comes over the wire: types, modifiers and bytes.
func wire(t *testing.T, conn *pgx.Conn, format int16, sql string) string {
	t.Helper()
	r := conn.PgConn().ExecParams(t.Context(), sql, nil, nil, nil, []int16{format})
	var out strings.Builder
	for _, f := range r.FieldDescriptions() {
		fmt.Fprintf(&out, "%s %d %d %d\n", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier)
	}
	for r.NextRow() {
		fmt.Fprintf(&out, "%q\n", r.Values())
	}
	if _, err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Many sessions at once each see their own customer only, also while grants are
// bound, bound anew and released.
func TestManySessionsSeeTheirOwn(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		var sessions []*session
		for range 12 {
			sessions = append(sessions, w.open(t, false))
		}
		var wait sync.WaitGroup
		for i, s := range sessions {
			wait.Go(func() {
				for round := range 15 {
					g := everything()
					id := fmt.Sprint(1 + (i*7+round*13)%60)
					g.Customer = access.CustomerID(id)
					if err := w.binder.Bind(context.Background(), s.PgConn().PID(), g); err != nil {
						t.Error(err)
						return
					}
					got, err := texts(context.Background(), s.Conn, "SELECT DISTINCT c.id, o.id / 100 FROM customers AS c CROSS JOIN orders AS o")
					if err != nil || len(got) != 1 || got[0] != id+"|"+id {
						t.Errorf("bound to %s: %v %v", id, got, err)
					}
				}
			})
		}
		wait.Wait()
	})
}
