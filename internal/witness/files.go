package witness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"paravent/internal/ledger"
)

// The files in a witness's folder.
const (
	lockFile    = "lock"
	signingFile = "signing.key" // mode 0600
	publicFile  = "public.key"  // what the log's server is configured with
	stateFile   = "state"
	alarmFile   = "alarm.jsonl"
)

// Errors of Create and Open that callers tell apart with errors.Is.
var (
	// ErrExists says that there is a witness in the folder already.
	ErrExists = errors.New("witness: there is a witness in this folder")
	// ErrState says that what the witness must remember isn't there, or isn't
	// as it was written. It never signs without its memory.
	ErrState = errors.New("witness: its memory is missing or damaged")
	// ErrLocked says that another process runs this witness.
	ErrLocked = errors.New("witness: another process runs the witness in this folder")
)

// Create makes a new witness in dir: its key and an empty memory. dir may not
// exist yet, or must be empty. name stands in every cosignature; it has no
// spaces and no plus, and should be unique to this witness. The error is
// ErrExists when there is a witness already, and ErrState when there are parts
// of one: a witness that lost its key or its memory is never made anew.
func Create(dir, name string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create witness: %w", err)
	}
	lock, err := takeLock(dir)
	if err != nil {
		return fmt.Errorf("create witness: %w", err)
	}
	err = create(dir, name)
	return errors.Join(err, lock.Close())
}

// takeLock makes this process the only one that runs the witness in dir, until
// the file is closed.
func takeLock(dir string) (*os.File, error) {
	f, err := ledger.Lock(filepath.Join(dir, lockFile))
	if errors.Is(err, ledger.ErrLocked) {
		err = ErrLocked
	}
	return f, err
}

func create(dir, name string) error {
	if err := vacant(dir); err != nil {
		return err
	}
	key, err := newSigner(name)
	if err != nil {
		return fmt.Errorf("create witness: %w", err)
	}
	// The key comes last: without it nothing was ever signed, so a creation
	// that was interrupted may begin again.
	for _, f := range []struct {
		name, content string
		mode          os.FileMode
	}{
		{stateFile, encodeState(nil), 0o600},
		{alarmFile, "", 0o600},
		{publicFile, key.Verifier.String() + "\n", 0o644},
		{signingFile, key.private() + "\n", 0o600},
	} {
		if err := replace(dir, f.name, f.content, f.mode); err != nil {
			return fmt.Errorf("create witness: %w", err)
		}
	}
	return nil
}

// vacant returns nil when nothing in dir was ever used by a witness.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("create witness: %w", err)
	}
	for _, e := range entries {
		if e.Name() == signingFile {
			return ErrExists
		}
	}
	for _, e := range entries {
		unused := e.Name() == lockFile || e.Name() == publicFile || strings.HasSuffix(e.Name(), ".new")
		switch e.Name() {
		case stateFile, alarmFile:
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return fmt.Errorf("create witness: %w", err)
			}
			unused = len(content) == 0 || string(content) == encodeState(nil)
		}
		if !unused {
			return fmt.Errorf("%w: %s has %s but no %s", ErrState, dir, e.Name(), signingFile)
		}
	}
	return nil
}

// replace puts a file in place whole or not at all, and is durable on return.
func replace(dir, name, content string, mode os.FileMode) error {
	path := filepath.Join(dir, name)
	// What failed is never written again.
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(dir)
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder can't be synced there; its file system journals names
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// appendLine adds a line to a file and is durable on return.
func appendLine(path string, line []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
