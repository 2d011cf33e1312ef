package review

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// shownRejects is how many bad rows are shown; all of them are written.
const shownRejects = 20

// rejectsHeader is the first line of rejected.csv.
const rejectsHeader = "file,line,reason,row"

// Reject is one bad row: where it stood and why it wasn't taken. The row
// itself stands in rejected.csv alone.
type Reject struct {
	File   string
	Line   int // from 1, the header line counted
	Reason string
}

// String tells of the bad row without quoting it.
func (r Reject) String() string { return fmt.Sprintf("%s line %d: %s", r.File, r.Line, r.Reason) }

// rejects keeps the bad rows of one file, in a temporary file of their own.
type rejects struct {
	dir   string
	file  string // the file that the rows come from
	first []Reject
	count int64
	kept  *os.File
	buf   *bufio.Writer
	csv   *csv.Writer
}

// add keeps a bad row.
func (r *rejects) add(bad row, reason string) error {
	if r.kept == nil {
		f, err := os.CreateTemp(r.dir, "rejected-*")
		if err != nil {
			return fmt.Errorf("make temporary file: %w", err)
		}
		r.kept, r.buf = f, bufio.NewWriter(f)
		r.csv = csv.NewWriter(r.buf)
	}
	r.count++
	if len(r.first) < shownRejects {
		r.first = append(r.first, Reject{r.file, bad.line, reason})
	}
	text := strings.ToValidUTF8(string(bad.raw), "\ufffd")
	if err := r.csv.Write([]string{r.file, strconv.Itoa(bad.line), reason, inert(text)}); err != nil {
		return fmt.Errorf("keep bad row: %w", err)
	}
	return nil
}

// inert returns text so that a spreadsheet doesn't take it for a formula: an
// apostrophe before the characters that begin one. Whoever fed a row into the
// export must not run anything on the desk of the person who looks at it.
func inert(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(text[0])) {
		return "'" + text
	}
	return text
}

// copyTo writes the kept rows to w.
func (r *rejects) copyTo(w io.Writer) error {
	if r.kept == nil {
		return nil
	}
	r.csv.Flush()
	if err := errors.Join(r.csv.Error(), r.buf.Flush()); err != nil {
		return fmt.Errorf("keep bad rows: %w", err)
	}
	if _, err := r.kept.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read bad rows: %w", err)
	}
	if _, err := io.Copy(w, r.kept); err != nil {
		return fmt.Errorf("write bad rows: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.kept == nil {
		return nil
	}
	return r.kept.Close()
}
