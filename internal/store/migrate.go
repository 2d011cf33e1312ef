package store

import (
	"context"
	"errors"
	"fmt"

	"paravent/internal/access"
)

const createVersion = `CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)`
const selectVersion = `SELECT COALESCE(MAX(version), 0) FROM schema_version`
const insertVersion = `INSERT INTO schema_version (version) VALUES (?)`

// migrate runs those of the migrations that haven't been run, each in a
// transaction of its own. The list is only ever appended to: the version of a
// file is how many have been run. A file of a newer version is refused.
func (d *database) migrate(ctx context.Context, migrations []string) error {
	version := 0
	err := d.change(ctx, synced, func(t *tx) error {
		if _, err := t.d.conn.ExecContext(ctx, createVersion); err != nil {
			return err
		}
		return t.d.conn.QueryRowContext(ctx, selectVersion).Scan(&version)
	})
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return access.Errorf(access.Internal, "it is of version %d, and this program knows versions up to %d", version, len(migrations)).
			WithHint("It was written by a newer program: use that one.")
	}
	for ; version < len(migrations); version++ {
		err := d.change(ctx, synced, func(t *tx) error {
			if _, err := t.d.conn.ExecContext(ctx, migrations[version]); err != nil {
				return err
			}
			_, err := t.d.conn.ExecContext(ctx, insertVersion, version+1)
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %d: %w", version+1, err)
		}
	}
	return nil
}

// missing turns "no row" into access.NotFound with what is missing, and leaves
// every other error as it is.
func missing(err error, what string) error {
	if none(err) {
		return access.Errorf(access.NotFound, "There is no such %s.", what)
	}
	return err
}

// refused returns err itself where it is coded, and with the action otherwise.
func refused(action string, err error) error {
	var coded *access.Error
	if err == nil || errors.As(err, &coded) {
		return err
	}
	return fmt.Errorf("%s: %w", action, err)
}
