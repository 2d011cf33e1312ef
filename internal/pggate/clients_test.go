package pggate_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"paravent/internal/pggate"
	"paravent/internal/testenv"
)

// absent ends a test whose client isn't installed; with CI=true that fails.
func absent(t testing.TB, what, how string) {
	t.Helper()
	if text := what + " is missing: " + how; os.Getenv("CI") == "true" {
		t.Fatal(text)
	} else {
		t.Skip(text)
	}
}

// A client is a real one and what it does all day, printed.
type client struct {
	name string
	also bool // against PostgreSQL 18, too
	run  func(t *testing.T, dsn string) []byte
}

// output runs a program and returns what it printed, errors included.
func output(t *testing.T, env []string, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC"), env...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		fmt.Fprintf(&out, "ended with %v\n", err)
	}
	return out.Bytes()
}

func scriptOf(name string) string { return filepath.Join("testdata", "clients", name) }

var clients = []client{
	{name: "psql", also: true, run: func(t *testing.T, dsn string) []byte {
		return output(t, nil, filepath.Join(testenv.Tools(t), "psql"), "-X", "-a", "-d", dsn, "-f", scriptOf("everyday.sql"))
	}},
	{name: "pgbench", run: func(t *testing.T, dsn string) (all []byte) {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		for _, mode := range []string{"simple", "extended", "prepared"} {
			all = append(all, output(t, []string{"PGPASSWORD=" + password, "PGOPTIONS=" + u.Query().Get("options"), "PGSSLMODE=disable"}, filepath.Join(testenv.Tools(t), "pgbench"), "-n", "-M", mode, "-f", scriptOf("everyday.pgbench"),
				"-t", "50", "-c", "4", "--random-seed=7", "-h", u.Hostname(), "-p", u.Port(), "-U", u.User.Username(), "shop")...)
		}
		return all
	}},
	{name: "psycopg2", run: func(t *testing.T, dsn string) []byte {
		for _, python := range []string{"/usr/bin/python3", "python3"} {
			if exec.Command(python, "-c", "import psycopg2").Run() == nil {
				return output(t, []string{"PYTHONUTF8=1"}, python, scriptOf("everyday.py"), dsn)
			}
		}
		absent(t, "psycopg2", "apt-get install python3-psycopg2, or run ./test")
		return nil
	}},
	{name: "node-postgres", also: true, run: func(t *testing.T, dsn string) []byte {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		modules := filepath.Join(cache, "paravent-test", "node", "node_modules")
		if _, err := os.Stat(filepath.Join(modules, "pg")); err != nil {
			absent(t, "node-postgres", "run ./test, which installs it")
		}
		node, err := exec.LookPath("node")
		if err != nil {
			absent(t, "node", "apt-get install nodejs")
		}
		return output(t, []string{"NODE_PATH=" + modules, "NODE_NO_WARNINGS=1"}, node, scriptOf("everyday.js"), dsn)
	}},
	{name: "JDBC", run: func(t *testing.T, dsn string) []byte {
		const jar = "/usr/share/java/postgresql.jar"
		java, err := exec.LookPath("java")
		if _, err2 := os.Stat(jar); err != nil || err2 != nil {
			absent(t, "the JDBC driver", "apt-get install libpostgresql-jdbc-java default-jdk-headless, or run ./test")
		}
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		to := url.Values{"sslmode": {"disable"}}
		if o := u.Query().Get("options"); o != "" {
			to.Set("options", o)
		}
		return output(t, nil, java, "-XX:TieredStopAtLevel=1", "-cp", jar, scriptOf("Everyday.java"), "jdbc:postgresql://"+u.Host+"/shop?"+to.Encode(), u.User.Username(), password)
	}},
	{name: "pgx", also: true, run: everydayPgx},
	{name: "pq", run: everydayPq},
}

// What differs from run to run, not through the gate.
var (
	timings = regexp.MustCompile(`(?m)^(latency average|initial connection time|tps|duration) = .*$`)
	temps   = regexp.MustCompile(`pg_temp_\d+`)
)

// What real clients do all day, for a role with full rights, prints the same
// through the gate as directly.
func TestRealClientsSeeNoDifference(t *testing.T) {
	for _, version := range testenv.Versions {
		t.Run(version, func(t *testing.T) {
			pg := shop(t, version)
			pg.Exec(t, "GRANT TEMP ON DATABASE shop TO reader")
			d := open(t, pg, func(c *pggate.Config) { c.Default.CopyIn = true })
			gated := d.dsn("&options=-cparavent.task%3DT-1")
			for _, c := range clients {
				if version != "15" && !c.also {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					want := masked(c.run(t, pg.DSN("reader")), pg.DSN("reader"))
					d.book.take()
					got := masked(c.run(t, gated), gated)
					if len(want) < 500 {
						t.Fatalf("it hardly did anything: %s", want)
					}
					if !bytes.Equal(got, want) {
						a, b := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
						for i, shown := 0, 0; i < max(len(a), len(b)) && shown < 5; i++ {
							if x, y := line(a, i), line(b, i); x != y {
								t.Errorf("line %d:\n got %.300s\nwant %.300s", i+1, x, y)
								shown++
							}
						}
					}
					intents, outcomes, _ := d.book.take()
					if len(intents) < 20 || len(outcomes) < 20 {
						t.Errorf("%d intents and %d outcomes were recorded", len(intents), len(outcomes))
					}
					t.Logf("%d bytes printed, %d statements recorded", len(want), len(intents))
				})
			}
		})
	}
}

func line(all [][]byte, i int) string {
	if i < len(all) {
		return string(all[i])
	}
	return "(nothing)"
}

// masked leaves out addresses, times and numbers of backends.
func masked(out []byte, dsn string) []byte {
	out = temps.ReplaceAll(timings.ReplaceAll(out, []byte("$1 = …")), []byte("pg_temp_…"))
	u, err := url.Parse(dsn)
	if err != nil {
		return out
	}
	_, port, _ := net.SplitHostPort(u.Host)
	return bytes.ReplaceAll(out, []byte("port "+port), []byte("port …"))
}
