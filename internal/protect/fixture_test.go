package protect_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/policy"
	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// shopPolicy is the shipped policy with an open table and columns that the
// purpose "address" may change.
func shopPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	text := strings.Replace(string(policy.DefaultYAML()), "  shop:\n", "  shop:\n    open: [articles]\n", 1)
	text = strings.Replace(text, "    recent_days: 30\n", "    recent_days: 30\n    changes: [shop.customers.street, shop.customers.city, shop.deliveries.city]\n", 1)
	p, err := policy.Load("policy.yaml", []byte(text), "default.cedar", policy.DefaultCedar())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// world is a protected shop.
type world struct {
	pg      *testenv.PG
	standby *testenv.PG
	policy  *policy.Policy
	binder  *protect.Binder
}

// newWorld starts a version with a shop and protects it.
func newWorld(t testing.TB, version string) *world {
	t.Helper()
	w := &world{pg: testenv.Postgres(t, version), policy: shopPolicy(t)}
	w.pg.Shop(t)
	w.apply(t)
	w.bind(t)
	return w
}

func (w *world) apply(t testing.TB) {
	t.Helper()
	conn := w.pg.Connect(t, testenv.ShopDBA)
	plan, err := protect.New(t.Context(), conn, w.policy, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := protect.Apply(t.Context(), conn, plan); err != nil {
		t.Fatal(err)
	}
}

func (w *world) bind(t testing.TB) {
	t.Helper()
	var err error
	if w.binder, err = protect.NewBinder(t.Context(), w.pg.Pool(t, protect.Gate), w.policy, "shop"); err != nil {
		t.Fatal(err)
	}
}

// everything is a grant of customer 42 with every category.
func everything() access.Grant {
	return access.Grant{
		ID: "g1", Employee: "e1", Customer: access.CustomerID(fmt.Sprint(testenv.ShopCustomer)), Task: "T-1", Purpose: "legal_hold",
		Categories: []access.Category{"contact", "delivery", "identity", "order_items", "orders", "payment"}, Reach: access.ReachAll,
		Since: time.Now(), Until: time.Now().Add(time.Hour),
	}
}

// A session is a hostile employee's: a connection as paravent_reader.
type session struct {
	*pgx.Conn
	w       *world
	standby bool
	hello   string
	notices []string
}

// open connects as an employee, on the primary or its standby, as the gateway
// does before his first byte.
func (w *world) open(t testing.TB, standby bool) *session {
	t.Helper()
	pg := w.pg
	if standby {
		pg = w.standby
	}
	s := &session{w: w, standby: standby}
	config, err := pgx.ParseConfig(pg.DSN(protect.Employees))
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { s.notices = append(s.notices, fmt.Sprintf("%+v", *n)) }
	if s.Conn, err = pgx.ConnectConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close(context.Background()) // the test may have ended it
	})
	if err := s.QueryRow(t.Context(), "SELECT paravent.hello()").Scan(&s.hello); err != nil {
		t.Fatalf("hello: %v", err)
	}
	return s
}

// hold lets the session see what the grant shows.
func (s *session) hold(t testing.TB, g access.Grant) *session {
	t.Helper()
	if !s.standby {
		if err := s.w.binder.Bind(t.Context(), s.PgConn().PID(), g); err != nil {
			t.Fatalf("bind: %v", err)
		}
		return s
	}
	token, err := s.w.binder.Token(s.hello, g, time.Now())
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	s.do(t, "SELECT set_config('paravent.token', $1, false)", token)
	return s
}

// do runs a statement that must not fail.
func (s *session) do(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := s.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// one returns the first column of the first row as text, or "" for NULL.
func one(t testing.TB, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	got := all(t, conn, sql, args...)
	if len(got) != 1 {
		t.Fatalf("%s: %d rows", sql, len(got))
	}
	return got[0]
}

// all returns the first column of every row as text.
func all(t testing.TB, conn *pgx.Conn, sql string, args ...any) []string {
	t.Helper()
	out, err := texts(t.Context(), conn, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func texts(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		values := rows.RawValues()
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = string(v)
		}
		out = append(out, strings.Join(texts, "|"))
	}
	return out, rows.Err()
}

// versions runs a test against every version, each with a world of its own.
func versions(t *testing.T, standby bool, run func(t *testing.T, w *world)) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, version)
			if standby {
				w.standby = w.pg.Standby(t)
			}
			run(t, w)
		})
	}
}

// together runs a test against every version in a world that all tests share
// which only open sessions in it. It has a standby.
func together(t *testing.T, run func(t *testing.T, w *world)) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			testenv.Need(t, version)
			run(t, shared[version]())
		})
	}
}

// shared are the worlds of together, made when the first test needs one.
var shared = map[string]func() *world{"15": sharedWorld("15"), "18": sharedWorld("18")}

func sharedWorld(version string) func() *world {
	return sync.OnceValue(func() *world {
		w := &world{pg: testenv.Postgres(&process, version, "shared_preload_libraries=pg_stat_statements"), policy: shopPolicy(&process)}
		w.pg.Shop(&process)
		w.pg.Exec(&process, "CREATE EXTENSION pg_stat_statements")
		w.apply(&process)
		w.bind(&process)
		w.standby = w.pg.Standby(&process)
		return w
	})
}

// process stands in for a test that lasts as long as all of them.
var process lasting

type lasting struct {
	testing.TB
	mu   sync.Mutex
	ends []func()
}

func (l *lasting) Helper()                  {}
func (l *lasting) Context() context.Context { return context.Background() }
func (l *lasting) Fatal(args ...any)        { panic(fmt.Sprint(args...)) }
func (l *lasting) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
func (l *lasting) Errorf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
func (l *lasting) Cleanup(end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends = append(l.ends, end)
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, end := range slices.Backward(process.ends) {
		end()
	}
	os.Exit(code)
}
