package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a streaming standby of pg, caught up. (The npm package of 18
// has no pg_basebackup, so that the copy is made by the functions which that
// program calls.)
func (pg *PG) Standby(t testing.TB) *PG {
	t.Helper()
	s := &PG{Version: pg.Version, Bin: pg.Bin, Database: pg.Database, settings: pg.settings, primary: pg}
	s.folder(t)
	ctx := t.Context()
	conn := pg.Connect(t, Superuser)
	slot := fmt.Sprintf("standby_%d", time.Now().UnixNano())
	label, err := baseBackup(ctx, conn, slot, pg.Dir, s.Dir)
	if err != nil {
		t.Fatalf("copy the primary: %v", err)
	}
	connect := fmt.Sprintf("\nprimary_conninfo = 'host=127.0.0.1 port=%d user=%s'\nprimary_slot_name = '%s'\n", pg.Port, Superuser, slot)
	for name, text := range map[string]string{"backup_label": label, "standby.signal": "", "postgresql.auto.conf": connect} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatalf("make a standby: %v", err)
		}
	}
	if err := give(s.Socket); err != nil {
		t.Fatalf("hand over the standby's folder: %v", err)
	}
	s.Start(t)
	s.CatchUp(t)
	return s
}

// baseBackup copies a running server's folder and returns the backup's label.
func baseBackup(ctx context.Context, conn *pgx.Conn, slot, from, to string) (label string, err error) {
	if _, err := conn.Exec(ctx, "SELECT pg_create_physical_replication_slot($1, true)", slot); err != nil {
		return "", err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_backup_start('standby', true)"); err != nil {
		return "", err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return "", err
	}
	err = copyTree(to, from, func(path string) bool {
		return strings.HasPrefix(path, "postmaster.") || strings.HasPrefix(path, "pg_replslot/") || strings.HasPrefix(path, "pg_wal/") && !strings.HasSuffix(path, "_status") ||
			strings.HasPrefix(path, "pg_stat_tmp/") || strings.HasPrefix(path, "pg_dynshmem/") || path == "postgresql.auto.conf"
	})
	if err != nil {
		return "", err
	}
	err = conn.QueryRow(ctx, "SELECT labelfile FROM pg_backup_stop(false)").Scan(&label)
	return label, err
}

// CatchUp waits until a standby has replayed all that its primary has written.
func (pg *PG) CatchUp(t testing.TB) {
	t.Helper()
	primary, standby := pg.primary.Connect(t, Superuser), pg.Connect(t, Superuser)
	var lsn string
	if err := primary.QueryRow(t.Context(), "SELECT pg_current_wal_lsn()::text").Scan(&lsn); err != nil {
		t.Fatalf("where is the primary: %v", err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var there bool
		if err := standby.QueryRow(t.Context(), "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)", lsn).Scan(&there); err != nil {
			t.Fatalf("where is the standby: %v", err)
		}
		if there {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the standby doesn't catch up\n%s", pg.Log())
		}
	}
}
