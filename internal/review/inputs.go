package review

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"paravent/internal/access"
)

// An input is one file of DIR.
type input struct {
	table *table
	path  string
	size  int64 // bytes, as they lie on disk
}

func (in input) name() string { return filepath.Base(in.path) }

// findInputs returns the files of dir in the order of tables, and the names of
// the tables that have none.
func findInputs(dir string) (found []input, missing []string, err error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, nil, access.Errorf(access.Invalid, "%s is no folder that can be read", dir).Because(err).
			WithHint("Give the folder that holds accesses.csv.")
	}
	for i := range tables {
		t := &tables[i]
		var hits []input
		for _, suffix := range []string{".csv", ".csv.gz"} {
			path := filepath.Join(dir, t.name+suffix)
			info, err := os.Stat(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, nil, fmt.Errorf("look at input: %w", err)
			}
			if !info.Mode().IsRegular() {
				return nil, nil, access.Errorf(access.Invalid, "%s is no plain file", path)
			}
			hits = append(hits, input{t, path, info.Size()})
		}
		switch {
		case len(hits) == 2:
			return nil, nil, access.Errorf(access.Invalid, "%s and %s are both there", hits[0].name(), hits[1].name()).
				WithHint("Remove one of them: nobody could tell which was reviewed.")
		case len(hits) == 1:
			found = append(found, hits[0])
		case t.name == accessesTable:
			return nil, nil, access.Errorf(access.Invalid, "%s has no accesses.csv or accesses.csv.gz", dir).
				WithHint("It is the one file that a review needs: the look-ups, with the columns " + strings.Join(t.columns, ", ") + ".")
		default:
			missing = append(missing, t.name)
		}
	}
	return found, missing, nil
}

// unread returns the names of the CSV files of dir that no table is read from,
// in order: a misspelt name would leave people unexplained without a word.
func unread(dir string, found []input) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look at input: %w", err)
	}
	var names []string
	for _, e := range entries {
		name := e.Name()
		lower := strings.TrimSuffix(strings.ToLower(name), ".gz")
		known := name == rejectedFile || slices.ContainsFunc(found, func(in input) bool { return in.name() == name })
		if strings.HasSuffix(lower, ".csv") && !known {
			names = append(names, name)
		}
	}
	return names, nil
}

// open returns the file's text, unpacked, and whatever must be closed after.
// read is told of each piece read from disk, in bytes.
func (in input) open(ctx context.Context, read func(int)) (io.Reader, io.Closer, error) {
	f, err := os.Open(in.path)
	if err != nil {
		return nil, nil, access.Errorf(access.Invalid, "%s can't be opened", in.name()).Because(err).
			WithHint("Let whoever runs the review read it; nobody was judged.")
	}
	disk := bufio.NewReaderSize(counting{f, read}, 256<<10)
	magic, err := disk.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, errors.Join(fmt.Errorf("read input: %w", err), f.Close())
	}
	packed := strings.HasSuffix(in.path, ".gz")
	switch {
	case !packed && string(magic) == "\x1f\x8b":
		err = access.Errorf(access.Invalid, "%s is gzip-compressed", in.name()).WithHint("Rename it to " + in.name() + ".gz.")
	case string(magic) == "\xff\xfe" || string(magic) == "\xfe\xff":
		err = access.Errorf(access.Invalid, "%s is written in UTF-16", in.name()).WithHint("Export it in UTF-8.")
	case !packed:
		return disk, f, nil
	case len(magic) == 0:
		err = access.Errorf(access.Invalid, "%s is empty", in.name()).WithHint("Leave the file out if there is nothing to tell.")
	default:
		var unpacked *gzip.Reader
		if unpacked, err = gzip.NewReader(disk); err == nil {
			ahead := readAhead(ctx, unpacked)
			return ahead, closers{ahead, f}, nil
		}
		err = access.Errorf(access.Invalid, "%s is not gzip-compressed", in.name()).Because(err)
	}
	return nil, nil, errors.Join(err, f.Close())
}

type counting struct {
	r    io.Reader
	read func(int)
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.read(n)
	return n, err
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// ahead reads in a goroutine of its own, so that unpacking and taking rows
// apart each have a core.
type ahead struct {
	full chan piece
	free chan []byte
	stop context.CancelFunc
	now  piece
	left []byte
}

type piece struct {
	b   []byte
	err error
}

func readAhead(ctx context.Context, src io.Reader) *ahead {
	ctx, stop := context.WithCancel(ctx)
	const pieces = 4
	a := &ahead{full: make(chan piece, pieces), free: make(chan []byte, pieces), stop: stop}
	for range pieces {
		a.free <- make([]byte, 256<<10)
	}
	go func() {
		defer close(a.full)
		for {
			var b []byte
			select {
			case b = <-a.free:
			case <-ctx.Done():
				return
			}
			// Not io.ReadFull: its io.ErrUnexpectedEOF would be the same for a
			// file that ends and for a packed file that was cut.
			n, err := 0, error(nil)
			for n < len(b) && err == nil {
				var more int
				more, err = src.Read(b[n:])
				n += more
			}
			a.full <- piece{b[:n], err}
			if err != nil {
				return
			}
		}
	}()
	return a
}

// Read returns what was read ahead.
func (a *ahead) Read(b []byte) (int, error) {
	for len(a.left) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.b != nil {
			a.free <- a.now.b[:cap(a.now.b)]
		}
		next, ok := <-a.full
		if !ok {
			return 0, context.Canceled
		}
		a.now, a.left = next, next.b
	}
	n := copy(b, a.left)
	a.left = a.left[n:]
	return n, nil
}

// Close ends the reading and waits for it.
func (a *ahead) Close() error {
	a.stop()
	for range a.full {
	}
	return nil
}
