package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paravent/internal/protect"
	"paravent/internal/testenv"
)

// A database that nobody has protected isn't served, and the way out is told.
func TestAnUnprotectedPostgreSQLIsNotServed(t *testing.T) {
	f := &sqlFolder{stormFolder: newStormFolder(t), pg: testenv.Postgres(t, "15")}
	for _, prepare := range []string{"", "CREATE ROLE paravent_gate LOGIN; CREATE ROLE paravent_reader LOGIN"} {
		if prepare != "" {
			f.pg.Exec(t, prepare)
		}
		text := "listen: " + f.address + "\ndata: data\npolicy: policy.yaml\nconditions: default.cedar\nnode: demo\n" +
			fmt.Sprintf("sources: {shop: {kind: postgres, dsn: 'host=127.0.0.1 port=%d dbname=postgres sslmode=disable'}}\n", f.pg.Port)
		if err := os.WriteFile(f.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := f.command("serve", "--config", f.config).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "the database isn't protected (run paravent protect --source shop)") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	f.pg.Stop(t)
	out, err := f.command("serve", "--config", f.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "sources.shop can't be served from its dsn") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Each of the two roles gets its own password, from PGPASSFILE or the secret
// manager.
func TestPasswordsComeFromOutsideTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	pass := filepath.Join(dir, "pass")
	for name, text := range map[string]string{"pass": "db:5432:shop:paravent_gate:p1\n*:*:*:paravent_reader:p2\n", "x-gate": "s1\n", "x-reader": "s2\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PGPASSFILE", pass)
	c := &Config{SecretsGet: "cat " + dir + "/{name}"}
	for _, dsn := range []string{"postgres://db:5432/shop", "host=db dbname=shop", "postgres:///shop?host=db"} {
		for secret, want := range map[string][2]string{"": {"p1", "p2"}, "x": {"s1", "s2"}} {
			for i, role := range []string{protect.Gate, protect.Employees} {
				p, err := c.pool(t.Context(), SourceConfig{DSN: dsn, Secret: secret}, role, []string{"-gate", "-reader"}[i])
				if err != nil || p.ConnConfig.User != role || p.ConnConfig.Password != want[i] || p.ConnConfig.Database != "shop" || p.ConnConfig.Host != "db" {
					t.Errorf("%s, secret %q, %s: %v %+v", dsn, secret, role, err, p)
				}
			}
		}
	}
	if _, err := c.pool(t.Context(), SourceConfig{DSN: "postgres://:geheim@db:x/shop"}, protect.Gate, ""); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a password is told: %v", err)
	}
}
