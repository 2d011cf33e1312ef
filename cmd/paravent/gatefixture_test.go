package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/ledger"
	"paravent/internal/lookup"
	"paravent/internal/store"
	"paravent/internal/testenv"
)

// sqlFolder is a storm's folder whose shop is a protected PostgreSQL behind a SQL
// door.
type sqlFolder struct {
	*stormFolder
	pg   *testenv.PG
	door string
	free []stormer // who may look without a second person
}

// newSQLFolder moves a storm's shop into PostgreSQL and protects it.
func newSQLFolder(t *testing.T, version string, settings ...testenv.Setting) *sqlFolder {
	t.Helper()
	f := &sqlFolder{stormFolder: newStormFolder(t), pg: testenv.Postgres(t, version, settings...), door: freeAddress(t)}
	f.pg.Exec(t, "CREATE DATABASE shop")
	f.pg.Database = "shop"
	f.fill(t)
	text := "listen: " + f.address + "\ndata: data\npolicy: policy.yaml\nconditions: default.cedar\nnode: demo\n" +
		fmt.Sprintf("sources: {shop: {kind: postgres, dsn: 'host=127.0.0.1 port=%d dbname=shop sslmode=disable'}}\n", f.pg.Port) +
		"gate:\n  listen: " + f.door + "\n  limits: {default: {per_minute: 1000000}}\n"
	if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.protect(t, "--apply", "Applied.")
	f.protect(t, "--check", "No gap")
	return f
}

// protect runs paravent protect on the shop.
func (f *sqlFolder) protect(t *testing.T, flag, want string) {
	t.Helper()
	c := f.command("protect", "--source", "shop", "--config", f.config, flag)
	c.Env = append(c.Env, "PGUSER="+testenv.Superuser)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
		t.Fatalf("protect %s: %v\n%s", flag, err, out)
	}
}

// fill copies the SQLite shop.
func (f *sqlFolder) fill(t *testing.T) {
	t.Helper()
	tables, err := os.ReadFile("../../internal/source/shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	f.pg.Exec(t, strings.ReplaceAll(string(tables), " WITHOUT ROWID", "")+"CREATE INDEX ON orders (customer_id); CREATE INDEX ON order_items (order_id); CREATE INDEX ON payments (order_id); CREATE INDEX ON deliveries (order_id);")
	db, err := sql.Open("sqlite", filepath.Join(f.dir, "shop.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn := f.pg.Connect(t, testenv.Superuser)
	for _, name := range []string{"customers", "orders", "order_items", "payments", "deliveries"} {
		rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+name)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		var all [][]any
		for rows.Next() {
			row := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range row {
				into[i] = &row[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			all = append(all, row)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.CopyFrom(t.Context(), pgx.Identifier{name}, columns, pgx.CopyFromRows(all)); err != nil {
			t.Fatalf("fill %s: %v", name, err)
		}
	}
}

// choose finds who may look without a second person.
func (f *sqlFolder) choose(t *testing.T, most int) []stormer {
	t.Helper()
	for _, p := range f.people {
		if d, err := f.look(http.DefaultClient, p); err == nil && d.Lookup != "" && len(f.free) < most {
			f.free = append(f.free, p)
		}
	}
	if len(f.free) == 0 {
		t.Fatal("nobody may look: the simulated shop has changed")
	}
	return f.free
}

// dsn is how an employee reaches the door. Waiting for the server to come back
// isn't his.
func (f *sqlFolder) dsn(p stormer, task bool) string {
	host, port, _ := net.SplitHostPort(f.door)
	text := fmt.Sprintf("host=%s port=%s user=%s password=%s dbname=shop sslmode=disable connect_timeout=10", host, port, p.login, p.token)
	if task {
		text += fmt.Sprintf(" options='-c paravent.task=%s'", p.task)
	}
	return text
}

func (f *sqlFolder) connect(t *testing.T, p stormer, task bool) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), f.dsn(p, task))
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// shown is what an employee sees at the API, which is what the console shows:
// rows by table, each column as text.
func (f *sqlFolder) shown(t *testing.T, p stormer) map[string][]string {
	t.Helper()
	var answer struct {
		Tables []struct {
			Name    string
			Columns []struct{ Name string }
			Rows    [][]any
		}
	}
	d := json.NewDecoder(bytes.NewReader(f.post(t, "/v1/lookups", p.token, fmt.Sprintf(`{"task":%q}`, p.task), http.StatusOK)))
	d.UseNumber()
	if err := d.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, table := range answer.Tables {
		out[table.Name] = []string{}
		for _, row := range table.Rows {
			out[table.Name] = append(out[table.Name], fmt.Sprint(row))
		}
	}
	return out
}

// records reads the ledger of a server that has ended: of each statement its
// text, by the number of its intent, and the outcomes.
func (f *sqlFolder) records(t *testing.T) (intents map[uint64]lookup.Decoded, outcomes map[uint64]lookup.Decoded, refusals []lookup.Decoded) {
	t.Helper()
	data := filepath.Join(f.dir, "data")
	st, err := store.Open(t.Context(), filepath.Join(data, storeFolder), realClock)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	l, err := chain.Open(filepath.Join(data, ledgerFolder), chain.Options{Ledger: ledger.Options{Clock: realClock, Keys: st.Keys()}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	intents, outcomes = map[uint64]lookup.Decoded{}, map[uint64]lookup.Decoded{}
	for r, err := range l.Records(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		d, ok, err := lookup.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case !ok || d.Door != lookup.DoorSQL && r.Kind != ledger.KindOutcome:
		case r.Kind == ledger.KindIntent:
			intents[r.Number] = d
		case r.Kind == ledger.KindOutcome:
			outcomes[d.Of-1] = d
		case r.Kind == ledger.KindRefusal:
			refusals = append(refusals, d)
		}
	}
	return intents, outcomes, refusals
}

// answered is one statement of a storm of which rows arrived.
type answered struct {
	mark  string // an alias in its text: no literal, so it is recorded
	whole bool   // CommandComplete arrived, too
}

// hammer asks again and again until stop is closed, and again through a new
// connection when one ends. clean judges an error; nil: it may happen.
func (f *sqlFolder) hammer(p stormer, name string, stop <-chan struct{}, got func(answered), clean func(error) error) error {
	var c *pgx.Conn
	defer func() {
		if c != nil {
			_ = c.Close(context.Background())
		}
	}()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return nil
		default:
		}
		if c == nil || c.IsClosed() {
			var err error
			if c, err = pgx.Connect(context.Background(), f.dsn(p, true)); err != nil {
				if err := clean(err); err != nil {
					return fmt.Errorf("connect: %w", err)
				}
				time.Sleep(5 * time.Millisecond)
				continue
			}
		}
		a := answered{mark: fmt.Sprintf("m_%s_%d", name, n)}
		arrived, err := f.ask(c, a.mark)
		a.whole = err == nil
		if arrived > 0 {
			got(a)
		}
		if err := clean(err); err != nil {
			return err
		}
	}
}

// ask runs one statement under a name and counts the rows that arrive.
func (f *sqlFolder) ask(c *pgx.Conn, mark string) (arrived int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	rows, err := c.Query(ctx, "SELECT id AS "+mark+", name FROM customers", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		arrived++
	}
	return arrived, rows.Err()
}

// goneCleanly lets pass how a connection may end: a word of the server's, or the
// end of the stream, never nonsense and never a wait without end.
func goneCleanly(err error) error {
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pg):
		if strings.HasPrefix(pg.Code, "57") || strings.HasPrefix(pg.Code, "08") || pg.Code == "58030" || pg.Code == "53300" {
			return nil
		}
		return err
	case errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "timeout"):
		return fmt.Errorf("a client waits without end: %w", err)
	case strings.Contains(err.Error(), "invalid") || strings.Contains(err.Error(), "unexpected message"):
		return err
	}
	return nil // connection refused, reset, EOF
}

// closeAccount has an account closed by the administrator.
func (f *sqlFolder) closeAccount(t *testing.T, login string) {
	t.Helper()
	c := f.command("account", "close", login)
	c.Env = append(c.Env, "PARAVENT_SERVER=http://"+f.address, "PARAVENT_TOKEN="+f.admin)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("close %s: %v\n%s", login, err, out)
	}
}

// covered checks that each answer has its intent, and each whole one its outcome.
func (f *sqlFolder) covered(t *testing.T, got []answered) {
	t.Helper()
	intents, outcomes, _ := f.records(t)
	by := map[string]uint64{}
	for n, d := range intents {
		for word := range strings.FieldsSeq(strings.ReplaceAll(d.Statement, ",", " ")) {
			if strings.HasPrefix(word, "m_") {
				by[word] = n
			}
		}
	}
	for _, a := range got {
		n, ok := by[a.mark]
		if !ok {
			t.Errorf("rows of %s arrived, and no intent is in the ledger", a.mark)
		} else if _, ok := outcomes[n]; a.whole && !ok {
			t.Errorf("%s arrived whole, and no outcome is in the ledger", a.mark)
		}
	}
	for n := range outcomes {
		if d, ok := intents[n]; ok && d.Lookup.Action != access.ActionStatement {
			t.Errorf("record %d is no statement: %+v", n, d)
		}
	}
}
