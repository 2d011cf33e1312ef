package testenv

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Superuser is the role that a PG was made with.
const Superuser = "postgres"

// PG is a running PostgreSQL of a test's own: trust authentication over
// 127.0.0.1 and a socket, a temporary folder, never as root, stopped at the end
// of the test and when the test's process dies.
type PG struct {
	Version  string // "15" or "18"
	Bin      string // folder with postgres; psql and pgbench are in Tools
	Dir      string // the data folder
	Socket   string // folder of the socket
	Port     int
	Database string // the database of DSN and Connect; "postgres" until Shop makes its own

	settings []string
	primary  *PG // of a standby
	server   *exec.Cmd
	alive    io.WriteCloser // closed: the server is told to stop
}

// A Setting is one setting of the server, such as "fsync=on" or
// "shared_preload_libraries=pgaudit".
type Setting string

// Postgres starts PostgreSQL "15" or "18". Without its binaries the test is
// skipped; with CI=true it fails, for then ./test should have brought them.
func Postgres(t testing.TB, version string, settings ...Setting) *PG {
	t.Helper()
	pg := &PG{Version: version, Bin: binaries(t, version), Database: "postgres"}
	pg.folder(t)
	for _, s := range settings {
		pg.settings = append(pg.settings, "-c", string(s))
	}
	if err := pg.fresh(); err != nil {
		t.Fatalf("make a database of PostgreSQL %s: %v", version, err)
	}
	pg.Start(t)
	return pg
}

// Versions are the versions of PostgreSQL that every test of ours runs against.
var Versions = []string{"15", "18"}

// Need skips the test where this version's binaries are missing, as Postgres
// does.
func Need(t testing.TB, version string) {
	t.Helper()
	binaries(t, version)
}

// Tools is the folder of PostgreSQL 15's psql, pgbench and pg_dump, which speak
// to any version. Without it the test is skipped.
func Tools(t testing.TB) string {
	t.Helper()
	return binaries(t, "15")
}

// folder makes the temporary folder. Its name is short, because a socket's path
// must be.
func (pg *PG) folder(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pv")
	if err != nil {
		t.Fatalf("make a folder for PostgreSQL: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the folder of PostgreSQL: %v", err)
		}
	})
	if err := give(dir); err != nil {
		t.Fatalf("hand over the folder of PostgreSQL: %v", err)
	}
	pg.Dir, pg.Socket = filepath.Join(dir, "data"), dir
}

// command is one of PostgreSQL's programs, never run as root.
func (pg *PG) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(pg.Bin, name), args...)
	c.Dir = pg.Socket
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	notAsRoot(c)
	return c
}

// guard runs the server beside a shell that stops it when its own standard
// input ends: at the end of the test, and when the test's process dies.
const guard = `"$@" & server=$!; read -r _; kill -INT $server; wait $server`

// Start starts the server, which Kill or Stop has ended, under the same port.
func (pg *PG) Start(t testing.TB) {
	t.Helper()
	fresh := pg.Port == 0
	for try := 1; ; try++ {
		if fresh {
			pg.Port = freePort(t)
		}
		err := pg.start(t)
		if err == nil {
			break
		}
		if try == 3 {
			t.Fatalf("start PostgreSQL %s: %v\n%s", pg.Version, err, pg.Log())
		}
	}
	t.Cleanup(func() { pg.Stop(t) })
}

func (pg *PG) start(t testing.TB) error {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(pg.Socket, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{"-c", guard, "guard", filepath.Join(pg.Bin, "postgres"), "-D", pg.Dir, "-k", pg.Socket, "-p", strconv.Itoa(pg.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB",
		"-c", "max_wal_senders=4", "-c", "wal_level=replica", "-c", "timezone=UTC", "-c", "log_timezone=UTC"}, pg.settings...)
	server := exec.Command("/bin/sh", args...)
	server.Dir, server.Stdout, server.Stderr = pg.Socket, log, log
	server.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC")
	notAsRoot(server)
	alive, err := server.StdinPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	pg.server, pg.alive = server, alive
	if err := pg.ready(30 * time.Second); err != nil {
		pg.Stop(t)
		return err
	}
	return nil
}

// ready waits until the server answers.
func (pg *PG) ready(within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, pg.dsn(Superuser, "postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop stops the server and waits for its end. Stopping twice is fine.
func (pg *PG) Stop(t testing.TB) {
	t.Helper()
	if pg.server == nil {
		return
	}
	if err := pg.alive.Close(); err != nil {
		t.Errorf("stop PostgreSQL: %v", err)
	}
	_ = pg.server.Wait() // how it ended is in its log
	pg.server = nil
}

// Kill ends the server as a loss of power would: SIGKILL to the postmaster.
// Give it fsync=on where what it wrote matters.
func (pg *PG) Kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(pg.Dir, "postmaster.pid"))
	if err != nil {
		t.Fatalf("kill PostgreSQL: %v", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatalf("kill PostgreSQL: %v", err)
	}
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatalf("kill PostgreSQL: %v", err)
	}
	pg.Stop(t)
}

// Log returns the server's log.
func (pg *PG) Log() string {
	text, err := os.ReadFile(filepath.Join(pg.Socket, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// DSN returns the URL under which this role connects to the Database.
func (pg *PG) DSN(role string) string { return pg.dsn(role, pg.Database) }

func (pg *PG) dsn(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(pg.Port)), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// Connect connects as this role until the end of the test.
func (pg *PG) Connect(t testing.TB, role string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.DSN(role))
	if err != nil {
		t.Fatalf("connect as %s: %v", role, err)
	}
	t.Cleanup(func() {
		_ = conn.Close(context.Background()) // a test may have ended it already
	})
	return conn
}

// Pool returns a pool of connections as this role until the end of the test.
func (pg *PG) Pool(t testing.TB, role string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pg.DSN(role))
	if err != nil {
		t.Fatalf("connect as %s: %v", role, err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Exec runs SQL, also several statements, as the superuser.
func (pg *PG) Exec(t testing.TB, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.DSN(Superuser))
	if err != nil {
		t.Fatalf("connect as %s: %v", Superuser, err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// missing ends a test whose binaries aren't there.
func missing(t testing.TB, what, how string) {
	t.Helper()
	text := fmt.Sprintf("%s is missing: %s", what, how)
	if os.Getenv("CI") == "true" {
		t.Fatal(text)
	}
	t.Skip(text)
}
