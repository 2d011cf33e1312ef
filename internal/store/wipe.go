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

// wipe makes sure that what was deleted is in no file any more: the write-ahead
// log is folded into the file and cut to nothing, secure_delete, which both files
// are opened with, has overwritten what was deleted in the file itself, and scrub
// takes what that leaves.
//
// A change that deletes calls unclean, so that a wipe that a crash kept from
// being done is done when the file is opened again.
func (d *database) wipe(ctx context.Context) error {
	if err := d.truncate(ctx); err != nil {
		return err
	}
	if err := d.scrub(ctx); err != nil {
		return err
	}
	err := d.change(ctx, synced, func(t *tx) error { return t.mark(ctx, markClean) })
	if err != nil {
		return fmt.Errorf("note that the file is clean: %w", err)
	}
	return d.truncate(ctx)
}

// wipeLeft carries out what a crash left of a wipe: the emptying of the log
// always, the rest where something was deleted.
func (d *database) wipeLeft(ctx context.Context) error {
	var mark int
	if err := d.row(ctx, selectMark).Scan(&mark); err != nil {
		return fmt.Errorf("look whether the file is clean: %w", err)
	}
	if mark == markClean {
		return d.truncate(ctx)
	}
	return d.wipe(ctx)
}

// What a file's user_version, which SQLite keeps for whoever uses it, says of the
// file.
const (
	selectMark  = `PRAGMA user_version`
	markClean   = 0
	markUnclean = 1
)

// unclean says, as a part of a change that deletes, that the file is to be wiped.
func (t *tx) unclean(ctx context.Context) error { return t.mark(ctx, markUnclean) }

func (t *tx) mark(ctx context.Context, mark int) error {
	_, err := t.d.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", mark))
	return err
}

// truncate folds the write-ahead log into the file and empties it. Who reads at
// that moment is waited for.
func (d *database) truncate(ctx context.Context) error {
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
