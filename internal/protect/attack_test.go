package protect_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
)

// leaked finds the canary's values in whatever the database says.
var leaked = regexp.MustCompile(`(?i)canary|66666|cafe43|66\.6\.6\.6|1966-06-06|2016-06-06`)

// A hearing is everything that a statement made the database say.
type hearing struct {
	rows    []string
	notices []string
	err     *pgconn.PgError
}

func (h hearing) text() string {
	out := strings.Join(h.rows, "\n") + strings.Join(h.notices, "\n")
	if h.err != nil {
		out += fmt.Sprintf("%+v", *h.err)
	}
	return out
}

// try runs statements in the simple protocol, which any client may, and hears
// all of the answer.
func (s *session) try(t *testing.T, sql string) (h hearing) {
	t.Helper()
	results, err := s.PgConn().Exec(t.Context(), sql).ReadAll()
	for _, r := range results {
		for _, row := range r.Rows {
			values := make([]string, len(row))
			for i, v := range row {
				values[i] = string(v)
			}
			h.rows = append(h.rows, strings.Join(values, "|"))
		}
	}
	if err != nil && !errors.As(err, &h.err) {
		t.Fatalf("%s: %v", sql, err)
	}
	h.notices = append(h.notices, s.notices...)
	s.notices = nil
	// Leave no transaction behind.
	if _, err := s.PgConn().Exec(t.Context(), "ROLLBACK").ReadAll(); err != nil {
		t.Fatal(err)
	}
	return h
}

// An attack is one statement (or several) of a hostile employee. Whatever it
// does, not one of the canary's values may be heard.
type attack struct {
	name, sql string
	shows     []string // nil: whatever; else these rows
}

// closed are the attacks that the database itself refuses.
var closed = []attack{
	{name: "the base table", sql: "SELECT * FROM public.customers"},
	{name: "a base table on the path", sql: "SELECT count(*) FROM public.orders WHERE id = 4301"},
	{name: "one column of a base table", sql: "SELECT id FROM public.orders"},
	{name: "a table that the map doesn't name", sql: "SELECT * FROM public.visits"},
	{name: "a column that the map doesn't name", sql: "SELECT secret_note FROM customers"},
	{name: "the keys", sql: "SELECT * FROM paravent.secret"},
	{name: "the key of the tokens", sql: "SELECT paravent.token_key()"},
	{name: "the grants of others", sql: "SELECT * FROM paravent.bound"},
	{name: "the saved rights", sql: "SELECT * FROM paravent.saved_acl"},
	{name: "a grant of his own making", sql: "SELECT paravent.bind(pg_backend_pid(), 'g', 'p', '43', '{identity}', 'all', NULL, NULL, '{}', '{}', now() + interval '1 h')"},
	{name: "writing a grant", sql: "UPDATE paravent.bound SET customer = '43'"},
	{name: "another's number", sql: "SELECT setval('paravent.sessions', 1)"},
	{name: "the next number", sql: "SELECT nextval('paravent.sessions')"},
	{name: "the grant of a token", sql: "SELECT * FROM paravent.from_token()"},
	{name: "a function that runs as its owner", sql: "SELECT public.customer_name(43)"},
	{name: "the shop's own functions", sql: "SELECT public.order_total(4301), public.next_order()"},
	{name: "SET ROLE", sql: "SET ROLE paravent_owner"},
	{name: "SET ROLE to the shop", sql: "SET ROLE shop_app"},
	{name: "SET SESSION AUTHORIZATION", sql: "SET SESSION AUTHORIZATION shop_app"},
	{name: "COPY a base table", sql: "COPY public.customers TO STDOUT"},
	{name: "COPY to a file", sql: "COPY (SELECT 1) TO '/tmp/paravent-stash'"},
	{name: "COPY to a program", sql: "COPY (SELECT 1) TO PROGRAM 'cat'"},
	{name: "COPY from a program", sql: "COPY customers FROM PROGRAM 'cat'"},
	{name: "reading a file", sql: "SELECT pg_read_file('/etc/passwd')"},
	{name: "listing a folder", sql: "SELECT pg_ls_dir('.')"},
	{name: "large objects: export", sql: "SELECT lo_export(1, '/tmp/x')"},
	{name: "large objects: stash", sql: "SELECT lo_from_bytea(0, 'x')"},
	{name: "large objects: create", sql: "SELECT lo_create(0)"},
	{name: "large objects: read", sql: "SELECT lo_get(1)"},
	{name: "large objects: which there are", sql: "SELECT * FROM pg_largeobject_metadata"},
	{name: "advisory locks", sql: "SELECT pg_advisory_lock(42)"},
	{name: "advisory locks: tried", sql: "SELECT pg_try_advisory_xact_lock_shared(42)"},
	{name: "notifying", sql: "SELECT pg_notify('x', 'y')"},
	{name: "listening channels", sql: "SELECT pg_listening_channels()"},
	{name: "an extension", sql: "CREATE EXTENSION hstore"},
	{name: "LOAD", sql: "LOAD 'auto_explain'"},
	{name: "pg_authid", sql: "SELECT * FROM pg_authid"},
	{name: "pg_hba", sql: "SELECT * FROM pg_hba_file_rules"},
	{name: "a replication slot", sql: "SELECT pg_create_physical_replication_slot('x')"},
	{name: "pg_statistic", sql: "SELECT * FROM pg_statistic"},
	{name: "pg_stats", sql: "SELECT * FROM pg_stats"},
	{name: "extended statistics", sql: "SELECT * FROM pg_stats_ext"},
	{name: "extended statistics of expressions", sql: "SELECT * FROM pg_stats_ext_exprs"},
	{name: "data of extended statistics", sql: "SELECT * FROM pg_statistic_ext_data"},
	{name: "statements of others", sql: "SELECT query FROM pg_stat_activity"},
	{name: "statements of others, by function", sql: "SELECT * FROM pg_stat_get_activity(NULL)"},
	{name: "pg_stat_statements", sql: "SELECT * FROM public.pg_stat_statements"},
	{name: "statistics of tables", sql: "SELECT * FROM pg_stat_all_tables"},
	{name: "statistics of indexes", sql: "SELECT * FROM pg_statio_user_indexes"},
	{name: "statistics of his own transaction", sql: "SELECT pg_stat_get_xact_tuples_returned('public.orders'::regclass)"},
	{name: "statistics of WAL", sql: "SELECT * FROM pg_stat_wal"},
	{name: "the position of the WAL", sql: "SELECT pg_current_wal_lsn()"},
	{name: "locks", sql: "SELECT * FROM pg_locks"},
	{name: "who blocks whom", sql: "SELECT pg_blocking_pids(1)"},
	{name: "volumes of tables", sql: "SELECT pg_relation_size('public.orders'::regclass), pg_total_relation_size('public.orders'::regclass)"},
	{name: "cancelling others", sql: "SELECT pg_cancel_backend(1)"},
	{name: "ending others", sql: "SELECT pg_terminate_backend(1)"},
	{name: "a snapshot for others", sql: "SELECT pg_export_snapshot()"},
	{name: "a message in the WAL", sql: "SELECT pg_logical_emit_message(true, 'x', 'y')"},
	{name: "DO", sql: "DO $$ BEGIN PERFORM 1; END $$"},
	{name: "SQL in an XML function", sql: "SELECT query_to_xml('SELECT * FROM customers', true, true, '')"},
	{name: "a schema as XML", sql: "SELECT schema_to_xml('public', true, true, '')"},
	{name: "SQL in ts_stat", sql: "SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM customers')"},
	{name: "SQL in ts_rewrite", sql: "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')"},
	{name: "a temporary table", sql: "CREATE TEMP TABLE stash AS SELECT * FROM customers"},
	{name: "a temporary table in the way of a function", sql: "CREATE TEMP TABLE bound (session bigint)"},
	{name: "a temporary view", sql: "CREATE TEMP VIEW stash AS SELECT * FROM customers"},
	{name: "a table", sql: "CREATE TABLE stash AS SELECT * FROM customers"},
	{name: "a schema", sql: "CREATE SCHEMA stash"},
	{name: "a function", sql: "CREATE FUNCTION peek(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'"},
	{name: "an operator", sql: "CREATE OPERATOR public.<<<< (PROCEDURE = int4eq, LEFTARG = integer, RIGHTARG = integer)"},
	{name: "a view of his own over the view", sql: "CREATE VIEW paravent_shop.mine AS SELECT * FROM customers"},
	{name: "a trigger on the view", sql: "CREATE TRIGGER t INSTEAD OF DELETE ON customers FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"},
	{name: "a rule on the view", sql: "CREATE RULE r AS ON DELETE TO customers DO INSTEAD NOTHING"},
	{name: "taking the view", sql: "ALTER VIEW paravent_shop.customers OWNER TO paravent_reader"},
	{name: "granting on", sql: "GRANT paravent_owner TO paravent_reader"},
	{name: "a foreign key as an oracle", sql: "CREATE TABLE fk (c bigint REFERENCES public.customers)"},
	{name: "FOR UPDATE", sql: "SELECT * FROM orders FOR UPDATE"},
	{name: "an exclusive lock", sql: "LOCK TABLE public.customers IN EXCLUSIVE MODE"},
	{name: "an exclusive lock on the view", sql: "LOCK TABLE customers IN EXCLUSIVE MODE"},
	{name: "inserting", sql: "INSERT INTO customers (id, name) VALUES (43, 'x')"},
	{name: "inserting, to hear of the key", sql: "INSERT INTO customers (id, name) VALUES (43, 'x') ON CONFLICT DO NOTHING"},
	{name: "deleting", sql: "DELETE FROM customers"},
	{name: "truncating", sql: "TRUNCATE public.customers"},
	{name: "changing what the purpose doesn't name", sql: "UPDATE customers SET name = 'x'"},
	{name: "changing a key, to hear of another's", sql: "UPDATE customers SET id = 43"},
	{name: "TABLESAMPLE", sql: "SELECT * FROM customers TABLESAMPLE SYSTEM (100)"},
	{name: "ctid", sql: "SELECT ctid FROM customers"},
	{name: "currtid2", sql: "SELECT currtid2('public.customers', '(0,1)')"},
	{name: "where a table lies", sql: "SELECT pg_relation_filepath('public.customers'::regclass)"},
	{name: "the last number of a sequence", sql: "SELECT last_value FROM public.order_numbers"},
	{name: "a system's settings", sql: "ALTER SYSTEM SET log_statement = 'all'"},
	{name: "logging for the others", sql: "SET log_statement = 'all'"},
	{name: "a trace of the optimizer's input", sql: "SET track_functions = 'all'"},
	{name: "statistics of his own making", sql: "CREATE STATISTICS s ON status, total_cents FROM public.orders"},
	{name: "ANALYZE", sql: "EXPLAIN SELECT 1; SELECT * FROM public.orders LIMIT 0"},
	{name: "a publication", sql: "CREATE PUBLICATION p FOR TABLE public.customers"},
	{name: "a policy", sql: "CREATE POLICY p ON public.customers USING (true)"},
	{name: "VACUUM's report", sql: "SELECT * FROM pg_stat_progress_vacuum"},
	{name: "prepared transactions", sql: "SELECT * FROM pg_prepared_xacts"},
	{name: "times of commits", sql: "SELECT pg_xact_commit_timestamp('3')"},
}

// silent are attacks that may run, and show what the grant shows, or nothing.
var silent = []attack{
	{name: "others by their id", sql: "SELECT * FROM customers WHERE id = 43", shows: []string{}},
	{name: "others by a value", sql: "SELECT * FROM customers WHERE name LIKE 'CANARY%' OR email LIKE 'canary%'", shows: []string{}},
	{name: "everybody", sql: "SELECT id FROM customers", shows: []string{"42"}},
	{name: "orders of others", sql: "SELECT count(*) FROM orders WHERE id BETWEEN 4300 AND 4399", shows: []string{"0"}},
	{name: "a cast over all names", sql: "SELECT name::integer FROM customers"},
	{name: "a cast before the filter", sql: "SELECT * FROM customers WHERE name::integer = 1 OR id = 43"},
	{name: "a division over others", sql: "SELECT 1 / (length(name) - 11) FROM customers"},
	{name: "a division over others' orders", sql: "SELECT 1 / (total_cents - 43001) FROM orders"},
	{name: "a regular expression that fails", sql: "SELECT * FROM customers WHERE 'x' ~ name"},
	{name: "a date out of a text", sql: "SELECT article::date FROM order_items"},
	{name: "a jsonb path over all", sql: "SELECT name::jsonb FROM customers"},
	{name: "a domain's error", sql: "SELECT (name || 'x')::bit(3) FROM customers"},
	{name: "row security off", sql: "SET row_security = off; SELECT count(*) FROM customers", shows: []string{"1"}},
	{name: "RESET ALL", sql: "RESET ALL; SELECT count(*) FROM paravent_shop.customers WHERE id = 43", shows: []string{"0"}},
	{name: "COPY of a query", sql: "COPY (SELECT id FROM customers) TO STDOUT"},
	{name: "a join of everything", sql: "SELECT c.id FROM customers AS c LEFT JOIN orders AS o ON true LEFT JOIN order_items AS i ON true GROUP BY 1", shows: []string{"42"}},
	{name: "a recursive walk", sql: "WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 60) SELECT w.n FROM w JOIN customers ON customers.id = w.n", shows: []string{"42"}},
	{name: "existence by outer join", sql: "SELECT v.id, c.id IS NOT NULL FROM (VALUES (41), (42), (43), (99)) AS v(id) LEFT JOIN customers AS c USING (id) ORDER BY 1", shows: []string{"41|f", "42|t", "43|f", "99|f"}},
	{name: "existence by EXISTS", sql: "SELECT EXISTS (SELECT FROM customers WHERE id = 43), EXISTS (SELECT FROM orders WHERE id = 4301)", shows: []string{"f|f"}},
	{name: "the rank among all", sql: "SELECT id, rank() OVER (ORDER BY id), count(*) OVER () FROM customers", shows: []string{"42|1|1"}},
	{name: "sensitive goods by name", sql: "SELECT count(*) FROM order_items WHERE lower(trim(department)) IN ('pharmacy', 'lingerie') OR department IS NULL OR department = ''", shows: []string{"0"}},
	{name: "parallel workers", sql: "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 4; SELECT count(*) FROM customers AS a, customers AS b", shows: []string{"1"}},
	{name: "every plan setting off", sql: "SET enable_nestloop = off; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SELECT count(*) FROM orders JOIN order_items ON order_items.order_id = orders.id", shows: []string{"10"}},
	{name: "plans in the client's messages", sql: "SET client_min_messages = debug5; SET debug_print_plan = on; SET debug_print_rewritten = on; SET debug_print_parse = on; SELECT count(*) FROM order_items", shows: []string{"10"}},
	{name: "EXPLAIN with everything", sql: "EXPLAIN (ANALYZE, BUFFERS, SETTINGS, VERBOSE, WAL, TIMING OFF) SELECT * FROM order_items JOIN orders ON orders.id = order_items.order_id"},
	{name: "EXPLAIN of an estimate", sql: "EXPLAIN SELECT * FROM orders WHERE status = 'paid'"},
	{name: "a value in a parameter's status", sql: "SELECT set_config('application_name', name, false) FROM customers"},
	{name: "a forged token where none is needed", sql: "SET paravent.token = '{\"customer\": \"43\"}'; SELECT count(*) FROM customers WHERE id = 43", shows: []string{"0"}},
	{name: "a name in the way by search_path", sql: "SET search_path = public, pg_catalog, paravent_shop; SELECT count(*) FROM paravent_shop.customers", shows: []string{"1"}},
	{name: "the function behind the view", sql: `SELECT id FROM paravent."shop.customers"()`, shows: []string{"42"}},
	{name: "an open table", sql: "SELECT count(*) FROM public.articles", shows: []string{"50"}},
	{name: "DISCARD and hello again", sql: "DISCARD SEQUENCES; SELECT paravent.hello() IS NOT NULL; SELECT count(*) FROM customers WHERE id <> 42", shows: []string{"t", "0"}},
	{name: "FOR UPDATE where something may be changed", sql: "SELECT id FROM customers FOR UPDATE"},
	{name: "MERGE", sql: "MERGE INTO customers AS c USING (VALUES (43)) AS v(id) ON c.id = v.id WHEN MATCHED THEN UPDATE SET city = 'x' WHEN NOT MATCHED THEN DO NOTHING"},
	{name: "a name of the catalog", sql: "SELECT count(*) FROM pg_class WHERE relname ~* 'canary'", shows: []string{"0"}},
}

// Each attack runs against each version, on the primary and on the standby.
func TestAHostileEmployeeHearsNothingOfTheCanary(t *testing.T) {
	together(t, func(t *testing.T, w *world) {
		for _, place := range []string{"primary", "standby"} {
			t.Run(place, func(t *testing.T) {
				s := w.open(t, place == "standby")
				for _, a := range closed {
					t.Run(a.name, func(t *testing.T) {
						s.hold(t, everything())
						h := s.try(t, a.sql)
						if h.err == nil {
							t.Errorf("not refused; it says %.300q", h.rows)
						}
						noLeak(t, h)
					})
				}
				for _, a := range silent {
					t.Run(a.name, func(t *testing.T) {
						s := w.open(t, place == "standby").hold(t, everything())
						h := s.try(t, a.sql)
						noLeak(t, h)
						if a.shows != nil && (h.err != nil || !slices.Equal(h.rows, a.shows) && len(h.rows)+len(a.shows) > 0) {
							t.Errorf("shows %q, %v, want %q", h.rows, h.err, a.shows)
						}
					})
				}
			})
		}
	})
}

func noLeak(t *testing.T, h hearing) {
	t.Helper()
	if found := leaked.FindString(h.text()); found != "" {
		t.Errorf("LEAKED %q in %.600s", found, h.text())
	}
}

// A masked column tells nothing of its value, however it is asked: by
// comparison, order, cast, join, aggregate, or by way of the whole row.
func TestAMaskedColumnIsMaskedHoweverItIsAsked(t *testing.T) {
	hidden := regexp.MustCompile(`Customer 42|c42@|555|Street 42|20042|City 0|1972-12-31`)
	together(t, func(t *testing.T, w *world) {
		for _, standby := range []bool{false, true} {
			s := w.open(t, standby)
			g := everything()
			g.Categories = []access.Category{"orders"}
			for _, sql := range []string{
				"SELECT * FROM customers", "SELECT customers.*, email, email AS name, customers.* FROM customers", "SELECT (customers).* FROM customers",
				"SELECT customers FROM customers", "SELECT customers::text, row_to_json(customers), to_jsonb(customers) FROM customers", "SELECT array_agg(customers), json_agg(customers) FROM customers",
				"SELECT name, email, phone, street FROM customers AS c(name, email, phone, street)", "SELECT * FROM customers NATURAL JOIN customers AS b",
				"SELECT min(name), max(email), string_agg(phone, ''), min(street) FROM customers", "SELECT name::integer FROM customers", "SELECT street::integer, city::date FROM customers",
				"SELECT 1 / length(name) FROM customers", "SELECT hashtext(name), md5(street), length(street) FROM customers", "COPY (SELECT * FROM customers) TO STDOUT",
				"SELECT xmlforest(name, street) FROM customers", "TABLE customers", "SELECT * FROM customers WHERE name IS NOT NULL OR street IS NOT NULL",
				"WITH c AS (SELECT * FROM customers) SELECT a.*, b.* FROM c AS a, c AS b", "SELECT email::date FROM customers", "SELECT 'x' ~ email FROM customers", "SELECT phone::integer FROM customers",
			} {
				h := s.hold(t, g).try(t, sql)
				if found := hidden.FindString(h.text()); found != "" {
					t.Errorf("%s tells %q", sql, found)
				}
			}
			// Blind: each answer is the same whatever the guess.
			for _, ask := range []string{
				"SELECT count(*) FROM customers WHERE name = '%s'", "SELECT count(*) FROM customers WHERE name > '%s'", "SELECT count(*) FROM customers WHERE street >= '%s'",
				"SELECT count(*) FROM customers WHERE name LIKE '%s%%'", "SELECT count(*) FROM customers WHERE street ~ '%s'", "SELECT count(*) FROM customers WHERE coalesce(city, '') = '%s'",
				"SELECT count(*) FROM customers AS c JOIN (VALUES ('%s')) AS v(x) ON c.name = v.x OR c.street = v.x", "SELECT rank() OVER (ORDER BY x) FROM (SELECT name FROM customers UNION ALL SELECT '%s') AS q(x)",
				"SELECT count(*) FROM customers WHERE (name, street) < ('%s', '')", "SELECT count(*) FROM customers WHERE greatest(name, '%[1]s') <> '%[1]s'", "SELECT CASE WHEN name < '%s' THEN 1 / 0 END FROM customers",
				"SELECT count(*) FROM customers WHERE email = '%s@example.org'", "SELECT count(*) FROM customers WHERE phone LIKE '%s%%'",
			} {
				var answers []string
				for _, guess := range []string{"Customer 42", "Street 42", "City 0", "A", "zzz", "49", "c42"} {
					if strings.Contains(ask, "rank()") {
						guess = "A" // the order of two constants isn't a secret
					}
					answers = append(answers, s.hold(t, g).try(t, fmt.Sprintf(ask, guess)).text())
				}
				if len(slices.Compact(answers)) != 1 {
					t.Errorf("%s: the answers differ with the guess: %q", ask, answers)
				}
			}
		}
	})
}

// What EXPLAIN tells is the same whether what is asked about exists or not, and
// doesn't count what is hidden of the customer herself; whatever the session's
// plan settings are.
func TestExplainTellsNothingOfWhatIsNotShown(t *testing.T) {
	settings := []string{"", "SET enable_nestloop = off; SET enable_hashjoin = off", "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off", "SET enable_seqscan = off; SET enable_nestloop = off",
		"SET plan_cache_mode = force_custom_plan", "SET plan_cache_mode = force_generic_plan; SET enable_material = off"}
	pairs := [][2]string{
		{"SELECT * FROM customers WHERE id = 43", "SELECT * FROM customers WHERE id = 99"},
		{"SELECT * FROM orders WHERE id = 4301", "SELECT * FROM orders WHERE id = 9901"},
		{"SELECT * FROM orders WHERE status = 'paid' AND id > 4300 AND id < 4400", "SELECT * FROM orders WHERE status = 'none' AND id > 9900 AND id < 9999"},
		{"SELECT * FROM order_items WHERE article = 'CANARY-ARTICLE'", "SELECT * FROM order_items WHERE article = 'NOBODYS-THINGS'"},
		{"SELECT * FROM orders JOIN order_items ON order_items.order_id = orders.id WHERE orders.id = 4301", "SELECT * FROM orders JOIN order_items ON order_items.order_id = orders.id WHERE orders.id = 9901"},
		{"SELECT * FROM customers WHERE email = 'canary@leaked.example'", "SELECT * FROM customers WHERE email = 'nobody@leaked.example'"},
	}
	literals := regexp.MustCompile(`\b(43|99|4301|9901|4300|4400|9900|9999)\b|'[^']*'`)
	cost := regexp.MustCompile(`(?m)^ *(Planning|Execution|Memory|Buffers: shared hit.*|JIT).*$|Memory: \d+kB|Memory Usage: \d+kB|hit=\d+|read=\d+`)
	together(t, func(t *testing.T, w *world) {
		for _, standby := range []bool{false, true} {
			for _, set := range settings {
				s := w.open(t, standby)
				s.do(t, "SET max_parallel_workers_per_gather = 0")
				if set != "" {
					s.hold(t, everything()).try(t, set)
				}
				for _, p := range pairs {
					var told [2]string
					for range 2 { // the second time every catalog is in memory
						for i, sql := range p {
							h := s.hold(t, everything()).try(t, "EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF, SUMMARY OFF, VERBOSE, SETTINGS) "+sql)
							told[i] = cost.ReplaceAllString(literals.ReplaceAllString(strings.Join(h.rows, "\n"), "?"), "")
						}
					}
					if told[0] != told[1] {
						t.Errorf("%s, %s: EXPLAIN differs:\n%s\n%s", set, p[0], told[0], told[1])
					}
				}
				for _, p := range pairs {
					if there, absent := s.pages(t, p[0]), s.pages(t, p[1]); there != absent || there == "" {
						t.Errorf("%s, %s: reads %s pages, of what is absent %s", set, p[0], there, absent)
					}
				}
				h := s.hold(t, everything()).try(t, "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT * FROM order_items")
				if text := strings.Join(h.rows, "\n"); !strings.Contains(text, "rows=10") || strings.Contains(text, "Removed") || strings.Contains(text, "Scan on orders") || strings.Contains(text, "rows=15") {
					t.Errorf("%s: EXPLAIN of the items counts what isn't shown:\n%s", set, text)
				}
			}
		}
	})
}

// pages returns how many pages EXPLAIN says a statement touches: the least of
// some runs, for the first ones read catalogs, too.
func (s *session) pages(t *testing.T, sql string) string {
	t.Helper()
	counts := regexp.MustCompile(`Buffers: shared hit=(\d+)`)
	least := ""
	for range 6 {
		h := s.hold(t, everything()).try(t, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) "+sql)
		m := counts.FindStringSubmatch(strings.Join(h.rows, "\n"))
		if m == nil {
			continue
		}
		if least == "" || len(m[1]) < len(least) || len(m[1]) == len(least) && m[1] < least {
			least = m[1]
		}
	}
	return least
}
