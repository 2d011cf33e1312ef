package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paravent/internal/pggate"
)

// gateConfig loads a configuration with these lines behind what is required.
func gateConfig(t *testing.T, lines string, environ ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"policy.yaml", "default.cedar", "cert.pem", "key.pem", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "paravent.yaml")
	if err := os.WriteFile(path, []byte("data: .\npolicy: policy.yaml\nconditions: default.cedar\n"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadConfig(path, environ, nil)
}

const pgSource = "sources: {shop: {kind: postgres, dsn: 'postgres://db.example.com/shop'}}\n"

func TestMistakesOfTheSQLDoorAreToldWithTheirLine(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{pgSource + "gate: {listen: '0.0.0.0:5433'}", ":5: gate.listen: 0.0.0.0:5433 is not a loopback address, and there is no gate.tls"},
		{pgSource + "gate:\n  listen: db:5433\n  tls: {cert: cert.pem, key: key.pem}\n  require_tls: false", ":8: gate.require_tls: false, but db:5433"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  require_tls: true", ":7: gate.require_tls: true, but there is no gate.tls"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  tls: {cert: cert.pem}", ":7: gate.tls has only one of cert and key"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  tls: {cert: cert.pem, key: nowhere.pem}", ":7: gate.tls.key: can't be opened"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  tls: {cert: cert.pem, key: key.pem, client_ca: ca.pem}", ":7: gate.tls has only one of client_ca and names"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  tls: {cert: cert.pem, key: key.pem, client_ca: ca.pem, names: dn}", `:7: gate.tls.names: "dn" is not`},
		{pgSource + "gate:\n  lisen: 127.0.0.1:1", `:6: unknown setting "gate.lisen"`},
		{pgSource + "gate:\n  source: shop", ":6: gate.source is set, but gate.listen isn't"},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  source: shp", `:7: gate.source: "shp" is not a source whose kind is postgres (did you mean "shop"?)`},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  limits: {agnt: {rows: 1}}", `:7: gate.limits: "agnt" is not a role (did you mean "agent"?)`},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  limits:\n    agent: {rows: 0}", `:8: gate.limits.agent.rows: "0" is not`},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  limits:\n    agent: {bytes: 1MB}", `:8: gate.limits.agent.bytes: "1MB" is not`},
		{pgSource + "gate:\n  listen: 127.0.0.1:1\n  limits:\n    agent: {row: 1}", `:8: unknown setting "gate.limits.agent.row"`},
		{"sources: {shop: {kind: sqlite, path: cert.pem}}\ngate: {listen: '127.0.0.1:1'}", ":5: gate: 0 sources are of the kind postgres"},
		{"sources:\n  shop: {kind: postgres}", ":5: sources.shop.dsn is missing"},
		{"sources:\n  shop: {kind: postgres, dsn: 'postgres://app@db/shop'}", ":5: sources.shop.dsn names a user"},
		{"sources:\n  shop: {kind: postgres, dsn: 'host=db user=app'}", ":5: sources.shop.dsn names a user"},
		{"sources:\n  shop: {kind: postgres, dsn: 'postgres://:geheim@db:port/shop'}", ":5: sources.shop.dsn can't be read"},
		{"sources:\n  shop: {kind: postgres, dsn: 'host=db dbname=shop', path: x}", ":5: sources.shop.path belongs to kind: sqlite"},
		{"sources:\n  shop: {kind: sqlite, path: cert.pem, standby: true}", ":5: sources.shop: dsn, standby and secret belong to kind: postgres"},
		{"sources:\n  shop: {kind: postgres, dsn: 'host=db', standby: maybe}", ":5: sources.shop.standby"},
		{"sources:\n  shop: {kind: postgres, dsn: 'host=db', secret: shop}", ":5: sources.shop.secret is set, but secrets.get isn't"},
	} {
		_, err := gateConfig(t, c.lines)
		if err == nil || !strings.Contains(err.Error(), "paravent.yaml"+c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.lines, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("a password is told: %v", err)
		}
	}
}

func TestTheSQLDoorHasSafeDefaults(t *testing.T) {
	c, err := gateConfig(t, pgSource+"gate:\n  listen: 127.0.0.1:5433\n  tls: {cert: cert.pem, key: key.pem}\n  limits: {default: {rows: 10}, agent: {bytes: 2KiB}}\n",
		"PARAVENT_GATE_KEEP_IDLE=5s")
	if err != nil {
		t.Fatal(err)
	}
	g := c.Gate
	if !g.RequireTLS || g.Source != "shop" || g.Database != "shop" || g.KeepIdle != 5*time.Second || len(c.Warnings) > 0 {
		t.Errorf("got %+v, warnings %v", g, c.Warnings)
	}
	want := pggate.Limits{Rows: 10, Bytes: 2048, Time: 30 * time.Second, PerMinute: 600}
	if g.Limits["agent"] != want {
		t.Errorf("an agent's limits: got %+v, want %+v", g.Limits["agent"], want)
	}
	if c, err = gateConfig(t, pgSource+"gate: {listen: 'localhost:5433'}"); err != nil || c.Gate.RequireTLS {
		t.Errorf("on loopback without TLS: %v, %+v", err, c)
	}
}

func TestAPasswordInTheConfigurationIsWarnedOf(t *testing.T) {
	for _, dsn := range []string{"postgres://:geheim@db/shop", "host=db dbname=shop password=geheim", "postgres://db/shop?password=geheim"} {
		c, err := gateConfig(t, "sources:\n  shop: {kind: postgres, dsn: '"+dsn+"'}")
		if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings.Error(), "paravent.yaml:5: warning: sources.shop.dsn holds a password in the clear") || strings.Contains(c.Warnings.Error(), "geheim") {
			t.Errorf("%s: %v, %v", dsn, err, c.Warnings)
		}
	}
}
