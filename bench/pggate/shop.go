package main

import (
	"context"
	_ "embed" // the shop and its policy
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"paravent/internal/policy"
	"paravent/internal/protect"
)

//go:embed shop.sql
var shopSQL string

//go:embed policy.yaml
var policyYAML []byte

// fill makes the database: pgbench's tables and the shop.
func fill(ctx context.Context, dir string, port int, o options) error {
	conn, err := pgx.Connect(ctx, dsn(port, "postgres", "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE shop")
	_ = conn.Close(ctx)
	if err != nil {
		return err
	}
	if _, err := tool(ctx, dir, filepath.Join(bin, "pgbench"), "-i", "-q", "-s", strconv.Itoa(o.scale), "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "postgres", "shop"); err != nil {
		return err
	}
	customers := max(100, int(math.Round(100_000*o.shop)))
	if err := script(ctx, port, strings.ReplaceAll(shopSQL, "CUSTOMERS", strconv.Itoa(customers))); err != nil {
		return err
	}
	return script(ctx, port, "VACUUM ANALYZE")
}

func script(ctx context.Context, port int, sql string) error {
	conn, err := pgx.Connect(ctx, dsn(port, "postgres", "shop"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// bindSQL lets a session bind itself, for the one cell that goes past the gate: a
// measure of the views alone. No real database has such a function.
const bindSQL = `CREATE FUNCTION public.bench_bind() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN
  PERFORM paravent.hello();
  PERFORM paravent.bind(pg_backend_pid(), 'bench', 'case', '42', '{orders,items}', 'all', NULL, NULL, '{}', '{}', now() + interval '1 day');
END $$;
GRANT USAGE ON SCHEMA public TO paravent_reader; REVOKE ALL ON FUNCTION public.bench_bind() FROM PUBLIC; GRANT EXECUTE ON FUNCTION public.bench_bind() TO paravent_reader;`

// guardShop applies the policy to the shop, as paravent protect does.
func guardShop(ctx context.Context, port int) (*policy.Policy, *protect.Plan, error) {
	p, err := policy.Load("policy.yaml", policyYAML, "default.cedar", policy.DefaultCedar())
	if err != nil {
		return nil, nil, err
	}
	conn, err := pgx.Connect(ctx, dsn(port, "postgres", "shop"))
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	plan, err := protect.New(ctx, conn, p, "shop")
	if err == nil {
		err = protect.Apply(ctx, conn, plan)
	}
	if err == nil {
		err = script(ctx, port, bindSQL)
	}
	return p, plan, err
}

// copied copies a stopped server's folder.
func copied(ctx context.Context, dir, from, to string) error {
	c := exec.CommandContext(ctx, "cp", "-a", filepath.Join(dir, from), filepath.Join(dir, to))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the data: %w\n%s", err, out)
	}
	return nil
}
