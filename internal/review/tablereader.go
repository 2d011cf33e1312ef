package review

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"paravent/internal/access"
)

// tableReader turns one file into sorted records.
type tableReader struct {
	table   *table
	file    string // as it is called in DIR, with .gz
	sorter  *sorter
	rejects *rejects
	notices []string

	scratch   []byte
	err       error  // of the sorter; ends the reading
	ids       idSet  // of the look-ups
	inputHash uint64 // sum of the hashes of the look-ups, whatever their order
	last      int64  // time of the last look-up
	rows      int64
}

// emit hands a record on to the sorter.
func (t *tableReader) emit(record []byte) {
	if t.err == nil {
		t.err = t.sorter.add(record)
	}
}

// read reads all rows of src. Bad rows are kept aside; an error is about the
// file as a whole.
func (t *tableReader) read(ctx context.Context, src io.Reader) error {
	rows := newRowReader(src)
	head, err := rows.next()
	if errors.Is(err, io.EOF) {
		return access.Errorf(access.Invalid, "%s is empty: not even a header line", t.file).
			WithHint("Its first line names the columns: " + strings.Join(t.table.columns, ",") + ". Leave the file out if there is nothing to tell.")
	}
	if err != nil {
		return t.damaged(err)
	}
	columns, width, err := t.header(head)
	if err != nil {
		return err
	}
	cells := make([][]byte, len(t.table.columns))
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r, err := rows.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return t.damaged(err)
		}
		t.rows++
		reason := r.problem
		if reason == "" && len(r.cells) != width {
			reason = fmt.Sprintf("%d cells, but the header names %d columns", len(r.cells), width)
		}
		if reason == "" {
			for i, column := range columns {
				if column >= 0 {
					cells[i] = r.cells[column]
				}
			}
			reason = t.table.read(t, cells)
		}
		if reason != "" {
			t.err = errors.Join(t.err, t.rejects.add(r, reason))
		}
		if t.err != nil {
			return t.err
		}
	}
}

func (t *tableReader) damaged(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return access.Errorf(access.Invalid, "%s can't be read to its end", t.file).Because(err).
		WithHint("The file seems damaged or cut short: export it again. Nobody was judged.")
}

// header finds where each column of the table stands, -1 where it doesn't, and
// how many columns the file has.
func (t *tableReader) header(head row) (columns []int, width int, err error) {
	names := head.cells
	if head.problem != "" {
		return nil, 0, access.Errorf(access.Invalid, "%s: the header line can't be read: %s", t.file, head.problem).
			WithHint("Export it as CSV with commas, in UTF-8.")
	}
	at := map[string]int{}
	for i, name := range names {
		text := strings.ToLower(strings.TrimSpace(string(name)))
		if i == 0 {
			text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
		}
		if _, twice := at[text]; twice && text != "" {
			return nil, 0, access.Errorf(access.Invalid, "%s: two columns are called %q", t.file, text).WithHint("Rename one of them.")
		}
		at[text] = i
	}
	columns = make([]int, len(t.table.columns))
	var absent []string
	for i, name := range t.table.columns {
		place, ok := at[name]
		if !ok {
			place = -1
			if i < t.table.must {
				absent = append(absent, name)
			}
		}
		columns[i] = place
		delete(at, name)
	}
	if len(absent) > 0 {
		hint := "The columns of this file are: " + strings.Join(t.table.columns, ", ") + ". Their order doesn't matter."
		if len(names) == 1 {
			hint = separatedBy(string(names[0])) + hint
		}
		return nil, 0, access.Errorf(access.Invalid, "%s: no column %s", t.file, strings.Join(absent, ", ")).WithHint(hint)
	}
	if len(at) > 0 {
		t.notices = append(t.notices, fmt.Sprintf("%s: columns not used: %s", t.file, unknownColumns(names, at)))
	}
	return columns, len(names), nil
}

// unknownColumns lists what is left in at, in the order of the file.
func unknownColumns(names [][]byte, at map[string]int) string {
	var list []string
	for i := range names {
		for name, place := range at {
			if place == i {
				list = append(list, fmt.Sprintf("%.40q", name))
			}
		}
	}
	if more := len(list) - 10; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:10], ", "), more)
	}
	return strings.Join(list, ", ")
}

// separatedBy says what to do about a header whose cells no comma separates,
// and "" where it sees nothing of the kind.
func separatedBy(header string) string {
	for _, m := range [][2]string{{";", "semicolons"}, {"\t", "tabs"}, {"|", "vertical bars"}} {
		if strings.Contains(header, m[0]) {
			return "The cells are separated by " + m[1] + " instead of commas. Export it again with commas: " +
				"in LibreOffice under “Edit filter settings”, in Excel by making the comma the list separator in the system's region settings. "
		}
	}
	return ""
}
