package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"paravent/internal/access"
	"paravent/internal/chain"
	"paravent/internal/identity"
	"paravent/internal/ledger"
	"paravent/internal/store"
)

// The names inside a data folder.
const (
	ledgerFolder  = "ledger"
	storeFolder   = "store"
	pseudonymFile = "pseudonym.key" // 32 random bytes, mode 0600
	setupFile     = "setup.hash"    // SHA-256 of the first administrator's code, hex
	demoFile      = "DEMO"          // marks a folder that serve refuses
	lockFile      = "lock"          // held by the one process that owns the folder
)

// pseudonymBytes is how long the key of pseudonyms is.
const pseudonymBytes = 32

// makeFolder makes a data folder with a new ledger, a new store and new keys,
// and returns the code with which the first administrator signs in. The
// folder must not exist. Where c names a secret manager, signing key and key of
// pseudonyms go there.
func makeFolder(ctx context.Context, c *Config, clock access.Clock) (setupCode string, err error) {
	dir := c.Data
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	if err := os.Mkdir(filepath.Join(dir, storeFolder), 0o700); err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	st, err := store.Open(ctx, filepath.Join(dir, storeFolder), clock)
	if err != nil {
		return "", err
	}
	options, err := chainOptions(c, clock, st.Keys())
	if err == nil {
		err = chain.Create(filepath.Join(dir, ledgerFolder), options)
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return "", fmt.Errorf("make ledger: %w", err)
	}
	if err := makePseudonymKey(ctx, c); err != nil {
		return "", fmt.Errorf("make pseudonym key: %w", err)
	}
	code, hash := identity.NewSetupCode()
	if err := os.WriteFile(filepath.Join(dir, setupFile), []byte(hex.EncodeToString(hash)+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep hash of setup code: %w", err)
	}
	return code, nil
}

// makePseudonymKey makes the key of pseudonyms where it is to be kept.
func makePseudonymKey(ctx context.Context, c *Config) error {
	key := make([]byte, pseudonymBytes)
	rand.Read(key) // never fails
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	if secrets != nil {
		return secrets.Put(ctx, pseudonymSecret, []byte(base64.StdEncoding.EncodeToString(key)))
	}
	return os.WriteFile(filepath.Join(c.Data, pseudonymFile), key, 0o600)
}

// folder is a data folder that this process owns.
type folder struct {
	path         string
	pseudonymKey []byte
	setupHash    []byte
	lock         *os.File
}

// openFolder takes a data folder for this process. A folder without its ledger
// or keys is refused, never completed: what is missing may have been taken.
func openFolder(ctx context.Context, c *Config) (*folder, error) {
	path := c.Data
	f := &folder{path: path}
	for _, name := range []string{ledgerFolder, storeFolder, filepath.Join(storeFolder, store.KeysFile)} {
		if _, err := os.Stat(filepath.Join(path, name)); err != nil {
			return nil, access.Errorf(access.Invalid, "%s is not a whole data folder: %s is missing", path, name).Because(err).
				WithHint("Restore it from a backup, or make a new folder with: paravent init DIR")
		}
	}
	var err error
	if f.pseudonymKey, err = readPseudonymKey(ctx, c); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(path, setupFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read setup hash: %w", err)
	}
	if f.setupHash, err = hex.DecodeString(string(trimNewline(text))); err != nil {
		return nil, fmt.Errorf("read setup hash: %w", err)
	}
	return f, f.takeLock()
}

// readPseudonymKey reads the key of pseudonyms from where it is kept.
func readPseudonymKey(ctx context.Context, c *Config) ([]byte, error) {
	secrets, err := c.secrets()
	if err != nil {
		return nil, err
	}
	if secrets != nil {
		return pseudonymFrom(ctx, secrets)
	}
	path := filepath.Join(c.Data, pseudonymFile)
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, access.Errorf(access.Invalid, "%s can't be read", path).Because(err).
			WithHint("Run paravent as the user to whom the data folder belongs.")
	}
	if err != nil || len(key) != pseudonymBytes {
		return nil, access.Errorf(access.Invalid, "%s: the pseudonym key is missing or damaged", c.Data).Because(err).
			WithHint("Restore " + pseudonymFile + " from a backup; with a new one, old and new pseudonyms would differ.")
	}
	return key, nil
}

func trimNewline(text []byte) []byte {
	for len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
		text = text[:len(text)-1]
	}
	return text
}

// takeLock makes this process the folder's one owner until it ends, however it
// ends.
func (f *folder) takeLock() error {
	lock, err := ledger.Lock(filepath.Join(f.path, lockFile))
	if errors.Is(err, ledger.ErrLocked) {
		return access.Errorf(access.Unavailable, "another process uses %s", f.path).
			WithHint("Stop it first; a data folder belongs to one running server.")
	}
	if err != nil {
		return access.Errorf(access.Invalid, "lock data folder").Because(err).
			WithHint("Run paravent as the user to whom the data folder belongs.")
	}
	f.lock = lock
	return nil
}

// isDemo reports whether a demo made the data folder.
func isDemo(path string) bool {
	_, err := os.Stat(filepath.Join(path, demoFile))
	return !errors.Is(err, os.ErrNotExist)
}

// close gives the folder free; one that was never taken has nothing to give.
func (f *folder) close() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}
