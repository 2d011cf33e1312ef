package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"paravent/internal/pgaudit"
)

// followEvery is how often a log that is followed is looked at; a last line that
// stays as it is for twice that is whole.
const followEvery = 500 * time.Millisecond

// ingestStatePath is where it is kept how far a server's log was read.
func ingestStatePath(server string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usageError{fmt.Errorf("find a place for the state: %w\nName one with --state", err)}
	}
	return filepath.Join(dir, "paravent", "ingest-"+url.PathEscape(server)+".json"), nil
}

// place is how far a file was read, and how the file begins: another file of the
// same name begins otherwise.
type place struct {
	Offset int64  `json:"offset"`
	Length int64  `json:"length"` // of the beginning
	Begins string `json:"begins"` // SHA-256 of it
}

// beginning is how much of a file's beginning tells it from another.
const beginning = 256

// read reads files to their end and, with follow, what is written afterwards,
// until ctx ends.
func (r *logReader) read(ctx context.Context, state string, patterns []string, follow bool) error {
	places, err := loadPlaces(state)
	if err != nil {
		return err
	}
	still := map[string]time.Time{} // since when a file hasn't grown
	for {
		files, err := matching(patterns, follow)
		if err != nil {
			return err
		}
		moved := false
		for i, path := range files {
			// A file's end is that of its last line when nobody writes to it any more. Of
			// csvlog a line tells itself where it ends.
			csv := isCSV(path)
			last := !follow && !csv || follow && i+1 < len(files) && filepath.Dir(files[i+1]) == filepath.Dir(path) || follow && !still[path].IsZero() && r.in.now().Sub(still[path]) >= 2*followEvery
			grew, err := r.file(ctx, path, places, last, func() error { return savePlaces(state, places) })
			if err != nil {
				return err
			}
			moved = moved || grew
			switch {
			case grew:
				delete(still, path)
			case still[path].IsZero():
				still[path] = r.in.now()
			}
		}
		if !follow {
			return nil
		}
		if moved {
			continue
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return nil
		}
	}
}

// matching returns the files that the patterns name, in order of their names.
// While following, those that don't exist yet are waited for.
func matching(patterns []string, follow bool) ([]string, error) {
	var all []string
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, usageError{fmt.Errorf("%q isn't a pattern: %w", p, err)}
		}
		if len(files) == 0 && !follow {
			return nil, usageError{fmt.Errorf("there is no file %s", p)}
		}
		all = append(all, files...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// file reads what a file holds behind its place, sends it, and moves the place
// behind what the server has. last says that what it ends in is a whole line.
func (r *logReader) file(ctx context.Context, path string, places map[string]place, last bool, save func() error) (moved bool, err error) {
	log, err := r.log(path)
	if err != nil {
		return false, usageError{err}
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // gone between naming and opening
	}
	if err != nil {
		return false, usageError{fmt.Errorf("open: %w", err)}
	}
	defer f.Close()
	key, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	at := places[key]
	if same, err := at.fits(f); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	} else if !same {
		at = place{}
	}
	if _, err := f.Seek(at.Offset, io.SeekStart); err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	settle := func(n int64) error {
		if err := r.in.send(ctx); err != nil {
			return err
		}
		at.Offset += n
		if err := at.note(f); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		places[key], moved = at, true
		return save()
	}
	return moved, r.lines(ctx, f, log, last, settle)
}

// lines takes all whole entries from f, and calls settle with how many bytes
// they were whenever a batch is full, and at the end.
func (r *logReader) lines(ctx context.Context, f io.Reader, log pgaudit.Log, last bool, settle func(int64) error) error {
	var data []byte
	chunk := make([]byte, 1<<20)
	taken := int64(0)
	for end := false; !end; {
		n, err := f.Read(chunk)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the log: %w", err)
		}
		end = err != nil
		data = append(data, chunk[:n]...)
		for {
			if err := r.in.learn(ctx); err != nil {
				return err
			}
			e, ok, n := log.Next(data, end && last)
			if n == 0 {
				break
			}
			data, taken = data[n:], taken+int64(n)
			if ok {
				r.in.take(e)
			}
			if r.in.full() {
				if err := settle(taken); err != nil {
					return err
				}
				taken = 0
			}
		}
	}
	if taken == 0 {
		return nil
	}
	return settle(taken)
}

// fits reports whether f begins as the file did whose place it is, and is at
// least as long as was read.
func (p place) fits(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || p.Offset == 0 || info.Size() < p.Offset {
		return false, err
	}
	begins, err := begins(f, p.Length)
	return begins == p.Begins, err
}

// note notes how f begins.
func (p *place) note(f *os.File) (err error) {
	p.Length = min(p.Offset, beginning)
	p.Begins, err = begins(f, p.Length)
	return err
}

// begins hashes the first n bytes.
func begins(f *os.File, n int64) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, n)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// loadPlaces reads how far each file was read; nothing where there is no such
// file.
func loadPlaces(path string) (map[string]place, error) {
	places := map[string]place{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return places, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &places)
	}
	if err != nil {
		return nil, usageError{fmt.Errorf("read %s: %w\nRemove it: everything is sent again then, and recorded once", path, err)}
	}
	return places, nil
}

// savePlaces replaces the file whole. It need not be durable: what is sent again
// isn't recorded again.
func savePlaces(path string, places map[string]place) error {
	text, err := json.MarshalIndent(places, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("keep how far was read: %w", err)
	}
	return nil
}
