package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"paravent/internal/testenv"
)

// An employee speaks SQL: without a task nothing of a customer, with it exactly
// what the console shows, and both records of each statement.
func TestTheSQLDoorShowsWhatTheConsoleShows(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			f := newSQLFolder(t, version)
			server := f.start(t)
			defer server.Process.Kill()
			p := f.choose(t, 3)[0]
			want := f.shown(t, p)
			c := f.connect(t, p, false)
			var pg *pgconn.PgError
			if _, err := c.Exec(t.Context(), "SELECT name FROM customers"); !errors.As(err, &pg) || pg.Code != "42501" || !strings.Contains(pg.Hint, "SET paravent.task") {
				t.Errorf("without a task: %v", err)
			}
			if _, err := c.Exec(t.Context(), fmt.Sprintf("SET paravent.task = '%s'", p.task)); err != nil {
				t.Fatalf("set the task: %v", err)
			}
			seen := 0
			for table, rows := range want {
				got := readAll(t, c, table)
				slices.Sort(got)
				slices.Sort(rows)
				seen += len(rows)
				if !slices.Equal(got, rows) {
					t.Errorf("%s:\nSQL     %v\nconsole %v", table, got, rows)
				}
			}
			if seen == 0 || len(want["customers"]) != 1 {
				t.Fatalf("the console shows %v, which proves nothing", want)
			}
			for _, table := range []string{"order_items", "payments"} { // no purpose of the task, or shown: never a neighbour's
				if _, ok := want[table]; !ok {
					for _, row := range readAll(t, c, table) {
						if strings.Trim(strings.ReplaceAll(row, "<nil>", ""), "[] ") != "" && !strings.Contains(row, "•••") {
							t.Errorf("%s shows %s", table, row)
						}
					}
				}
			}
			if out := f.psql(t, p); !strings.Contains(out, "1 row") || !strings.Contains(out, "SET paravent.task") {
				t.Errorf("psql says:\n%s", out)
			}
			f.stop(t, server)
			f.checkRecords(t)
		})
	}
}

func readAll(t *testing.T, c *pgx.Conn, table string) []string {
	t.Helper()
	rows, err := c.Query(t.Context(), "SELECT * FROM "+table, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		values, err := row.Values()
		return fmt.Sprint(values), err
	})
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return got
}

// psql asks without and with the task.
func (f *sqlFolder) psql(t *testing.T, p stormer) string {
	t.Helper()
	host, port, _ := net.SplitHostPort(f.door)
	c := exec.Command(filepath.Join(testenv.Tools(t), "psql"), "-X", "-h", host, "-p", port, "-U", p.login, "-d", "shop",
		"-c", "SELECT * FROM customers", "-c", "SET paravent.task = '"+string(p.task)+"'", "-c", "SELECT id, name FROM customers")
	c.Env = []string{"PGPASSWORD=" + p.token, "PGSSLMODE=disable", "PAGER="}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("psql: %v", err)
	}
	return string(out)
}

// checkRecords looks for both records of each statement, and for the refusals.
func (f *sqlFolder) checkRecords(t *testing.T) {
	t.Helper()
	intents, outcomes, refusals := f.records(t)
	if len(intents) < 3 || len(refusals) != 2 {
		t.Errorf("%d intents and %d refusals", len(intents), len(refusals))
	}
	for n, d := range intents {
		o, ok := outcomes[n]
		if !ok || d.Lookup.Task == "" || d.Lookup.Customer == "" || !strings.Contains(d.Statement, "from") {
			t.Errorf("intent %+v has outcome %t %+v", d, ok, o)
		}
	}
	for _, d := range refusals {
		if !slices.Contains(d.Reasons, "sql_no_task") {
			t.Errorf("refused for %v", d.Reasons)
		}
	}
}

// An account that is closed ends what its owner is doing within a second.
func TestAClosedAccountEndsItsSQLSessions(t *testing.T) {
	f := newSQLFolder(t, "15")
	server := f.start(t)
	defer server.Process.Kill()
	p := f.choose(t, 3)[0]
	idle, task := f.connect(t, p, false), f.connect(t, p, true)
	f.closeAccount(t, p.login)
	closed := time.Now()
	for _, c := range []*pgx.Conn{idle, task} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := c.WaitForNotification(ctx)
		cancel()
		var pg *pgconn.PgError
		if took := time.Since(closed); !errors.As(err, &pg) || pg.Code != "57P01" || took > time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	}
	if c, err := pgx.Connect(t.Context(), f.dsn(p, false)); err == nil {
		_ = c.Close(t.Context())
		t.Error("a closed account signs on again")
	}
	t.Logf("both sessions had ended %s after the account", time.Since(closed).Round(time.Millisecond))
}

// storm lets everybody ask until the returned function is called, which returns
// what arrived.
func (f *sqlFolder) storming(t *testing.T, round string) (arrived *atomic.Int64, end func() []answered) {
	t.Helper()
	var mu sync.Mutex
	var all []answered
	arrived = &atomic.Int64{}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for w := range 8 {
		workers.Go(func() {
			err := f.hammer(f.free[w%len(f.free)], fmt.Sprintf("%s_%d", round, w), stop, func(a answered) {
				mu.Lock()
				all = append(all, a)
				mu.Unlock()
				arrived.Add(1)
			}, goneCleanly)
			if err != nil {
				t.Error(err)
			}
		})
	}
	return arrived, func() []answered {
		close(stop)
		workers.Wait()
		return all
	}
}

func waitFor(t *testing.T, arrived *atomic.Int64, count int64) {
	t.Helper()
	for began := time.Now(); arrived.Load() < count; time.Sleep(time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("only %d answers arrived, wanted %d", arrived.Load(), count)
		}
	}
}

// G3: kill -9 of the server in a storm of statements. Whatever rows arrived have
// their intent in the ledger, and whole answers their outcome.
func TestKilledInAStormOfStatementsNoAnswerIsWithoutItsIntent(t *testing.T) {
	f := newSQLFolder(t, "15")
	kills := 8
	if long() {
		kills = 100
	}
	random := rand.New(rand.NewPCG(20261124, 4))
	var all []answered
	for i := range kills {
		server := f.start(t)
		if len(f.free) == 0 {
			f.choose(t, 8)
		}
		arrived, end := f.storming(t, fmt.Sprint(i))
		waitFor(t, arrived, 20+random.Int64N(80))
		time.Sleep(time.Duration(random.Int64N(int64(3 * time.Millisecond))))
		if err := server.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = server.Wait()
		all = append(all, end()...)
	}
	f.covered(t, all)
	t.Logf("%d kills, %d answers", kills, len(all))
}

// kill -9 of PostgreSQL in a storm: clients get a clean error and go on when it
// is back, and so does the console.
func TestPostgreSQLKilledInAStormOfStatements(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			f := newSQLFolder(t, version)
			server := f.start(t)
			defer server.Process.Kill()
			defer func() {
				if t.Failed() {
					_ = server.Process.Kill()
					_ = server.Wait()
					t.Logf("the server says:\n%s", server.Stderr)
				}
			}()
			f.choose(t, 8)
			arrived, end := f.storming(t, "pg")
			for range 3 {
				waitFor(t, arrived, arrived.Load()+50)
				f.pg.Kill(t)
				time.Sleep(500 * time.Millisecond) // its backends notice, and let go of its memory
				f.pg.Start(t)
			}
			waitFor(t, arrived, arrived.Load()+50)
			all := end()
			if got := f.shown(t, f.free[0]); len(got["customers"]) != 1 {
				t.Errorf("the console shows %v", got)
			}
			f.stop(t, server)
			f.covered(t, all)
			t.Logf("3 kills, %d answers", len(all))
		})
	}
}

// The ledger turns over under a storm of statements: sessions end cleanly and
// come again, and no record is lost.
func TestTheLedgerTurnsOverUnderTheSQLDoor(t *testing.T) {
	f := newSQLFolder(t, "15")
	server := f.start(t)
	defer server.Process.Kill()
	p := f.choose(t, 8)[0]
	idle := f.connect(t, p, true)
	arrived, end := f.storming(t, "turn")
	for turn := range 2 {
		waitFor(t, arrived, arrived.Load()+50)
		f.rotate(t, fmt.Sprintf("%04d", turn+2))
	}
	waitFor(t, arrived, arrived.Load()+50)
	all := end()
	var pg *pgconn.PgError
	if _, err := idle.Exec(t.Context(), "SELECT 1"); !errors.As(err, &pg) || pg.Code != "57P01" || pg.Hint == "" {
		t.Errorf("an idle session hears %v", err)
	}
	f.stop(t, server)
	f.covered(t, all)
	intents, outcomes, _ := f.records(t)
	for n, d := range intents {
		if _, ok := outcomes[n]; !ok {
			t.Errorf("intent %d has no outcome: %s", n, d.Statement)
		}
	}
	t.Logf("%d answers over two turns, %d intents", len(all), len(intents))
}

// Behind the door may stand a standby, where nothing can be written.
func TestTheSQLDoorBeforeAStandby(t *testing.T) {
	f := newSQLFolder(t, "15")
	standby := f.pg.Standby(t)
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, fmt.Appendf(nil, "port=%d dbname=shop sslmode=disable'", f.pg.Port), fmt.Appendf(nil, "port=%d dbname=shop sslmode=disable', standby: true", standby.Port), 1)
	if err := os.WriteFile(f.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := f.start(t)
	defer server.Process.Kill()
	p := f.choose(t, 1)[0]
	want := f.shown(t, p)["customers"]
	c := f.connect(t, p, true)
	var standing bool
	if err := c.QueryRow(t.Context(), "SELECT pg_is_in_recovery()").Scan(&standing); err != nil || !standing {
		t.Fatalf("this is no standby: %v", err)
	}
	for range 2 {
		if got := readAll(t, c, "customers"); len(got) != 1 || !slices.Equal(got, want) {
			t.Errorf("SQL shows %v, the console %v", got, want)
		}
		if _, err := c.Exec(t.Context(), "DISCARD ALL", pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	}
	f.stop(t, server)
}
