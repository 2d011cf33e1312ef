package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Secrets keeps the signing keys of logs, each under a name of its own
// (SecretName). A secret manager can stand behind it; without one a key lies in
// its log's folder, in the file signing.key.
type Secrets interface {
	// Get returns what Put was given last under that name; space around it may be
	// lost. An error that is fs.ErrNotExist says that there is nothing under it.
	Get(ctx context.Context, name string) ([]byte, error)
	// Put keeps the value under that name and is durable on return. A log's
	// name is never used for another log.
	Put(ctx context.Context, name string, value []byte) error
}

// SecretName returns the name under which Secrets keeps the signing key of the
// log of that origin: "ledger-" and the 16 hex digits that end the origin. They
// are random, so neither a second ledger nor a try that a crash cut short ever
// overwrites a key that is in use.
func SecretName(origin string) string {
	return "ledger-" + origin[strings.LastIndexByte(origin, '/')+1:]
}

// keyFile is Secrets in one log's folder.
type keyFile struct{ dir string }

// Get reads signing.key. It refuses a file that others can read: whoever reads
// it can sign another story with it (G4).
func (k keyFile) Get(context.Context, string) ([]byte, error) {
	path := filepath.Join(k.dir, signingFile)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s has mode %04o: others can read the key that signs the ledger (chmod 600 %s; rotate the ledger if you can't tell who did)", path, mode, path)
	}
	return readAllOf(f, info.Size())
}

// readAllOf reads a small file.
func readAllOf(f *os.File, size int64) ([]byte, error) {
	if size > 4096 {
		return nil, fmt.Errorf("%s: %d bytes are no key", filepath.Base(f.Name()), size)
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b, err
}

// Put writes signing.key, where there is none yet.
func (k keyFile) Put(_ context.Context, _ string, value []byte) error {
	return writeDurably(filepath.Join(k.dir, signingFile), string(value), 0o600)
}

// secrets returns where the signing key of the log in dir is kept.
func (o Options) secrets(dir string) Secrets {
	if o.Secrets != nil {
		return o.Secrets
	}
	return keyFile{dir}
}

// load reads the log's signing key.
func (s *self) load(ctx context.Context, from Secrets) error {
	private, err := from.Get(ctx, SecretName(s.origin))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the signing key of %s is not there: restore it, without it nothing can be recorded: %w", s.origin, err)
	}
	if err != nil {
		return fmt.Errorf("read the signing key: %w", err)
	}
	name, key, err := parsePrivate(strings.TrimSpace(string(private)))
	if err != nil {
		return err
	}
	if !s.public.Equal(key.Public()) || name != s.origin {
		return fmt.Errorf("%s and the signing key don't belong together", publicFile)
	}
	s.key = key
	return nil
}
