package review

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"paravent/internal/access"
)

// The files of OUT.
const (
	findingsFile = "findings.jsonl"
	samplesFile  = "samples.jsonl"
	rejectedFile = "rejected.csv"
	reportFile   = "report.html"
)

// reportMark stands at the head of each report, so that a later review knows
// the folder for its own.
const reportMark = `<meta name="generator" content="paravent review">`

// workPattern names the folder inside OUT that holds what is not finished.
const workPattern = ".paravent-review-*"

// output is the folder OUT. Nothing of it is seen before publish: all is
// written into a folder of its own inside, which close removes.
type output struct {
	dir, work string
	written   []string
}

// openOutput makes the folder where it doesn't exist. It refuses one that holds
// a file of the same name as one of its own that it didn't write.
func openOutput(dir string) (*output, error) {
	dir = filepath.Clean(dir) // as its own name reads among the leftovers
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, access.Errorf(access.Invalid, "can't make the folder %s", dir).Because(err).WithHint("Choose another with --out.")
	}
	for _, name := range []string{findingsFile, samplesFile, rejectedFile, reportFile} {
		own, err := ours(filepath.Join(dir, name), name)
		if err != nil {
			return nil, fmt.Errorf("look at output: %w", err)
		}
		if !own {
			return nil, access.Errorf(access.Invalid, "%s was not written by a review and would be overwritten", filepath.Join(dir, name)).
				WithHint("Choose another folder with --out, or move the file away.")
		}
	}
	work, err := os.MkdirTemp(dir, workPattern)
	if err != nil {
		return nil, access.Errorf(access.Invalid, "can't write into %s", dir).Because(err).WithHint("Choose another folder with --out.")
	}
	return &output{dir: dir, work: work}, nil
}

// ours reports whether path is free, or a file that an earlier review wrote.
func ours(path, name string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, errors.Join(err, f.Close())
	}
	head = head[:n]
	var own bool
	switch name {
	case reportFile:
		own = bytes.Contains(head, []byte(reportMark))
	case rejectedFile:
		own = bytes.HasPrefix(head, []byte(rejectsHeader+"\n"))
	default:
		own = len(head) == 0 || bytes.HasPrefix(head, []byte(`{"id":`))
	}
	return own, f.Close()
}

// leftovers returns the folders that interrupted reviews left behind; they
// hold rows of the input.
func (o *output) leftovers() []string {
	found, err := filepath.Glob(filepath.Join(escapeGlob(o.dir), workPattern))
	if err != nil {
		return nil // the pattern is a constant; a folder that can't be read was told of before
	}
	var others []string
	for _, path := range found {
		if path != o.work {
			others = append(others, path)
		}
	}
	return others
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// write writes one file of the output, durable, where nobody sees it yet.
func (o *output) write(name string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(filepath.Join(o.work, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	w := bufio.NewWriterSize(f, 256<<10)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	o.written = append(o.written, name)
	return nil
}

// publish puts what was written in its place, whole files only.
func (o *output) publish() error {
	for _, name := range o.written {
		if err := os.Rename(filepath.Join(o.work, name), filepath.Join(o.dir, name)); err != nil {
			return fmt.Errorf("publish %s: %w", name, err)
		}
	}
	return nil
}

// close removes what was not published.
func (o *output) close() error {
	if err := os.RemoveAll(o.work); err != nil {
		return fmt.Errorf("remove unfinished output: %w", err)
	}
	return nil
}
