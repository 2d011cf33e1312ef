package ledger

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// A disk is the folder that holds a ledger's segments. It's the seam at which
// tests put faults.
type disk interface {
	// create makes a file for writing. One of that name is removed first: what
	// failed is never written again.
	create(name string) (file, error)
	open(name string) (file, error) // for reading and trimming
	rename(from, to string) error
	remove(name string) error
	list() ([]string, error) // sorted names
	sync() error             // makes names durable
}

// A file is one segment.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	size() (int64, error)
	sync() error    // makes the data durable (fdatasync)
	uncache() error // drops clean cached pages, so that reading shows the disk; advice
}

// folder is the real disk.
type folder string

func (d folder) create(name string) (file, error) {
	if err := d.remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d folder) open(name string) (file, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d folder) rename(from, to string) error {
	return os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to))
}

func (d folder) remove(name string) error { return os.Remove(filepath.Join(string(d), name)) }

func (d folder) list() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names, nil
}

func (d folder) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// osFile is a file of the operating system.
type osFile struct{ *os.File }

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
