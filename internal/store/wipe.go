package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How long wipe waits for readers.
const (
	wipeTries = 50
	wipePause = 100 * time.Millisecond
)

// wipe folds the write-ahead log into the file and cuts it to nothing, so that
// what was deleted is in neither of them: secure_delete, which both files are
// opened with, has overwritten it in the one, and the other is empty. Who reads
// at that moment is waited for.
func (d *database) wipe(ctx context.Context) error {
	end, err := d.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer end()
	calm := context.WithoutCancel(ctx)
	for range wipeTries {
		var busy, log, folded int
		err := d.conn.QueryRowContext(calm, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &folded)
		if err != nil {
			return errors.Join(fmt.Errorf("empty the write-ahead log: %w", err), d.drop())
		}
		if busy == 0 {
			return nil
		}
		select {
		case <-time.After(wipePause):
		case <-ctx.Done():
			return fmt.Errorf("empty the write-ahead log: %w", ctx.Err())
		}
	}
	return errors.New("empty the write-ahead log: somebody reads all the time")
}
