package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"paravent/internal/testenv"
)

// observing is a server that takes sightings, as strictly as the real one, and
// can be away.
type observing struct {
	*httptest.Server
	mu     sync.Mutex
	known  map[string]sighting
	posted int // sightings that were sent, again ones too
	away   int // so many requests to come fail; after those of a batch it is recorded first
	lost   bool
}

func observe(t *testing.T) *observing {
	t.Helper()
	o := &observing{known: map[string]sighting{}}
	o.Server = httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(o.Close)
	t.Setenv("PARAVENT_TOKEN", "pvt_test")
	return o
}

func (o *observing) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer pvt_test" || r.URL.Path != "/v1/observed" {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	if r.Method == "GET" {
		fmt.Fprint(w, `{"relations":["public.customers","public.orders"],"passed":["paravent_reader","shop_app"]}`)
		return
	}
	if o.away > 0 && !o.lost {
		o.away--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var body struct {
		Sightings []sighting `json:"sightings"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	recorded := 0
	for _, s := range body.Sightings {
		o.posted++
		if _, ok := o.known[s.ID]; !ok {
			o.known[s.ID] = s
			recorded++
		}
	}
	if o.away > 0 { // recorded, and the answer lost
		o.away--
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, `{"recorded":%d,"known":%d,"passed":0}`, recorded, len(body.Sightings)-recorded)
}

// all returns what is recorded, in order of time.
func (o *observing) all() []sighting {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []sighting
	for _, s := range o.known {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b sighting) int { return a.At.Compare(b.At) })
	return all
}

// wait waits until so many are recorded.
func (o *observing) wait(t *testing.T, n int) []sighting {
	t.Helper()
	for range 400 {
		if all := o.all(); len(all) >= n {
			return all
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%d are recorded, want %d", len(o.all()), n)
	return nil
}

// ingest runs paravent ingest pgaudit.
func ingest(t *testing.T, ctx context.Context, o *observing, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := newRootCommand(streams{in: strings.NewReader(""), out: &out, err: &out})
	c.SetArgs(append([]string{"ingest", "pgaudit", "--server", o.URL}, args...))
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

// audited starts PostgreSQL with pgaudit, and returns its folder of logs.
func audited(t *testing.T, settings ...testenv.Setting) (*testenv.PG, string) {
	t.Helper()
	if _, err := os.Stat("/usr/lib/postgresql/15/lib/pgaudit.so"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pgaudit is missing: apt-get install postgresql-15-pgaudit")
		}
		t.Skip("pgaudit is missing: apt-get install postgresql-15-pgaudit")
	}
	pg := testenv.Postgres(t, "15", append([]testenv.Setting{"shared_preload_libraries=pgaudit", "logging_collector=on", "log_destination=csvlog,stderr",
		"log_line_prefix=%m [%p] %q%u@%d ", "pgaudit.log=read,write", "log_timezone=UTC"}, settings...)...)
	pg.Shop(t)
	return pg, filepath.Join(pg.Dir, "log")
}

const literal = "CANARY-LITERAL"

// misuse is what somebody does who speaks to the database himself: each
// statement reads customers or orders past the gateway.
var misuse = []string{
	"SELECT email FROM customers WHERE name = '" + literal + "'",
	"SELECT count(*) FROM public.customers WHERE name LIKE E'" + literal + "\\'%'\n\n-- " + literal + "\n",
	"COPY orders TO STDOUT",
	"COPY (SELECT 1 FROM orders WHERE note = $$" + literal + "$$) TO STDOUT",
	"DO $do$ BEGIN PERFORM name FROM customers WHERE name = '" + literal + "'; END $do$",
	"UPDATE orders SET note = note WHERE note = '" + literal + "' RETURNING note",
	"EXPLAIN ANALYZE SELECT * FROM customers",
	"WITH x AS MATERIALIZED (SELECT * FROM customers) SELECT count(*) FROM x",
	"SELECT query_to_xml('SELECT name FROM customers LIMIT 1', true, false, '')",
	"CREATE TEMP TABLE stash AS SELECT * FROM customers",
	"SELECT 1 FROM (VALUES ('\n2026-11-24 00:00:00.000 UTC [1] shop_app@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,nothing,<none>')) v, customers LIMIT 1",
}

// query runs statements one by one; a failure is one of the test's.
func query(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Against real lines of a real PostgreSQL, of both kinds of log, with and
// without the relation named in the line.
func TestIngestFindsWhatWasReadPastTheGateway(t *testing.T) {
	for _, relation := range []testenv.Setting{"pgaudit.log_relation=on", "pgaudit.log_relation=off"} {
		pg, logs := audited(t, relation)
		pg.Exec(t, "ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text; CREATE ROLE paravent_reader LOGIN; GRANT SELECT ON customers TO paravent_reader")
		conn := pg.Connect(t, testenv.ShopDBA)
		query(t, conn, "SELECT 1", "SELECT count(*) FROM payments") // nothing that is watched
		query(t, pg.Connect(t, testenv.ShopApp), "SELECT * FROM customers")
		query(t, pg.Connect(t, "paravent_reader"), "SELECT count(*) FROM customers")
		query(t, conn, misuse...)
		if _, err := conn.Exec(t.Context(), "SELECT name FROM customers WHERE name = $1", literal); err != nil { // extended protocol
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // the collector writes behind
		for _, pattern := range []string{"*.csv", "*.log"} {
			o := observe(t)
			out, err := ingest(t, t.Context(), o, "--state", t.TempDir()+"/state", "--prefix", "%m [%p] %q%u@%d ", filepath.Join(logs, pattern))
			if err != nil {
				t.Fatalf("%s: %v\n%s", pattern, err, out)
			}
			seen := map[string]bool{}
			for _, s := range o.all() {
				if s.Reader == testenv.ShopApp || s.Reader == "paravent_reader" || len(s.Relations) == 0 || s.Database != "shop" || s.Session == "" || time.Since(s.At).Abs() > time.Hour {
					t.Errorf("%s %s: reported %+v", relation, pattern, s)
				}
				if s.Reader != testenv.ShopDBA {
					continue // the test's own superuser made the shop
				}
				seen[s.Statement] = true
				if text, err := json.Marshal(s); err != nil || strings.Contains(string(text), "CANARY") || strings.Contains(string(text), "LITERAL") {
					t.Errorf("%s %s: a literal left this machine: %s", relation, pattern, text)
				}
			}
			for _, part := range []string{
				"SELECT email FROM customers WHERE name = ?", "SELECT count(*) FROM public.customers WHERE name LIKE ?", "COPY orders TO STDOUT",
				"COPY (SELECT ? FROM orders WHERE note = ?) TO STDOUT", "SELECT name FROM customers WHERE name = ?", "UPDATE orders SET note = note WHERE note = ? RETURNING note",
				"EXPLAIN ANALYZE SELECT * FROM customers", "WITH x AS MATERIALIZED (SELECT * FROM customers) SELECT count(*) FROM x", "SELECT name FROM customers LIMIT ?",
				"CREATE TEMP TABLE stash AS SELECT * FROM customers", "SELECT ? FROM (VALUES (?)) v, customers LIMIT ?", "SELECT name FROM customers WHERE name = $1",
			} {
				if !slices.ContainsFunc(mapKeys(seen), func(s string) bool { return strings.Contains(s, part) }) {
					t.Errorf("%s %s: not reported: %s\nreported: %q", relation, pattern, part, mapKeys(seen))
				}
			}
		}
	}
}

func mapKeys(m map[string]bool) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// Object audit names the relation of each table that the audit's role may see.
func TestIngestReadsObjectAudit(t *testing.T) {
	pg, logs := audited(t, "pgaudit.role=auditor", "pgaudit.log=none", "log_filename=pg.log")
	pg.Exec(t, "CREATE ROLE auditor; GRANT SELECT ON customers TO auditor")
	query(t, pg.Connect(t, testenv.ShopDBA), "SELECT c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE c.name = '"+literal+"' LIMIT 1", "SELECT count(*) FROM orders")
	time.Sleep(300 * time.Millisecond)
	o := observe(t)
	if out, err := ingest(t, t.Context(), o, "--state", t.TempDir()+"/state", filepath.Join(logs, "*.csv")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if all := o.all(); len(all) != 1 || !slices.Equal(all[0].Relations, []string{"public.customers"}) || strings.Contains(all[0].Statement, literal) {
		t.Errorf("%d are reported, %.2000s", len(all), fmt.Sprint(all))
	}
}

// While it follows: the server is away, the log is rotated, the program is ended
// and started again, its state is lost. Everything is recorded, and once.
func TestIngestFollowsAndLosesNothing(t *testing.T) {
	pg, logs := audited(t, "pgaudit.log_relation=on", "log_filename=pg-%H%M%S.log")
	conn, o := pg.Connect(t, testenv.ShopBI), observe(t)
	state := filepath.Join(t.TempDir(), "state")
	begin := func() (stop func() string) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan string, 1)
		go func() {
			out, err := ingest(t, ctx, o, "--follow", "--state", state, filepath.Join(logs, "*.csv"))
			if err != nil && ctx.Err() == nil {
				out += err.Error()
			}
			done <- out
		}()
		return func() string { cancel(); return <-done }
	}
	mine := func(n int) {
		t.Helper()
		for range 600 {
			if got := len(slices.DeleteFunc(o.all(), func(s sighting) bool { return s.Reader != testenv.ShopBI })); got >= n {
				if got > n {
					t.Fatalf("%d are recorded, want %d", got, n)
				}
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		t.Fatalf("not all %d are recorded", n)
	}
	stop := begin()
	query(t, conn, "SELECT 1 FROM customers")
	mine(1)
	o.mu.Lock()
	o.away = 2
	o.mu.Unlock()
	query(t, conn, "SELECT 2 FROM customers")
	mine(2)
	o.mu.Lock()
	o.away, o.lost = 1, true // it records, and its answer is lost
	o.mu.Unlock()
	query(t, conn, "SELECT 3 FROM customers")
	mine(3)
	time.Sleep(time.Second) // the next file has another name
	pg.Exec(t, "SELECT pg_rotate_logfile()")
	time.Sleep(200 * time.Millisecond)
	query(t, conn, "SELECT 4 FROM customers")
	mine(4)
	if out := stop(); !strings.Contains(out, "trying again") {
		t.Errorf("said %s", out)
	}
	query(t, conn, "SELECT 5 FROM customers") // while nobody reads
	sent := o.posted
	stop = begin()
	mine(5)
	stop()
	if again := o.posted - sent; again > 2 {
		t.Errorf("%d were sent again after a restart", again)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	stop = begin()
	query(t, conn, "SELECT 6 FROM customers")
	mine(6)
	stop()
}

// Of 18 there is no pgaudit here; its csvlog and prefix are the server's own, and
// the message is written by RAISE.
func TestIngestReadsTheLogOf18(t *testing.T) {
	pg := testenv.Postgres(t, "18", "logging_collector=on", "log_destination=csvlog,stderr", "log_line_prefix=%m [%p] %q%u@%d ", "log_timezone=UTC")
	pg.Exec(t, `DO $$ BEGIN RAISE LOG 'AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,"select *
from customers where name = ''`+literal+`''",<none>'; END $$`)
	time.Sleep(300 * time.Millisecond)
	for _, pattern := range []string{"*.csv", "*.log"} {
		o := observe(t)
		out, err := ingest(t, t.Context(), o, "--state", t.TempDir()+"/state", "--prefix", "%m [%p] %q%u@%d ", filepath.Join(pg.Dir, "log", pattern))
		if all := o.all(); err != nil || len(all) != 1 || all[0].Reader != testenv.Superuser || all[0].Statement != "select * from customers where name = ?" {
			t.Errorf("%s: reported %+v, %v\n%s", pattern, all, err, out)
		}
	}
}

func TestIngestListensForSyslog(t *testing.T) {
	o := observe(t)
	probe, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.LocalAddr().String()
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := ingest(t, ctx, o, "--syslog", address, "--prefix", "%m [%p] %u@%d ")
		done <- err
	}()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for n := 0; len(o.all()) == 0 && n < 100; n++ { // until it listens
		fmt.Fprintf(conn, "<134>Nov 24 00:11:12 db1 postgres[77]: [%d-1] 2026-11-24 00:11:12.345 UTC [77] dba@shop LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.customers,select '%s',<none>", n, literal)
		time.Sleep(50 * time.Millisecond)
	}
	if s := o.wait(t, 1)[0]; s.Reader != "dba" || s.Statement != "select ?" {
		t.Errorf("reported %+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Attack: statements that are as long as can be once they are JSON, so that a
// batch is refused for its length, again and again.
func TestNoStatementIsTooLongToBeReported(t *testing.T) {
	o := observe(t)
	path := filepath.Join(t.TempDir(), "pg.csv")
	var log strings.Builder
	for n := range 40 {
		fmt.Fprintf(&log, "2026-11-24 00:11:12.345 UTC,\"dba\",\"shop\",123,\"[local]\",6743a1b0.7b,%d,\"SELECT\",2026-11-24 00:11:00 UTC,3/5,0,LOG,00000,"+
			"\"AUDIT: SESSION,1,1,READ,SELECT,,,\"\"select * from customers where a %s b\"\",<none>\",,,,,,,,,\"psql\",\"client backend\",,0\n", n, strings.Repeat("<", 8000))
	}
	if err := os.WriteFile(path, []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := ingest(t, t.Context(), o, "--state", path+".state", path); err != nil || len(o.all()) != 40 {
		t.Errorf("%d are reported, %v: %s", len(o.all()), err, out)
	}
}

func TestIngestSaysWhatItNeeds(t *testing.T) {
	o := observe(t)
	for _, args := range [][]string{
		{}, {"missing.csv"}, {"postgres.log"}, {"--prefix", "%m %a %u %p ", "postgres.log"}, {"--syslog", "127.0.0.1:0"},
		{"--zone", "Nowhere", "x.csv"}, {"--syslog", "127.0.0.1:0", "--prefix", "%m %p %u ", "x.csv"}, {"--syslog", "nowhere", "--prefix", "%m %p %u "},
		{"--syslog", "127.0.0.1:0", "--from", "me", "--prefix", "%m %p %u "},
	} {
		if out, err := ingest(t, t.Context(), o, append(args, "--state", t.TempDir()+"/state")...); err == nil {
			t.Errorf("%q is taken: %s", args, out)
		}
	}
}
