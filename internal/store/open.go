package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"paravent/internal/access"
)

// The files of a store, in its folder.
const (
	StateFile = "paravent.db"
	KeysFile  = "keys.db"
)

// Store is the store. It is safe for concurrent use; one process owns a folder.
type Store struct {
	state *database
	keys  *database
	now   access.Clock
}

// Open opens the store in the folder dir, which exists, and brings its tables up
// to date. In an empty folder it makes a new store. It refuses a store of a
// newer version, and one of whose two files one is gone: an emptied table of
// keys would make everything that is sealed unreadable, and must not pass for
// a new one.
func Open(ctx context.Context, dir string, clock access.Clock) (*Store, error) {
	keysPath, statePath := filepath.Join(dir, KeysFile), filepath.Join(dir, StateFile)
	hasKeys, err := exists(keysPath)
	if err != nil {
		return nil, err
	}
	hasState, err := exists(statePath)
	if err != nil {
		return nil, err
	}
	if hasState && !hasKeys {
		return nil, lostFile(KeysFile)
	}
	s := &Store{now: clock}
	if s.keys, err = openDatabase(ctx, keysPath, "foreign_keys(1)", keyMigrations); err != nil {
		return nil, err
	}
	if hasKeys && !hasState {
		// A crash while the store was being made leaves an empty table of keys;
		// anything else is a loss.
		if n, err := s.Keys().count(ctx); err != nil || n > 0 {
			return nil, errors.Join(err, lostFile(StateFile), s.keys.close())
		}
	}
	if s.state, err = openDatabase(ctx, statePath, "foreign_keys(1)", stateMigrations); err != nil {
		return nil, errors.Join(err, s.keys.close())
	}
	// A crash may have come between a deletion and the wipe after it (G5).
	if err := errors.Join(s.keys.wipeLeft(ctx), s.state.wipeLeft(ctx)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), s.Close())
	}
	return s, nil
}

// lostFile is the error for a store of which a part is gone.
func lostFile(name string) error {
	return access.Errorf(access.Internal, "%s is missing from the data folder, though the other file of the store is there", name).
		WithHint("Restore it from its backup; nothing was changed.")
}

// exists reports whether there is a file at path.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the store: %w", err)
	}
	return true, nil
}

// Close closes both files. Nothing may use the store afterwards.
func (s *Store) Close() error {
	return errors.Join(s.state.close(), s.keys.close())
}

// Schema returns the version of the tables of paravent.db, from 1.
func (s *Store) Schema() int { return len(stateMigrations) }

// Ping reports whether the store answers, both files of it.
func (s *Store) Ping(ctx context.Context) error {
	for _, d := range []*database{s.state, s.keys} {
		var version int
		if err := d.row(ctx, selectVersion).Scan(&version); err != nil {
			return fmt.Errorf("ask the store: %w", err)
		}
	}
	return nil
}
