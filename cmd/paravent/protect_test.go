package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"paravent/internal/testenv"
)

// A DBA prints, applies, checks, finds what an upgrade brought, and takes all of
// it away again.
func TestProtectPrintsAppliesChecksAndRemoves(t *testing.T) {
	pg := testenv.Postgres(t, "15")
	pg.Shop(t)
	dir := filepath.Join(t.TempDir(), "paravent")
	var out, errs bytes.Buffer
	try := func(want int, says string, args ...string) {
		t.Helper()
		out.Reset()
		errs.Reset()
		code := run(t.Context(), args, streams{out: &out, err: &errs})
		if text := out.String() + errs.String(); code != want || !strings.Contains(text, says) {
			t.Fatalf("paravent %v: exit %d, want %d and %q:\n%.2000s", args, code, want, says, text)
		}
	}
	try(0, "", "init", dir)
	protect := func(want int, says string, more ...string) {
		t.Helper()
		args := append([]string{"protect", "--config", filepath.Join(dir, "paravent.yaml"), "--source", "shop", "--dsn", pg.DSN(testenv.ShopDBA)}, more...)
		try(want, says, args...)
	}
	protect(1, "protect wasn't applied", "--check")
	protect(0, "-- Not in the data map, so hidden: secret_note, balance", "--dsn", pg.DSN(testenv.ShopDBA))
	if strings.Contains(out.String(), "CANARY") {
		t.Error("the script holds a value of the shop's")
	}
	protect(0, "Applied.", "--apply")
	protect(0, "No gap", "--check")
	pg.Exec(t, "ALTER TABLE customers ADD COLUMN passport text; GRANT SELECT ON visits TO PUBLIC; REVOKE EXECUTE ON FUNCTION order_total FROM shop_app")
	protect(1, "3 gaps", "--check")
	for _, want := range []string{"hidden   public.customers.passport", "public   public.visits", "lost     shop_app: no longer has EXECUTE on routine public.order_total(bigint)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not among the gaps: %s\n%s", want, out.String())
		}
	}
	protect(1, "Connect as a superuser", "--apply", "--dsn", pg.DSN(testenv.ShopApp))
	protect(0, "taken away", "--remove")
	protect(1, "protect wasn't applied", "--check")
	try(1, "can't be reached", "protect", "--config", filepath.Join(dir, "paravent.yaml"), "--source", "shop", "--dsn", "postgres://x:secretword@127.0.0.1:1/shop")
	if strings.Contains(errs.String(), "secretword") {
		t.Errorf("the password is told: %s", errs.String())
	}
	try(2, "no source", "protect", "--config", filepath.Join(dir, "paravent.yaml"), "--source", "shp", "--dsn", pg.DSN(testenv.ShopDBA))
	try(2, "isn't a PostgreSQL", "protect", "--config", filepath.Join(dir, "paravent.yaml"), "--source", "shop")
}
